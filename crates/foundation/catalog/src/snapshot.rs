//! One project at one time.

use bartizan_core::{Component, Finding, Severity, Timestamp};
use bartizan_report::{Report, fingerprint};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The first field of every snapshot's file.
const MAGIC: &str = "bartizan-inventory";
/// The version that is written, and the newest that is read.
const VERSION: u32 = 1;
/// Parts of one project.
const COMPONENTS: usize = 200_000;
/// Weaknesses of one project.
const WEAKNESSES: usize = 100_000;

/// A finding of the scan, as far as people ask for it later.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Weakness {
    /// The rule's id.
    pub rule: String,
    /// How bad.
    pub severity: Severity,
    /// The file.
    pub path: String,
    /// One line for people.
    pub message: String,
    /// `bz1:…`, the same from scan to scan.
    pub fingerprint: String,
    /// The package that an advisory is about, by its purl.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
    /// The advisory's id, and other names of the same weakness.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub advisories: Vec<String>,
    /// The smallest versions that clear it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fixed: Vec<String>,
}

/// What a scan knows of a project.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Snapshot {
    magic: String,
    version: u32,
    /// The project's name.
    pub project: String,
    /// When the catalog took it in; none before that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recorded: Option<Timestamp>,
    /// Whether everything was seen.
    pub complete: bool,
    /// Models, packages, datasets.
    pub components: Vec<Component>,
    /// What was found.
    pub weaknesses: Vec<Weakness>,
}

/// A snapshot can't be taken in.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum SnapshotError {
    /// It is no snapshot.
    #[error("this is no inventory: {0}")]
    Malformed(String),
    /// It was written by a newer release.
    #[error("this inventory has version {0}, this release reads up to {VERSION}; update Bartizan")]
    Newer(u32),
    /// Its name can't be a file's.
    #[error(
        "`{0}` can't be a project's name; use up to 100 letters, digits, `-`, `_` and `.`, beginning with a letter or digit"
    )]
    Name(String),
    /// It is larger than a project can be.
    #[error("a project of more than {COMPONENTS} parts or {WEAKNESSES} findings is not kept; record its parts apart")]
    TooLarge,
}

impl Snapshot {
    /// What `report` says of the project.
    ///
    /// # Errors
    /// The name can't be a file's, or there is too much.
    pub fn of(project: &str, report: &Report) -> Result<Self, SnapshotError> {
        let snapshot = Self {
            magic: MAGIC.to_owned(),
            version: VERSION,
            project: project.to_owned(),
            recorded: None,
            complete: report.is_complete(),
            components: report.components().to_vec(),
            weaknesses: report.findings().iter().map(weakness).collect(),
        };
        snapshot.checked()
    }

    /// Reads what [`Snapshot::to_json`] wrote.
    ///
    /// # Errors
    /// It is no snapshot, too new or too large.
    pub fn parse(bytes: &[u8]) -> Result<Self, SnapshotError> {
        let malformed =
            |error: serde_json::Error| SnapshotError::Malformed(bartizan_core::printable(&error.to_string()));
        #[derive(Deserialize)]
        struct Head {
            magic: String,
            version: u32,
        }
        let head: Head = serde_json::from_slice(bytes).map_err(malformed)?;
        if head.magic != MAGIC {
            return Err(SnapshotError::Malformed("its first field is another".to_owned()));
        }
        if head.version > VERSION {
            return Err(SnapshotError::Newer(head.version));
        }
        serde_json::from_slice::<Self>(bytes).map_err(malformed)?.checked()
    }

    /// The form that is kept and sent.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!(self)
    }

    /// How many weaknesses there are, from `info` to `critical`.
    pub fn counts(&self) -> [usize; 5] {
        Severity::ALL.map(|severity| self.weaknesses.iter().filter(|weakness| weakness.severity == severity).count())
    }

    fn checked(self) -> Result<Self, SnapshotError> {
        check_name(&self.project)?;
        if self.components.len() > COMPONENTS || self.weaknesses.len() > WEAKNESSES {
            return Err(SnapshotError::TooLarge);
        }
        Ok(self)
    }
}

/// Names become files' names: nothing that could lead elsewhere.
pub(crate) fn check_name(name: &str) -> Result<(), SnapshotError> {
    let is_fine = name.len() <= 100
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    if is_fine { Ok(()) } else { Err(SnapshotError::Name(bartizan_core::printable(name))) }
}

fn weakness(finding: &Finding) -> Weakness {
    let texts = |key: &str| -> Vec<String> {
        let list = finding.evidence.get(key).and_then(serde_json::Value::as_array);
        list.into_iter().flatten().filter_map(|text| Some(text.as_str()?.to_owned())).collect()
    };
    let text = |key: &str| finding.evidence.get(key).and_then(serde_json::Value::as_str).map(ToOwned::to_owned);
    let mut advisories: Vec<String> =
        text("advisory").into_iter().chain(texts("aliases")).chain(texts("advisories")).collect();
    advisories.sort();
    advisories.dedup();
    Weakness {
        rule: finding.rule.id.to_owned(),
        severity: finding.severity,
        path: finding.location.path.clone(),
        message: finding.message.clone(),
        fingerprint: fingerprint(finding),
        package: text("package"),
        advisories,
        fixed: texts("fixed"),
    }
}
