//! What can go wrong with keys.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why a key could not be made, read, stored or used.
#[derive(Debug, Error)]
pub enum SigningError {
    /// The system's random number generator or the provider failed.
    #[error("the cryptographic provider failed to {0}")]
    Provider(&'static str),
    /// The file system refused.
    #[error("{action} key file {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not an intact key of the kind that was asked for.
    #[error("{}: {problem}; restore it from a backup", path.display())]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: &'static str,
    },
}
