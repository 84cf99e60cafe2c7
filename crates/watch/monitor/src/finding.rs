//! A score over its threshold, in words.

use crate::signal::SignalKind;

/// What one look has found; with whom and where it is, it becomes a signal.
pub(crate) struct Finding {
    pub(crate) kind: SignalKind,
    pub(crate) score: f64,
    pub(crate) threshold: f64,
    pub(crate) message: String,
    /// Principals that it is about together; empty when it is about the exchange's own.
    pub(crate) members: Vec<String>,
}
