//! Known vulnerabilities and malicious packages among the parts of a project.
//!
//! [`AdvisoryIndex`] holds what was imported from RustSec, PyPA and other publishers of OSV;
//! [`advise`] compares an inventory with it. One weakness is one finding, however many databases
//! name it: advisories that share an id or alias are joined.

mod encoding;
mod import;
mod index;
mod likelihood;
mod osv;
mod record;
mod rustsec;
mod severity;

use std::collections::{BTreeMap, BTreeSet};

use bartizan_core::{Component, Confidence, Finding, Link, Rule, Severity};
use serde_json::json;

use crate::ecosystem::{Ecosystem, Version};
use crate::portions::in_portions;

pub use import::{Importer, LARGEST_FILE};
pub use index::{AdvisoryIndex, Contents, IndexError, SourceSummary};
pub use likelihood::{Cve, Exploited, Likelihood};
pub use record::{Advisory, Affected, Bounds, Kind, Range, Until, spelling};

const LINKS: &[Link] = &[Link::Atlas("AML.T0010.001"), Link::Owasp("LLM03:2025"), Link::Cwe(1395)];

/// A package has a published vulnerability.
pub const VULNERABLE: Rule = Rule {
    id: "BZ-DEP-001",
    title: "Dependency has a known vulnerability",
    severity: Severity::Medium,
    explanation: "An advisory covers exactly this version of the package. Attackers read advisories too, and search for \
        whoever has not moved on. The severity is that of the advisory, high where it states none; what is known to be exploited is critical.",
    remedy: "Move to the version named, which is the smallest that clears every advisory of the package.",
    links: LINKS,
};

/// A package is an attack.
pub const MALICIOUS: Rule = Rule {
    id: "BZ-DEP-002",
    title: "Dependency is a malicious package",
    severity: Severity::Critical,
    explanation: "The package was published to attack whoever installs it. Its code has run wherever it was installed, \
        often during the installation.",
    remedy: "Remove it, treat machines that installed it as compromised, and replace every key they held.",
    links: &[Link::Atlas("AML.T0010.001"), Link::Owasp("LLM03:2025"), Link::Cwe(506)],
};

/// A version has no place in the order of versions.
pub const INCOMPARABLE: Rule = Rule {
    id: "BZ-DEP-003",
    title: "Dependency's version can't be compared with its advisories",
    severity: Severity::Low,
    explanation: "Advisories exist for the package, but its version, or one that an advisory names, does not follow the \
        ecosystem's rules. Whether it is affected is unknown.",
    remedy: "Compare by hand, or move to a version that the ecosystem's rules know.",
    links: LINKS,
};

/// A package is unmaintained or unsound.
pub const INFORMATIONAL: Rule = Rule {
    id: "BZ-DEP-004",
    title: "Dependency is unmaintained or unsound",
    severity: Severity::Low,
    explanation: "Nobody mends weaknesses of an unmaintained package any more; an unsound one can break memory safety \
        although the code that calls it looks safe.",
    remedy: "Replace it; the advisory often names alternatives.",
    links: &[Link::Atlas("AML.T0010.001"), Link::Cwe(1104)],
};

/// Every rule of this module.
pub const RULES: &[&Rule] = &[&VULNERABLE, &MALICIOUS, &INCOMPARABLE, &INFORMATIONAL];

/// Compares an inventory with the index; findings are in the order of the components.
///
/// `imported` are the canonical names of packages that the project's code imports, where that is
/// known: evidence then says whether the affected one is among them.
///
/// # Errors
/// The index is damaged.
pub fn advise(
    components: &[Component],
    index: &AdvisoryIndex,
    imported: Option<&BTreeSet<String>>,
) -> Result<Vec<Finding>, IndexError> {
    let portions = in_portions(components, |portion| advise_portion(portion, index, imported));
    portions.into_iter().try_fold(Vec::new(), |mut findings, portion| {
        findings.extend(portion?);
        Ok(findings)
    })
}

