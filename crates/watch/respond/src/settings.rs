//! `[respond]` of the configuration.

use std::path::PathBuf;

use bartizan_core::Severity;
use serde::{Deserialize, Serialize};

/// How much is done without a person. Later ones dare more.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Nothing; what would be done is written down.
    #[default]
    Shadow,
    /// Nothing until a person approves it.
    Approval,
    /// What the playbook says, within blast radius and protected list.
    Automatic,
}

/// How drills are answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Drills {
    /// Their playbooks run automatically; they only reach the drill's throw-away principals.
    #[default]
    Automatic,
    /// As if they were real.
    AsConfigured,
}

/// Who hears of incidents.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Webhook {
    /// Its name in playbooks.
    pub name: String,
    /// Where to post to.
    pub url: String,
    /// Reference to the secret that signs, such as `env:PAGER_SECRET` or `file:/run/secrets/pager`.
    pub secret: String,
}

/// How much automatic containment may hit.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct BlastRadius {
    /// Automatic actions of one playbook within an hour.
    pub actions_per_hour: u32,
    /// Share of the known principals, in percent, that automatic actions may be in force against at
    /// the same time; one is always allowed.
    pub principals_percent: u32,
}

impl Default for BlastRadius {
    fn default() -> Self {
        Self { actions_per_hour: 20, principals_percent: 25 }
    }
}

/// What is done about incidents.
#[derive(Clone, PartialEq, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// How much is done without a person, at most; a playbook may be more careful.
    pub mode: Mode,
    /// How drills are answered.
    pub drills: Drills,
    /// Files or folders of CACAO playbooks that hold beside the default ones; one with the id of a
    /// default playbook takes its place.
    pub playbooks: Vec<PathBuf>,
    /// Principals, key prefixes and model digests that no action is ever taken against automatically.
    pub protected: Vec<String>,
    /// Who hears of incidents.
    pub webhooks: Vec<Webhook>,
    /// How much automatic containment may hit.
    pub blast_radius: BlastRadius,
    /// Seconds after which an action ends by itself, unless its playbook says otherwise.
    pub expiry_seconds: u32,
    /// Alerts milder than this open no incident.
    pub minimum_severity: Severity,
    /// Alerts about the same principal and asset within so many seconds belong to one incident.
    pub correlation_seconds: u32,
    /// Seconds after a person released an incident in which its alerts do nothing again.
    pub quiet_seconds: u32,
    /// Incidents that are kept; finished ones are forgotten beyond that (the ledger keeps them all).
    pub incidents: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            mode: Mode::default(),
            drills: Drills::default(),
            playbooks: Vec::new(),
            protected: Vec::new(),
            webhooks: Vec::new(),
            blast_radius: BlastRadius::default(),
            expiry_seconds: 3600,
            minimum_severity: Severity::Medium,
            correlation_seconds: 3600,
            quiet_seconds: 3600,
            incidents: 5_000,
        }
    }
}
