//! The Open Source Vulnerability format, version 1.x, in JSON and YAML.
//!
//! Ranges are sorted into affected stretches when a record is read, as the specification's
//! evaluation algorithm orders events, so that a lookup only compares versions.

use serde::Deserialize;
use serde_json::Value;

use super::record::{Advisory, Affected, Kind, Range, Until, spelling};
use super::severity;
use crate::ecosystem::{Ecosystem, Version};
use crate::yaml::{Content, Node};

/// What became of a record.
#[derive(Debug)]
pub(crate) enum Read {
    /// It is in force.
    Advisory(Box<Advisory>),
    /// It was withdrawn.
    Withdrawn,
    /// It is about nothing that is looked for here, such as packages of Linux distributions.
    Elsewhere,
}

/// Reads a record in JSON.
pub(crate) fn from_json(bytes: &[u8]) -> Result<Read, String> {
    let record: Record = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    record.read()
}

/// Reads a record that is a JSON value already.
pub(crate) fn from_value(value: Value) -> Result<Read, String> {
    let record: Record = serde_json::from_value(value).map_err(|error| error.to_string())?;
    record.read()
}

/// Reads a record in YAML.
pub(crate) fn from_yaml(text: &str) -> Result<Read, String> {
    let node = crate::yaml::parse(text).map_err(|(line, problem)| format!("line {line}: {problem}"))?;
    from_value(value(node))
}

fn value(node: Node) -> Value {
    match node.content {
        Content::Null => Value::Null,
        Content::Text(text) => Value::String(text),
        Content::List(items) => Value::Array(items.into_iter().map(value).collect()),
        Content::Map(entries) => Value::Object(entries.into_iter().map(|(key, node)| (key, value(node))).collect()),
    }
}

#[derive(Deserialize)]
struct Record {
    id: String,
    #[serde(default)]
    modified: Option<String>,
    #[serde(default)]
    withdrawn: Option<String>,
    #[serde(default)]
    aliases: Option<Vec<String>>,
    #[serde(default)]
    summary: Option<String>,
    #[serde(default)]
    details: Option<String>,
    #[serde(default)]
    severity: Option<Vec<Score>>,
    #[serde(default)]
    affected: Option<Vec<Package>>,
    #[serde(default)]
    database_specific: Option<Value>,
}

#[derive(Deserialize)]
struct Score {
    #[serde(default)]
    score: String,
}

#[derive(Deserialize)]
struct Package {
    package: Option<Name>,
    #[serde(default)]
    ranges: Option<Vec<Events>>,
    #[serde(default)]
    versions: Option<Vec<String>>,
    #[serde(default)]
    severity: Option<Vec<Score>>,
    #[serde(default)]
    ecosystem_specific: Option<Value>,
    #[serde(default)]
    database_specific: Option<Value>,
}

#[derive(Deserialize)]
struct Name {
    ecosystem: String,
    name: String,
}

#[derive(Deserialize)]
struct Events {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    events: Vec<Event>,
}

#[derive(Deserialize)]
struct Event {
    introduced: Option<String>,
    fixed: Option<String>,
    last_affected: Option<String>,
    limit: Option<String>,
}

impl Record {
    fn read(self) -> Result<Read, String> {
        if self.id.is_empty() || self.id.len() > 200 {
            return Err("has no usable id".to_owned());
        }
        if self.withdrawn.is_some() {
            return Ok(Read::Withdrawn);
        }
        let mut affected = Vec::new();
        let mut informational = None;
        let mut scores: Vec<String> = texts(self.severity);
        let mut functions = Vec::new();
        let mut word = word(self.database_specific.as_ref());
        for package in self.affected.unwrap_or_default() {
            let Some(name) = &package.package else { continue };
            let Some(ecosystem) = Ecosystem::parse(&name.ecosystem) else { continue };
            affected.push(package.affected(ecosystem, &name.name));
            informational =
                informational.or_else(|| text(package.database_specific.as_ref(), "informational").map(str::to_owned));
            word = word.or_else(|| self::word(package.database_specific.as_ref()));
            functions.extend(package.functions());
            scores.extend(texts(package.severity));
        }
        if affected.is_empty() {
            return Ok(Read::Elsewhere);
        }
        let (vector, severity) = strictest(scores);
        let summary = self.summary.filter(|text| !text.trim().is_empty()).or(self.details).unwrap_or_default();
        Ok(Read::Advisory(Box::new(Advisory {
            kind: kind(&self.id, informational.as_deref()),
            id: self.id,
            aliases: self.aliases.unwrap_or_default(),
            severity: severity.or(word),
            vector,
            summary: first_line(&summary),
            modified: day(&self.modified.unwrap_or_default()),
            functions,
            affected,
        })))
    }
}

