//! `bartizan incident`: what was detected, and what is done about it.

use std::fmt::Write as _;

use bartizan_serve::{Attacker, DrillKind, DrillReport, DrillRequest, run_drill};
use clap::{Subcommand, ValueEnum};
use serde_json::{Value, json};

use crate::call::{Format, Method, call, cell, change, print, rows, table};
use crate::exit::Ended;
use crate::place::Place;

/// List, show, contain and release incidents; rehearse them with drills.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  bartizan incident list
  bartizan incident show 0199…
  bartizan incident respond 0199… contain
  bartizan incident release 0199…
  bartizan incident drill stolen-key
  bartizan incident drill extraction --attacker natural --budget 100

Exit codes of a drill: 0 contained, 1 not detected or not contained, 2 nothing could be sent.")]
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
    /// List incidents, newest first
    List,
    /// Show one incident with its timeline and actions
    Show {
        /// Its id
        id: String,
    },
    /// Approve or take the playbook's actions, or close the incident
    Respond {
        /// Its id
        id: String,
        /// What to do
        #[arg(value_enum)]
        verb: Response,
        /// Why, for the timeline
        #[arg(long, default_value = "")]
        note: String,
    },
    /// Take back everything that was done
    Release {
        /// Its id
        id: String,
    },
    /// Attack the running daemon with throw-away keys, and measure what happens
    Drill {
        /// What to rehearse
        #[arg(value_enum)]
        kind: Kind,
        /// How an extractor chooses its queries
        #[arg(long, value_enum, default_value = "natural")]
        attacker: Queries,
        /// Hostile requests at most
        #[arg(long)]
        budget: Option<u32>,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum Response {
    /// Let the waiting actions be taken
    Approve,
    /// Take the playbook's actions now
    Contain,
    /// Done with it
    Close,
}

#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    /// Somebody else uses a customer's key
    StolenKey,
    /// One key asks far too much
    Flood,
    /// One key sends what is no request
    Malformed,
    /// One key copies the model
    Extraction,
}

