//! `audit tail`, `search` and `show`.

use std::io::{self, Write};
use std::time::Duration;

use anyhow::Context as _;
use bartizan_core::{Outcome, Timestamp};
use bartizan_ledger::{Entry, LedgerError, Query};

use super::render;
use super::source::{Format, Source};
use crate::exit::Ended;

/// Print the last entries
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  bartizan audit tail -n 50
  bartizan audit tail --follow --format json")]
pub(crate) struct Tail {
    #[command(flatten)]
    source: Source,
    /// How many entries
    #[arg(short = 'n', long = "lines", value_name = "COUNT", default_value_t = 20)]
    count: u64,
    /// Wait for further entries and print them as they come
    #[arg(short, long)]
    follow: bool,
    /// How to print
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

/// Print the entries that meet all conditions
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  bartizan audit search --type request --outcome deny
  bartizan audit search --asset urn:bartizan:default:model:digits --since 2026-11-01T00:00:00Z
  bartizan audit search --correlation 0199a1b2-c3d4 --format json")]
pub(crate) struct Search {
    #[command(flatten)]
    source: Source,
    /// Type of event, or its beginning up to a dot
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    /// Opaque id of who did it
    #[arg(long, value_name = "ID")]
    principal: Option<String>,
    /// What was attempted, such as `Infer`
    #[arg(long)]
    action: Option<String>,
    /// Part of the asset's URN
    #[arg(long, value_name = "URN")]
    asset: Option<String>,
    /// How it ended
    #[arg(long, value_parser = ["allow", "deny", "transform", "error", "observe"])]
    outcome: Option<String>,
    /// Why
    #[arg(long)]
    reason: Option<String>,
    /// Request, incident or drill that links entries
    #[arg(long, value_name = "ID")]
    correlation: Option<String>,
    /// Part of the entry's JSON, whatever its case
    #[arg(long)]
    text: Option<String>,
    /// Not before this time (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<Timestamp>,
    /// Before this time (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<Timestamp>,
    /// Print at most so many
    #[arg(long, value_name = "COUNT")]
    limit: Option<usize>,
    /// How to print
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

/// Print every field of one entry
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  bartizan audit show 1042
  bartizan audit show 1042 --format json")]
pub(crate) struct Show {
    /// The entry's index, as `tail` and `search` print it
    index: u64,
    #[command(flatten)]
    source: Source,
    /// How to print
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

/// How often `--follow` looks.
const POLL: Duration = Duration::from_millis(250);

pub(crate) fn tail(arguments: &Tail) -> anyhow::Result<Ended> {
    let mut out = io::stdout().lock();
    let mut reader = arguments.source.open()?;
    let mut next = reader.size().saturating_sub(arguments.count);
    let mut ended = Ended::Well;
    render::head(&mut out, arguments.format)?;
    loop {
        for entry in reader.entries(next, reader.size()) {
            match entry {
                Ok(entry) => render::entry(&mut out, &entry, arguments.format)?,
                Err(error) => ended = unreadable(&error),
            }
        }
        next = reader.size();
        out.flush()?;
        if !arguments.follow {
            return Ok(ended);
        }
        std::thread::sleep(POLL);
        reader = arguments.source.open()?;
        anyhow::ensure!(reader.size() >= next, "the ledger became shorter: it was replaced or rolled back");
    }
}

pub(crate) fn search(arguments: &Search) -> anyhow::Result<Ended> {
    let query = query(arguments)?;
    let reader = arguments.source.open()?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    render::head(&mut out, arguments.format)?;
    let mut ended = Ended::Well;
    let mut left = arguments.limit.unwrap_or(usize::MAX);
    for entry in reader.entries(0, reader.size()) {
        if left == 0 {
            break;
        }
        match entry {
            Ok(entry) if query.matches(&entry) => {
                render::entry(&mut out, &entry, arguments.format)?;
                left -= 1;
            }
            Ok(_) => {}
            Err(error) => ended = unreadable(&error),
        }
    }
    out.flush()?;
    Ok(ended)
}

pub(crate) fn show(arguments: &Show) -> anyhow::Result<Ended> {
    let entry: Entry = arguments.source.open()?.entry(arguments.index)?;
    let mut out = io::stdout().lock();
    match arguments.format {
        Format::Table => render::fields(&mut out, &entry)?,
        Format::Json => render::entry(&mut out, &entry, Format::Json)?,
    }
    Ok(Ended::Well)
}

/// An entry that can't be read is said, and keeps the answer from being complete.
fn unreadable(error: &LedgerError) -> Ended {
    eprintln!("warning: {error}");
    Ended::Inconclusive
}

fn query(arguments: &Search) -> anyhow::Result<Query> {
    let outcome: Option<Outcome> = match &arguments.outcome {
        Some(word) => Some(serde_json::from_value(word.as_str().into()).context("outcome")?),
        None => None,
    };
    Ok(Query {
        kind: arguments.kind.clone(),
        principal: arguments.principal.clone(),
        action: arguments.action.clone(),
        asset: arguments.asset.clone(),
        outcome,
        reason: arguments.reason.clone(),
        correlation: arguments.correlation.clone(),
        text: arguments.text.clone(),
        since: arguments.since,
        until: arguments.until,
    })
}

fn time(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text).ok_or_else(|| "expected a time such as 2026-11-01T00:00:00Z".to_owned())
}
