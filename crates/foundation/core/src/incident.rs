//! Correlated events, and what is done about them.

use serde::{Deserialize, Serialize};

use crate::{Asset, JsonMap, Severity, Tenant, Timestamp};

/// Where an incident stands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IncidentState {
    /// Opened; nothing was done yet.
    Open,
    /// Actions wait for a person.
    AwaitingApproval,
    /// Actions are in force.
    Contained,
    /// Actions were tried, and at least one failed.
    ContainmentFailed,
    /// Actions would have been taken, were the playbook not in shadow.
    Shadowed,
    /// Actions were taken back.
    Released,
    /// Done with.
    Closed,
}

impl IncidentState {
    /// The kebab-case word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::AwaitingApproval => "awaiting-approval",
            Self::Contained => "contained",
            Self::ContainmentFailed => "containment-failed",
            Self::Shadowed => "shadowed",
            Self::Released => "released",
            Self::Closed => "closed",
        }
    }
}

/// What can be done to contain.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ActionKind {
    /// Make an API key unusable; `target` is its public prefix.
    RevokeKey,
    /// Refuse all that a principal asks; `target` is its id.
    BlockPrincipal,
    /// Refuse to serve a model; `target` is its digest.
    BlockModel,
    /// Divide a principal's limit; `target` is its id, `parameters.divisor` by how much.
    TightenLimit,
    /// Tell people by webhook; `target` is the configured webhook's name.
    Notify,
}

impl ActionKind {
    /// The kebab-case word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RevokeKey => "revoke-key",
            Self::BlockPrincipal => "block-principal",
            Self::BlockModel => "block-model",
            Self::TightenLimit => "tighten-limit",
            Self::Notify => "notify",
        }
    }

    /// Whether the action can be taken back.
    pub const fn is_reversible(self) -> bool {
        !matches!(self, Self::Notify)
    }
}

/// One containment step: idempotent (same id, same effect), reversible, expiring.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Action {
    /// Unique, and the idempotency key.
    pub id: String,
    /// What is done.
    pub kind: ActionKind,
    /// To whose thing.
    pub tenant: Tenant,
    /// To what.
    pub target: String,
    /// The incident it belongs to.
    pub incident: String,
    /// When its effect ends by itself.
    pub expires: Option<Timestamp>,
    /// More, by kind.
    #[serde(default)]
    pub parameters: JsonMap,
}

/// One line of an incident's story.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct TimelineEntry {
    /// When.
    pub time: Timestamp,
    /// What happened, in words fit for display.
    pub what: String,
    /// Who did it: a principal's id, `playbook:<name>` or `bartizan`.
    pub who: String,
}

/// Correlated events by tenant, principal and asset, and the run of a playbook.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Incident {
    /// UUIDv7.
    pub id: String,
    /// Whose.
    pub tenant: Tenant,
    /// Who seems to be behind it; an opaque id, empty when nobody was identified.
    pub principal: String,
    /// Who seems to be behind it together; empty when it is about one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<String>,
    /// Public prefix of the key that was used, when one was.
    pub key: String,
    /// On what.
    pub asset: Asset,
    /// What it is, in one line.
    pub title: String,
    /// How bad.
    pub severity: Severity,
    /// Rules that fired, each once.
    pub rules: Vec<String>,
    /// MITRE ATLAS techniques, each once.
    pub techniques: Vec<String>,
    /// Where it stands.
    pub state: IncidentState,
    /// First event's time.
    pub opened: Timestamp,
    /// Last event's time.
    pub updated: Timestamp,
    /// How many alerts were folded into it.
    pub alerts: u64,
    /// Whether it belongs to a drill.
    pub drill: bool,
    /// The story.
    pub timeline: Vec<TimelineEntry>,
    /// Actions proposed or taken.
    pub actions: Vec<Action>,
}
