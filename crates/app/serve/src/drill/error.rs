//! Why a drill could not be run.

use thiserror::Error;

use crate::client::ClientError;

/// Why a drill could not be run.
#[derive(Debug, Error)]
pub enum DrillError {
    /// The daemon is not there or refused.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The daemon guards something that the drill has no inputs for.
    #[error("{0}")]
    Unsuitable(String),
    /// The guarded endpoint can't be reached.
    #[error("the guarded endpoint can't be reached: {0}")]
    Endpoint(String),
    /// The shipped model can't be run in process for comparison.
    #[error(transparent)]
    Model(#[from] Box<crate::error::ServeError>),
}
