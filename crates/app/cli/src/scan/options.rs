//! What `bartizan scan` can be asked.

use std::path::PathBuf;

use bartizan_engine::scan::Area;
use clap::ValueEnum;

/// Look into models, dependencies, secrets and code for what would run, leak or overwhelm
///
/// Files are recognised by their content, never by their name, and nothing is executed or unpacked
/// to disk. Pickles (PyTorch, joblib, protocol 0 to 5) are run on a symbolic machine in which every
/// function that is not known to be harmless is a finding. Packages are compared with the advisories
/// that `bartizan intel import` collected; nothing is looked up over a network.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  bartizan scan model.pt
  bartizan scan .                                        a whole project
  bartizan scan --only models,dependencies downloads/
  bartizan scan --history --only secrets .               every commit, too
  bartizan scan --format sarif --fail-on high . > scan.sarif
  bartizan scan --format cyclonedx . > bom.json          or spdx
  bartizan scan --record shop .                          keep it for `bartizan inventory`
  bartizan scan --format openvex . > vex.json ; bartizan scan --vex edited.json .
  bartizan scan --write-baseline known.json . ; bartizan scan --baseline known.json .
  curl -s https://example.org/model.pkl | bartizan scan -
  bartizan explain BZ-PKL-001

Ignores (bartizan-ignores.toml, or --ignores FILE):
  [[ignore]]
  rule = \"BZ-PKL-002\"          # and, or instead: path = \"models/*.pkl\", fingerprint = \"bz1:…\"
  owner = \"ada@example.org\"
  reason = \"our own class, reviewed\"
  expires = 2027-06-30
  justification = \"vulnerable_code_not_in_execute_path\"   # optional: claimed by openvex

Exit code: 1 when a finding is at least as bad as --fail-on; otherwise 2 when something that may hold
a model could not be fully inspected; otherwise 0. Usage and internal errors: 3.")]
pub(crate) struct Arguments {
    /// Files and folders; `-` reads standard input
    #[arg(required_unless_present = "history", default_value_if("history", "true", "."), value_name = "PATH")]
    pub(super) paths: Vec<PathBuf>,

    /// What to look for, of models, dependencies, secrets, source and agents; everything by default
    #[arg(long, value_name = "AREA,…", value_delimiter = ',', value_parser = area)]
    pub(super) only: Vec<Area>,

    /// How to print the report
    #[arg(long, value_enum, default_value = "table")]
    pub(super) format: Format,

    /// The mildest severity that makes the exit code 1 [default: medium; low with --profile strict]
    #[arg(long, value_name = "SEVERITY", value_parser = ["info", "low", "medium", "high", "critical"])]
    pub(super) fail_on: Option<String>,

    /// How careful to be: `strict` fails on low findings, heeds no .bartizanignore or
    /// bartizan-ignores.toml that it isn't told of, and calls unknown binaries, missing and old advisories incomplete
    #[arg(long, value_enum, default_value = "default")]
    pub(super) profile: Profile,

    /// Findings that were there before and do not count, as --write-baseline wrote them
    #[arg(long, value_name = "FILE")]
    pub(super) baseline: Option<PathBuf>,

    /// Write all findings of this scan to FILE as a baseline
    #[arg(long, value_name = "FILE")]
    pub(super) write_baseline: Option<PathBuf>,

    /// Accepted findings with owner, reason and last day [default: bartizan-ignores.toml, if it is here]
    #[arg(long, value_name = "FILE")]
    pub(super) ignores: Option<PathBuf>,

    /// An OpenVEX document: advisories that it calls `not_affected` or `fixed` for a package don't count; repeatable
    #[arg(long, value_name = "FILE")]
    pub(super) vex: Vec<PathBuf>,

    /// Patterns of files to pass over, as in a .gitignore [default: .bartizanignore, if it is here]
    #[arg(long, value_name = "FILE")]
    pub(super) ignore_file: Option<PathBuf>,

    /// The advisory index to compare packages with [default: that of `bartizan intel import`]
    #[arg(long, value_name = "FILE", env = "BARTIZAN_INTEL")]
    pub(super) intel: Option<PathBuf>,

    /// The state folder whose advisory index is used, and in which --record records [default for --record: .bartizan]
    #[arg(long, value_name = "DIR")]
    pub(super) state: Option<PathBuf>,

    /// Record what this scan saw in the inventory under this name, for `bartizan inventory` and the console
    #[arg(long, value_name = "NAME")]
    pub(super) record: Option<String>,

    /// Popular packages whose names others imitate, one a line as `ecosystem name`
    #[arg(long, value_name = "FILE")]
    pub(super) popular: Option<PathBuf>,

    /// Read every model to its last byte for its SHA-256 (bills of material always do)
    #[arg(long)]
    pub(super) digests: bool,

    /// Look for secrets in all that the git repository at PATH (default: .) remembers as well, not only in its files
    #[arg(long)]
    pub(super) history: bool,

    /// Scan again whenever something below the paths changes
    #[arg(long)]
    pub(super) watch: bool,

    /// No progress on standard error
    #[arg(long, short)]
    pub(super) quiet: bool,

    /// Date that the report carries, as YYYY-MM-DD; also taken from SOURCE_DATE_EPOCH
    #[arg(long, value_name = "DATE")]
    pub(super) as_of: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Profile {
    /// For every day
    Default,
    /// For what comes from strangers
    Strict,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For a terminal
    Table,
    /// For programs
    Json,
    /// SARIF 2.1.0, for code-scanning dashboards
    Sarif,
    /// CycloneDX 1.7, the inventory as a bill of materials
    Cyclonedx,
    /// CycloneDX 1.6
    #[value(name = "cyclonedx-1.6")]
    Cyclonedx16,
    /// SPDX 3.0.1 (JSON-LD), the inventory with AI and Dataset profiles
    Spdx,
    /// OpenVEX 0.2.0, a statement for each advisory and package
    Openvex,
}

fn area(word: &str) -> Result<Area, String> {
    Area::SELECTABLE.into_iter().find(|area| area.as_str() == word).ok_or_else(|| {
        let known: Vec<&str> = Area::SELECTABLE.iter().map(|area| area.as_str()).collect();
        format!("use one of {}", known.join(", "))
    })
}
