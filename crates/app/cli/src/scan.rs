//! `bartizan scan`.

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;

use anyhow::Context as _;
use bartizan_core::{Severity, Timestamp};
use bartizan_engine::scan::{Area, Options, scan};
use bartizan_report::{Report, Style, json, sarif, table};
use clap::ValueEnum;

use crate::exit::Ended;

/// Look into models and archives for what would run, lie or overwhelm when they are loaded
///
/// Files are recognised by their content, never by their name, and nothing is executed or unpacked
/// to disk. Pickles (PyTorch, joblib, protocol 0 to 5) are run on a symbolic machine in which every
/// function that is not known to be harmless is a finding.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  bartizan scan model.pt
  bartizan scan --format sarif --fail-on high models/ > scan.sarif
  curl -s https://example.org/model.pkl | bartizan scan -
  bartizan explain BZ-PKL-001

Exit code: 1 when a finding is at least as bad as --fail-on; otherwise 2 when something that may hold
a model could not be fully inspected; otherwise 0. Usage and internal errors: 3.")]
pub(crate) struct Arguments {
    /// Files and folders; `-` reads standard input
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,

    /// What to look for, of models, dependencies, secrets, source and agents; everything by default
    #[arg(long, value_name = "AREA,…", value_delimiter = ',', value_parser = area)]
    only: Vec<Area>,

    /// How to print the report
    #[arg(long, value_enum, default_value = "table")]
    format: Format,

    /// The mildest severity that makes the exit code 1
    #[arg(long, value_name = "SEVERITY", default_value = "medium",
        value_parser = ["info", "low", "medium", "high", "critical"])]
    fail_on: String,

    /// Date that the report carries, as YYYY-MM-DD; also taken from SOURCE_DATE_EPOCH
    #[arg(long, value_name = "DATE")]
    as_of: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For a terminal
    Table,
    /// For programs
    Json,
    /// SARIF 2.1.0, for code-scanning dashboards
    Sarif,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<Ended> {
    let threshold = Severity::parse(&arguments.fail_on).context("--fail-on is not a severity")?;
    let date = date(arguments.as_of.as_deref())?;
    let shows_progress = std::io::stderr().is_terminal();
    let progress = |done: usize, all: usize| {
        if done.is_multiple_of(64) || done == all {
            eprint!("\rscanned {done} of {all} files");
        }
    };
    let options =
        Options { progress: shows_progress.then_some(&progress), only: &arguments.only, ..Options::default() };
    let report = scan(&arguments.paths, options)?.as_of(date);
    if shows_progress {
        eprint!("\r\x1b[K");
    }
    print(&report, arguments.format)?;
    Ok(if report.worst().is_some_and(|worst| worst >= threshold) {
        Ended::Refused
    } else if report.is_complete() {
        Ended::Well
    } else {
        Ended::Inconclusive
    })
}

fn print(report: &Report, format: Format) -> anyhow::Result<()> {
    let version = env!("CARGO_PKG_VERSION");
    let text = match format {
        Format::Json => json(report, version),
        Format::Sarif => sarif(report, version),
        Format::Table => {
            let coloured =
                std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
            table(report, if coloured { Style::Coloured } else { Style::Plain })
        }
    };
    let mut output = std::io::stdout().lock();
    // Somebody who closed our stdout keeps the verdict: it is in the exit code.
    match output.write_all(text.as_bytes()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(()),
        written => written?,
    }
    Ok(())
}

fn area(word: &str) -> Result<Area, String> {
    Area::SELECTABLE.into_iter().find(|area| area.as_str() == word).ok_or_else(|| {
        let known: Vec<&str> = Area::SELECTABLE.iter().map(|area| area.as_str()).collect();
        format!("use one of {}", known.join(", "))
    })
}

/// The date of the report: the flag, or `SOURCE_DATE_EPOCH` (reproducible-builds.org), or none.
fn date(flag: Option<&str>) -> anyhow::Result<Option<String>> {
    if let Some(day) = flag {
        let moment = Timestamp::parse(&format!("{day}T00:00:00Z"));
        anyhow::ensure!(
            moment.is_some(),
            "--as-of `{}` is not a date; write YYYY-MM-DD",
            bartizan_core::printable(day)
        );
        return Ok(Some(day.to_owned()));
    }
    let Some(epoch) = std::env::var_os("SOURCE_DATE_EPOCH") else { return Ok(None) };
    let seconds: Option<i64> = epoch.to_str().and_then(|text| text.trim().parse().ok());
    let seconds = seconds.context("SOURCE_DATE_EPOCH is not a number of seconds")?;
    Ok(Some(Timestamp::from_seconds(seconds).to_string().chars().take(10).collect()))
}
