//! What happened, and what was decided.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{Asset, Digest, JsonMap, Tenant, Timestamp};

/// How something ended.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Let through, or done.
    Allow,
    /// Refused by a decision.
    Deny,
    /// Let through in a changed form.
    Transform,
    /// Tried and failed.
    Error,
    /// Seen, with no decision attached.
    Observe,
}

/// What a guard decided and on what ground.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Decision {
    /// The verdict.
    pub outcome: Outcome,
    /// A stable, kebab-case word such as `key-revoked`, fit for metrics and rules.
    pub reason: String,
    /// Digest of the policies that decided.
    pub policy: Option<Digest>,
}

/// What happened: one ledger entry, one bus message, one row of a log.
///
/// Holds no prompt, tensor, key or personal data: principals are opaque ids, content appears only
/// as salted commitments.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Event {
    /// Major version of this record's shape; readers refuse a newer one.
    pub v: u32,
    /// What kind of event, dotted and kebab-case: `request.admission`, `key.revoked`, `incident.opened`.
    #[serde(rename = "type")]
    pub kind: String,
    /// UUIDv7.
    pub id: String,
    /// When, in UTC.
    pub time: Timestamp,
    /// Whose.
    pub tenant: Tenant,
    /// Who: an opaque id, empty when nobody was identified.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub principal: String,
    /// What was attempted, such as `Infer`.
    pub action: String,
    /// On what.
    pub asset: Asset,
    /// How it ended.
    pub outcome: Outcome,
    /// A stable kebab-case word that says why.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Digest of the policies that decided, where one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Digest>,
    /// Links the entries of one request, incident or drill.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub correlation: String,
    /// Salted commitments to content that is kept elsewhere or nowhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commitments: Vec<Digest>,
    /// More fields of this kind of event; integers, strings, booleans and nested maps of them.
    #[serde(default, skip_serializing_if = "JsonMap::is_empty")]
    pub data: JsonMap,
}

impl Event {
    /// The version of the record's shape that this code writes.
    pub const VERSION: u32 = 1;

    /// An event with empty optional fields. `id` is made by the caller (UUIDv7), who has the clock.
    pub fn new(kind: &str, id: String, time: Timestamp, action: &str, asset: Asset, outcome: Outcome) -> Self {
        Self {
            v: Self::VERSION,
            kind: kind.to_owned(),
            id,
            time,
            tenant: asset.tenant().clone(),
            principal: String::new(),
            action: action.to_owned(),
            asset,
            outcome,
            reason: String::new(),
            policy: None,
            correlation: String::new(),
            commitments: Vec::new(),
            data: JsonMap::new(),
        }
    }

    /// The same event, done by `principal`.
    #[must_use]
    pub fn by(mut self, principal: &str) -> Self {
        principal.clone_into(&mut self.principal);
        self
    }

    /// The same event with its reason.
    #[must_use]
    pub fn because(mut self, reason: &str) -> Self {
        reason.clone_into(&mut self.reason);
        self
    }

    /// The same event with one more field.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<serde_json::Value>) -> Self {
        self.data.insert(key.to_owned(), value.into());
        self
    }

    /// The same event, linked to others.
    #[must_use]
    pub fn correlated(mut self, correlation: &str) -> Self {
        correlation.clone_into(&mut self.correlation);
        self
    }
}

/// One request and answer as the watchers see it. Lives in memory only: `inputs` and `outputs` are
/// content, and never reach a file, log or metric.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// When the request arrived.
    pub time: Timestamp,
    /// Whose.
    pub tenant: Tenant,
    /// Opaque id of the caller; empty when nobody was identified.
    pub principal: String,
    /// Public prefix of the key that was shown; empty when none was.
    pub key: String,
    /// Whether the principal exists only for a drill.
    pub drill: bool,
    /// Opaque fingerprint of where the request came from (address and user agent, hashed).
    pub source: String,
    /// Opaque fingerprint of the network that the request came from (its address's prefix, hashed);
    /// empty when that is not known.
    pub network: String,
    /// Opaque fingerprint of the program that sent the request (how it speaks TLS and HTTP, hashed);
    /// empty when that is not known.
    pub program: String,
    /// On what.
    pub asset: Asset,
    /// How it ended.
    pub outcome: Outcome,
    /// Why, as in [`Decision::reason`].
    pub reason: String,
    /// HTTP status that was answered.
    pub status: u16,
    /// Time to the full answer in microseconds.
    pub microseconds: u64,
    /// Input features, row by row, `width` values each; empty when the input was not numeric.
    pub inputs: Arc<[f32]>,
    /// Values in one input row.
    pub width: usize,
    /// The class that the model put first, for each row.
    pub labels: Arc<[u32]>,
}

/// A fresh UUIDv7 (RFC 9562) for an event at `now`: sorts by time, and can't be guessed.
pub fn event_id(now: Timestamp) -> String {
    let seconds = u64::try_from(now.seconds()).unwrap_or_default();
    let nanoseconds = u32::try_from(now.nanoseconds().rem_euclid(1_000_000_000)).unwrap_or_default();
    uuid::Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, seconds, nanoseconds)).to_string()
}

/// Whoever wants to hear what happened. Implementations must not block.
pub trait Observe: Send + Sync {
    /// Something happened; the same record is in the ledger.
    fn event(&self, event: &Event);

    /// A request was answered.
    fn exchange(&self, exchange: Exchange);
}
