//! Advisories in one file that opens in milliseconds.
//!
//! The file is a header, a table of sections and the sections: a description of the sources, package
//! names in sorted order, the records of each, and tables of exploited and likely-exploited CVEs.
//! Opening reads the file and looks at the table; records are decoded when a package is looked up.
//! All integers are little-endian; the same advisories give the same bytes.

use std::collections::{BTreeMap, BTreeSet};

use bartizan_storage::{HEADER_LENGTH, header, split_header};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::encoding::{Bytes, decode, encode};
use super::likelihood::{Cve, Exploited, Likelihood};
use super::record::Advisory;
use crate::ecosystem::Ecosystem;

const MAGIC: &str = "bzadvis";
const VERSION: u32 = 1;
/// Description, names' bytes, names, postings, records, exploited, likelihoods.
const SECTIONS: usize = 7;
/// Bytes of a row of names: offset and length of the name, first posting, number of postings.
const NAME: usize = 16;
const POSTING: usize = 4;
/// Bytes of a row of exploited CVEs: year, number, day added, ransomware.
const EXPLOITED: usize = 2 + 4 + 10 + 1;
/// Bytes of a row of likelihoods: year, number, probability and percentile in hundred-thousandths.
const LIKELY: usize = 2 + 4 + 4 + 4;

/// An index can't be used.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum IndexError {
    /// It is none.
    #[error("is not an advisory index; make one with `bartizan intel import`")]
    Foreign,
    /// It was written by a newer version.
    #[error("has format {0}, this Bartizan reads up to {VERSION}; upgrade Bartizan or import the advisories again")]
    Newer(u32),
    /// Its bytes do not hold together.
    #[error("is damaged ({0}); import the advisories again")]
    Damaged(&'static str),
    /// There is more than an index can hold.
    #[error("the advisories exceed what an index can hold; import fewer sources")]
    TooLarge,
}

/// Where some of the advisories come from.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SourceSummary {
    /// What it is called: `RustSec`, `PyPA`, `CISA KEV`, `FIRST EPSS`, or a name given at import.
    pub name: String,
    /// How many records it holds.
    pub records: usize,
    /// Records left out because they were withdrawn.
    pub withdrawn: usize,
    /// Records left out because they are about ecosystems that are not looked into.
    pub elsewhere: usize,
    /// Records that could not be read.
    pub refused: usize,
    /// The day on which the newest of its records was changed.
    pub newest: String,
    /// The day of the import.
    pub imported: String,
}

/// Everything that an index is made from.
#[derive(Clone, Debug, Default)]
pub struct Contents {
    /// Advisories by source.
    pub sources: BTreeMap<String, (SourceSummary, Vec<Advisory>)>,
    /// CVEs known to be exploited.
    pub exploited: BTreeMap<Cve, Exploited>,
    /// Probabilities of exploitation.
    pub likelihoods: BTreeMap<Cve, Likelihood>,
}

impl Contents {
    /// The bytes of the index.
    pub fn compile(&self) -> Result<Vec<u8>, IndexError> {
        let mut records = Vec::new();
        let mut postings: BTreeMap<(u8, &str), BTreeSet<u32>> = BTreeMap::new();
        for (source, (_, advisories)) in (0_u16..).zip(self.sources.values()) {
            let mut ordered: Vec<&Advisory> = advisories.iter().collect();
            ordered.sort_by(|one, other| one.id.cmp(&other.id));
            for advisory in ordered {
                let at = u32::try_from(records.len()).map_err(|_| IndexError::TooLarge)?;
                for affected in &advisory.affected {
                    let key = (affected.ecosystem as u8, affected.name.as_str());
                    postings.entry(key).or_default().insert(at);
                }
                encode(advisory, source, &mut records);
            }
        }
        let summaries: Vec<&SourceSummary> = self.sources.values().map(|(summary, _)| summary).collect();
        let description = serde_json::to_vec(&summaries).map_err(|_| IndexError::TooLarge)?;
        let (mut texts, mut names, mut posted) = (Vec::new(), Vec::new(), Vec::new());
        for ((ecosystem, name), offsets) in &postings {
            let number = |value: usize| u32::try_from(value).map_err(|_| IndexError::TooLarge);
            let row = [
                number(texts.len())?,
                number(name.len() + 1)?,
                number(posted.len() / POSTING)?,
                number(offsets.len())?,
            ];
            names.extend(row.iter().flat_map(|value| value.to_le_bytes()));
            texts.push(*ecosystem);
            texts.extend_from_slice(name.as_bytes());
            posted.extend(offsets.iter().flat_map(|offset| offset.to_le_bytes()));
        }
        let mut exploited = Vec::new();
        for (cve, entry) in &self.exploited {
            cve.write(&mut exploited);
            let mut day = [b' '; 10];
            day.iter_mut().zip(entry.added.bytes()).for_each(|(to, from)| *to = from);
            exploited.extend_from_slice(&day);
            exploited.push(u8::from(entry.ransomware));
        }
        let mut likely = Vec::new();
        for (cve, entry) in &self.likelihoods {
            cve.write(&mut likely);
            likely.extend_from_slice(&entry.probability.to_le_bytes());
            likely.extend_from_slice(&entry.percentile.to_le_bytes());
        }
        let sections = [description, texts, names, posted, records, exploited, likely];
        let mut bytes = header(MAGIC, VERSION).to_vec();
        let mut at = HEADER_LENGTH + SECTIONS * 8;
        for section in &sections {
            for value in [at, section.len()] {
                bytes.extend_from_slice(&u32::try_from(value).map_err(|_| IndexError::TooLarge)?.to_le_bytes());
            }
            at += section.len();
        }
        bytes.extend(sections.concat());
        Ok(bytes)
    }
}

