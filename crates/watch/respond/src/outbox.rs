//! Notifications that wait for delivery.

use bartizan_core::{Incident, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Attempts after which a notification is given up: about two hours, with growing pauses.
pub(crate) const ATTEMPTS: u32 = 12;
/// Longest pause between attempts, in seconds.
const LONGEST_PAUSE: i64 = 1800;

/// A webhook call that waits for delivery. Its id stays the same over all attempts.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Notification {
    /// The id by which a receiver tells a repetition.
    pub id: String,
    /// Name of the webhook in the settings.
    pub webhook: String,
    /// JSON.
    pub body: String,
    /// Attempts that failed.
    pub attempts: u32,
    /// When the next attempt is due.
    pub not_before: Timestamp,
}

impl Notification {
    /// One of an incident as it stands. Holds ids, the key's public prefix and words of ours: no content, secret or name.
    pub(crate) fn new(id: &str, webhook: &str, incident: &Incident, now: Timestamp) -> Self {
        let actions: Vec<_> =
            incident.actions.iter().map(|action| json!({ "kind": action.kind, "target": action.target })).collect();
        let body = json!({
            "type": "incident",
            "timestamp": now,
            "data": {
                "id": incident.id,
                "tenant": incident.tenant,
                "principal": incident.principal,
                "members": incident.members,
                "key": incident.key,
                "asset": incident.asset,
                "title": incident.title,
                "severity": incident.severity,
                "state": incident.state,
                "rules": incident.rules,
                "techniques": incident.techniques,
                "opened": incident.opened,
                "drill": incident.drill,
                "actions": actions,
            },
        });
        Self { id: id.to_owned(), webhook: webhook.to_owned(), body: body.to_string(), attempts: 0, not_before: now }
    }

    /// Counts a failure; `false` when it is time to give up.
    pub(crate) fn failed(&mut self, now: Timestamp) -> bool {
        self.attempts += 1;
        let pause = 1_i64.checked_shl(self.attempts - 1).unwrap_or(LONGEST_PAUSE).min(LONGEST_PAUSE);
        self.not_before = now.plus_seconds(pause);
        self.attempts < ATTEMPTS
    }
}
