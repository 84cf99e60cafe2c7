//! What is known of a principal, for people.

use bartizan_core::{Tenant, Timestamp};
use serde::Serialize;

/// A principal's figures.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct PrincipalFigures {
    /// Whose.
    pub tenant: Tenant,
    /// About whom: an opaque id.
    pub principal: String,
    /// Whether it exists only for a drill.
    pub drill: bool,
    /// Requests since the monitor knows the principal.
    pub requests: u64,
    /// Those that were refused or failed.
    pub refusals: u64,
    /// Requests a second over the ten seconds before the last request.
    pub rate: f64,
    /// How far the last inputs are from the model's profile: 1 is where drift begins.
    pub drift_score: f64,
    /// Share of the last queries that an extractor would make up.
    pub extraction_score: f64,
    /// Places that its key was used from lately.
    pub sources: usize,
    /// When the last request arrived.
    pub last: Timestamp,
}
