//! The report for a terminal.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use bartizan_core::{Completeness, Finding, Position, Severity, printable};

use crate::Report;

/// Whether to colour. Colour repeats what the words say and never adds to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Style {
    /// Bare text.
    Plain,
    /// ANSI colours.
    Coloured,
}

/// Findings with their proof, what was not fully seen, and one line of totals.
pub fn table(report: &Report, style: Style) -> String {
    let mut out = String::new();
    for finding in report.findings() {
        row(finding, style, &mut out);
    }
    for file in report.files() {
        if let Completeness::Partial(reason) | Completeness::Failed(reason) = &file.completeness {
            let word = paint("incomplete", "33", style);
            let _ = writeln!(out, "{word}  {}: {}", printable(&file.path), printable(reason));
        }
    }
    if !out.is_empty() {
        out.push('\n');
    }
    let totals = report.totals();
    let _ = write!(out, "{}: {} inspected", count(totals.files, "file"), totals.inspected);
    if totals.not_inspected > 0 {
        let _ = write!(out, ", {} not inspected ({})", totals.not_inspected, not_inspected(report));
    }
    if totals.incomplete > 0 {
        let _ = write!(out, ", {} incomplete", totals.incomplete);
    }
    let found: usize = totals.findings.iter().sum();
    let _ = write!(out, "; {}", if found == 0 { "no findings".to_owned() } else { count(found, "finding") });
    let parts: Vec<String> = Severity::ALL
        .iter()
        .zip(totals.findings)
        .rev()
        .filter(|(_, count)| *count > 0)
        .map(|(severity, count)| format!("{count} {severity}"))
        .collect();
    if !parts.is_empty() {
        let _ = write!(out, " ({})", parts.join(", "));
    }
    out.push('\n');
    if !report.suppressed().is_empty() {
        let _ = writeln!(out, "{} accepted before and not counted", count(report.suppressed().len(), "finding"));
    }
    for note in report.notes() {
        let _ = writeln!(out, "{}", printable(note));
    }
    if let Some(date) = report.date() {
        let _ = writeln!(out, "as of {date}");
    }
    out
}

fn row(finding: &Finding, style: Style, out: &mut String) {
    let colour = match finding.severity {
        Severity::Critical | Severity::High => "31",
        Severity::Medium => "33",
        Severity::Low | Severity::Info => "36",
    };
    let severity = paint(&format!("{:<8}", finding.severity), colour, style);
    let place = match finding.location.position {
        Position::Byte(offset) => format!(" byte {offset}"),
        Position::Line(line) => format!(":{line}"),
        Position::Whole => String::new(),
    };
    let _ = writeln!(
        out,
        "{severity}  {}  {}{place}: {}",
        finding.rule.id,
        printable(&finding.location.path),
        finding.message
    );
    let trace = finding.evidence.get("trace").and_then(|trace| trace.as_array());
    for step in trace.into_iter().flatten().filter(|_| finding.evidence.contains_key("callable")) {
        let text = |key: &str| step.get(key).and_then(|value| value.as_str()).unwrap_or_default();
        let offset = step.get("offset").and_then(serde_json::Value::as_u64).unwrap_or_default();
        let _ = writeln!(out, "          {offset:>8}  {:<14} {}", text("opcode"), printable(text("value")));
    }
}

fn not_inspected(report: &Report) -> String {
    let mut formats: BTreeMap<&str, usize> = BTreeMap::new();
    for file in report.files().iter().filter(|file| file.inspectors.is_empty()) {
        *formats.entry(file.format).or_default() += 1;
    }
    formats.iter().map(|(format, count)| format!("{format} {count}")).collect::<Vec<_>>().join(", ")
}

fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

fn paint(text: &str, colour: &str, style: Style) -> String {
    match style {
        Style::Plain => text.to_owned(),
        Style::Coloured => format!("\x1b[{colour}m{text}\x1b[0m"),
    }
}
