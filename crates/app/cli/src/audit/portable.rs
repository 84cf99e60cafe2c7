//! `audit prove` and `export`: what travels to those who don't have the state folder.

use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::Context as _;
use bartizan_storage::Disk;

use super::source::Source;
use crate::exit::Ended;

/// Write a proof that an entry is in the log, for people without access to it
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  bartizan audit prove 1042 -o refusal.tlog-proof
  bartizan audit verify --proof refusal.tlog-proof --verifier verifier.txt   (on any machine)

The proof is C2SP tlog-proof text: the entry, its inclusion proof and the signed checkpoint. It holds
the entry in full. The verifier key stands in `verifier` of the ledger's folder.")]
pub(crate) struct Prove {
    /// The entry's index, as `tail` and `search` print it
    index: u64,
    #[command(flatten)]
    source: Source,
    /// Where to write it; standard output when absent
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Write a complete static copy of the log, readable by any C2SP tile client
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  bartizan audit export /srv/log
  bartizan audit verify --state /srv/log")]
pub(crate) struct Export {
    /// Folder to write to; created when absent, must be empty
    directory: PathBuf,
    #[command(flatten)]
    source: Source,
}

pub(crate) fn prove(arguments: &Prove) -> anyhow::Result<Ended> {
    let proof = bartizan_ledger::prove(&arguments.source.open()?, arguments.index)?;
    match &arguments.output {
        Some(path) => std::fs::write(path, proof).with_context(|| format!("write {}", path.display()))?,
        None => io::stdout().lock().write_all(proof.as_bytes())?,
    }
    Ok(Ended::Well)
}

pub(crate) fn export(arguments: &Export) -> anyhow::Result<Ended> {
    let directory = &arguments.directory;
    let is_empty = std::fs::read_dir(directory).map_or(true, |mut entries| entries.next().is_none());
    anyhow::ensure!(is_empty, "{}: is not empty; name a new folder", directory.display());
    let reader = arguments.source.open()?;
    bartizan_ledger::export(&reader, &Disk, directory)?;
    eprintln!("{} entries written to {}", reader.size(), directory.display());
    Ok(Ended::Well)
}
