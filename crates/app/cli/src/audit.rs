//! `bartizan audit`: read, verify and prove what the ledger holds.

mod list;
mod portable;
mod render;
mod source;
mod verify;

use crate::exit::Ended;

/// Read, verify and prove what happened: the tamper-evident ledger
///
/// Every decision is an entry in an append-only Merkle log. These verbs only read files, beside a
/// running daemon or without one.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  bartizan audit tail --follow
  bartizan audit search --outcome deny --since 2026-11-01T00:00:00Z
  bartizan audit verify --against checkpoint.yesterday
  bartizan audit prove 1042 -o refusal.tlog-proof

Exit code: 0 done or verified, 1 not verified, 2 inconclusive, 3 for usage and internal errors.")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand)]
enum Verb {
    Tail(list::Tail),
    Search(list::Search),
    Show(list::Show),
    Verify(verify::Verify),
    Prove(portable::Prove),
    Export(portable::Export),
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<Ended> {
    match &arguments.verb {
        Verb::Tail(arguments) => list::tail(arguments),
        Verb::Search(arguments) => list::search(arguments),
        Verb::Show(arguments) => list::show(arguments),
        Verb::Verify(arguments) => verify::run(arguments),
        Verb::Prove(arguments) => portable::prove(arguments),
        Verb::Export(arguments) => portable::export(arguments),
    }
}
