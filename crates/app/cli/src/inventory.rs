//! `bartizan inventory`: what recorded scans saw, and what an advisory hits.

use std::path::PathBuf;

use bartizan_catalog::{Snapshot, affected};
use bartizan_core::printable;
use bartizan_engine::intel;
use bartizan_engine::scan::{Area, Options, scan};
use clap::Subcommand;
use serde_json::{Value, json};

use crate::call::{Format, Method, call, cell, change, print, rows, table};
use crate::exit::Ended;
use crate::place::Place;

/// Show what there is: projects, models, packages, and which models an advisory reaches
///
/// `bartizan scan --record NAME PATH` records what a scan saw. A model is reached by an advisory when the package that
/// loads it, or one that this package requires, is affected: model → framework → dependency → advisory.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  bartizan scan --record shop . ; bartizan inventory list
  bartizan inventory affected CVE-2024-3568
  bartizan inventory affected --scan . GHSA-37q5-v5qm-c9v8 PYSEC-2024-1
  bartizan inventory show shop --format json | jq '.components[] | select(.kind == \"model\")'

Exit code: `affected` is 1 when something is affected, 0 when nothing is, 2 when a project could not be seen whole.")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    place: Place,
    /// How to print
    #[arg(long, value_enum, default_value = "table", global = true)]
    format: Format,
}

#[derive(Subcommand)]
enum Verb {
    /// List recorded projects
    List,
    /// Show what a project is made of
    Show {
        /// Its name
        project: String,
    },
    /// Which packages and models these advisories reach
    Affected {
        /// Ids or aliases: CVE, GHSA, PYSEC, RUSTSEC, MAL
        #[arg(required = true, value_name = "ADVISORY")]
        advisories: Vec<String>,
        /// Scan this folder now instead of asking what was recorded; may be repeated
        #[arg(long, value_name = "PATH")]
        scan: Vec<PathBuf>,
        /// The advisory index for --scan
        #[arg(long, value_name = "FILE", env = "BARTIZAN_INTEL")]
        intel: Option<PathBuf>,
    },
    /// Forget a project
    Forget {
        /// Its name
        project: String,
    },
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<Ended> {
    let (place, format) = (&arguments.place, arguments.format);
    match &arguments.verb {
        Verb::List => {
            let answer = call(place, Method::GET, "/api/v1/inventory", None)?;
            print(&match format {
                Format::Json => format!("{answer:#}\n"),
                Format::Table => list(&answer),
            })?;
            Ok(Ended::Well)
        }
        Verb::Show { project } => {
            let path = format!("/api/v1/inventory/{}", segment(project));
            let Ok(answer) = change(place, Method::GET, &path, None)? else { return Ok(Ended::Refused) };
            print(&match format {
                Format::Json => format!("{answer:#}\n"),
                Format::Table => show(&answer),
            })?;
            Ok(Ended::Well)
        }
        Verb::Forget { project } => {
            let path = format!("/api/v1/inventory/{}", segment(project));
            Ok(match change(place, Method::DELETE, &path, None)? {
                Ok(_) => Ended::Well,
                Err(ended) => ended,
            })
        }
        Verb::Affected { advisories, scan, intel } if !scan.is_empty() => {
            let snapshot = scanned(scan, intel.as_deref(), arguments)?;
            let hits = json!(affected(&snapshot, advisories));
            answer(&hits, snapshot_gap(&snapshot), format)
        }
        Verb::Affected { advisories, .. } => {
            let path = format!("/api/v1/affected/{}", segment(&advisories.join(",")));
            let said = call(place, Method::GET, &path, None)?;
            if said.get("projects").and_then(Value::as_u64) == Some(0) {
                eprintln!("hint: no project is recorded; `bartizan scan --record NAME PATH`, or --scan PATH here");
                return Ok(Ended::Inconclusive);
            }
            let projects = call(place, Method::GET, "/api/v1/inventory", None)?;
            let part = rows(&projects, "projects").iter().find(|row| row.get("complete") == Some(&Value::Bool(false)));
            let gap = part.map(|row| format!("the scan of `{}` could not see everything", cell(row, "project")));
            answer(said.get("affected").unwrap_or(&Value::Null), gap, format)
        }
    }
}

/// What a scan of the folders sees, with the installation's advisories.
fn scanned(paths: &[PathBuf], named: Option<&std::path::Path>, arguments: &Arguments) -> anyhow::Result<Snapshot> {
    let state = Some(arguments.place.state.as_path()).filter(|state| state.exists());
    let located = intel::locate(named, state);
    let Some(located) = located else {
        anyhow::bail!("there is no advisory index to compare packages with; `bartizan intel import`, or --intel FILE");
    };
    let opened = intel::open(&located)?;
    let only = [Area::Models, Area::Dependencies];
    let report = scan(paths, Options { only: &only, intel: Some(&opened), digests: true, ..Options::default() })?;
    Ok(Snapshot::of("scan", &report)?)
}

fn snapshot_gap(snapshot: &Snapshot) -> Option<String> {
    (!snapshot.complete).then(|| "the scan could not see everything".to_owned())
}

fn answer(hits: &Value, gap: Option<String>, format: Format) -> anyhow::Result<Ended> {
    let hits: Vec<Value> = hits.as_array().cloned().unwrap_or_default();
    match format {
        Format::Json => print(&format!("{:#}\n", json!({ "affected": hits })))?,
        Format::Table => print(&reached(&hits))?,
    }
    if let Some(gap) = &gap {
        eprintln!("warning: {}", printable(gap));
    }
    Ok(match (hits.is_empty(), gap) {
        (false, _) => Ended::Refused,
        (true, Some(_)) => Ended::Inconclusive,
        (true, None) => Ended::Well,
    })
}

fn reached(hits: &[Value]) -> String {
    let mut text = String::new();
    for hit in hits {
        let fixed = match cell(hit, "fixed") {
            fixed if fixed == "-" => "no version clears it yet".to_owned(),
            fixed => format!("cleared by {fixed}"),
        };
        text.push_str(&format!(
            "{}  {}  {} in {} ({}), {fixed}\n",
            printable(&cell(hit, "advisory")),
            printable(&cell(hit, "severity")),
            printable(&cell(hit, "package")),
            printable(&cell(hit, "project")),
            printable(&cell(hit, "path")),
        ));
        let models = rows(hit, "models");
        for model in models {
            let way: Vec<String> =
                rows(model, "through").iter().filter_map(|step| step.as_str().map(printable)).collect();
            text.push_str(&format!("  {} → {}\n", printable(&cell(model, "model")), way.join(" → ")));
        }
        if models.is_empty() {
            text.push_str("  no model of the project is loaded with it\n");
        }
    }
    if hits.is_empty() {
        text.push_str("nothing that was recorded is affected\n");
    }
    text
}

fn list(answer: &Value) -> String {
    let rows: Vec<Vec<String>> = rows(answer, "projects")
        .iter()
        .map(|row| {
            let found: Vec<u64> =
                row.get("findings").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_u64).collect();
            let words = bartizan_core::Severity::ALL.iter().zip(found).rev().filter(|(_, count)| *count > 0);
            let findings: Vec<String> = words.map(|(severity, count)| format!("{count} {severity}")).collect();
            let seen = if row.get("complete") == Some(&Value::Bool(true)) { "everything" } else { "in part" };
            vec![
                cell(row, "project"),
                cell(row, "models"),
                cell(row, "packages"),
                if findings.is_empty() { "none".to_owned() } else { findings.join(", ") },
                seen.to_owned(),
                cell(row, "recorded"),
            ]
        })
        .collect();
    table(&["PROJECT", "MODELS", "PACKAGES", "FINDINGS", "SEEN", "RECORDED"], &rows)
}

