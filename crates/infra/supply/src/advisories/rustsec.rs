//! RustSec's advisories: Markdown that begins with a fenced block of TOML.
//!
//! They name the versions that are *not* affected, as Cargo requirements; the affected stretches are
//! what these leave, in plain precedence order as RustSec's own export to OSV has it, so that a
//! pre-release of the mending version still counts as affected.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use semver::{Comparator, Op, Prerelease, Version, VersionReq};
use serde::Deserialize;

use super::osv::{Read, day, first_line, strictest};
use super::record::{Advisory, Affected, Kind, Range, Until};
use crate::ecosystem::Ecosystem;

#[derive(Deserialize)]
struct Front {
    advisory: Head,
    #[serde(default)]
    versions: Versions,
    #[serde(default)]
    affected: Functions,
}

#[derive(Deserialize)]
struct Head {
    id: String,
    package: String,
    #[serde(default)]
    date: String,
    #[serde(default)]
    aliases: Vec<String>,
    cvss: Option<String>,
    informational: Option<String>,
    withdrawn: Option<String>,
    collection: Option<String>,
}

#[derive(Deserialize, Default)]
struct Versions {
    #[serde(default)]
    patched: Vec<String>,
    #[serde(default)]
    unaffected: Vec<String>,
}

#[derive(Deserialize, Default)]
struct Functions {
    #[serde(default)]
    functions: BTreeMap<String, Vec<String>>,
}

/// Reads an advisory.
pub(crate) fn from_markdown(text: &str) -> Result<Read, String> {
    let fenced = text.trim_start().strip_prefix("```toml").and_then(|rest| rest.split_once("\n```"));
    let Some((front, body)) = fenced else { return Err("does not begin with a block of TOML".to_owned()) };
    let front: Front = toml::from_str(front).map_err(|error| error.message().to_owned())?;
    let head = front.advisory;
    if head.withdrawn.is_some() {
        return Ok(Read::Withdrawn);
    }
    if head.collection.as_deref() == Some("rust") {
        return Ok(Read::Elsewhere);
    }
    let mut spared = Vec::new();
    for requirement in front.versions.patched.iter().chain(&front.versions.unaffected) {
        let parsed = VersionReq::parse(requirement);
        let parsed = parsed.map_err(|error| format!("`{}`: {error}", bartizan_core::printable(requirement)))?;
        spared.push(Stretch::of(&parsed).ok_or_else(|| format!("`{requirement}` can't be turned into a range"))?);
    }
    let (vector, severity) = strictest(head.cvss.into_iter().collect());
    Ok(Read::Advisory(Box::new(Advisory {
        kind: match head.informational.as_deref() {
            None => Kind::Vulnerability,
            Some("unmaintained") => Kind::Unmaintained,
            Some("unsound") => Kind::Unsound,
            Some(_) => Kind::Notice,
        },
        id: head.id,
        aliases: head.aliases,
        severity,
        vector,
        summary: first_line(body),
        modified: day(&head.date),
        functions: front.affected.functions.into_keys().take(50).collect(),
        affected: vec![Affected {
            ecosystem: Ecosystem::CratesIo,
            name: head.package,
            ranges: left_by(spared),
            versions: Vec::new(),
        }],
    })))
}

/// Versions from `start` to `end`; an `end` that is `true` belongs to it.
#[derive(Clone, Debug)]
struct Stretch {
    start: Option<(Version, bool)>,
    end: Option<(Version, bool)>,
}

impl Stretch {
    /// What all comparators of a requirement allow.
    fn of(requirement: &VersionReq) -> Option<Self> {
        let mut all = Self { start: None, end: None };
        for comparator in &requirement.comparators {
            let one = Self::comparator(comparator)?;
            all = Self { start: later(all.start, one.start), end: earlier(all.end, one.end) };
        }
        Some(all)
    }

    /// Cargo's comparators (the reference's "Specifying dependencies") as plain intervals.
    fn comparator(comparator: &Comparator) -> Option<Self> {
        let Comparator { op, major, minor, patch, pre } = comparator;
        let at = |major, minor, patch| Version { pre: pre.clone(), ..Version::new(major, minor, patch) };
        let plain = Version::new;
        let lowest = at(*major, minor.unwrap_or(0), patch.unwrap_or(0));
        // The first version past everything that the given parts name.
        let past = match (minor, patch) {
            (None, _) => plain(major.saturating_add(1), 0, 0),
            (Some(minor), None) => plain(*major, minor.saturating_add(1), 0),
            (Some(_), Some(_)) => increment(&lowest),
        };
        let (start, end) = match op {
            Op::Exact if patch.is_some() => (Some((lowest.clone(), true)), Some((lowest, true))),
            Op::Exact | Op::Wildcard => (Some((lowest, true)), Some((past, false))),
            Op::GreaterEq => (Some((lowest, true)), None),
            Op::Greater if patch.is_some() => (Some((lowest, false)), None),
            Op::Greater => (Some((past, true)), None),
            Op::Less => (None, Some((lowest, false))),
            Op::LessEq if patch.is_some() => (None, Some((lowest, true))),
            Op::LessEq => (None, Some((past, false))),
            Op::Tilde => {
                let end = minor
                    .map_or(plain(major.saturating_add(1), 0, 0), |minor| plain(*major, minor.saturating_add(1), 0));
                (Some((lowest, true)), Some((end, false)))
            }
            Op::Caret => {
                let end = match (major, minor, patch) {
                    (0, Some(0), Some(patch)) => plain(0, 0, patch.saturating_add(1)),
                    (0, Some(minor), _) => plain(0, minor.saturating_add(1), 0),
                    (major, ..) => plain(major.saturating_add(1), 0, 0),
                };
                (Some((lowest, true)), Some((end, false)))
            }
            _ => return None,
        };
        Some(Self { start, end })
    }
}

