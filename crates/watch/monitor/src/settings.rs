//! `[monitor]` of the configuration.

use serde::{Deserialize, Serialize};

/// What is watched for, and from when on it is a signal.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Principals, keys and sources that are kept apart; those not seen for longest are forgotten.
    pub principals: usize,
    /// Seconds in which the same signal about the same principal is given once.
    pub cooldown_seconds: u32,
    /// Seconds within which a key's changes of place count.
    pub key_shared_seconds: u32,
    /// Returns to a place that was left within that time, from which on a key counts as shared.
    pub key_shared_returns: u32,
    /// Public prefixes of keys that are shared on purpose.
    pub shared_keys: Vec<String>,
    /// Requests of one principal in ten seconds that are a flood, where it never asked as much.
    pub flood_requests: u32,
    /// Requests of one principal in ten seconds that were refused by the rate limit, from which on it is a flood.
    pub flood_refusals: u32,
    /// How many times its own custom a principal must exceed.
    pub flood_factor: f64,
    /// Requests refused for their form, among a principal's last 64, that are a signal.
    pub malformed_requests: u32,
    /// Requests without a right from one source within a minute that are probing.
    pub unauthorized_requests: u32,
    /// Share of an extractor's distinct queries that are made up (far from all reference data, or small
    /// changes of one another). A principal with more than about half of it collects evidence.
    pub extraction_share: f64,
    /// Chance of a false alarm of extraction in a day, for a principal that asks 10,000 distinct rows.
    pub extraction_false_alarms: f64,
    /// Distinct rows that clients must have sent before a model without a profile is watched for
    /// extraction, no client more than an eighth; 0: never.
    pub learnt_rows: usize,
    /// Nearly equal rows, among a principal's last 64 distinct ones, that are membership probing.
    pub membership_probes: u32,
    /// Share of windows of 32 rows without drift that may look like drift; two in a row are a signal.
    pub drift_false_alarms: f64,
    /// Memory for all principals' last queries; those not seen for longest are forgotten.
    pub window_bytes: usize,
}

impl Settings {
    /// [`extraction_false_alarms`](Self::extraction_false_alarms), within what can be calculated with.
    pub(crate) fn false_alarms(&self) -> f64 {
        self.extraction_false_alarms.clamp(1e-9, 1.0)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            principals: 10_000,
            cooldown_seconds: 10,
            key_shared_seconds: 10,
            key_shared_returns: 3,
            shared_keys: Vec::new(),
            flood_requests: 1_000,
            flood_refusals: 50,
            flood_factor: 5.0,
            malformed_requests: 16,
            unauthorized_requests: 20,
            extraction_share: 0.35,
            extraction_false_alarms: 0.001,
            learnt_rows: 256,
            membership_probes: 32,
            drift_false_alarms: 0.001,
            window_bytes: 64 << 20,
        }
    }
}
