//! States, times and severities as words with a mark, so that colour never carries meaning alone.

use bartizan_core::{ActionKind, IncidentState, Outcome, Severity, Timestamp};

/// A word with a mark; `tone` is the style's class.
#[derive(Clone, Debug)]
pub(super) struct Tag {
    pub(super) mark: &'static str,
    pub(super) word: &'static str,
    pub(super) tone: &'static str,
}

pub(super) fn severity(severity: Severity) -> Tag {
    let (mark, tone) = match severity {
        Severity::Critical => ("◆", "bad"),
        Severity::High => ("▲", "bad"),
        Severity::Medium => ("■", "warn"),
        Severity::Low => ("●", "accent"),
        Severity::Info => ("○", ""),
    };
    Tag { mark, word: severity.as_str(), tone }
}

pub(super) fn state(state: IncidentState) -> Tag {
    let (mark, word, tone) = match state {
        IncidentState::Open => ("!", "open", "bad"),
        IncidentState::AwaitingApproval => ("?", "awaiting approval", "warn"),
        IncidentState::Contained => ("✓", "contained", "good"),
        IncidentState::ContainmentFailed => ("✕", "containment failed", "bad"),
        IncidentState::Shadowed => ("◌", "shadowed: recorded only", "warn"),
        IncidentState::Released => ("↺", "released", ""),
        IncidentState::Closed => ("–", "closed", ""),
    };
    Tag { mark, word, tone }
}

pub(super) fn outcome(outcome: Outcome) -> Tag {
    let (mark, word, tone) = match outcome {
        Outcome::Allow => ("✓", "allowed", "good"),
        Outcome::Deny => ("✕", "refused", "warn"),
        Outcome::Transform => ("~", "changed", "accent"),
        Outcome::Error => ("!", "failed", "bad"),
        Outcome::Observe => ("○", "seen", ""),
    };
    Tag { mark, word, tone }
}

pub(super) fn action(kind: ActionKind) -> &'static str {
    match kind {
        ActionKind::RevokeKey => "Revoke a key",
        ActionKind::BlockPrincipal => "Block a principal",
        ActionKind::BlockModel => "Block a model",
        ActionKind::TightenLimit => "Tighten a limit",
        ActionKind::Notify => "Notify people",
    }
}

/// Date and time to the second, in UTC.
pub(super) fn moment(time: Timestamp) -> String {
    let text = time.to_string();
    text.get(..19).map_or_else(|| text.clone(), |start| start.replace('T', " "))
}

/// A count with spaces between thousands.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}

/// Microseconds as milliseconds with one decimal.
pub(super) fn milliseconds(microseconds: u64) -> String {
    format!("{}.{} ms", microseconds / 1000, microseconds % 1000 / 100)
}
