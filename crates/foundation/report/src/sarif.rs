//! The report as SARIF 2.1.0 (OASIS Standard, 27 March 2020, with Errata 01).

use std::collections::BTreeMap;

use bartizan_core::{Completeness, Finding, Position, Rule, Severity};
use serde_json::{Value, json as object};

use crate::{Report, fingerprint};

/// Pretty-printed SARIF with a final line feed. Members of archives appear as logical locations
/// within the file that a viewer can open.
pub fn sarif(report: &Report, version: &str) -> String {
    let all = || report.findings().iter().chain(report.suppressed().iter().map(|suppressed| &suppressed.finding));
    let rules: BTreeMap<&str, &Rule> = all().map(|found| (found.rule.id, found.rule)).collect();
    let index: BTreeMap<&str, usize> = rules.keys().enumerate().map(|(index, id)| (*id, index)).collect();
    let place = |found: &Finding| index.get(found.rule.id).copied().unwrap_or_default();
    let mut results: Vec<Value> = report.findings().iter().map(|found| result(found, place(found))).collect();
    for suppressed in report.suppressed() {
        let mut value = result(&suppressed.finding, place(&suppressed.finding));
        if let Some(value) = value.as_object_mut() {
            let justification = suppressed.by.to_string();
            value.insert("suppressions".to_owned(), object!([{ "kind": "external", "justification": justification }]));
        }
        results.push(value);
    }
    let notifications: Vec<Value> = report
        .files()
        .iter()
        .filter_map(|file| match &file.completeness {
            Completeness::Complete => None,
            Completeness::Partial(reason) | Completeness::Failed(reason) => Some(object!({
                "level": "warning",
                "message": { "text": format!("not fully inspected: {reason}") },
                "locations": [{ "physicalLocation": { "artifactLocation": { "uri": uri(&file.path) } } }],
            })),
        })
        .collect();
    let mut run = object!({
        "tool": { "driver": {
            "name": "bartizan",
            "version": version,
            "rules": rules.values().map(|rule| descriptor(rule)).collect::<Vec<_>>(),
        }},
        "invocations": [{
            "executionSuccessful": report.is_complete(),
            "toolExecutionNotifications": notifications,
        }],
        "results": results,
        "columnKind": "unicodeCodePoints",
    });
    if let (Some(date), Some(run)) = (report.date(), run.as_object_mut()) {
        run.insert("properties".to_owned(), object!({ "asOf": date }));
    }
    let document = object!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [run],
    });
    format!("{document:#}\n")
}

fn descriptor(rule: &Rule) -> Value {
    object!({
        "id": rule.id,
        "shortDescription": { "text": rule.title },
        "fullDescription": { "text": rule.explanation },
        "help": { "text": rule.remedy },
        "defaultConfiguration": { "level": level(rule.severity) },
        "properties": {
            "tags": rule.links.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "security-severity": score(rule.severity),
        },
    })
}

fn result(finding: &Finding, index: usize) -> Value {
    let path = &finding.location.path;
    let file = path.split_once('!').map_or(path.as_str(), |(file, _)| file);
    let mut physical = object!({ "artifactLocation": { "uri": uri(file) } });
    let region = match finding.location.position {
        // A byte in a member is no byte of the file that a viewer opens.
        Position::Byte(offset) if file == path => Some(object!({ "byteOffset": offset, "byteLength": 1 })),
        Position::Line(line) => Some(object!({ "startLine": line })),
        _ => None,
    };
    if let (Some(region), Some(physical)) = (region, physical.as_object_mut()) {
        physical.insert("region".to_owned(), region);
    }
    object!({
        "ruleId": finding.rule.id,
        "ruleIndex": index,
        "level": level(finding.severity),
        "message": { "text": finding.message },
        "locations": [{
            "physicalLocation": physical,
            "logicalLocations": [{ "fullyQualifiedName": path, "kind": "member" }],
        }],
        "partialFingerprints": { "bartizan/v1": fingerprint(finding) },
        "properties": {
            "severity": finding.severity,
            "confidence": finding.confidence,
            "evidence": finding.evidence,
        },
    })
}

const fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Info | Severity::Low => "note",
        Severity::Medium => "warning",
        Severity::High | Severity::Critical => "error",
    }
}

/// What code-scanning dashboards sort by, on the scale of CVSS.
const fn score(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "0.0",
        Severity::Low => "3.0",
        Severity::Medium => "5.5",
        Severity::High => "8.0",
        Severity::Critical => "9.5",
    }
}

/// A relative reference (RFC 3986, section 4.2): everything but unreserved characters and `/` is
/// percent-encoded.
fn uri(path: &str) -> String {
    use std::fmt::Write as _;
    path.bytes().fold(String::with_capacity(path.len()), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'/') {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}
