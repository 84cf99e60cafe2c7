//! What a token whose signature is right says: who, for whom, from when to when.

use std::collections::BTreeSet;

use bartizan_core::Timestamp;
use serde_json::Value;

use super::fault::TokenFault;
use super::settings::IssuerSettings;
use crate::principal::Role;

/// Longest name of a principal in bytes (OpenID Connect Core, section 2, allows a `sub` 255 characters).
const SUBJECT_BYTES: usize = 1024;
/// Latest moment that a claim may name: the year 9999.
const LATEST: f64 = 253_402_300_799.0;

/// The claims of a token that its issuer signed.
pub(super) struct Identity<'a> {
    claims: &'a Value,
    settings: &'a IssuerSettings,
}

impl<'a> Identity<'a> {
    pub(super) fn new(claims: &'a Value, settings: &'a IssuerSettings) -> Self {
        Self { claims, settings }
    }

    /// Whom it is about.
    pub(super) fn subject(&self) -> Result<&'a str, TokenFault> {
        let subject = claim(self.claims, &self.settings.principal_claim).and_then(Value::as_str);
        subject.filter(|subject| (1..=SUBJECT_BYTES).contains(&subject.len())).ok_or(TokenFault::Principal)
    }

    /// Its own name, where it has one.
    pub(super) fn token(&self) -> Option<&'a str> {
        self.claims.get("jti").and_then(Value::as_str).filter(|name| !name.is_empty())
    }

    /// The roles that its groups give.
    pub(super) fn roles(&self) -> BTreeSet<Role> {
        let settings = self.settings;
        let mut roles: BTreeSet<Role> = settings.default_role.into_iter().collect();
        match claim(self.claims, &settings.groups_claim) {
            Some(Value::String(words)) => {
                roles.extend(words.split(' ').filter_map(|group| settings.roles.get(group)));
            }
            Some(Value::Array(groups)) => {
                roles.extend(groups.iter().filter_map(Value::as_str).filter_map(|group| settings.roles.get(group)));
            }
            _ => {}
        }
        roles
    }

    /// When it was issued, where it says so.
    pub(super) fn issued(&self) -> Result<Option<Timestamp>, TokenFault> {
        self.moment("iat")
    }

    /// Whether it is for us (RFC 7519, section 4.1.3).
    pub(super) fn check_audience(&self) -> Result<(), TokenFault> {
        let ours = |audience: &str| self.settings.audience.0.iter().any(|ours| ours == audience);
        let named = match self.claims.get("aud") {
            Some(Value::String(one)) => ours(one),
            Some(Value::Array(all)) => {
                all.iter().all(Value::is_string) && all.iter().filter_map(Value::as_str).any(ours)
            }
            _ => false,
        };
        if named { Ok(()) } else { Err(TokenFault::Audience) }
    }

    /// Whether it is valid at `now`, with the leeway for clocks that differ.
    pub(super) fn check_time(&self, now: Timestamp) -> Result<(), TokenFault> {
        let leeway = i64::from(self.settings.leeway_seconds);
        let expires = self.moment("exp")?.ok_or(TokenFault::NoExpiry)?;
        if now >= expires.plus_seconds(leeway) {
            return Err(TokenFault::Expired);
        }
        let issued = self.issued()?;
        for begin in [self.moment("nbf")?, issued].into_iter().flatten() {
            if now.plus_seconds(leeway) < begin {
                return Err(TokenFault::NotYetValid);
            }
        }
        let most = i64::from(self.settings.max_age_seconds);
        if most > 0 && issued.is_none_or(|issued| now > issued.plus_seconds(most + leeway)) {
            return Err(TokenFault::TooOld);
        }
        Ok(())
    }

    /// A NumericDate (RFC 7519, section 2): seconds, possibly with a fraction.
    fn moment(&self, name: &str) -> Result<Option<Timestamp>, TokenFault> {
        let Some(value) = self.claims.get(name) else { return Ok(None) };
        let seconds = value.as_f64().filter(|seconds| (0.0..=LATEST).contains(seconds)).ok_or(TokenFault::Malformed)?;
        Ok(Some(Timestamp::from_seconds(seconds as i64)))
    }
}

/// A claim by its name, or by a JSON pointer (RFC 6901), which begins with `/`.
fn claim<'a>(claims: &'a Value, name: &str) -> Option<&'a Value> {
    if name.starts_with('/') { claims.pointer(name) } else { claims.get(name) }
}