/// An opened index.
#[derive(Debug)]
pub struct AdvisoryIndex {
    bytes: Vec<u8>,
    sections: [(usize, usize); SECTIONS],
    sources: Vec<SourceSummary>,
}

impl AdvisoryIndex {
    /// Opens an index over its bytes. Whoever signed them should have been asked before.
    ///
    /// # Errors
    /// The bytes are no index, a newer one, or a damaged one.
    pub fn open(bytes: Vec<u8>) -> Result<Self, IndexError> {
        let (version, table) = split_header(&bytes, MAGIC).ok_or(IndexError::Foreign)?;
        if version > VERSION {
            return Err(IndexError::Newer(version));
        }
        let mut numbers = Bytes(table);
        let mut sections = [(0, 0); SECTIONS];
        for section in &mut sections {
            let bounds = numbers.number().zip(numbers.number()).ok_or(IndexError::Damaged("its table is cut off"))?;
            let (start, length) = (bounds.0 as usize, bounds.1 as usize);
            if start.checked_add(length).is_none_or(|end| end > bytes.len()) {
                return Err(IndexError::Damaged("a section lies outside the file"));
            }
            *section = (start, length);
        }
        let mut index = Self { bytes, sections, sources: Vec::new() };
        index.sources = serde_json::from_slice(index.section(0))
            .map_err(|_| IndexError::Damaged("its description is not understood"))?;
        Ok(index)
    }

    /// Where the advisories come from, by name.
    pub fn sources(&self) -> &[SourceSummary] {
        &self.sources
    }

    /// The day of the newest record or import of advisories; empty where there is none.
    pub fn newest(&self) -> &str {
        self.sources.iter().map(|source| source.newest.as_str()).max().unwrap_or_default()
    }

    /// How many packages have advisories.
    pub fn packages(&self) -> usize {
        self.sections[2].1 / NAME
    }

    /// How many CVEs are known to be exploited, and how many have a likelihood.
    pub fn exploitation(&self) -> (usize, usize) {
        (self.sections[5].1 / EXPLOITED, self.sections[6].1 / LIKELY)
    }

    /// The digest of the whole file.
    pub fn digest(&self) -> bartizan_core::Digest {
        bartizan_signing::digest(&self.bytes)
    }

