//! What the application supplies.

use bartizan_core::{Action, ActionKind, Event, Tenant};
use thiserror::Error;

/// An action could not be applied or taken back.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("{0}")]
pub struct ContainmentError(String);

impl ContainmentError {
    /// The error with its reason.
    pub fn new(reason: String) -> Self {
        Self(reason)
    }
}

/// An event could not be recorded.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("{0}")]
pub struct RecordError(String);

impl RecordError {
    /// The error with its reason.
    pub fn new(reason: String) -> Self {
        Self(reason)
    }
}

/// What can be contained. Both verbs are idempotent by the action's id: applied twice is applied
/// once, and taking back what is not in force is no error.
pub trait Containment: Send + Sync {
    /// Puts the action into force, durably.
    fn apply(&self, action: &Action) -> Result<(), ContainmentError>;

    /// Takes it back, durably.
    fn revert(&self, action: &Action) -> Result<(), ContainmentError>;

    /// Whether the target must never be hit automatically.
    fn is_protected(&self, tenant: &Tenant, kind: ActionKind, target: &str) -> bool;

    /// How many principals there are, for the blast radius; `None` when that is not known, and then
    /// only the number of actions an hour bounds it.
    fn principals(&self) -> Option<usize> {
        None
    }
}

/// The ledger.
pub trait Record: Send + Sync {
    /// Records the event; durable on return. An event may come twice, with the same id, after a crash.
    fn record(&self, event: Event) -> Result<(), RecordError>;
}
