//! What is known about a weakness in packages, whoever published it.

use std::cmp::Ordering;

use bartizan_core::Severity;

use crate::ecosystem::{Ecosystem, Version};

/// What an advisory warns of.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Kind {
    /// A vulnerability.
    Vulnerability,
    /// The package itself is an attack.
    Malicious,
    /// Nobody looks after the package.
    Unmaintained,
    /// Safe code of the package can break memory safety.
    Unsound,
    /// Anything else worth knowing.
    Notice,
}

impl Kind {
    /// All, in the order of their tags in an index.
    pub(crate) const ALL: [Self; 5] =
        [Self::Vulnerability, Self::Malicious, Self::Unmaintained, Self::Unsound, Self::Notice];

    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Vulnerability => "vulnerability",
            Self::Malicious => "malicious",
            Self::Unmaintained => "unmaintained",
            Self::Unsound => "unsound",
            Self::Notice => "notice",
        }
    }
}

/// An advisory that is in force.
#[derive(Clone, PartialEq, Debug)]
pub struct Advisory {
    /// Its name, such as `PYSEC-2023-1` or `RUSTSEC-2024-0001`.
    pub id: String,
    /// Other names of the same weakness.
    pub aliases: Vec<String>,
    /// What it warns of.
    pub kind: Kind,
    /// How bad it is, where the publisher says so.
    pub severity: Option<Severity>,
    /// The CVSS vector that the severity follows from; may be empty.
    pub vector: String,
    /// One line of text; may be empty.
    pub summary: String,
    /// When it was last changed, `YYYY-MM-DD`; may be empty.
    pub modified: String,
    /// Functions that it is about, as their publisher writes them.
    pub functions: Vec<String>,
    /// The packages and versions.
    pub affected: Vec<Affected>,
}

impl Advisory {
    /// Its name and all others.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.id.as_str()).chain(self.aliases.iter().map(String::as_str))
    }
}

/// Which versions of one package are affected.
#[derive(Clone, PartialEq, Debug)]
pub struct Affected {
    /// Where the package comes from.
    pub ecosystem: Ecosystem,
    /// Its name in canonical spelling.
    pub name: String,
    /// Affected stretches of versions.
    pub ranges: Vec<Range>,
    /// Further versions, one by one, in the spelling of [`spelling`].
    pub versions: Vec<String>,
}

/// A stretch of affected versions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Range {
    /// The first affected version; `None` is the very first.
    pub introduced: Option<String>,
    /// Where it ends.
    pub until: Until,
}

/// Where a stretch of affected versions ends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Until {
    /// It does not.
    Open,
    /// Before this version, which mends it.
    Fixed(String),
    /// After this version.
    Through(String),
}

impl Affected {
    /// Whether a version is affected; `None` where that hangs on a bound that can't be read.
    pub fn covers(&self, version: &Version) -> Option<bool> {
        let mut verdict = Some(false);
        for range in &self.ranges {
            match range.covers(self.ecosystem, version) {
                Some(true) => return Some(true),
                Some(false) => {}
                None => verdict = None,
            }
        }
        if self.versions.is_empty() {
            return verdict;
        }
        let spelled = spelling(version);
        let public = spelled.split_once('+').map(|(public, _)| public);
        let is_listed = self.versions.iter().any(|listed| *listed == spelled || Some(listed.as_str()) == public);
        if is_listed { Some(true) } else { verdict }
    }

    /// Whether every version is affected.
    pub fn covers_everything(&self) -> bool {
        self.ranges.iter().any(|range| range.introduced.is_none() && range.until == Until::Open)
    }

    /// Versions that mend it, as the advisory names them.
    pub fn fixes(&self) -> impl Iterator<Item = &str> {
        self.ranges.iter().filter_map(|range| match &range.until {
            Until::Fixed(version) => Some(version.as_str()),
            Until::Open | Until::Through(_) => None,
        })
    }
}

impl Range {
    fn covers(&self, ecosystem: Ecosystem, version: &Version) -> Option<bool> {
        if let Some(introduced) = &self.introduced
            && version.precedence(&Version::parse(ecosystem, introduced)?) == Ordering::Less
        {
            return Some(false);
        }
        Some(match &self.until {
            Until::Open => true,
            Until::Fixed(end) => version.precedence(&Version::parse(ecosystem, end)?) == Ordering::Less,
            Until::Through(end) => version.precedence(&Version::parse(ecosystem, end)?) != Ordering::Greater,
        })
    }

    /// The stretch for people: `>=1.0, <1.2`.
    pub fn describe(&self) -> String {
        let start = self.introduced.as_ref().map(|version| format!(">={version}"));
        let end = match &self.until {
            Until::Open => None,
            Until::Fixed(version) => Some(format!("<{version}")),
            Until::Through(version) => Some(format!("<={version}")),
        };
        match (start, end) {
            (None, None) => "all versions".to_owned(),
            (start, end) => [start, end].into_iter().flatten().collect::<Vec<_>>().join(", "),
        }
    }
}

/// One spelling for versions that are equal, so that lists can be compared as text: `1.0` and `1.0.0`
/// are the same Python version.
pub fn spelling(version: &Version) -> String {
    match version {
        Version::Python(version) => {
            let mut release: Vec<u64> = version.release().to_vec();
            while release.len() > 1 && release.last() == Some(&0) {
                release.pop();
            }
            version.clone().with_release(release).to_string()
        }
        Version::Semantic(version) => {
            semver::Version { build: semver::BuildMetadata::EMPTY, ..version.clone() }.to_string()
        }
    }
}
