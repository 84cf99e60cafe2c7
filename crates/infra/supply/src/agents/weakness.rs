//! What a check of this module hands back, before it has a file.

use bartizan_core::{Finding, Location, Position, Rule, Severity};
use bartizan_inspect::Source;

use super::redaction::redacted;

/// A finding without its file.
#[derive(Debug)]
pub(super) struct Weakness {
    pub(super) rule: &'static Rule,
    severity: Severity,
    line: u64,
    message: String,
}

/// Characters of foreign text that a message shows.
const SHOWN: usize = 120;

impl Weakness {
    /// One with the rule's own severity.
    pub(super) fn new(rule: &'static Rule, line: u64, message: String) -> Self {
        Self { rule, severity: rule.severity, line, message }
    }

    /// The same with another severity.
    pub(super) fn at(self, severity: Severity) -> Self {
        Self { severity, ..self }
    }

    /// Whether another one says the same of the same line.
    pub(super) fn is_same_place(&self, other: &Self) -> bool {
        self.rule == other.rule && self.line == other.line
    }

    /// The finding in a file.
    pub(super) fn finding(&self, source: &Source) -> Finding {
        let position = if self.line == 0 { Position::Whole } else { Position::Line(self.line) };
        let location = Location { path: source.name().to_owned(), position };
        Finding::new(self.rule, location, &self.message).with_severity(self.severity)
    }
}

/// The first part of foreign text, without credentials.
pub(super) fn shortened(text: &str) -> String {
    let text = redacted(text.get(..text.floor_char_boundary(SHOWN * 16)).unwrap_or(text));
    let mut characters = text.chars();
    let shown: String = characters.by_ref().take(SHOWN).collect();
    if characters.next().is_some() { format!("{shown}…") } else { shown }
}
