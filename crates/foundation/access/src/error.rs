//! What can go wrong when access is managed.

use thiserror::Error;

/// Why a change to the directory was not made.
#[derive(Debug, Error)]
pub enum AccessError {
    /// The journal could not be written or read.
    #[error(transparent)]
    Storage(#[from] bartizan_storage::StorageError),
    /// A record of the journal is not one that this version knows.
    #[error("the access journal's record {record} can't be read: {reason}; restore the state folder from a backup")]
    Record {
        /// Which, from 0.
        record: usize,
        /// Why.
        reason: String,
    },
    /// There is no such thing.
    #[error("there is no {what} `{id}`; list them with `bartizan access {what}s`")]
    Unknown {
        /// `principal`, `key` or `restriction`.
        what: &'static str,
        /// What was asked for.
        id: String,
    },
    /// There is one of that name already.
    #[error("there is a principal `{0}` already; choose another name")]
    Taken(String),
    /// A name that can't be used.
    #[error("`{0}` can't be a principal's name; use 1 to 100 printable characters")]
    Name(String),
    /// The last administrator would lose access.
    #[error("this would leave nobody who can administer; add another administrator first")]
    LastAdministrator,
    /// The system's source of randomness or the password hash failed.
    #[error("the system gave no randomness or memory to make a secret; try again")]
    Secret,
}
