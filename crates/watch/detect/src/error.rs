//! Why rules can't be loaded.

use std::path::PathBuf;

use thiserror::Error;

/// Why rules can't be loaded. The engine in use stays as it is.
#[derive(Debug, Error)]
pub enum DetectError {
    /// A file or folder can't be read.
    #[error("can't read rules from {}: {source}; check the path in `detect.rules`", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file is larger than any rule.
    #[error("rule file {} is larger than {limit} bytes; split it", path.display())]
    TooLarge {
        /// Which.
        path: PathBuf,
        /// The limit.
        limit: u64,
    },
    /// A file holds no valid Sigma rule.
    #[error("rule file {}: {reason}; mend it or move it out of the folder", path.display())]
    Invalid {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Rules don't fit together, or can't be compiled.
    #[error("rules can't be used together: {0}; mend the rule or move it out of the folder")]
    Compile(String),
}
