//! Why advisories can't be imported or used.

use std::io;
use std::path::PathBuf;

use bartizan_signing::SigningError;
use bartizan_supply::advisories::IndexError;
use bartizan_supply::impersonation::PopularityError;
use thiserror::Error;

/// Advisories can't be imported or used.
#[derive(Debug, Error)]
pub enum IntelError {
    /// A file could not be read or written.
    #[error("can't {action} {path}: {cause}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        cause: io::Error,
    },
    /// The index does not hold together.
    #[error("{path} {cause}")]
    Index {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        cause: IndexError,
    },
    /// The index was changed after it was made, or comes from another installation.
    #[error(
        "{0} does not carry a valid signature of this installation; somebody may have changed it: remove it and \
         run `bartizan intel import` again, or name it with `--intel` to use it unverified"
    )]
    Signature(PathBuf),
    /// A list of popular packages is not one.
    #[error("{path}: {cause}")]
    Popularity {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        cause: PopularityError,
    },
    /// The key could not be used.
    #[error("the key of the advisory index: {0}")]
    Key(#[from] SigningError),
    /// Nothing in it is an advisory.
    #[error("{0} holds no advisories; give RustSec's or PyPA's folder, OSV records, CISA's catalogue or an EPSS table")]
    Nothing(PathBuf),
    /// No place is known to put the index.
    #[error("no place for the advisory index: set HOME or XDG_DATA_HOME, or name a file with `--output`")]
    NoPlace,
}
