//! The one trait behind which every inspector stands.

use std::cell::RefCell;

use bartizan_core::{Completeness, Component, Finding};

use crate::{Contents, Format, Source};

/// What an inspector is for; a scan can be limited to some of these.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Area {
    /// Archives and compressed streams: in every scan, since anything can lie in them.
    Containers,
    /// Model files.
    Models,
    /// Manifests and lockfiles of packages.
    Dependencies,
    /// Keys and passwords in text.
    Secrets,
    /// Source code and notebooks.
    Source,
    /// Configuration of AI tools and agents.
    Agents,
}

impl Area {
    /// All that can be asked for, in the order of the documentation.
    pub const SELECTABLE: [Self; 5] = [Self::Models, Self::Dependencies, Self::Secrets, Self::Source, Self::Agents];

    /// The word on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Containers => "containers",
            Self::Models => "models",
            Self::Dependencies => "dependencies",
            Self::Secrets => "secrets",
            Self::Source => "source",
            Self::Agents => "agents",
        }
    }
}

/// Knows one kind of content.
///
/// Inspectors keep no state between sources and never execute, import or extract what they read.
pub trait Inspect: Sync {
    /// What it is called in a report, such as `pickle`.
    fn name(&self) -> &'static str;

    /// What it is for.
    fn area(&self) -> Area {
        Area::Models
    }

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
    components: Vec<Component>,
    visitor: Option<&'a dyn Fn(Source)>,
    contents: Option<&'a RefCell<Contents>>,
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

    /// The same, to which inspectors also describe what is inside.
    #[must_use]
    pub fn describing(self, contents: &'a RefCell<Contents>) -> Self {
        Self { contents: Some(contents), ..self }
    }

    /// Describes what is inside, where somebody wants to know.
    pub fn describe(&self, describe: impl FnOnce(&mut Contents)) {
        if let Some(contents) = self.contents {
            describe(&mut contents.borrow_mut());
        }
    }

    /// Whether somebody wants to know what is inside.
    pub fn are_described(&self) -> bool {
        self.contents.is_some()
    }

    /// Adds a finding.
    pub fn push(&mut self, finding: Finding) {
        if self.found.len() < Self::KEEP {
            self.found.push(finding);
        } else {
            self.dropped += 1;
        }
    }

    /// Adds a part of the project to the inventory.
    pub fn component(&mut self, component: Component) {
        self.components.push(component);
    }

    /// Parts that were added.
    pub fn components(&self) -> &[Component] {
        &self.components
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

    /// The findings and the parts.
    pub fn into_parts(self) -> (Vec<Finding>, Vec<Component>) {
        (self.found, self.components)
    }
}
