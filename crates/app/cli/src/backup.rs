//! `bartizan backup` and `bartizan restore`.

use std::path::PathBuf;

use serde_json::json;

use crate::call::{Method, cell, change, print};
use crate::exit::Ended;
use crate::place::Place;

/// Write an encrypted backup of the state, also while the daemon runs.
///
/// The key file is made when absent. Keep it elsewhere: who has both has everything.
#[derive(clap::Args)]
#[command(after_help = "Example:
  bartizan backup /media/backup/bartizan.sealed --key /media/keys/bartizan.key")]
pub(crate) struct BackupArguments {
    /// File to write
    file: PathBuf,
    /// Key file, outside the state folder
    #[arg(long)]
    key: PathBuf,
    #[command(flatten)]
    place: Place,
}

/// Restore a backup into a state folder that is not there yet.
///
/// The ledger of the backup is verified. A ledger that was anchored at a later checkpoint is from
/// then on reported as rolled back, because that is what happened.
#[derive(clap::Args)]
#[command(after_help = "Example:
  bartizan restore /media/backup/bartizan.sealed --key /media/keys/bartizan.key --state .bartizan")]
pub(crate) struct RestoreArguments {
    /// Backup to read
    file: PathBuf,
    /// Key file that it was made with
    #[arg(long)]
    key: PathBuf,
    #[command(flatten)]
    place: Place,
}

pub(crate) fn backup(arguments: &BackupArguments) -> anyhow::Result<Ended> {
    let body = json!({ "path": std::path::absolute(&arguments.file)?, "key": std::path::absolute(&arguments.key)? });
    match change(&arguments.place, Method::POST, "/api/v1/system/backup", Some(&body))? {
        Err(ended) => Ok(ended),
        Ok(answer) => {
            print(&format!(
                "{}: {} files, sealed under {}\n",
                arguments.file.display(),
                cell(&answer, "files"),
                arguments.key.display()
            ))?;
            Ok(Ended::Well)
        }
    }
}

pub(crate) fn restore(arguments: &RestoreArguments) -> anyhow::Result<Ended> {
    match bartizan_serve::restore(&arguments.file, &arguments.key, &arguments.place.state) {
        Ok(entries) => {
            print(&format!("{}: restored, {entries} ledger entries verified\n", arguments.place.state.display()))?;
            Ok(Ended::Well)
        }
        Err(error) => {
            eprintln!("refused: {error}");
            Ok(Ended::Refused)
        }
    }
}
