//! `audit verify`: the ledger, or one proof without it.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use bartizan_core::{Digest, printable};
use bartizan_engine::state::default_anchor_folder;
use bartizan_ledger::{Conclusion, Report, verify_proof};
use bartizan_signing::NoteVerifier;
use serde_json::json;

use super::render;
use super::source::{Format, Source};
use crate::exit::Ended;

/// Check that nothing in the ledger was changed, removed or written anew
///
/// Every entry is hashed, every tile compared, every checkpoint's signature and root checked. That
/// the whole was not written anew by who holds its key shows only a checkpoint from outside: the
/// last one that this user's `XDG_STATE_HOME` remembers, and each `--against FILE`.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  bartizan audit verify
  bartizan audit verify --against checkpoint.yesterday
  bartizan audit verify --proof refusal.tlog-proof --verifier verifier.txt

Exit code: 0 verified (also when internally consistent but not externally anchored, which is said),
1 not verified, 2 inconclusive (nothing to verify, or an unfinished append at the end).")]
pub(crate) struct Verify {
    #[command(flatten)]
    source: Source,
    /// A signed checkpoint that was kept elsewhere; may be given several times
    #[arg(long, value_name = "FILE")]
    against: Vec<PathBuf>,
    /// Folder of remembered checkpoints [default: bartizan/anchors under XDG_STATE_HOME]
    #[arg(long, value_name = "DIR")]
    anchors: Option<PathBuf>,
    /// Verify this proof instead of a ledger; needs no state folder
    #[arg(long, value_name = "FILE", requires = "verifier", conflicts_with_all = ["against", "anchors", "state"])]
    proof: Option<PathBuf>,
    /// The log's verifier key, or a file that holds it
    #[arg(long, value_name = "KEY", requires = "proof")]
    verifier: Option<String>,
    /// How to print
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

pub(crate) fn run(arguments: &Verify) -> anyhow::Result<Ended> {
    if let (Some(proof), Some(verifier)) = (&arguments.proof, &arguments.verifier) {
        return check_proof(proof, verifier, arguments.format);
    }
    let anchors = arguments.anchors.clone().or_else(default_anchor_folder);
    let report =
        bartizan_engine::audit::verify_against(&arguments.source.state, anchors.as_deref(), &arguments.against)?;
    let mut out = io::stdout().lock();
    match arguments.format {
        Format::Table => print_table(&mut out, &report)?,
        Format::Json => print_json(&mut out, &report)?,
    }
    Ok(match report.conclusion {
        Conclusion::Verified | Conclusion::InternallyConsistent => Ended::Well,
        Conclusion::NotVerified => Ended::Refused,
        Conclusion::Inconclusive => Ended::Inconclusive,
    })
}

fn print_table(out: &mut impl Write, report: &Report) -> io::Result<()> {
    let unknown = || "-".to_owned();
    let origin = if report.origin.is_empty() { unknown() } else { printable(&report.origin) };
    writeln!(out, "{:<9} {origin}", "log")?;
    writeln!(out, "{:<9} {}", "entries", report.size)?;
    writeln!(out, "{:<9} {}", "root", report.root.map_or_else(unknown, |root| Digest::to_string(&root)))?;
    writeln!(out, "{:<9} {}", "signer", report.signer.as_deref().map_or_else(unknown, printable))?;
    for (source, size) in &report.anchors {
        writeln!(out, "{:<9} {} (first {size} entries)", "anchored", printable(source))?;
    }
    if report.anchors.is_empty() {
        writeln!(out, "{:<9} no", "anchored")?;
    }
    for problem in &report.problems {
        writeln!(out, "{:<9} {}", "problem", printable(problem))?;
    }
    for doubt in &report.doubts {
        writeln!(out, "{:<9} {}", "doubt", printable(doubt))?;
    }
    writeln!(out, "{:<9} {}", "result", report.conclusion.as_str())
}

fn print_json(out: &mut impl Write, report: &Report) -> io::Result<()> {
    let anchors: Vec<_> =
        report.anchors.iter().map(|(source, size)| json!({ "source": source, "entries": size })).collect();
    let report = json!({
        "origin": report.origin,
        "entries": report.size,
        "root": report.root,
        "signer": report.signer,
        "anchors": anchors,
        "problems": report.problems,
        "doubts": report.doubts,
        "result": report.conclusion.as_str(),
    });
    writeln!(out, "{report}")
}

fn check_proof(proof: &Path, verifier: &str, format: Format) -> anyhow::Result<Ended> {
    let text = std::fs::read_to_string(proof).with_context(|| format!("read {}", proof.display()))?;
    let verifier: NoteVerifier = match verifier.parse() {
        Ok(verifier) => verifier,
        Err(error) => match std::fs::read_to_string(verifier) {
            Ok(text) => text.parse().with_context(|| format!("read {verifier}"))?,
            Err(_) => return Err(error.into()),
        },
    };
    let mut out = io::stdout().lock();
    match verify_proof(&text, &verifier) {
        Ok(proven) if format == Format::Json => render::entry(&mut out, &proven.entry, Format::Json)?,
        Ok(proven) => {
            writeln!(out, "{:<13} {}", "log", printable(&proven.checkpoint.origin))?;
            writeln!(out, "{:<13} {}", "entries", proven.checkpoint.size)?;
            writeln!(out, "{:<13} {}", "root", proven.checkpoint.root)?;
            render::fields(&mut out, &proven.entry)?;
            writeln!(out, "{:<13} verified", "result")?;
        }
        Err(error) => {
            eprintln!("{}: {error}", proof.display());
            match format {
                Format::Table => writeln!(out, "{:<13} NOT verified", "result")?,
                Format::Json => writeln!(out, "{}", json!({ "result": "NOT verified", "problem": error.to_string() }))?,
            }
            return Ok(Ended::Refused);
        }
    }
    Ok(Ended::Well)
}