impl Package {
    fn affected(&self, ecosystem: Ecosystem, name: &str) -> Affected {
        let mut ranges = Vec::new();
        for range in self.ranges.iter().flatten().filter(|range| matches!(range.kind.as_str(), "ECOSYSTEM" | "SEMVER"))
        {
            ranges.extend(stretches(ecosystem, &range.events));
        }
        let mut affected = Affected { ecosystem, name: ecosystem.canonical(name), ranges, versions: Vec::new() };
        let mut versions: Vec<String> = Vec::new();
        for listed in self.versions.iter().flatten() {
            match Version::parse(ecosystem, listed) {
                // What a stretch covers need not be listed again.
                Some(version) if affected.covers(&version) == Some(true) => {}
                Some(version) => versions.push(spelling(&version)),
                None => versions.push(listed.clone()),
            }
        }
        versions.sort_unstable();
        versions.dedup();
        affected.versions = versions;
        affected
    }

    /// RustSec's and Go's way of naming functions.
    fn functions(&self) -> Vec<String> {
        let specific = self.ecosystem_specific.as_ref();
        let affects = specific.and_then(|specific| specific.pointer("/affects/functions")).and_then(Value::as_array);
        affects.into_iter().flatten().filter_map(Value::as_str).take(50).map(str::to_owned).collect()
    }
}

/// Orders the events by version, and at one version as the specification does (introduced first),
/// then walks over them. Where a bound is no version, the order of the record stands: comparing with
/// it will fail, and is said, when the package is met.
fn stretches(ecosystem: Ecosystem, events: &[Event]) -> Vec<Range> {
    let mut ordered: Vec<(Option<Version>, u8, &str)> = Vec::new();
    let mut is_sound = true;
    for event in events {
        let named = [&event.introduced, &event.fixed, &event.last_affected, &event.limit];
        for (rank, text) in (0_u8..).zip(named) {
            let Some(text) = text.as_deref().filter(|text| !(rank == 3 && *text == "*")) else { continue };
            let version = if rank == 0 && text == "0" { None } else { Version::parse(ecosystem, text) };
            is_sound &= version.is_some() || (rank == 0 && text == "0");
            ordered.push((version, rank, text));
        }
    }
    if is_sound {
        ordered.sort_by(|(one, one_rank, _), (other, other_rank, _)| {
            let versions = match (one, other) {
                (Some(one), Some(other)) => one.precedence(other),
                (one, other) => one.is_some().cmp(&other.is_some()),
            };
            versions.then(one_rank.cmp(other_rank))
        });
    }
    let mut ranges = Vec::new();
    let mut open: Option<Option<String>> = None;
    for (_, rank, text) in ordered {
        match (rank, &open) {
            (0, None) => open = Some((text != "0").then(|| text.to_owned())),
            (1 | 3, Some(introduced)) => {
                ranges.push(Range { introduced: introduced.clone(), until: Until::Fixed(text.to_owned()) });
                open = None;
            }
            (2, Some(introduced)) => {
                ranges.push(Range { introduced: introduced.clone(), until: Until::Through(text.to_owned()) });
                open = None;
            }
            _ => {}
        }
    }
    ranges.extend(open.map(|introduced| Range { introduced, until: Until::Open }));
    ranges
}

fn kind(id: &str, informational: Option<&str>) -> Kind {
    match informational {
        _ if id.starts_with("MAL-") => Kind::Malicious,
        None => Kind::Vulnerability,
        Some("unmaintained") => Kind::Unmaintained,
        Some("unsound") => Kind::Unsound,
        Some(_) => Kind::Notice,
    }
}