    /// The bytes of the file.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The advisories that concern a package, by canonical name, each with those of its entries that
    /// are about the package.
    ///
    /// # Errors
    /// The index is damaged.
    pub fn lookup(&self, ecosystem: Ecosystem, name: &str) -> Result<Vec<Advisory>, IndexError> {
        let Some((first, count)) = self.find(ecosystem, name)? else { return Ok(Vec::new()) };
        let rows = slice(self.section(3), first.saturating_mul(POSTING), count.saturating_mul(POSTING))?;
        rows.chunks_exact(POSTING)
            .map(|row| {
                let at = row.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes) as usize);
                let mut advisory = self.record(at)?.1;
                advisory.affected.retain(|affected| affected.ecosystem == ecosystem && affected.name == name);
                Ok(advisory)
            })
            .collect()
    }

    /// Whether anything is known of a package.
    pub fn knows(&self, ecosystem: Ecosystem, name: &str) -> bool {
        matches!(self.find(ecosystem, name), Ok(Some(_)))
    }

    /// What is known of the exploitation of a CVE.
    pub fn exploited(&self, id: &str) -> Option<Exploited> {
        let row = search(self.section(5), EXPLOITED, Cve::parse(id)?)?;
        let (day, ransomware) = row.get(6..)?.split_at_checked(10)?;
        Some(Exploited {
            added: String::from_utf8_lossy(day).trim().to_owned(),
            ransomware: ransomware.first() == Some(&1),
        })
    }

    /// How likely a CVE is to be exploited.
    pub fn likelihood(&self, id: &str) -> Option<Likelihood> {
        let mut row = Bytes(search(self.section(6), LIKELY, Cve::parse(id)?)?.get(6..)?);
        Some(Likelihood { probability: row.number()?, percentile: row.number()? })
    }

    /// Everything that the index was made from.
    ///
    /// # Errors
    /// The index is damaged.
    pub fn contents(&self) -> Result<Contents, IndexError> {
        let mut contents = Contents::default();
        for summary in &self.sources {
            contents.sources.insert(summary.name.clone(), (summary.clone(), Vec::new()));
        }
        let mut rest = Bytes(self.section(4));
        while !rest.0.is_empty() {
            let (source, advisory) = decode(&mut rest).ok_or(IndexError::Damaged("a record is not understood"))?;
            let name = self.sources.get(usize::from(source)).map(|summary| &summary.name);
            let holder = name.and_then(|name| contents.sources.get_mut(name));
            holder.ok_or(IndexError::Damaged("a record has no source"))?.1.push(advisory);
        }
        for row in self.section(5).chunks_exact(EXPLOITED) {
            let cve = Cve::read(row).ok_or(IndexError::Damaged("a CVE is not understood"))?;
            let entry = self.exploited(&cve.to_string()).ok_or(IndexError::Damaged("CVEs are out of order"))?;
            contents.exploited.insert(cve, entry);
        }
        for row in self.section(6).chunks_exact(LIKELY) {
            let cve = Cve::read(row).ok_or(IndexError::Damaged("a CVE is not understood"))?;
            let entry = self.likelihood(&cve.to_string()).ok_or(IndexError::Damaged("CVEs are out of order"))?;
            contents.likelihoods.insert(cve, entry);
        }
        Ok(contents)
    }

    fn section(&self, number: usize) -> &[u8] {
        let (start, length) = self.sections.get(number).copied().unwrap_or_default();
        self.bytes.get(start..start + length).unwrap_or_default()
    }

    fn record(&self, at: usize) -> Result<(u16, Advisory), IndexError> {
        let mut bytes = Bytes(self.section(4).get(at..).unwrap_or_default());
        decode(&mut bytes).ok_or(IndexError::Damaged("a record is not understood"))
    }

    fn find(&self, ecosystem: Ecosystem, name: &str) -> Result<Option<(usize, usize)>, IndexError> {
        let (texts, names) = (self.section(1), self.section(2));
        let wanted = (ecosystem as u8, name.as_bytes());
        let (mut low, mut high) = (0, names.len() / NAME);
        while low < high {
            let middle = low + (high - low) / 2;
            let mut row = Bytes(slice(names, middle * NAME, NAME)?);
            let mut number = || row.number().map(|value| value as usize).unwrap_or_default();
            let (start, length, first, count) = (number(), number(), number(), number());
            let (tag, text) =
                slice(texts, start, length)?.split_first().ok_or(IndexError::Damaged("a name is missing"))?;
            match (*tag, text).cmp(&wanted) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return Ok(Some((first, count))),
            }
        }
        Ok(None)
    }
}

fn slice(bytes: &[u8], start: usize, length: usize) -> Result<&[u8], IndexError> {
    let end = start.checked_add(length).ok_or(IndexError::Damaged("an offset overflows"))?;
    bytes.get(start..end).ok_or(IndexError::Damaged("an offset leads out of its section"))
}

/// The row of a CVE in a table that is sorted by CVE.
fn search(table: &[u8], width: usize, wanted: Cve) -> Option<&[u8]> {
    let (mut low, mut high) = (0, table.len() / width);
    while low < high {
        let middle = low + (high - low) / 2;
        let row = table.get(middle * width..(middle + 1) * width)?;
        match Cve::read(row)?.cmp(&wanted) {
            std::cmp::Ordering::Less => low = middle + 1,
            std::cmp::Ordering::Greater => high = middle,
            std::cmp::Ordering::Equal => return Some(row),
        }
    }
    None
}

/// Opens arbitrary bytes as an index and reads all of it; must neither panic nor run away.
pub(super) fn fuzz_one(bytes: &[u8]) {
    if let Ok(index) = AdvisoryIndex::open(bytes.to_vec()) {
        let _ = index.contents();
        let _ = index.lookup(Ecosystem::PyPi, "torch");
    }
}
