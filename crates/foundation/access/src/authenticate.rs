//! From a presented key or a verified access token to a caller.

use std::sync::Arc;

use bartizan_core::{Digest, Timestamp};

use crate::key::{hash, split};
use crate::principal::Principal;
use crate::restriction::{Restriction, RestrictionKind};

/// Somebody whose key or access token is good.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Who.
    pub principal: Arc<Principal>,
    /// Public prefix of the key, or name of the access token.
    pub key: Arc<str>,
    /// By how much this caller's limits are divided at the moment; 1 when they are not.
    pub divisor: u32,
}

/// Why a key or token is not good. The caller is told less than this: the word goes to ledger and rules.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Denied {
    /// A stable kebab-case word.
    pub reason: &'static str,
    /// The principal, where the key's secret or the token's signature was right.
    pub principal: String,
    /// The public prefix, where it names a key there is; the name of a token whose signature was right.
    pub key: String,
    /// Whether the principal exists only for a drill.
    pub drill: bool,
}

impl Denied {
    /// Nobody that is known.
    pub fn nobody(reason: &'static str) -> Self {
        Self { reason, principal: String::new(), key: String::new(), drill: false }
    }
}

/// What [`check`] needs to know; the directory looks it up.
pub(crate) trait Lookup {
    /// The key with that prefix; where there is none, any other, found in the same steps.
    fn nearest_key(&self, prefix: &str) -> Option<Known<'_>>;
    /// The principal with that id.
    fn principal(&self, id: &str) -> Option<&Arc<Principal>>;
    /// What is held against a target.
    fn restrictions(&self, kind: RestrictionKind, target: &str) -> &[Restriction];
}

/// A key.
pub(crate) struct Known<'a> {
    pub(crate) hash: &'a Digest,
    pub(crate) prefix: &'a Arc<str>,
    pub(crate) expires: Option<Timestamp>,
    pub(crate) principal: &'a str,
}

/// Checks a presented key. A prefix that is not known costs the same steps as one that is, up to the
/// answer that something is wrong, and prefixes and hashes are compared in constant time.
pub(crate) fn check(directory: &impl Lookup, presented: &str, now: Timestamp) -> Result<Caller, Denied> {
    let Some((prefix, secret)) = split(presented) else { return Err(Denied::nobody("key-malformed")) };
    let hash = hash(secret);
    let Some(known) = directory.nearest_key(prefix) else { return Err(Denied::nobody("key-unknown")) };
    let same_prefix = bartizan_signing::constant_time_equal(prefix.as_bytes(), known.prefix.as_bytes());
    let same_secret = bartizan_signing::constant_time_equal(hash.as_bytes(), known.hash.as_bytes());
    if !(same_prefix & same_secret) {
        return Err(Denied::nobody("key-unknown"));
    }
    let Some(principal) = directory.principal(known.principal) else { return Err(Denied::nobody("principal-unknown")) };
    let bearer = Bearer { directory, principal, key: known.prefix, now };
    if principal.canary {
        return Err(bearer.denied("key-canary"));
    }
    if bearer.is_held(RestrictionKind::RevokedKey, prefix) {
        return Err(bearer.denied("key-revoked"));
    }
    if bearer.is_held(RestrictionKind::BlockedPrincipal, &principal.id) {
        return Err(bearer.denied("principal-blocked"));
    }
    if [known.expires, principal.expires].into_iter().flatten().any(|expires| now >= expires) {
        return Err(bearer.denied("key-expired"));
    }
    Ok(bearer.caller())
}

/// Holds the principal behind a verified access token against what is in force. `token` is the
/// token's name, `issued` when it was issued.
pub(crate) fn check_token(
    directory: &impl Lookup,
    principal: &Arc<Principal>,
    token: &Arc<str>,
    issued: Option<Timestamp>,
    now: Timestamp,
) -> Result<Caller, Denied> {
    let bearer = Bearer { directory, principal, key: token, now };
    let outdated = directory.restrictions(RestrictionKind::RevokedTokens, &principal.id).iter().any(|restriction| {
        // A token that does not say when it was issued may be one of those that are meant.
        restriction.is_in_force(now) && issued.is_none_or(|issued| issued <= restriction.since)
    });
    if outdated || bearer.is_held(RestrictionKind::RevokedKey, token) {
        return Err(bearer.denied("token-revoked"));
    }
    if bearer.is_held(RestrictionKind::BlockedPrincipal, &principal.id) {
        return Err(bearer.denied("principal-blocked"));
    }
    Ok(bearer.caller())
}

/// Somebody whose secret or token is right, while it is asked what is held against them.
struct Bearer<'a, L> {
    directory: &'a L,
    principal: &'a Arc<Principal>,
    key: &'a Arc<str>,
    now: Timestamp,
}

impl<L: Lookup> Bearer<'_, L> {
    fn is_held(&self, kind: RestrictionKind, target: &str) -> bool {
        self.directory.restrictions(kind, target).iter().any(|restriction| restriction.is_in_force(self.now))
    }

    fn denied(&self, reason: &'static str) -> Denied {
        Denied { reason, principal: self.principal.id.clone(), key: self.key.to_string(), drill: self.principal.drill }
    }

    fn caller(&self) -> Caller {
        let divisor = self
            .directory
            .restrictions(RestrictionKind::TightenedLimit, &self.principal.id)
            .iter()
            .filter(|restriction| restriction.is_in_force(self.now))
            .map(|restriction| restriction.divisor)
            .max();
        Caller { principal: self.principal.clone(), key: self.key.clone(), divisor: divisor.unwrap_or(1).max(1) }
    }
}
