//! From a presented key to a caller.

use std::sync::Arc;

use bartizan_core::{Digest, Timestamp};

use crate::key::{hash, split};
use crate::principal::Principal;
use crate::restriction::{Restriction, RestrictionKind};

/// Somebody whose key is good.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Who.
    pub principal: Arc<Principal>,
    /// Public prefix of the key.
    pub key: Arc<str>,
    /// By how much this caller's limits are divided at the moment; 1 when they are not.
    pub divisor: u32,
}

/// Why a key is not good. The caller is told less than this: the word goes to ledger and rules.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Denied {
    /// A stable kebab-case word.
    pub reason: &'static str,
    /// The principal, where the key's secret was right.
    pub principal: String,
    /// The public prefix, where it names a key there is.
    pub key: String,
    /// Whether the principal exists only for a drill.
    pub drill: bool,
}

impl Denied {
    pub(crate) fn nobody(reason: &'static str) -> Self {
        Self { reason, principal: String::new(), key: String::new(), drill: false }
    }
}

/// What [`check`] needs to know; the directory looks it up.
pub(crate) trait Lookup {
    /// The stored hash and everything about the key with that prefix.
    fn key(&self, prefix: &str) -> Option<Known<'_>>;
    /// What is held against a target.
    fn restrictions(&self, kind: RestrictionKind, target: &str) -> &[Restriction];
}

/// A key and its principal.
pub(crate) struct Known<'a> {
    pub(crate) hash: &'a Digest,
    pub(crate) prefix: &'a Arc<str>,
    pub(crate) expires: Option<Timestamp>,
    pub(crate) principal: Option<&'a Arc<Principal>>,
}

/// Checks a presented key. A prefix that is not known costs the same hash and comparison as one that
/// is, and the hashes are compared in constant time.
pub(crate) fn check(directory: &impl Lookup, presented: &str, now: Timestamp) -> Result<Caller, Denied> {
    let Some((prefix, secret)) = split(presented) else { return Err(Denied::nobody("key-malformed")) };
    let hash = hash(secret);
    let known = directory.key(prefix);
    let nothing = Digest::from_bytes([0; 32]);
    let expected = known.as_ref().map_or(&nothing, |known| known.hash);
    let same = bartizan_signing::constant_time_equal(hash.as_bytes(), expected.as_bytes());
    let Some(known) = known.filter(|_| same) else { return Err(Denied::nobody("key-unknown")) };

    let Some(principal) = known.principal else { return Err(Denied::nobody("principal-unknown")) };
    let denied = |reason| Denied {
        reason,
        principal: principal.id.clone(),
        key: known.prefix.to_string(),
        drill: principal.drill,
    };
    let in_force = |kind, target: &str| {
        directory.restrictions(kind, target).iter().any(|restriction| restriction.is_in_force(now))
    };
    if principal.canary {
        return Err(denied("key-canary"));
    }
    if in_force(RestrictionKind::RevokedKey, prefix) {
        return Err(denied("key-revoked"));
    }
    if in_force(RestrictionKind::BlockedPrincipal, &principal.id) {
        return Err(denied("principal-blocked"));
    }
    if [known.expires, principal.expires].into_iter().flatten().any(|expires| now >= expires) {
        return Err(denied("key-expired"));
    }
    let divisor = directory
        .restrictions(RestrictionKind::TightenedLimit, &principal.id)
        .iter()
        .filter(|restriction| restriction.is_in_force(now))
        .map(|restriction| restriction.divisor)
        .max();
    Ok(Caller { principal: principal.clone(), key: known.prefix.clone(), divisor: divisor.unwrap_or(1).max(1) })
}
