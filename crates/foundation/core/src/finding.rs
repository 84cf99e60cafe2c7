//! A weakness that was found, and how much of the input was looked at.

use serde::{Deserialize, Serialize};

use crate::{Confidence, JsonMap, Rule, Severity};

/// Where in a file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Position {
    /// A byte offset from the start.
    Byte(u64),
    /// A line, from 1.
    Line(u64),
    /// The file as a whole.
    Whole,
}

/// A file, named relative to where the search began, and a place in it. Members of an archive are
/// written `archive.zip!member/path`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Location {
    /// Relative path with `/`, and `!` before each archive member.
    pub path: String,
    /// The place in that file.
    pub position: Position,
}

/// A weakness: which rule, where, and the evidence (never a secret itself).
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Finding {
    /// The rule that matched.
    #[serde(serialize_with = "rule_id")]
    pub rule: &'static Rule,
    /// How bad it is here.
    pub severity: Severity,
    /// How sure the check is.
    pub confidence: Confidence,
    /// Where.
    pub location: Location,
    /// What was seen, in one line, already escaped for display.
    pub message: String,
    /// Machine-readable proof, such as the trace of a pickle call.
    pub evidence: JsonMap,
    /// What makes two findings the same finding, apart from place: hashed into the fingerprint.
    pub identity: String,
}

fn rule_id<S: serde::Serializer>(rule: &&'static Rule, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(rule.id)
}

impl Finding {
    /// A finding of `rule` with its default severity. `message` is escaped here.
    pub fn new(rule: &'static Rule, location: Location, message: &str) -> Self {
        let message = crate::printable(message);
        Self {
            rule,
            severity: rule.severity,
            confidence: Confidence::High,
            location,
            identity: message.clone(),
            message,
            evidence: JsonMap::new(),
        }
    }

    /// The same finding with another severity.
    #[must_use]
    pub fn with_severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    /// The same finding with another confidence.
    #[must_use]
    pub fn with_confidence(mut self, confidence: Confidence) -> Self {
        self.confidence = confidence;
        self
    }

    /// The same finding with one more piece of proof.
    #[must_use]
    pub fn with_evidence(mut self, key: &str, value: serde_json::Value) -> Self {
        self.evidence.insert(key.to_owned(), value);
        self
    }

    /// The same finding, whose sameness is decided by `identity` instead of by its message.
    #[must_use]
    pub fn with_identity(mut self, identity: &str) -> Self {
        identity.clone_into(&mut self.identity);
        self
    }
}

/// How much of an input was looked at. Partial is never clean.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state", content = "reason")]
pub enum Completeness {
    /// All of it.
    #[default]
    Complete,
    /// Some of it; the reason says what was left.
    Partial(String),
    /// None of it that would carry a verdict.
    Failed(String),
}

impl Completeness {
    /// Whether all was looked at.
    pub fn is_complete(&self) -> bool {
        matches!(self, Self::Complete)
    }

    /// The worse of two, keeping the first reason of that degree.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (&self, &other) {
            (Self::Failed(_), _)
            | (Self::Partial(_), Self::Complete | Self::Partial(_))
            | (Self::Complete, Self::Complete) => self,
            _ => other,
        }
    }
}
