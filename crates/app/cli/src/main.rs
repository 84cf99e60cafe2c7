//! The `bartizan` binary: thin verbs over `bartizan-engine` (offline) and `bartizan-serve` (daemon).
//!
//! Data goes to stdout, progress and logs to stderr. Exit codes: `scan` 0 clean, 1 findings, 2
//! incomplete; other verbs 0 done or verified, 1 refused or not verified, 2 inconclusive; every
//! verb 3 for a usage, configuration or internal error.

mod access;
mod access_ca;
mod audit;
mod backup;
mod call;
mod config;
mod exit;
mod explain;
mod incident;
mod intel;
mod inventory;
mod model;
mod place;
mod scan;
mod up;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Guard the whole life of an AI system: scan what enters, guard what is served, prove what happened.
#[derive(Parser)]
#[command(name = "bartizan", version, propagate_version = true)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    Up(up::Arguments),
    Scan(scan::Arguments),
    Explain(explain::Arguments),
    Incident(incident::Arguments),
    Intel(intel::Arguments),
    Inventory(inventory::Arguments),
    Model(model::Arguments),
    Access(access::Arguments),
    Audit(audit::Arguments),
    Config(config::Arguments),
    Backup(backup::BackupArguments),
    Restore(backup::RestoreArguments),
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return exit::usage(&error),
    };
    let ended = match arguments.verb {
        Verb::Up(arguments) => up::run(&arguments),
        Verb::Incident(arguments) => incident::run(&arguments),
        Verb::Intel(arguments) => intel::run(&arguments),
        Verb::Inventory(arguments) => inventory::run(&arguments),
        Verb::Model(arguments) => model::run(&arguments),
        Verb::Access(arguments) => access::run(&arguments),
        Verb::Config(arguments) => config::run(&arguments),
        Verb::Backup(arguments) => backup::backup(&arguments),
        Verb::Restore(arguments) => backup::restore(&arguments),
        Verb::Scan(arguments) => scan::run(&arguments),
        Verb::Explain(arguments) => explain::run(&arguments),
        Verb::Audit(arguments) => audit::run(&arguments),
    };
    exit::code(ended)
}
