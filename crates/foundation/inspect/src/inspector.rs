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
///
/// A source that comes out of another is looked into at once, so that no more decoded members are
/// held in memory than archives lie within each other.
#[derive(Default)]
pub struct Findings<'a> {
    found: Vec<Finding>,
    visitor: Option<&'a dyn Fn(Source)>,
    dropped: usize,
}

impl<'a> Findings<'a> {
    /// Findings kept per source; one more hostile thing changes nothing after that many.
    const KEEP: usize = 100;

    /// None yet; sources that come out are dropped.
    pub fn new() -> Self {
        Self::default()
    }

    /// None yet; sources that come out go to `visitor`.
    pub fn visiting(visitor: &'a dyn Fn(Source)) -> Self {
        Self { visitor: Some(visitor), ..Self::default() }
    }

    /// Adds a finding.
    pub fn push(&mut self, finding: Finding) {
        if self.found.len() < Self::KEEP {
            self.found.push(finding);
        } else {
            self.dropped += 1;
        }
    }

    /// Hands on a source that came out of the one under inspection.
    pub fn child(&mut self, source: Source) {
        if let Some(visitor) = self.visitor {
            visitor(source);
        }
    }

    /// What was found.
    pub fn as_slice(&self) -> &[Finding] {
        &self.found
    }

    /// How many findings were left out after the first hundred.
    pub fn dropped(&self) -> usize {
        self.dropped
    }

    /// The findings.
    pub fn into_found(self) -> Vec<Finding> {
        self.found
    }
}
