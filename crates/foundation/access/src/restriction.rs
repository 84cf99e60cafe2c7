//! What is held against a key, principal or model.
//!
//! A restriction's id is the id of whatever put it there (a containment action, an administrator's
//! request), so that adding it twice changes nothing and taking it back touches no other.

use bartizan_core::{Tenant, Timestamp};
use serde::{Deserialize, Serialize};

/// What a restriction does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RestrictionKind {
    /// The key with that public prefix, or the access token of that name, is refused.
    RevokedKey,
    /// Access tokens of the principal with that id that were issued up to `since` are refused.
    RevokedTokens,
    /// The principal with that id is refused.
    BlockedPrincipal,
    /// The model with that digest is not served.
    BlockedModel,
    /// The principal's limits are divided.
    TightenedLimit,
}

/// One reason to refuse or slow down.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Restriction {
    /// Id of what put it there.
    pub id: String,
    /// What it does.
    pub kind: RestrictionKind,
    /// Whose.
    pub tenant: Tenant,
    /// Key prefix, token name, principal id or model digest.
    pub target: String,
    /// Since when.
    pub since: Timestamp,
    /// When it ends by itself.
    #[serde(default)]
    pub until: Option<Timestamp>,
    /// By how much limits are divided; 1 for the other kinds.
    #[serde(default = "one")]
    pub divisor: u32,
}

fn one() -> u32 {
    1
}

impl Restriction {
    /// Whether it is in force.
    pub fn is_in_force(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}
