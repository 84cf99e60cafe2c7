//! What a rule engine does, and what comes out of it.

use bartizan_core::{Asset, Event, Severity, Tenant, Timestamp};
use serde::{Deserialize, Serialize};

/// A rule has fired.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Alert {
    /// The rule's stable name (or its id, where it has no name).
    pub rule: String,
    /// What the rule says has happened.
    pub title: String,
    /// How bad.
    pub severity: Severity,
    /// MITRE ATLAS techniques, such as `AML.T0024.002`.
    pub techniques: Vec<String>,
    /// Whose.
    pub tenant: Tenant,
    /// Who seems to be behind it; an opaque id, empty when nobody was identified.
    pub principal: String,
    /// Who seems to be behind it together; empty when it is about one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<String>,
    /// Public prefix of the key that was used; empty when none was.
    pub key: String,
    /// On what.
    pub asset: Asset,
    /// Whether it belongs to a drill.
    pub drill: bool,
    /// Time of the event that made the rule fire.
    pub time: Timestamp,
    /// More words for people.
    pub message: String,
    /// Id of the event that made the rule fire.
    pub event: String,
}

/// A rule as a list shows it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct RuleSummary {
    /// The rule's stable name (or its id, where it has no name).
    pub id: String,
    /// What it looks for.
    pub title: String,
    /// How bad that is.
    pub severity: Severity,
    /// MITRE ATLAS techniques.
    pub techniques: Vec<String>,
}

/// Judges events, one after the other. State is bounded, and time is the events' time.
pub trait RuleEngine: Send {
    /// The alerts that this event raises.
    fn evaluate(&mut self, event: &Event) -> Vec<Alert>;

    /// The kinds of event that any rule can match, so that others need not be brought; `None` when
    /// that is not known.
    fn kinds(&self) -> Option<std::collections::BTreeSet<String>> {
        None
    }

    /// The rules that can raise alerts.
    fn rules(&self) -> Vec<RuleSummary>;
}
