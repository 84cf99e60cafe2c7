//! The one trait behind which every inspector stands.

use bartizan_core::{Completeness, Finding};

use crate::{Format, Source};

/// Knows one kind of content.
///
/// Inspectors keep no state between sources and never execute, import or extract what they read.
pub trait Inspect: Sync {
    /// What it is called in a report, such as `pickle`.
    fn name(&self) -> &'static str;

    /// Whether it can say something about this source. Several may claim the same bytes: a file can
    /// be two things at once, and a loader picks the one that suits the attacker.
    fn claims(&self, source: &Source, format: Format) -> bool;

    /// Looks, adds what it found to `findings`, and says how much it saw.
    fn inspect(&self, source: &Source, findings: &mut Findings) -> Completeness;
}

/// What an inspector hands back: findings, and more sources to look into.
#[derive(Debug, Default)]
pub struct Findings {
    found: Vec<Finding>,
    children: Vec<Source>,
    dropped: usize,
}

impl Findings {
    /// Findings kept per source; one more hostile thing changes nothing after that many.
    const KEEP: usize = 100;

    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a finding.
    pub fn push(&mut self, finding: Finding) {
        if self.found.len() < Self::KEEP {
            self.found.push(finding);
        } else {
            self.dropped += 1;
        }
    }

    /// Adds a source that came out of the one under inspection.
    pub fn child(&mut self, source: Source) {
        self.children.push(source);
    }

    /// What was found.
    pub fn as_slice(&self) -> &[Finding] {
        &self.found
    }

    /// How many findings were left out after the first hundred.
    pub fn dropped(&self) -> usize {
        self.dropped
    }

    /// The findings and the children.
    pub fn into_parts(self) -> (Vec<Finding>, Vec<Source>) {
        (self.found, self.children)
    }
}
