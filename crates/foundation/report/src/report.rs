//! What a scan says.

use bartizan_core::{Completeness, Component, Finding, Severity};

use crate::suppression::Suppression;

/// One file that the scan met.
#[derive(Clone, Debug)]
pub struct FileEntry {
    /// Relative path with `/`.
    pub path: String,
    /// What its bytes are.
    pub format: &'static str,
    /// Size in bytes.
    pub bytes: u64,
    /// Who looked at it; empty when no inspector knows such content.
    pub inspectors: Vec<&'static str>,
    /// How much was seen.
    pub completeness: Completeness,
    /// Archive members that were looked at.
    pub members: usize,
    /// Archive members that no inspector knows.
    pub members_not_inspected: usize,
}

/// A finding that does not count, and why.
#[derive(Clone, Debug)]
pub struct Suppressed {
    /// The finding.
    pub finding: Finding,
    /// Who accepted it.
    pub by: Suppression,
}

/// What a scan says: files, findings in them, and the parts that the project is made of.
#[derive(Clone, Debug, Default)]
pub struct Report {
    files: Vec<FileEntry>,
    findings: Vec<Finding>,
    components: Vec<Component>,
    suppressed: Vec<Suppressed>,
    notes: Vec<String>,
    as_of: Option<String>,
}

/// Counts over a report.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Totals {
    /// Files met.
    pub files: usize,
    /// Files that some inspector looked at.
    pub inspected: usize,
    /// Files that no inspector knows.
    pub not_inspected: usize,
    /// Files that were seen in part or not at all although they may hold a model.
    pub incomplete: usize,
    /// Findings, from `info` to `critical`.
    pub findings: [usize; 5],
}

impl Report {
    /// A report, brought into its one order: by path, place and rule.
    pub fn new(mut files: Vec<FileEntry>, mut findings: Vec<Finding>) -> Self {
        files.sort_by(|a, b| a.path.as_bytes().cmp(b.path.as_bytes()));
        findings.sort_by(|a, b| {
            let key = |finding: &Finding| (finding.location.clone(), finding.rule.id, finding.message.clone());
            key(a).cmp(&key(b))
        });
        Self { files, findings, components: Vec::new(), suppressed: Vec::new(), notes: Vec::new(), as_of: None }
    }

    /// The same report with the parts of the project, by kind, name, version and place.
    #[must_use]
    pub fn with_components(mut self, mut components: Vec<Component>) -> Self {
        components.sort_by(|a, b| {
            let key = |part: &Component| {
                (part.kind, part.name.clone(), part.version.clone(), part.location.clone(), part.purl.clone())
            };
            key(a).cmp(&key(b))
        });
        self.components = components;
        self
    }

    /// The parts of the project.
    pub fn components(&self) -> &[Component] {
        &self.components
    }

    /// The same report with more findings, in its one order.
    #[must_use]
    pub fn with_findings(self, more: Vec<Finding>) -> Self {
        let Self { files, mut findings, components, suppressed, notes, as_of } = self;
        findings.extend(more);
        Self { components, suppressed, notes, as_of, ..Self::new(files, findings) }
    }

    /// The same report without the findings that `accepts` accepts; they stay in it as suppressed.
    #[must_use]
    pub fn suppress(mut self, accepts: impl Fn(&Finding) -> Option<Suppression>) -> Self {
        let (mut findings, mut suppressed) = (Vec::with_capacity(self.findings.len()), self.suppressed);
        for finding in self.findings {
            match accepts(&finding) {
                Some(by) => suppressed.push(Suppressed { finding, by }),
                None => findings.push(finding),
            }
        }
        self.findings = findings;
        self.suppressed = suppressed;
        self
    }

    /// Findings that do not count.
    pub fn suppressed(&self) -> &[Suppressed] {
        &self.suppressed
    }

    /// The same report with a line for its readers, such as which advisories it knows.
    #[must_use]
    pub fn note(mut self, note: String) -> Self {
        self.notes.push(note);
        self
    }

    /// Lines for the readers.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The same report, dated.
    #[must_use]
    pub fn as_of(mut self, date: Option<String>) -> Self {
        self.as_of = date;
        self
    }

    /// The date, where the caller named one.
    pub fn date(&self) -> Option<&str> {
        self.as_of.as_deref()
    }

    /// The files, by path.
    pub fn files(&self) -> &[FileEntry] {
        &self.files
    }

    /// The findings, by path and place.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// The worst finding.
    pub fn worst(&self) -> Option<Severity> {
        self.findings.iter().map(|finding| finding.severity).max()
    }

    /// Whether everything that may hold a model was looked at.
    pub fn is_complete(&self) -> bool {
        self.files.iter().all(|file| file.completeness.is_complete())
    }

    /// Counts.
    pub fn totals(&self) -> Totals {
        let mut totals = Totals { files: self.files.len(), ..Totals::default() };
        for file in &self.files {
            totals.inspected += usize::from(!file.inspectors.is_empty());
            totals.not_inspected += usize::from(file.inspectors.is_empty());
            totals.incomplete += usize::from(!file.completeness.is_complete());
        }
        for finding in &self.findings {
            if let Some(count) = totals.findings.get_mut(finding.severity as usize) {
                *count += 1;
            }
        }
        totals
    }
}
