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
    /// Its bounds in the order of versions, read once for many comparisons.
    pub fn bounds(&self) -> Bounds<'_> {
        let spans = self.ranges.iter().map(|range| Span::of(self.ecosystem, range)).collect();
        Bounds { affected: self, spans }
    }

    /// Whether a version is affected; `None` where that hangs on a bound that can't be read.
    pub fn covers(&self, version: &Version) -> Option<bool> {
        self.bounds().cover(version)
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

/// What an advisory says of one package, ready to be compared with.
#[derive(Debug)]
pub struct Bounds<'a> {
    affected: &'a Affected,
    /// `None` stands for a stretch with a bound that is no version.
    spans: Vec<Option<Span>>,
}

#[derive(Debug)]
struct Span {
    start: Option<Version>,
    /// The end, and whether it is affected itself.
    end: Option<(Version, bool)>,
}

impl Span {
    fn of(ecosystem: Ecosystem, range: &Range) -> Option<Self> {
        let read = |text: &str| Version::parse(ecosystem, text);
        let start = match &range.introduced {
            Some(text) => Some(read(text)?),
            None => None,
        };
        let end = match &range.until {
            Until::Open => None,
            Until::Fixed(text) => Some((read(text)?, false)),
            Until::Through(text) => Some((read(text)?, true)),
        };
        Some(Self { start, end })
    }

    fn covers(&self, version: &Version) -> bool {
        let begins = self.start.as_ref().is_none_or(|start| version.precedence(start) != Ordering::Less);
        begins
            && self.end.as_ref().is_none_or(|(end, is_affected)| match version.precedence(end) {
                Ordering::Less => true,
                Ordering::Equal => *is_affected,
                Ordering::Greater => false,
            })
    }
}

impl Bounds<'_> {
    /// Whether a version is affected; `None` where that hangs on a bound that can't be read.
    pub fn cover(&self, version: &Version) -> Option<bool> {
        if self.spans.iter().flatten().any(|span| span.covers(version)) {
            return Some(true);
        }
        let listed = &self.affected.versions;
        if !listed.is_empty() {
            let spelled = spelling(version);
            let public = spelled.split_once('+').map(|(public, _)| public);
            if listed.iter().any(|one| *one == spelled || Some(one.as_str()) == public) {
                return Some(true);
            }
        }
        self.spans.iter().all(Option::is_some).then_some(false)
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
