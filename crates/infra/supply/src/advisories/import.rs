//! Turning what publishers offer into advisories, file by file.

use std::collections::BTreeMap;

use bartizan_core::printable;

use super::index::{Contents, SourceSummary};
use super::likelihood::{self, Cve, Exploited, Likelihood};
use super::osv::{self, Read};
use super::record::Advisory;
use super::rustsec;

/// Bytes of one file of a publisher that are read; a table of likelihoods has a few MB.
pub const LARGEST_FILE: u64 = 64 << 20;
/// Records of one source.
const MOST_RECORDS: usize = 2_000_000;
/// Problems that are kept with their words; the others are counted.
const KEPT_PROBLEMS: usize = 20;

/// Collects the files of one source.
///
/// Recognised by name and content: RustSec's Markdown, OSV in YAML and JSON (one record or a list),
/// CISA's catalogue of exploited vulnerabilities, tables of EPSS scores.
#[derive(Debug, Default)]
pub struct Importer {
    advisories: BTreeMap<String, Advisory>,
    exploited: BTreeMap<Cve, Exploited>,
    likelihoods: BTreeMap<Cve, Likelihood>,
    newest: String,
    withdrawn: usize,
    elsewhere: usize,
    refused: usize,
    problems: Vec<String>,
}

impl Importer {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in a file. One that can't be read is counted and said, see [`Self::problems`]; returns
    /// whether the file is of a kind that can hold advisories at all.
    pub fn add(&mut self, name: &str, bytes: &[u8]) -> bool {
        let file = name.rsplit('/').next().unwrap_or(name);
        let is = |ending: &str| file.to_ascii_lowercase().ends_with(ending);
        if is(".md") {
            // Other Markdown lies beside RustSec's advisories.
            if !file.starts_with("RUSTSEC-") {
                return false;
            }
            let read = text(bytes).and_then(rustsec::from_markdown);
            self.record(name, read);
        } else if is(".yaml") || is(".yml") {
            let read = text(bytes).and_then(osv::from_yaml);
            self.record(name, read);
        } else if is(".json") {
            self.json(name, bytes);
        } else if is(".csv") || is(".csv.gz") {
            self.table(name, bytes);
        } else {
            return false;
        }
        true
    }

    /// Counts a file that could not even be read.
    pub fn refuse(&mut self, name: &str, problem: &str) {
        self.refused += 1;
        if self.problems.len() < KEPT_PROBLEMS {
            self.problems.push(format!("{}: {}", printable(name), printable(problem)));
        }
    }

    /// What could not be read and why, the first twenty.
    pub fn problems(&self) -> &[String] {
        &self.problems
    }

    /// How many records could not be read.
    pub fn refused(&self) -> usize {
        self.refused
    }

    /// Whether nothing at all was taken in.
    pub fn is_empty(&self) -> bool {
        self.records() == 0 && self.withdrawn == 0 && self.elsewhere == 0
    }

    fn records(&self) -> usize {
        self.advisories.len() + self.exploited.len() + self.likelihoods.len()
    }

    /// Puts all of it into `contents`, in the place of what the same source gave before. `label` names
    /// a source that has no name of its own, `today` is the day of the import.
    pub fn finish(self, label: &str, today: &str, contents: &mut Contents) -> SourceSummary {
        let summary = SourceSummary {
            name: self.name(label),
            records: self.records(),
            withdrawn: self.withdrawn,
            elsewhere: self.elsewhere,
            refused: self.refused,
            newest: self.newest,
            imported: today.to_owned(),
        };
        if !self.exploited.is_empty() {
            contents.exploited = self.exploited;
        }
        if !self.likelihoods.is_empty() {
            contents.likelihoods = self.likelihoods;
        }
        let advisories = self.advisories.into_values().collect();
        contents.sources.insert(summary.name.clone(), (summary.clone(), advisories));
        summary
    }

    fn name(&self, label: &str) -> String {
        let all = |prefix: &str| self.advisories.keys().all(|id| id.starts_with(prefix));
        let has = (!self.advisories.is_empty(), !self.exploited.is_empty(), !self.likelihoods.is_empty());
        match has {
            (true, false, false) if all("RUSTSEC-") => "RustSec".to_owned(),
            (true, false, false) if all("PYSEC-") => "PyPA".to_owned(),
            (false, true, false) => "CISA KEV".to_owned(),
            (false, false, true) => "FIRST EPSS".to_owned(),
            _ => printable(label),
        }
    }

    fn record(&mut self, name: &str, read: Result<Read, String>) {
        match read {
            Ok(Read::Advisory(_)) if self.advisories.len() >= MOST_RECORDS => {
                self.refuse(name, &format!("more than {MOST_RECORDS} records"));
            }
            Ok(Read::Advisory(advisory)) => {
                if advisory.modified > self.newest {
                    self.newest.clone_from(&advisory.modified);
                }
                self.advisories.insert(advisory.id.clone(), *advisory);
            }
            Ok(Read::Withdrawn) => self.withdrawn += 1,
            Ok(Read::Elsewhere) => self.elsewhere += 1,
            Err(problem) => self.refuse(name, &problem),
        }
    }

    fn json(&mut self, name: &str, bytes: &[u8]) {
        if let Some(table) = likelihood::catalogue(bytes) {
            self.exploited.extend(table.rows);
            self.dated(&table.day);
            table.refused.iter().for_each(|problem| self.refuse(name, problem));
        } else if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[') {
            match serde_json::from_slice::<Vec<serde_json::Value>>(bytes) {
                Ok(records) => {
                    for (number, record) in records.into_iter().enumerate() {
                        self.record(&format!("{name}#{number}"), osv::from_value(record));
                    }
                }
                Err(error) => self.refuse(name, &error.to_string()),
            }
        } else {
            self.record(name, osv::from_json(bytes));
        }
    }

    fn table(&mut self, name: &str, bytes: &[u8]) {
        match likelihood::likelihoods(bytes) {
            Ok(table) => {
                self.likelihoods.extend(table.rows);
                self.dated(&table.day);
                table.refused.iter().for_each(|problem| self.refuse(name, problem));
            }
            Err(problem) => self.refuse(name, &problem),
        }
    }

    fn dated(&mut self, day: &str) {
        if day > self.newest.as_str() {
            day.clone_into(&mut self.newest);
        }
    }
}

fn text(bytes: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(bytes).map_err(|error| format!("is not UTF-8 at byte {}", error.valid_up_to()))
}

/// Reads arbitrary bytes as every kind of file; must neither panic nor run away.
pub(super) fn fuzz_one(bytes: &[u8]) {
    let mut importer = Importer::new();
    for name in ["RUSTSEC-2000-0001.md", "x.yaml", "x.json", "x.csv"] {
        importer.add(name, bytes);
    }
    let _ = importer.finish("fuzz", "2000-01-01", &mut Contents::default());
}
