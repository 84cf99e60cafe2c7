//! What can go wrong with a ledger.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bartizan_signing::{NoteError, SigningError};
use bartizan_storage::StorageError;
use thiserror::Error;

/// Why an entry was not accepted, or a ledger not opened or read.
#[derive(Clone, Debug, Error)]
pub enum LedgerError {
    /// The bounded queue is full: the disk is slower than what is asked of it.
    #[error("the ledger's queue is full; try again later")]
    Full,
    /// The entry is above the limit.
    #[error(
        "the entry has {0} bytes, more than the 16384 that fit; keep large evidence elsewhere and record its digest"
    )]
    TooLarge(usize),
    /// The event can't be written as canonical JSON.
    #[error("the event can't be written as canonical JSON: {0}")]
    Unwritable(Arc<str>),
    /// The ledger was closed.
    #[error("the ledger is closed")]
    Closed,
    /// A write or sync failed earlier; nothing more is accepted.
    #[error("the ledger accepts nothing more since a write failed ({0}); restart after the disk is mended")]
    Failed(Arc<str>),
    /// The system refused.
    #[error("{action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// A write-ahead segment can't be read or written.
    #[error(transparent)]
    Storage(Arc<StorageError>),
    /// A checkpoint could not be signed.
    #[error(transparent)]
    Signing(Arc<SigningError>),
    /// A signed note is not genuine or malformed.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// A checkpoint's text is malformed.
    #[error("checkpoint line {line}: {problem}")]
    Checkpoint {
        /// Which line.
        line: usize,
        /// What is wrong.
        problem: &'static str,
    },
    /// A file of the ledger is missing or not as it was written.
    #[error("{}: {problem}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong and where.
        problem: String,
    },
    /// An entry can't be read.
    #[error("entry {index}: {problem}")]
    Entry {
        /// Which.
        index: u64,
        /// What is wrong.
        problem: String,
    },
    /// The folder holds no ledger.
    #[error("{}: no ledger here", .0.display())]
    Absent(PathBuf),
    /// There is no such entry or size.
    #[error("there is no entry or size {asked}, the ledger has {size} entries")]
    OutOfRange {
        /// What was asked for.
        asked: u64,
        /// How many entries there are.
        size: u64,
    },
    /// A proof does not hold.
    #[error("the proof does not hold: {0}")]
    Proof(&'static str),
}

impl LedgerError {
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source: Arc::new(source) }
    }

    pub(crate) fn damaged(path: &Path, problem: impl Into<String>) -> Self {
        Self::Damaged { path: path.to_owned(), problem: problem.into() }
    }
}

impl From<StorageError> for LedgerError {
    fn from(error: StorageError) -> Self {
        Self::Storage(Arc::new(error))
    }
}

impl From<SigningError> for LedgerError {
    fn from(error: SigningError) -> Self {
        Self::Signing(Arc::new(error))
    }
}