fn advise_portion(
    components: &[Component],
    index: &AdvisoryIndex,
    imported: Option<&BTreeSet<String>>,
) -> Result<Vec<Finding>, IndexError> {
    let mut known: BTreeMap<(Ecosystem, &str), Vec<Advisory>> = BTreeMap::new();
    let mut findings = Vec::new();
    for component in components {
        let Some(ecosystem) = published(component) else { continue };
        let name = component.name.as_str();
        let advisories = match known.entry((ecosystem, name)) {
            std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::btree_map::Entry::Vacant(entry) => {
                // Nobody writes advisories for conda: most of its packages are those of PyPI.
                let looked_up = if ecosystem == Ecosystem::Conda { Ecosystem::PyPi } else { ecosystem };
                entry.insert(index.lookup(looked_up, &looked_up.canonical(name))?)
            }
        };
        if !advisories.is_empty() {
            let subject = Subject { component, ecosystem, index, imported };
            findings.extend(subject.findings(advisories));
        }
    }
    Ok(findings)
}

/// The ecosystem of a component that came from its registry: what is built from the project's own
/// folder or from a repository only shares the name.
fn published(component: &Component) -> Option<Ecosystem> {
    let property = |name: &str| component.properties.get(name).map(|property| property.value.as_str());
    let ecosystem = Ecosystem::parse(property("ecosystem")?)?;
    match property("origin") {
        Some("local") => None,
        Some("git") if ecosystem == Ecosystem::CratesIo => None,
        _ => Some(ecosystem),
    }
}

struct Subject<'a> {
    component: &'a Component,
    ecosystem: Ecosystem,
    index: &'a AdvisoryIndex,
    imported: Option<&'a BTreeSet<String>>,
}

