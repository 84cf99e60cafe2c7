//! What the gateway writes into the ledger and tells the watchers.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use bartizan_core::{Asset, Digest, Event, Outcome, Secret, Timestamp, event_id};

use crate::guard::{Admission, Refusal};

/// Turns content into commitments: SHA-256 over a salt and the content, the salt being
/// HMAC-SHA-256 of the event's id under a key of this installation. Whoever holds the key can later
/// prove what was sent; nobody else can guess it from the ledger.
pub(crate) struct Committer {
    key: Secret<[u8; 32]>,
}

impl Committer {
    pub(crate) fn new(key: Secret<[u8; 32]>) -> Self {
        Self { key }
    }

    pub(crate) fn commit(&self, event: &str, content: &[u8]) -> Digest {
        let salt = bartizan_signing::hmac_sha256(self.key.expose(), event.as_bytes());
        let mut hasher = bartizan_signing::Hasher::new();
        hasher.update(&salt);
        hasher.update(content);
        hasher.finish()
    }

    /// An opaque word for a few parts: the same parts give the same word.
    pub(crate) fn word(&self, parts: &[&str]) -> String {
        let tag = bartizan_signing::hmac_sha256(self.key.expose(), parts.join("\n").as_bytes());
        let mut word = Digest::from_bytes(tag).hex();
        word.truncate(16);
        word
    }

    /// An opaque name for where requests come from: the same address and agent give the same word.
    pub(crate) fn source(&self, address: IpAddr, agent: &str) -> String {
        self.word(&[&address.to_string(), agent])
    }
}

/// The entry of an admitted request.
pub(crate) fn admission(
    id: &str,
    asset: &Asset,
    admission: &Admission<'_>,
    source: &str,
    commitment: Option<Digest>,
) -> Event {
    let mut event = Event::new(
        "request.admission",
        id.to_owned(),
        admission.now,
        admission.operation.as_str(),
        asset.clone(),
        Outcome::Allow,
    )
    .with("source", source);
    if let Some(caller) = &admission.caller {
        event = event.by(&caller.principal.id).with("key", &*caller.key);
        event.tenant = caller.principal.tenant.clone();
        if caller.principal.drill {
            event = event.with("drill", true);
        }
    }
    if let Some(decision) = &admission.decision {
        event = event.because(&decision.reason);
        event.policy = decision.policy;
    }
    if !admission.model.is_empty() {
        event = event.with("model", admission.model.as_str());
    }
    if let Some(prompt) = admission.prompt.as_ref().filter(|prompt| prompt.is_hostile || prompt.is_partial) {
        event = event.with(
            "prompt",
            serde_json::json!({ "percent": prompt.percent, "reasons": prompt.reasons, "partial": prompt.is_partial }),
        );
    }
    if !admission.shadowed.is_empty() {
        event = event.with("shadowed", admission.shadowed.clone());
    }
    event.commitments.extend(commitment);
    event.correlated(id)
}

/// The entry of a refused request.
pub(crate) fn refusal(
    id: &str,
    now: Timestamp,
    operation: &str,
    asset: &Asset,
    refusal: &Refusal,
    source: &str,
    policy: Digest,
) -> Event {
    let mut event = Event::new("request.refusal", id.to_owned(), now, operation, asset.clone(), Outcome::Deny)
        .because(&refusal.reason)
        .by(&refusal.principal)
        .with("status", refusal.status.as_u16())
        .with("source", source)
        .correlated(id);
    if !refusal.key.is_empty() {
        event = event.with("key", refusal.key.as_str());
    }
    if refusal.drill {
        event = event.with("drill", true);
    }
    event.policy = Some(policy);
    event
}

/// What is known when a request is done.
pub(crate) struct Completed<'a> {
    pub(crate) correlation: &'a str,
    pub(crate) principal: &'a str,
    pub(crate) operation: &'a str,
    pub(crate) asset: &'a Asset,
    pub(crate) outcome: Outcome,
    pub(crate) reason: &'a str,
    pub(crate) status: u16,
    pub(crate) bits: u64,
    pub(crate) bytes: u64,
    pub(crate) microseconds: u64,
    /// What was charged to quotas, where any concern the request.
    pub(crate) usage: Option<serde_json::Value>,
}

/// The entry of a request that was worked on.
pub(crate) fn completion(now: Timestamp, completed: Completed<'_>) -> Event {
    let event = Event::new(
        "request.completion",
        event_id(now),
        now,
        completed.operation,
        completed.asset.clone(),
        completed.outcome,
    )
    .by(completed.principal)
    .because(completed.reason)
    .correlated(completed.correlation)
    .with("status", completed.status)
    .with("bits", completed.bits)
    .with("bytes", completed.bytes)
    .with("microseconds", completed.microseconds);
    match completed.usage {
        Some(usage) => event.with("usage", usage),
        None => event,
    }
}

/// Refusals that were counted instead of recorded one by one.
#[derive(Default)]
pub(crate) struct Suppressed {
    counts: Mutex<HashMap<(String, String), u64>>,
}

/// Different (reason, principal) pairs that are counted apart between two entries.
const COUNTED_APART: usize = 1024;

impl Suppressed {
    pub(crate) fn count(&self, refusal: &Refusal) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let mut key = (refusal.reason.clone(), refusal.principal.clone());
        if counts.len() >= COUNTED_APART && !counts.contains_key(&key) {
            key.1.clear();
        }
        *counts.entry(key).or_default() += 1;
    }

    /// One event for each reason and principal since the last call.
    pub(crate) fn take(&self, now: Timestamp, asset: &Asset) -> Vec<Event> {
        let counts = std::mem::take(&mut *self.counts.lock().unwrap_or_else(PoisonError::into_inner));
        counts
            .into_iter()
            .map(|((reason, principal), count)| {
                Event::new("request.refusals", event_id(now), now, "Request", asset.clone(), Outcome::Deny)
                    .because(&reason)
                    .by(&principal)
                    .with("count", count)
            })
            .collect()
    }
}