fn show(answer: &Value) -> String {
    let parts = rows(answer, "components").iter().map(|part| {
        let property = |name: &str| {
            part.pointer(&format!("/properties/{name}/value")).and_then(Value::as_str).unwrap_or("-").to_owned()
        };
        let place = part.pointer("/location/path").and_then(Value::as_str).unwrap_or("-").to_owned();
        let what = match cell(part, "kind").as_str() {
            "model" => property("format"),
            _ => cell(part, "version"),
        };
        vec![cell(part, "kind"), cell(part, "name"), what, place]
    });
    table(&["KIND", "NAME", "VERSION OR FORMAT", "IN"], &parts.collect::<Vec<_>>())
}

/// One segment of an address: everything but letters, digits and `-._~,` is escaped.
fn segment(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b',');
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// Records what a scan saw.
pub(crate) fn record(
    place: &Place,
    project: &str,
    report: &bartizan_report::Report,
) -> anyhow::Result<Result<(), Ended>> {
    let snapshot = Snapshot::of(project, report)?;
    let path = format!("/api/v1/inventory/{}", segment(project));
    Ok(change(place, Method::PUT, &path, Some(&snapshot.to_json()))?.map(|_| ()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_name_leads_elsewhere() {
        assert_eq!(segment("CVE-2024-1,GHSA-x"), "CVE-2024-1,GHSA-x");
        assert_eq!(segment("../a b?c"), "..%2Fa%20b%3Fc");
    }
}