type Bound = Option<(Version, bool)>;

fn later(one: Bound, other: Bound) -> Bound {
    match (one, other) {
        (Some(one), Some(other)) => Some(if one.0.cmp_precedence(&other.0) == Ordering::Less { other } else { one }),
        (one, other) => one.or(other),
    }
}

fn earlier(one: Bound, other: Bound) -> Bound {
    match (one, other) {
        (Some(one), Some(other)) => Some(if one.0.cmp_precedence(&other.0) == Ordering::Greater { other } else { one }),
        (one, other) => one.or(other),
    }
}

/// The next version that exists in practice.
fn increment(version: &Version) -> Version {
    if version.pre.is_empty() {
        return Version::new(version.major, version.minor, version.patch.saturating_add(1));
    }
    let pre = Prerelease::new(&format!("{}.0", version.pre)).unwrap_or_default();
    Version { pre, ..Version::new(version.major, version.minor, version.patch) }
}

/// The affected stretches between those that are spared.
fn left_by(mut spared: Vec<Stretch>) -> Vec<Range> {
    spared.sort_by(|one, other| match (&one.start, &other.start) {
        (Some((one, _)), Some((other, _))) => one.cmp_precedence(other),
        (one, other) => one.is_some().cmp(&other.is_some()),
    });
    let mut ranges = Vec::new();
    let mut introduced: Option<Version> = None;
    for stretch in spared {
        if let Some((start, inclusive)) = &stretch.start {
            let begins = introduced.as_ref().is_none_or(|from| match from.cmp_precedence(start) {
                Ordering::Less => true,
                Ordering::Equal => !inclusive,
                Ordering::Greater => false,
            });
            if begins {
                let version = start.to_string();
                ranges.push(Range {
                    introduced: introduced.as_ref().map(ToString::to_string),
                    until: if *inclusive { Until::Fixed(version) } else { Until::Through(version) },
                });
            }
        }
        let Some((end, inclusive)) = stretch.end else { return ranges };
        let next = if inclusive { increment(&end) } else { end };
        introduced = match introduced {
            Some(before) if before.cmp_precedence(&next) == Ordering::Greater => Some(before),
            _ => Some(next),
        };
    }
    ranges.push(Range { introduced: introduced.map(|version| version.to_string()), until: Until::Open });
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(patched: &[&str], unaffected: &[&str]) -> Vec<String> {
        let text = format!(
            "```toml\n[advisory]\nid = \"RUSTSEC-2020-0001\"\npackage = \"x\"\ndate = \"2020-01-01\"\n\n[versions]\n\
             patched = {patched:?}\nunaffected = {unaffected:?}\n```\n\n# Title\n"
        );
        match from_markdown(&text).unwrap() {
            Read::Advisory(advisory) => {
                assert_eq!(advisory.summary, "Title");
                advisory.affected.iter().flat_map(|affected| &affected.ranges).map(Range::describe).collect()
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_spared_leaves_what_is_affected() {
        assert_eq!(ranges(&[], &[]), ["all versions"]);
        assert_eq!(ranges(&[">= 1.2.3"], &[]), ["<1.2.3"]);
        assert_eq!(ranges(&["^0.2.3", ">= 0.4"], &["< 0.1"]), [">=0.1.0, <0.2.3", ">=0.3.0, <0.4.0"]);
        assert_eq!(ranges(&["> 2.0.1"], &[]), ["<=2.0.1"]);
        assert_eq!(ranges(&[">= 2.0.0"], &["<= 1.0.0"]), [">=1.0.1, <2.0.0"]);
        assert_eq!(ranges(&["=1.5.2", ">= 1.6"], &[]), ["<1.5.2", ">=1.5.3, <1.6.0"]);
        assert_eq!(ranges(&[">= 1.0.2, < 2.0.0", ">= 2.0.4"], &[]), ["<1.0.2", ">=2.0.0, <2.0.4"]);
    }
}