#[derive(Clone, Copy, ValueEnum)]
enum Queries {
    /// Noise
    Random,
    /// A few real inputs, pushed about
    Synthetic,
    /// Real inputs, as customers send
    Natural,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<Ended> {
    let (place, format) = (&arguments.place, arguments.format);
    match &arguments.verb {
        Verb::List => {
            let answer = call(place, Method::GET, "/api/v1/incidents", None)?;
            let headings = ["id", "severity", "state", "title", "principal", "alerts", "opened"];
            print(&match format {
                Format::Json => format!("{answer:#}\n"),
                Format::Table => {
                    let rows: Vec<_> = rows(&answer, "incidents")
                        .iter()
                        .map(|row| headings.iter().map(|heading| cell(row, heading)).collect())
                        .collect();
                    table(&headings, &rows)
                }
            })?;
            Ok(Ended::Well)
        }
        Verb::Show { id } => answered(place, Method::GET, &format!("/api/v1/incidents/{}", segment(id)), None, format),
        Verb::Respond { id, verb, note } => {
            let verb = match verb {
                Response::Approve => "approve",
                Response::Contain => "contain",
                Response::Close => "close",
            };
            let path = format!("/api/v1/incidents/{}/{verb}", segment(id));
            answered(place, Method::POST, &path, Some(&json!({ "note": note })), format)
        }
        Verb::Release { id } => {
            let path = format!("/api/v1/incidents/{}/release", segment(id));
            answered(place, Method::POST, &path, Some(&json!({})), format)
        }
        Verb::Drill { kind, attacker, budget } => drill(place, *kind, *attacker, *budget, format),
    }
}

fn answered(place: &Place, method: Method, path: &str, body: Option<&Value>, format: Format) -> anyhow::Result<Ended> {
    match change(place, method, path, body)? {
        Err(ended) => Ok(ended),
        Ok(incident) => {
            print(&match format {
                Format::Json => format!("{incident:#}\n"),
                Format::Table => story(&incident),
            })?;
            Ok(Ended::Well)
        }
    }
}

/// An incident as people read it.
fn story(incident: &Value) -> String {
    let mut text = String::new();
    let line = |text: &mut String, name: &str, value: String| {
        let _ = writeln!(text, "{name:<11}{}", bartizan_core::printable(&value));
    };
    for name in [
        "id",
        "title",
        "severity",
        "state",
        "principal",
        "members",
        "key",
        "asset",
        "rules",
        "techniques",
        "alerts",
        "opened",
        "updated",
    ] {
        line(&mut text, name, cell(incident, name));
    }
    for action in rows(incident, "actions") {
        line(
            &mut text,
            "action",
            format!("{} {} (until {})", cell(action, "kind"), cell(action, "target"), cell(action, "expires")),
        );
    }
    text.push_str("timeline\n");
    for entry in rows(incident, "timeline") {
        let _ = writeln!(
            text,
            "  {}  {}  [{}]",
            cell(entry, "time"),
            bartizan_core::printable(&cell(entry, "what")),
            bartizan_core::printable(&cell(entry, "who"))
        );
    }
    text
}

fn drill(place: &Place, kind: Kind, attacker: Queries, budget: Option<u32>, format: Format) -> anyhow::Result<Ended> {
    let request = DrillRequest {
        kind: match kind {
            Kind::StolenKey => DrillKind::StolenKey,
            Kind::Flood => DrillKind::Flood,
            Kind::Malformed => DrillKind::Malformed,
            Kind::Extraction => DrillKind::Extraction,
        },
        attacker: match attacker {
            Queries::Random => Attacker::Random,
            Queries::Synthetic => Attacker::Synthetic,
            Queries::Natural => Attacker::Natural,
        },
        budget,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let report = runtime.block_on(run_drill(&place.state, &request))?;
    print(&match format {
        Format::Json => format!("{}\n", serde_json::to_string_pretty(&report)?),
        Format::Table => summary(&report),
    })?;
    Ok(if report.hostile_requests == 0 {
        Ended::Inconclusive
    } else if report.contained {
        Ended::Well
    } else {
        Ended::Refused
    })
}

/// A drill's report as people read it.
fn summary(report: &DrillReport) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "{name:<24}{value}");
    };
    let seconds = |seconds: Option<f64>, none: &str| {
        seconds.map_or_else(|| none.to_owned(), |seconds| format!("+{seconds:.3} s"))
    };
    line(
        "verdict",
        match (report.detected_seconds, report.contained) {
            (None, _) if report.hostile_requests == 0 => "INCONCLUSIVE: nothing was sent".to_owned(),
            (None, _) => "NOT DETECTED".to_owned(),
            (Some(_), true) => "DETECTED AND CONTAINED".to_owned(),
            (Some(_), false) => "DETECTED, NOT CONTAINED".to_owned(),
        },
    );
    line("first hostile request", report.first_hostile.to_string());
    line("detected", seconds(report.detected_seconds, "not detected"));
    line("last hostile answer", seconds(report.last_hostile_answer_seconds, "none was served"));
    line("attacker", format!("{} requests, {} answered", report.hostile_requests, report.hostile_answers));
    if let Some(extraction) = &report.extraction {
        line(
            "copy of the model",
            format!(
                "fidelity {:.2} with {} answers; {:.2} for the whole budget without the guard; {:.2} had the answers been labels only",
                extraction.fidelity, extraction.answered, extraction.fidelity_unguarded, extraction.fidelity_label_only
            ),
        );
    }
    line("honest client", format!("{} requests, {} refused", report.honest_requests, report.honest_refused));
    if let Some(incident) = &report.incident {
        line("incident", incident.clone());
        line("rules", report.rules.join(", "));
        line("actions", if report.actions.is_empty() { "none".to_owned() } else { report.actions.join(", ") });
    }
    line(
        "ledger",
        match &report.proof {
            Some(proof) if proof.verified => {
                format!("entry {} proved under the checkpoint of {} entries", proof.index, proof.size)
            }
            Some(proof) => format!("entry {} could NOT be proved", proof.index),
            None => "no entry of an incident".to_owned(),
        },
    );
    line(
        "mode",
        format!(
            "{}: so it goes for real principals; a drill's throw-away principals are always contained",
            report.mode.as_str().unwrap_or("unknown")
        ),
    );
    for advice in &report.advice {
        line("what would help", advice.clone());
    }
    text
}

/// Ids are hexadecimal and dashes; anything else is cut away and will not be found.
fn segment(id: &str) -> String {
    id.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect()
}
