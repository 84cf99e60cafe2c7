//! What calls are asked for. A check is a function over a [`Call`]; a new one is added to [`CHECKS`].

mod connections;
mod deserialization;
mod execution;
pub(super) mod frameworks;
mod remote_code;

use bartizan_core::{Confidence, Rule, Severity};

use super::call::Call;
use super::value::Entry;

/// What a check has to say about a call.
pub(super) struct Verdict {
    pub(super) rule: &'static Rule,
    pub(super) severity: Severity,
    pub(super) confidence: Confidence,
    pub(super) message: String,
    /// Where the content came in, which makes the call dangerous.
    pub(super) from: Option<Entry>,
}

impl Verdict {
    pub(super) fn new(rule: &'static Rule, message: impl Into<String>) -> Self {
        Self { rule, severity: rule.severity, confidence: Confidence::High, message: message.into(), from: None }
    }

    fn with_severity(self, severity: Severity) -> Self {
        Self { severity, ..self }
    }

    fn likely(self) -> Self {
        Self { confidence: Confidence::Medium, ..self }
    }

    fn from(self, entry: &Entry) -> Self {
        Self { from: Some(entry.clone()), ..self }
    }
}

/// Looks at one call.
pub(super) type Check = fn(&Call) -> Option<Verdict>;

/// Every check, in the order of their rules; each may say one thing about a call.
pub(super) const CHECKS: &[Check] = &[
    remote_code::trusted_remote_code,
    remote_code::hub_entry_point,
    remote_code::unpinned_model,
    deserialization::torch_load,
    deserialization::unpickling,
    deserialization::yaml_load,
    execution::foreign_text_is_run,
    connections::unverified_connection,
    frameworks::safety_off,
];
