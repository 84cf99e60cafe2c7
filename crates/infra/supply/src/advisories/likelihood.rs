//! Which CVEs are exploited (CISA's catalogue) or likely to be (FIRST's EPSS).

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read as _;

use serde::Deserialize;

/// Decompressed bytes of a table of likelihoods that are read; the real one has about 10 MB.
const TABLE: u64 = 256 << 20;

/// A CVE's number: `CVE-2021-44228`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Cve {
    year: u16,
    number: u32,
}

impl Cve {
    /// Reads the id.
    pub fn parse(id: &str) -> Option<Self> {
        let (year, number) = id.strip_prefix("CVE-")?.split_once('-')?;
        Some(Self { year: year.parse().ok()?, number: number.parse().ok()? })
    }

    pub(super) fn write(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.year.to_le_bytes());
        out.extend_from_slice(&self.number.to_le_bytes());
    }

    pub(super) fn read(row: &[u8]) -> Option<Self> {
        let (year, rest) = row.split_first_chunk()?;
        Some(Self { year: u16::from_le_bytes(*year), number: u32::from_le_bytes(*rest.first_chunk()?) })
    }
}

impl fmt::Display for Cve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CVE-{}-{:04}", self.year, self.number)
    }
}

/// A row of CISA's catalogue of known exploited vulnerabilities.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Exploited {
    /// The day on which it was added.
    pub added: String,
    /// Whether ransomware campaigns use it.
    pub ransomware: bool,
}

/// FIRST's Exploit Prediction Scoring System, in hundred-thousandths.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Likelihood {
    /// Probability of exploitation within thirty days.
    pub probability: u32,
    /// Share of CVEs that are less likely.
    pub percentile: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Catalogue {
    date_released: String,
    vulnerabilities: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    #[serde(rename = "cveID")]
    cve: String,
    #[serde(rename = "dateAdded", default)]
    added: String,
    #[serde(rename = "knownRansomwareCampaignUse", default)]
    ransomware: String,
}

/// Rows, the day of the table, and what could not be read.
pub(super) struct Table<T> {
    pub(super) rows: BTreeMap<Cve, T>,
    pub(super) day: String,
    pub(super) refused: Vec<String>,
}

/// Reads CISA's catalogue; `None` where the JSON is something else.
pub(super) fn catalogue(bytes: &[u8]) -> Option<Table<Exploited>> {
    let catalogue: Catalogue = serde_json::from_slice(bytes).ok()?;
    let day = super::osv::day(&catalogue.date_released);
    let mut table = Table { rows: BTreeMap::new(), day, refused: Vec::new() };
    for row in catalogue.vulnerabilities {
        match Cve::parse(&row.cve) {
            Some(cve) => {
                let ransomware = row.ransomware == "Known";
                table.rows.insert(cve, Exploited { added: super::osv::day(&row.added), ransomware });
            }
            None => table.refused.push(format!("`{}` is no CVE", bartizan_core::printable(&row.cve))),
        }
    }
    Some(table)
}

/// Reads a table of EPSS scores, as CSV or gzipped CSV.
pub(super) fn likelihoods(bytes: &[u8]) -> Result<Table<Likelihood>, String> {
    let mut text = String::new();
    let read = if bytes.starts_with(&[0x1f, 0x8b]) {
        flate2::read::GzDecoder::new(bytes).take(TABLE + 1).read_to_string(&mut text)
    } else {
        bytes.take(TABLE + 1).read_to_string(&mut text)
    };
    read.map_err(|error| error.to_string())?;
    if text.len() as u64 > TABLE {
        return Err(format!("is larger than {TABLE} bytes"));
    }
    let mut table = Table { rows: BTreeMap::new(), day: String::new(), refused: Vec::new() };
    let mut has_heading = false;
    for (number, line) in (1..).zip(text.lines()) {
        if let Some(comment) = line.strip_prefix('#') {
            let date = comment.split(',').find_map(|field| field.trim().strip_prefix("score_date:"));
            table.day = date.map(super::osv::day).unwrap_or(table.day);
        } else if line.starts_with("cve,epss,percentile") {
            has_heading = true;
        } else if !line.trim().is_empty() {
            match row(line) {
                Some((cve, likelihood)) => drop(table.rows.insert(cve, likelihood)),
                None => table.refused.push(format!("line {number} is not `cve,epss,percentile`")),
            }
        }
    }
    if has_heading { Ok(table) } else { Err("has no heading `cve,epss,percentile`".to_owned()) }
}

fn row(line: &str) -> Option<(Cve, Likelihood)> {
    let mut fields = line.split(',');
    let cve = Cve::parse(fields.next()?.trim())?;
    let mut share = || {
        let value: f64 = fields.next()?.trim().parse().ok()?;
        // In range by the comparison, so the cast keeps the value.
        (0.0..=1.0).contains(&value).then(|| (value * 1e5).round() as u32)
    };
    Some((cve, Likelihood { probability: share()?, percentile: share()? }))
}
