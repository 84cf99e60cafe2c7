//! The parts of a project as bills of material list them: each package or file once, wherever it is mentioned,
//! what it requires, and the weaknesses that are known of it.

use std::collections::{BTreeMap, BTreeSet};

use bartizan_core::{Component, ComponentKind, Finding, Severity};

use crate::Report;
use crate::advisory::Advised;

/// Components by their reference.
pub(crate) struct Inventory<'a> {
    groups: BTreeMap<String, Vec<&'a Component>>,
    by_name: BTreeMap<&'a str, String>,
}

impl<'a> Inventory<'a> {
    pub(crate) fn of(report: &'a Report) -> Self {
        let mut groups: BTreeMap<String, Vec<&Component>> = BTreeMap::new();
        for component in report.components() {
            groups.entry(reference(component)).or_default().push(component);
        }
        let by_name = groups
            .iter()
            .filter_map(|(reference, group)| group.first().map(|first| (first.name.as_str(), reference.clone())))
            .collect();
        Self { groups, by_name }
    }

    /// Every part: its reference, and each place where it is mentioned.
    pub(crate) fn parts(&self) -> impl Iterator<Item = (&str, &[&'a Component])> {
        self.groups.iter().map(|(reference, group)| (reference.as_str(), group.as_slice()))
    }

    /// The references of what a part directly requires, as far as they are parts themselves.
    pub(crate) fn required(&self, reference: &str) -> BTreeSet<&str> {
        let wanted = self.groups.get(reference).into_iter().flatten().flat_map(|component| &component.requires);
        wanted
            .filter_map(|wanted| match self.groups.get_key_value(wanted) {
                Some((known, _)) => Some(known),
                None => self.by_name.get(wanted.as_str()),
            })
            .map(String::as_str)
            .filter(|on| *on != reference)
            .collect()
    }

    /// Findings about parts, one entry an advisory, by its id.
    pub(crate) fn weaknesses(&self, report: &'a Report) -> BTreeMap<&'a str, Weakness<'a>> {
        let mut by_id: BTreeMap<&str, Weakness<'_>> = BTreeMap::new();
        for finding in report.findings() {
            let Some(advised) = Advised::of(finding) else { continue };
            if self.groups.contains_key(advised.package) {
                let weakness = by_id.entry(advised.id).or_default();
                weakness.findings.push(finding);
                weakness.packages.insert(advised.package);
                weakness.aliases.extend(advised.aliases);
            }
        }
        by_id
    }
}

/// A known weakness of some parts.
#[derive(Default)]
pub(crate) struct Weakness<'a> {
    /// The findings that say so.
    pub(crate) findings: Vec<&'a Finding>,
    /// References of the parts.
    pub(crate) packages: BTreeSet<&'a str>,
    /// Its other names.
    pub(crate) aliases: BTreeSet<&'a str>,
}

impl Weakness<'_> {
    /// The worst that a finding says of it.
    pub(crate) fn severity(&self) -> Severity {
        self.findings.iter().map(|finding| finding.severity).max().unwrap_or(Severity::Info)
    }

    /// It in one line.
    pub(crate) fn message(&self) -> &str {
        self.findings.first().map_or("", |finding| finding.message.as_str())
    }
}

fn reference(component: &Component) -> String {
    match (&component.purl, &component.version) {
        (Some(purl), _) => purl.clone(),
        (None, Some(version)) => format!("{}:{}@{version}", kind(component.kind), component.name),
        (None, None) => format!("{}:{}", kind(component.kind), component.name),
    }
}

/// The kind of a part in the words of CycloneDX.
pub(crate) const fn kind(kind: ComponentKind) -> &'static str {
    match kind {
        ComponentKind::Model => "machine-learning-model",
        ComponentKind::Library => "library",
        ComponentKind::Dataset => "data",
        ComponentKind::File => "file",
    }
}
