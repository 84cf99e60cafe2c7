//! Why something could not be done about an incident.

use std::path::PathBuf;

use bartizan_core::IncidentState;
use bartizan_storage::StorageError;
use thiserror::Error;

use crate::containment::{ContainmentError, RecordError};

/// Why something could not be done about an incident.
#[derive(Debug, Error)]
pub enum RespondError {
    /// The incident store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A record of the store is not understood.
    #[error("{}: record {number} is not understood ({reason}); restore the file from a backup", path.display())]
    Damaged {
        /// The store's file.
        path: PathBuf,
        /// Which record, from 0.
        number: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// The ledger refused a record, so nothing was done; it is tried again every second.
    #[error("this can't be recorded in the ledger, so it waits: {0}")]
    Record(#[from] RecordError),
    /// An action could not be taken back; it is tried again every second.
    #[error("`{action}` could not be taken back: {source}")]
    Revert {
        /// Its id.
        action: String,
        /// Why.
        source: ContainmentError,
    },
    /// There is no such incident.
    #[error("there is no incident `{0}`; list them with `bartizan incident list`")]
    Unknown(String),
    /// The incident is not in a state for it.
    #[error("incident `{id}` is {}: {reason}", state.as_str())]
    State {
        /// The incident.
        id: String,
        /// Where it stands.
        state: IncidentState,
        /// What to do instead.
        reason: &'static str,
    },
    /// A playbook can't be read.
    #[error("can't read playbook {}: {source}; check the path in `respond.playbooks`", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A playbook is not valid.
    #[error("playbook {}: {reason}", path.display())]
    Playbook {
        /// Which.
        path: PathBuf,
        /// What is wrong, where, and what to do.
        reason: String,
    },
    /// A setting can't be used.
    #[error("respond.{key}: {reason}")]
    Setting {
        /// Which.
        key: &'static str,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// Something could not be written as JSON.
    #[error("can't write JSON: {0}")]
    Json(#[from] serde_json::Error),
}
