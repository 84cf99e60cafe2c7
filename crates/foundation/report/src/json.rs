//! The report as JSON.

use bartizan_core::{Completeness, Finding, Severity};
use serde_json::{Value, json as object};

use crate::report::{FileEntry, Suppressed};
use crate::{Report, fingerprint};

/// Pretty-printed JSON with a final line feed; the shape is named in `schema`.
pub fn json(report: &Report, version: &str) -> String {
    let totals = report.totals();
    let by_severity: serde_json::Map<String, Value> = Severity::ALL
        .iter()
        .zip(totals.findings)
        .map(|(severity, count)| (severity.to_string(), count.into()))
        .collect();
    let mut document = object!({
        "schema": "bartizan.scan/1",
        "tool": { "name": "bartizan", "version": version },
        "totals": {
            "files": totals.files,
            "inspected": totals.inspected,
            "not_inspected": totals.not_inspected,
            "incomplete": totals.incomplete,
            "findings": by_severity,
        },
        "complete": report.is_complete(),
        "notes": report.notes(),
        "suppressed": report.suppressed().iter().map(suppressed).collect::<Vec<_>>(),
        "components": report.components(),
        "findings": report.findings().iter().map(finding).collect::<Vec<_>>(),
        "files": report.files().iter().map(file).collect::<Vec<_>>(),
    });
    if let (Some(date), Some(document)) = (report.date(), document.as_object_mut()) {
        document.insert("as_of".to_owned(), date.into());
    }
    format!("{document:#}\n")
}

fn suppressed(suppressed: &Suppressed) -> Value {
    let mut value = finding(&suppressed.finding);
    if let Some(value) = value.as_object_mut() {
        value.insert("suppressed_by".to_owned(), object!(suppressed.by));
    }
    value
}

fn finding(finding: &Finding) -> Value {
    object!({
        "rule": finding.rule.id,
        "title": finding.rule.title,
        "severity": finding.severity,
        "confidence": finding.confidence,
        "location": finding.location,
        "message": finding.message,
        "evidence": finding.evidence,
        "fingerprint": fingerprint(finding),
        "remedy": finding.rule.remedy,
        "links": finding.rule.links.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

fn file(file: &FileEntry) -> Value {
    let (state, reason) = match &file.completeness {
        Completeness::Complete if file.inspectors.is_empty() => ("not-inspected", None),
        Completeness::Complete => ("complete", None),
        Completeness::Partial(reason) => ("partial", Some(reason)),
        Completeness::Failed(reason) => ("failed", Some(reason)),
    };
    object!({
        "path": file.path,
        "format": file.format,
        "bytes": file.bytes,
        "inspectors": file.inspectors,
        "state": state,
        "reason": reason,
        "members": file.members,
        "members_not_inspected": file.members_not_inspected,
    })
}