fn texts(scores: Option<Vec<Score>>) -> Vec<String> {
    scores.into_iter().flatten().map(|score| score.score).collect()
}

/// The worst vector, and what it says.
pub(super) fn strictest(vectors: Vec<String>) -> (String, Option<bartizan_core::Severity>) {
    vectors
        .into_iter()
        .filter_map(|vector| severity::of_vector(&vector).map(|severity| (vector, Some(severity))))
        .max_by_key(|(_, severity)| *severity)
        .unwrap_or_default()
}

fn text<'a>(object: Option<&'a Value>, key: &str) -> Option<&'a str> {
    object.and_then(|object| object.get(key)).and_then(Value::as_str)
}

fn word(specific: Option<&Value>) -> Option<bartizan_core::Severity> {
    text(specific, "severity").and_then(severity::of_word)
}

/// The first line, at most 160 characters of it, safe to show.
pub(super) fn first_line(text: &str) -> String {
    let line = text.lines().map(|line| line.trim().trim_start_matches('#').trim()).find(|line| !line.is_empty());
    bartizan_core::printable(&line.unwrap_or_default().chars().take(160).collect::<String>())
}

/// The day of an RFC 3339 time.
pub(super) fn day(time: &str) -> String {
    let day = time.get(..10).unwrap_or_default();
    let is_day =
        day.bytes().enumerate().all(|(at, byte)| if at == 4 || at == 7 { byte == b'-' } else { byte.is_ascii_digit() });
    if is_day { day.to_owned() } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn advisory(text: &str) -> Advisory {
        match from_yaml(text).unwrap() {
            Read::Advisory(advisory) => *advisory,
            other => panic!("{other:?}"),
        }
    }

    fn covers(advisory: &Advisory, version: &str) -> bool {
        let affected = advisory.affected.first().unwrap();
        affected.covers(&Version::parse(affected.ecosystem, version).unwrap()).unwrap()
    }

    #[test]
    fn events_are_sorted_and_every_kind_of_end_is_understood() {
        let record = advisory(
            "id: X-1\naffected:\n- package: {ecosystem: PyPI, name: A_b}\n  ranges:\n  - type: ECOSYSTEM\n    events:\n    \
             - fixed: '3.1'\n    - introduced: '3.0'\n    - introduced: '0'\n    - fixed: '2.5'\n  - type: ECOSYSTEM\n    \
             events: [{introduced: '5'}, {last_affected: '5.2'}]\n  versions: ['4.0.0', '1.0']\n",
        );
        assert_eq!(record.affected.first().unwrap().name, "a-b");
        for version in ["0.1", "2.4.9", "3.0", "4.0", "4", "5.2"] {
            assert!(covers(&record, version), "{version}");
        }
        for version in ["2.5", "2.9", "3.1", "4.0.1", "5.2.1"] {
            assert!(!covers(&record, version), "{version}");
        }
        assert_eq!(record.affected.first().unwrap().versions, ["4"], "what a range covers is not listed again");
    }

    #[test]
    fn withdrawn_and_foreign_records_are_told_apart_from_broken_ones() {
        assert!(matches!(from_json(br#"{"id":"X","withdrawn":"2020-01-01T00:00:00Z"}"#), Ok(Read::Withdrawn)));
        let foreign = br#"{"id":"X","affected":[{"package":{"ecosystem":"Debian:12","name":"x"}}]}"#;
        assert!(matches!(from_json(foreign), Ok(Read::Elsewhere)));
        assert!(from_json(br#"{"id":"X","affected":7}"#).is_err());
    }

    #[test]
    fn a_bound_that_is_no_version_is_kept_and_decides_nothing() {
        let record = advisory(
            "id: X\naffected:\n- package: {ecosystem: PyPI, name: x}\n  ranges:\n  - type: ECOSYSTEM\n    events: \
             [{introduced: '0'}, {fixed: 2019-09-12}]\n  versions: ['1.0']\n",
        );
        let affected = record.affected.first().unwrap();
        let verdict = |version| affected.covers(&Version::parse(Ecosystem::PyPi, version).unwrap());
        assert_eq!((verdict("1.0"), verdict("2.0")), (Some(true), None));
    }
}
