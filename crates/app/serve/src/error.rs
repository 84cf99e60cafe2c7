//! What can keep the daemon from running.

use std::net::SocketAddr;
use std::path::PathBuf;

use thiserror::Error;

/// Why the house could not be opened or run.
#[derive(Debug, Error)]
pub enum ServeError {
    /// The configuration can't be used.
    #[error(transparent)]
    Config(#[from] crate::config::ConfigError),
    /// The state folder can't be used.
    #[error(transparent)]
    State(#[from] bartizan_engine::state::StateError),
    /// The store of principals and keys can't be opened.
    #[error(transparent)]
    Access(#[from] bartizan_access::AccessError),
    /// The policies can't be loaded.
    #[error(transparent)]
    Policy(#[from] bartizan_access::PolicyError),
    /// The ledger can't be opened.
    #[error(transparent)]
    Ledger(#[from] bartizan_ledger::LedgerError),
    /// A key of the installation can't be read or made.
    #[error("the installation's keys can't be used: {0}")]
    Keys(String),
    /// The rules can't be loaded.
    #[error(transparent)]
    Detect(#[from] bartizan_detect::DetectError),
    /// The incident store can't be opened.
    #[error(transparent)]
    Respond(#[from] bartizan_respond::RespondError),
    /// The model can't be read.
    #[error("can't read the model {path}: {source}")]
    ModelFile {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The model was found hostile or broken.
    #[error("{path} is not served: {reason}; see `bartizan scan {path}`")]
    ModelRefused {
        /// Which file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The model can't be run.
    #[error(transparent)]
    Inference(#[from] bartizan_inference::InferenceError),
    /// The model's profile can't be used.
    #[error("{path}: {source}")]
    Profile {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: bartizan_inference::ProfileError,
    },
    /// The upstream can't be used.
    #[error(transparent)]
    Proxy(#[from] bartizan_gateway::ProxyError),
    /// TLS can't be served.
    #[error(transparent)]
    Tls(#[from] bartizan_gateway::TlsError),
    /// An address can't be listened on.
    #[error("can't listen on {address}: {source}; choose another with `--listen` or `--console`")]
    Listen {
        /// Which address.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// A part of the state folder is gone while others are there.
    #[error("{path} {what}; restore the state folder from a backup, or start with another `--state`")]
    Damaged {
        /// Which part.
        path: PathBuf,
        /// What is wrong with it.
        what: &'static str,
    },
    /// Something of the system failed.
    #[error("can't {action}: {source}")]
    System {
        /// What was tried.
        action: &'static str,
        /// Why not.
        source: std::io::Error,
    },
}
