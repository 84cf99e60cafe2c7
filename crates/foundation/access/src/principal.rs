//! Those who act.

use std::collections::BTreeSet;
use std::fmt;

use bartizan_core::{Tenant, Timestamp};
use serde::{Deserialize, Serialize};

/// What a principal is there for. Policies give each its rights.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Manages everything but uses no model.
    Admin,
    /// Runs the house: watches, responds, drills.
    Operator,
    /// Uses models and reads about them.
    DataScientist,
    /// Uses models.
    Client,
    /// Reads everything, changes nothing.
    Auditor,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Admin, Self::Operator, Self::DataScientist, Self::Client, Self::Auditor];

    /// The kebab-case word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Operator => "operator",
            Self::DataScientist => "data-scientist",
            Self::Client => "client",
            Self::Auditor => "auditor",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == word)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A person, service or drill that acts. The id is opaque and is what the ledger holds; the name is
/// for people and stays in this store.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Principal {
    /// `prn_…`.
    pub id: String,
    /// Whose.
    pub tenant: Tenant,
    /// What people call it; unique within the tenant.
    pub name: String,
    /// What it is there for.
    pub roles: BTreeSet<Role>,
    /// When it was made.
    pub created: Timestamp,
    /// When it ends by itself.
    #[serde(default)]
    pub expires: Option<Timestamp>,
    /// Whether it exists only for a drill.
    #[serde(default)]
    pub drill: bool,
    /// Whether its keys are bait: they never open the door, and whoever shows one has read what was
    /// not theirs.
    #[serde(default)]
    pub canary: bool,
    /// Whether automatic containment must leave it alone.
    #[serde(default)]
    pub protected: bool,
}