impl Subject<'_> {
    fn findings(&self, advisories: &[Advisory]) -> Vec<Finding> {
        let Some(text) = &self.component.version else {
            let hostile: Vec<&Advisory> = advisories
                .iter()
                .filter(|advisory| advisory.kind == Kind::Malicious)
                .filter(|advisory| advisory.affected.iter().any(Affected::covers_everything))
                .collect();
            return groups(&hostile).iter().map(|group| self.finding(group, None)).collect();
        };
        let Some(version) = Version::parse(self.ecosystem, text) else {
            return vec![self.incomparable(text, advisories)];
        };
        let (mut matched, mut unclear, mut bounds) = (Vec::new(), Vec::new(), Vec::new());
        for advisory in advisories {
            let own: Vec<Bounds<'_>> = advisory.affected.iter().map(Affected::bounds).collect();
            let verdicts: Vec<Option<bool>> = own.iter().map(|bounds| bounds.cover(&version)).collect();
            bounds.extend(own);
            if verdicts.contains(&Some(true)) {
                matched.push(advisory);
            } else if verdicts.contains(&None) {
                unclear.push(advisory.clone());
            }
        }
        let clear = if matched.is_empty() { None } else { smallest_clear(&version, advisories, &bounds) };
        let mut findings: Vec<Finding> =
            groups(&matched).iter().map(|group| self.finding(group, clear.as_deref())).collect();
        if !unclear.is_empty() {
            findings.push(self.incomparable(text, &unclear));
        }
        findings
    }

    fn incomparable(&self, version: &str, advisories: &[Advisory]) -> Finding {
        let ids: Vec<&str> = advisories.iter().map(|advisory| advisory.id.as_str()).collect();
        let name = &self.component.name;
        let message = format!("{name} {version} can't be compared with {} advisories of {name}", ids.len());
        Finding::new(&INCOMPARABLE, self.component.location.clone(), &message)
            .with_identity(&format!("{name} {version}"))
            .with_evidence("package", json!(self.component.purl))
            .with_evidence("advisories", json!(ids))
    }

    fn finding(&self, group: &[&Advisory], clear: Option<&str>) -> Finding {
        let kind = group.iter().map(|advisory| advisory.kind).min_by_key(|kind| rank(*kind)).unwrap_or(Kind::Notice);
        let ids: BTreeSet<&str> = group.iter().flat_map(|advisory| advisory.ids()).collect();
        let id = primary(&ids);
        let rule = match kind {
            Kind::Vulnerability => &VULNERABLE,
            Kind::Malicious => &MALICIOUS,
            Kind::Unmaintained | Kind::Unsound | Kind::Notice => &INFORMATIONAL,
        };
        let exploited = ids.iter().find_map(|id| self.index.exploited(id));
        let severity = match kind {
            Kind::Malicious => Severity::Critical,
            _ if exploited.is_some() => Severity::Critical,
            // Many records state none: unknown is not harmless.
            Kind::Vulnerability => worst(group).unwrap_or(Severity::High),
            Kind::Unsound => worst(group).unwrap_or(Severity::Low),
            Kind::Unmaintained => Severity::Low,
            Kind::Notice => Severity::Info,
        };
        let fixes: BTreeSet<&str> = group.iter().flat_map(|one| &one.affected).flat_map(Affected::fixes).collect();
        let ranges: BTreeSet<String> = affected(group).collect();
        let mut finding = Finding::new(rule, self.component.location.clone(), &self.message(group, kind, id, clear))
            .with_severity(severity)
            .with_identity(&format!("{}:{} {id}", self.ecosystem, self.component.name))
            .with_evidence("package", json!(self.component.purl))
            .with_evidence("advisory", json!(id))
            .with_evidence("aliases", json!(ids))
            .with_evidence("kind", json!(kind.as_str()))
            .with_evidence("severity-stated", json!(worst(group).is_some()))
            .with_evidence("affected", json!(ranges))
            .with_evidence("fixed", json!(fixes));
        if let Some(clear) = clear {
            finding = finding.with_evidence("clears-all", json!(clear));
        }
        if let Some(vector) = group.iter().map(|advisory| &advisory.vector).find(|vector| !vector.is_empty()) {
            finding = finding.with_evidence("cvss", json!(vector));
        }
        let functions: BTreeSet<&String> = group.iter().flat_map(|advisory| &advisory.functions).collect();
        if !functions.is_empty() {
            finding = finding.with_evidence("functions", json!(functions));
        }
        if let Some(exploited) = exploited {
            let entry = json!({ "added": exploited.added, "ransomware": exploited.ransomware });
            finding = finding.with_evidence("exploited", entry);
        }
        if let Some(likelihood) = ids.iter().find_map(|id| self.index.likelihood(id)) {
            let share = |value: u32| f64::from(value) / 1e5;
            let entry =
                json!({ "probability": share(likelihood.probability), "percentile": share(likelihood.percentile) });
            finding = finding.with_evidence("epss", entry);
        }
        // Imports are read from Python code only.
        if let Some(imported) = self.imported.filter(|_| self.ecosystem == Ecosystem::PyPi) {
            finding = finding.with_evidence("imported", json!(imported.contains(&self.component.name)));
        }
        let is_guess = self.ecosystem == Ecosystem::Conda;
        if is_guess { finding.with_confidence(Confidence::Medium) } else { finding }
    }

    fn message(&self, group: &[&Advisory], kind: Kind, id: &str, clear: Option<&str>) -> String {
        let subject = match &self.component.version {
            Some(version) => format!("{} {version}", self.component.name),
            None => self.component.name.clone(),
        };
        let what = match kind {
            Kind::Vulnerability => "is affected by",
            Kind::Malicious => "is malicious:",
            Kind::Unmaintained => "is unmaintained:",
            Kind::Unsound => "is unsound:",
            Kind::Notice => "has a notice:",
        };
        let summary = group.iter().map(|advisory| advisory.summary.as_str()).find(|summary| !summary.is_empty());
        let summary = summary.map(|summary| format!(" ({summary})")).unwrap_or_default();
        let advice = match (kind, clear) {
            (Kind::Malicious, _) => "; remove it".to_owned(),
            (_, Some(version)) => format!("; move to {version}"),
            (Kind::Vulnerability | Kind::Unsound, None) => "; no version without it is known".to_owned(),
            (Kind::Unmaintained | Kind::Notice, None) => String::new(),
        };
        format!("{subject} {what} {id}{summary}{advice}")
    }
}

