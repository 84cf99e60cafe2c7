//! `[access.issuers.NAME]` of `bartizan.toml`.

use std::collections::BTreeMap;
use std::fmt;

use bartizan_core::Tenant;
use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

use super::algorithm::Algorithm;
use crate::principal::Role;

/// Longest issuer, audience or claim name in bytes.
const TEXT_BYTES: usize = 1024;

/// An issuer whose tokens open the door, and what is demanded of them. Unknown fields are refused.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct IssuerSettings {
    /// The exact text of a token's `iss`.
    pub issuer: String,
    /// What a token's `aud` must name: one text, or a list of which one suffices.
    pub audience: Audience,
    /// The only algorithm that this issuer's tokens may be signed with.
    pub algorithm: Algorithm,
    /// Where the issuer's keys are: an https URL, an http URL on this machine, or `file:PATH`.
    pub jwks: String,
    /// The claim that names the principal; a JSON pointer when it begins with `/`.
    #[serde(default = "subject")]
    pub principal_claim: String,
    /// The claim that lists groups, as an array or as words with spaces between; a JSON pointer when
    /// it begins with `/`. Empty for none.
    #[serde(default)]
    pub groups_claim: String,
    /// Whose the principals are.
    #[serde(default)]
    pub tenant: Tenant,
    /// Seconds by which clocks may differ.
    #[serde(default = "leeway")]
    pub leeway_seconds: u32,
    /// Seconds after `iat` at which a token is too old whatever its `exp` says; 0 for no such limit.
    #[serde(default)]
    pub max_age_seconds: u32,
    /// Seconds after which keys are fetched anew, in the background.
    #[serde(default = "refresh")]
    pub refresh_seconds: u32,
    /// Fewest seconds between two fetches, whatever key a token names.
    #[serde(default = "refetch")]
    pub refetch_seconds: u32,
    /// Seconds for which the last good keys hold while they can't be fetched.
    #[serde(default = "stale")]
    pub stale_seconds: u32,
    /// The role that every principal of this issuer has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_role: Option<Role>,
    /// The role that each group gives; groups that are not named give none.
    #[serde(default)]
    pub roles: BTreeMap<String, Role>,
}

fn subject() -> String {
    "sub".to_owned()
}

const fn leeway() -> u32 {
    30
}

const fn refresh() -> u32 {
    300
}

const fn refetch() -> u32 {
    10
}

const fn stale() -> u32 {
    86_400
}

/// A setting of an issuer that can't be used.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("access.issuers.{issuer}{key}: {reason}")]
pub struct IssuerError {
    /// The issuer's name in the configuration.
    pub issuer: String,
    /// `.` and the key, or nothing when the name itself is wrong.
    pub key: &'static str,
    /// What is wrong and what to do.
    pub reason: String,
}

impl IssuerSettings {
    /// Checks what types can't; where the keys are is checked by whoever fetches them.
    ///
    /// # Errors
    /// The first setting that can't be used.
    pub fn check(&self, name: &str) -> Result<(), IssuerError> {
        let wrong = |key, reason: &str| {
            Err(IssuerError { issuer: bartizan_core::printable(name), key, reason: reason.to_owned() })
        };
        let plain = |text: &str| {
            (1..=TEXT_BYTES).contains(&text.len()) && text.trim() == text && !text.chars().any(char::is_control)
        };
        let letters = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if !(1..=32).contains(&name.len()) || !name.bytes().all(letters) {
            return wrong("", "an issuer's name is 1 to 32 of a-z, 0-9 and `-`");
        }
        if !plain(&self.issuer) {
            return wrong(".issuer", "must be the exact text of a token's `iss`, without spaces around it");
        }
        if self.audience.0.is_empty() || !self.audience.0.iter().all(|audience| plain(audience)) {
            return wrong(".audience", "must name what tokens for this door carry in `aud`, such as `api://models`");
        }
        if !plain(&self.principal_claim) {
            return wrong(".principal_claim", "must name a claim, such as `sub`");
        }
        if !self.groups_claim.is_empty() && !plain(&self.groups_claim) {
            return wrong(".groups_claim", "must name a claim, such as `groups` or `/realm_access/roles`");
        }
        if self.default_role.is_none() && self.roles.is_empty() {
            return wrong("", "gives nobody a role; set `default_role`, or `groups_claim` with a table `roles`");
        }
        if self.roles.is_empty() != self.groups_claim.is_empty() {
            return wrong(".roles", "and `groups_claim` need each other; set both or neither");
        }
        if self.leeway_seconds > 600 {
            return wrong(".leeway_seconds", "must be at most 600; set the clocks instead");
        }
        if self.refresh_seconds == 0 || self.refetch_seconds == 0 {
            return wrong(".refresh_seconds", "and `refetch_seconds` must be at least 1");
        }
        if self.stale_seconds < self.refresh_seconds {
            return wrong(".stale_seconds", "must be at least `refresh_seconds`");
        }
        Ok(())
    }
}

/// One audience or several; a token for any of them is for us.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Audience(pub Vec<String>);

impl Serialize for Audience {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.as_slice() {
            [one] => serializer.serialize_str(one),
            several => several.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Audience {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMore;

        impl<'de> Visitor<'de> for OneOrMore {
            type Value = Audience;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an audience, or a list of them")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Audience, E> {
                Ok(Audience(vec![text.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Audience, A::Error> {
                let mut all = Vec::new();
                while let Some(one) = seq.next_element()? {
                    all.push(one);
                }
                Ok(Audience(all))
            }
        }

        deserializer.deserialize_any(OneOrMore)
    }
}
