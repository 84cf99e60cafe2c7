//! `bartizan scan`.

mod exploitability;
mod options;
mod watch;

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use bartizan_core::{Severity, Timestamp, printable};
use bartizan_engine::intel::{self, Intel};
use bartizan_engine::output::without_secrets;
use bartizan_engine::scan::{Area, Options, scan};
use bartizan_report::{Baseline, Ignores, Report, Specification, Style, cyclonedx, json, openvex, sarif, spdx, table};

use crate::exit::Ended;
use crate::inventory;
use crate::place::Place;
pub(crate) use options::Arguments;
use options::{Format, Profile};

const VERSION: &str = env!("CARGO_PKG_VERSION");

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<Ended> {
    if arguments.watch { watch::forever(arguments, once) } else { once(arguments) }
}

fn once(arguments: &Arguments) -> anyhow::Result<Ended> {
    let threshold = match (&arguments.fail_on, arguments.profile) {
        (Some(word), _) => Severity::parse(word).context("--fail-on is not a severity")?,
        (None, Profile::Default) => Severity::Medium,
        (None, Profile::Strict) => Severity::Low,
    };
    let named_day = date(arguments.as_of.as_deref())?;
    let today = named_day.clone().unwrap_or_else(today);
    let exploitability = exploitability::read(&arguments.vex)?;
    let advisories = advisories(arguments)?;
    let popularity = intel::popularity(arguments.popular.as_deref())?;
    let ignore_file = ignore_file(arguments);
    let shows_progress = std::io::stderr().is_terminal() && !arguments.quiet;
    let progress = |done: usize, all: usize| {
        if done.is_multiple_of(64) || done == all {
            eprint!("\rscanned {done} of {all} files");
        }
    };
    let history_progress = |done: usize, all: usize| {
        if done.is_multiple_of(64) || done == all {
            eprint!("\r\x1b[Kwalked {done} of {all} commits");
        }
    };
    let options = Options {
        history: arguments.history,
        history_progress: shows_progress.then_some(&history_progress),
        progress: shows_progress.then_some(&progress),
        only: &arguments.only,
        intel: advisories.as_ref(),
        popularity: Some(&popularity),
        ignore_file: ignore_file.as_deref(),
        digests: arguments.digests
            || arguments.record.is_some()
            || matches!(arguments.format, Format::Cyclonedx | Format::Cyclonedx16 | Format::Spdx),
        ..Options::default()
    };
    let mut report = scan(&arguments.paths, options)?.as_of(named_day);
    if shows_progress {
        eprint!("\r\x1b[K");
    }
    let mut is_current = true;
    if let Some(warning) = advisories.as_ref().and_then(|intel| intel.warning(&today)) {
        eprintln!("warning: {warning}");
        is_current = false;
    }
    for line in exploitability.not_heeded() {
        eprintln!("warning: {line}");
        report = report.note(line.clone());
    }
    report = report.suppress(|finding| exploitability.accepts(finding));
    report = accept(report, arguments, &today)?;
    if let Some(path) = &arguments.write_baseline {
        let text = Baseline::of(&report).to_json();
        std::fs::write(path, text).with_context(|| format!("can't write the baseline `{}`", path.display()))?;
    }
    if let Some(project) = &arguments.record {
        let place = Place::of(arguments.state.clone());
        if let Err(refused) = inventory::record(&place, project, &report)? {
            return Ok(refused);
        }
    }
    print(&report, arguments.format)?;
    let packages = report.components().iter().any(|part| part.purl.is_some());
    let unknown = arguments.profile == Profile::Strict
        && ((packages && (advisories.is_none() || !is_current)) || has_unknown_binaries(&report));
    Ok(if report.worst().is_some_and(|worst| worst >= threshold) {
        Ended::Refused
    } else if report.is_complete() && !unknown {
        Ended::Well
    } else {
        Ended::Inconclusive
    })
}

/// The advisory index that is named, of the state folder or of the user; none is no error.
fn advisories(arguments: &Arguments) -> anyhow::Result<Option<Intel>> {
    let wants = arguments.only.is_empty() || arguments.only.contains(&Area::Dependencies);
    let named = arguments.intel.as_deref();
    match intel::locate(named, arguments.state.as_deref()).filter(|_| wants) {
        Some(located) => Ok(Some(intel::open(&located)?)),
        None => Ok(None),
    }
}