/// Stretches and single versions that the advisories name.
fn affected(group: &[&Advisory]) -> impl Iterator<Item = String> {
    group.iter().flat_map(|advisory| &advisory.affected).flat_map(|affected| {
        affected.ranges.iter().map(Range::describe).chain(affected.versions.iter().map(|one| format!("={one}")))
    })
}

fn worst(group: &[&Advisory]) -> Option<Severity> {
    group.iter().filter_map(|advisory| advisory.severity).max()
}

const fn rank(kind: Kind) -> u8 {
    match kind {
        Kind::Malicious => 0,
        Kind::Vulnerability => 1,
        Kind::Unsound => 2,
        Kind::Unmaintained => 3,
        Kind::Notice => 4,
    }
}

/// The name by which most people know it.
fn primary<'a>(ids: &BTreeSet<&'a str>) -> &'a str {
    let with = |prefix: &str| ids.iter().find(|id| id.starts_with(prefix));
    let preferred = ["MAL-", "CVE-", "GHSA-", "PYSEC-", "RUSTSEC-"].into_iter().find_map(with);
    preferred.or_else(|| ids.first()).copied().unwrap_or_default()
}

/// Advisories that say the same: those of one weakness, by ids or aliases that they share directly or
/// through others. That nobody maintains a package is said beside a weakness of it.
fn groups<'a>(advisories: &[&'a Advisory]) -> Vec<Vec<&'a Advisory>> {
    let statement = |advisory: &Advisory| match advisory.kind {
        Kind::Unsound => Kind::Vulnerability,
        kind => kind,
    };
    let mut groups: Vec<Vec<&Advisory>> = Vec::new();
    let mut holders: BTreeMap<(Kind, &str), usize> = BTreeMap::new();
    for advisory in advisories {
        let kind = statement(advisory);
        let joined: BTreeSet<usize> = advisory.ids().filter_map(|id| holders.get(&(kind, id)).copied()).collect();
        let into = joined.first().copied().unwrap_or(groups.len());
        let mut members: Vec<&Advisory> = Vec::new();
        for group in &joined {
            members.append(groups.get_mut(*group).unwrap_or(&mut Vec::new()));
        }
        members.push(advisory);
        for id in members.iter().flat_map(|member| member.ids()) {
            holders.insert((kind, id), into);
        }
        match groups.get_mut(into) {
            Some(group) => *group = members,
            None => groups.push(members),
        }
    }
    groups.retain(|group| !group.is_empty());
    groups
}

/// The smallest version from `current` on that no advisory covers, among those that advisories name
/// as mending something; final releases are preferred.
fn smallest_clear(current: &Version, advisories: &[Advisory], bounds: &[Bounds<'_>]) -> Option<String> {
    let fixes: BTreeSet<(Ecosystem, &str)> = advisories
        .iter()
        .flat_map(|advisory| &advisory.affected)
        .flat_map(|affected| affected.fixes().map(|text| (affected.ecosystem, text)))
        .collect();
    let mut candidates: Vec<(Version, &str)> = fixes
        .into_iter()
        .filter_map(|(ecosystem, text)| Some((Version::parse(ecosystem, text)?, text)))
        .filter(|(version, _)| version.precedence(current) == std::cmp::Ordering::Greater)
        .collect();
    candidates.sort_by(|(one, _), (other, _)| {
        one.is_prerelease().cmp(&other.is_prerelease()).then_with(|| one.precedence(other))
    });
    let is_clear = |version: &Version| bounds.iter().all(|bounds| bounds.cover(version) == Some(false));
    candidates.into_iter().find(|(version, _)| is_clear(version)).map(|(_, text)| text.to_owned())
}

/// Reads arbitrary bytes as advisories and as an index; must neither panic nor run away.
pub fn fuzz_one(bytes: &[u8]) {
    import::fuzz_one(bytes);
    index::fuzz_one(bytes);
}
