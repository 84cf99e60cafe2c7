//! `bartizan intel`: the offline index of advisories.

mod fetch;

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use bartizan_core::{Timestamp, printable};
use bartizan_engine::intel::{Imported, Input, Intel, IntelError, Located, OLD_AFTER_DAYS, import, locate, open};
use serde_json::json;

use crate::call::{Format, print, table};
use crate::exit::Ended;

/// Import and look at advisories: what is known about weaknesses and attacks in packages
///
/// Advisories are compiled into one local file that scans read without a network. Nothing is fetched
/// unless a URL is named.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  bartizan intel import advisory-db/ pypa-advisory-database/vulns/
  bartizan intel import osv-npm-all.zip known_exploited_vulnerabilities.json epss_scores.csv.gz
  bartizan intel import https://osv.example.org/PyPI/all.zip
  bartizan intel status

Exit code: 0 done, current; 1 the index is not what this installation signed; 2 some records could not be
read, there is no index or it is old; 3 for usage and internal errors.")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand)]
enum Verb {
    Import(Import),
    Status(Status),
}

/// Import advisories into the index; a source that was imported before is replaced
///
/// Understood: RustSec's advisory-db (Markdown), PyPA's advisory-database and other OSV records (YAML,
/// JSON, or a .zip of these), CISA's catalogue of known exploited vulnerabilities (JSON), EPSS tables
/// (CSV, also gzipped).
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  bartizan intel import advisory-db/
  bartizan intel import --output advisories.idx osv-pypi-all.zip")]
struct Import {
    /// Folders, files or http(s) URLs
    #[arg(required = true, value_name = "PATH|URL")]
    sources: Vec<String>,

    /// Write the index here, unsigned, instead of to the user's data folder
    #[arg(long, value_name = "FILE", conflicts_with = "state")]
    output: Option<PathBuf>,

    /// Write the index to this state folder
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,

    /// How to print what was imported
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

/// Show where the index is, what it is made of and how old it is
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  bartizan intel status
  bartizan intel status --intel advisories.idx --format json")]
struct Status {
    /// The index, instead of that of the state folder or the user
    #[arg(long, value_name = "FILE", env = "BARTIZAN_INTEL")]
    intel: Option<PathBuf>,

    /// State folder
    #[arg(long, value_name = "DIR", default_value = ".bartizan", env = "BARTIZAN_STATE")]
    state: PathBuf,

    /// The day to count the age from, as YYYY-MM-DD
    #[arg(long, value_name = "DATE")]
    as_of: Option<String>,

    /// How to print
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<Ended> {
    match &arguments.verb {
        Verb::Import(arguments) => imports(arguments),
        Verb::Status(arguments) => status(arguments),
    }
}

fn imports(arguments: &Import) -> anyhow::Result<Ended> {
    let located = match (&arguments.output, &arguments.state) {
        (Some(file), _) => Located::named(file),
        (None, Some(state)) => Located::of_state(state),
        (None, None) => Located::of_user().ok_or(IntelError::NoPlace)?,
    };
    // One process writes to a state folder at a time.
    let lock = arguments.state.as_deref().map(bartizan_engine::state::StateFolder::open).transpose()?;
    let mut inputs = Vec::new();
    for source in &arguments.sources {
        inputs.push(if source.starts_with("https://") || source.starts_with("http://") {
            let (name, bytes) = fetch::fetch(source)?;
            Input::Fetched(name, bytes)
        } else {
            Input::Path(PathBuf::from(source))
        });
    }
    let done = import(&inputs, &located, &today())?;
    drop(lock);
    for problem in &done.problems {
        eprintln!("warning: not read: {problem}");
    }
    print(&imported(&done, &located, arguments.format))?;
    let refused: usize = done.sources.iter().map(|source| source.refused).sum();
    if refused > 0 {
        eprintln!("warning: {refused} records could not be read and are not in the index");
        return Ok(Ended::Inconclusive);
    }
    Ok(Ended::Well)
}

fn imported(done: &Imported, located: &Located, format: Format) -> String {
    let file = printable(&located.file.display().to_string());
    match format {
        Format::Json => {
            let value = json!({
                "index": file, "digest": done.digest, "bytes": done.bytes, "sources": done.sources,
                "problems": done.problems,
            });
            format!("{value:#}\n")
        }
        Format::Table => {
            let rows: Vec<Vec<String>> = done.sources.iter().map(row).collect();
            format!("{}\n{file}: {} bytes, {}\n", table(&HEADINGS, &rows), done.bytes, done.digest)
        }
    }
}

const HEADINGS: [&str; 7] = ["SOURCE", "RECORDS", "WITHDRAWN", "OTHER", "REFUSED", "NEWEST", "IMPORTED"];

fn row(source: &bartizan_engine::intel::SourceSummary) -> Vec<String> {
    let number = |value: usize| value.to_string();
    vec![
        source.name.clone(),
        number(source.records),
        number(source.withdrawn),
        number(source.elsewhere),
        number(source.refused),
        source.newest.clone(),
        source.imported.clone(),
    ]
}

fn status(arguments: &Status) -> anyhow::Result<Ended> {
    let day = match &arguments.as_of {
        Some(day) => {
            let moment = Timestamp::parse(&format!("{day}T00:00:00Z"));
            anyhow::ensure!(moment.is_some(), "--as-of `{}` is not a date; write YYYY-MM-DD", printable(day));
            day.clone()
        }
        None => today(),
    };
    let Some(located) = locate(arguments.intel.as_deref(), Some(&arguments.state)) else {
        eprintln!("there is no advisory index; make one with `bartizan intel import PATH|URL`");
        return Ok(Ended::Inconclusive);
    };
    let intel = match open(&located) {
        Ok(intel) => intel,
        Err(error @ IntelError::Signature(_)) => {
            eprintln!("refused: {error}");
            return Ok(Ended::Refused);
        }
        Err(error) => return Err(error.into()),
    };
    print(&described(&intel, &day, arguments.format))?;
    Ok(match intel.warning(&day) {
        Some(warning) => {
            eprintln!("warning: {warning}");
            Ended::Inconclusive
        }
        None => Ended::Well,
    })
}

fn described(intel: &Intel, day: &str, format: Format) -> String {
    let file = printable(&intel.located.file.display().to_string());
    let is_signed = intel.located.key.is_some();
    let (age, bytes) = (intel.age_in_days(day), intel.index.bytes().len());
    let (exploited, likely) = intel.index.exploitation();
    match format {
        Format::Json => {
            let value = json!({
                "index": file, "digest": intel.digest, "bytes": bytes, "signed": is_signed, "as-of": day,
                "age-in-days": age, "old-after-days": OLD_AFTER_DAYS, "packages": intel.index.packages(),
                "exploited": exploited, "likelihoods": likely, "sources": intel.index.sources(),
            });
            format!("{value:#}\n")
        }
        Format::Table => {
            let rows: Vec<Vec<String>> = intel.index.sources().iter().map(row).collect();
            let signed = if is_signed { "signed by this installation" } else { "not signed, named by you" };
            let age = age.map_or("of unknown age".to_owned(), |age| format!("{age} days old on {day}"));
            format!(
                "{}\n{file}: {} packages, {bytes} bytes, {age}, {signed}\n{}\n",
                table(&HEADINGS, &rows),
                intel.index.packages(),
                intel.digest,
            )
        }
    }
}

fn today() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs());
    Timestamp::from_seconds(i64::try_from(seconds).unwrap_or(i64::MAX)).to_string().chars().take(10).collect()
}