/// `.bartizanignore` of the working folder: what is scanned elsewhere can't exclude itself.
fn ignore_file(arguments: &Arguments) -> Option<PathBuf> {
    let default = Path::new(".bartizanignore");
    match (&arguments.ignore_file, arguments.profile) {
        (Some(file), _) => Some(file.clone()),
        (None, Profile::Default) if default.is_file() => Some(default.to_owned()),
        _ => None,
    }
}

/// Takes out what the baseline and the ignores accept; expired ignores become findings.
fn accept(mut report: Report, arguments: &Arguments, today: &str) -> anyhow::Result<Report> {
    let default = Path::new("bartizan-ignores.toml");
    let file = match (&arguments.ignores, arguments.profile) {
        (Some(file), _) => Some(file.as_path()),
        (None, Profile::Default) if default.is_file() => Some(default),
        _ => None,
    };
    if let Some(file) = file {
        let text = std::fs::read_to_string(file).with_context(|| format!("can't read `{}`", file.display()))?;
        let ignores = Ignores::parse(&text).with_context(|| format!("`{}`", file.display()))?;
        let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let expired = ignores.expired(report.findings(), today, &name);
        report = report.suppress(|finding| ignores.accepts(finding, today)).with_findings(expired);
    }
    if let Some(file) = &arguments.baseline {
        let text = std::fs::read_to_string(file).with_context(|| format!("can't read `{}`", file.display()))?;
        let baseline = Baseline::parse(&text).with_context(|| format!("`{}`", file.display()))?;
        report = report.suppress(|finding| baseline.accepts(finding));
    }
    Ok(report)
}

fn has_unknown_binaries(report: &Report) -> bool {
    report.files().iter().any(|file| file.inspectors.is_empty() && matches!(file.format, "unknown" | "executable"))
}

fn print(report: &Report, format: Format) -> anyhow::Result<()> {
    let text = match format {
        Format::Json => json(report, VERSION),
        Format::Sarif => sarif(report, VERSION),
        Format::Cyclonedx => cyclonedx(report, Specification::V1_7, VERSION),
        Format::Cyclonedx16 => cyclonedx(report, Specification::V1_6, VERSION),
        Format::Spdx => spdx(report, VERSION),
        Format::Openvex => openvex(report, VERSION).unwrap_or_else(|| {
            eprintln!("no finding is about an advisory: nothing is written, as an OpenVEX document needs a statement");
            String::new()
        }),
        Format::Table => {
            let coloured =
                std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
            table(report, if coloured { Style::Coloured } else { Style::Plain })
        }
    };
    let text = without_secrets(text);
    let mut output = std::io::stdout().lock();
    // Somebody who closed our stdout keeps the verdict: it is in the exit code.
    match output.write_all(text.as_bytes()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(()),
        written => written?,
    }
    Ok(())
}

/// The date of the report: the flag, or `SOURCE_DATE_EPOCH` (reproducible-builds.org), or none.
fn date(flag: Option<&str>) -> anyhow::Result<Option<String>> {
    if let Some(day) = flag {
        let moment = Timestamp::parse(&format!("{day}T00:00:00Z"));
        anyhow::ensure!(moment.is_some(), "--as-of `{}` is not a date; write YYYY-MM-DD", printable(day));
        return Ok(Some(day.to_owned()));
    }
    let Some(epoch) = std::env::var_os("SOURCE_DATE_EPOCH") else { return Ok(None) };
    let seconds: Option<i64> = epoch.to_str().and_then(|text| text.trim().parse().ok());
    let seconds = seconds.context("SOURCE_DATE_EPOCH is not a number of seconds")?;
    Ok(Some(Timestamp::from_seconds(seconds).to_string().chars().take(10).collect()))
}

/// Today, for the age of advisories and the expiry of ignores where no date is named.
fn today() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let seconds = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    Timestamp::from_seconds(seconds).to_string().chars().take(10).collect()
}
