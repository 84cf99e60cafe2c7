//! Where the ledger of a state folder stands, and what it must agree with.

use std::io;
use std::path::{Path, PathBuf};

use bartizan_ledger::{Anchor, LedgerError, LedgerReader, Report, anchor, verify};
use bartizan_storage::Disk;

/// The ledger's folder: `ledger` under the state folder, or the given folder itself where that is
/// an exported log.
pub fn ledger_directory(state: &Path) -> PathBuf {
    let inside = state.join("ledger");
    if !inside.exists() && state.join("checkpoint").exists() { state.to_owned() } else { inside }
}

/// Opens the ledger of a state folder for reading.
pub fn open(state: &Path) -> Result<LedgerReader, LedgerError> {
    LedgerReader::open(&ledger_directory(state))
}

/// Verifies the ledger of a state folder, against the checkpoint that this machine remembers of it
/// in `anchors` and against the given files with signed checkpoints.
pub fn verify_against(state: &Path, anchors: Option<&Path>, files: &[PathBuf]) -> io::Result<Report> {
    let directory = ledger_directory(state);
    let mut known = Vec::new();
    if let (Some(folder), Ok(reader)) = (anchors, LedgerReader::open(&directory)) {
        let origin = &reader.checkpoint().origin;
        match anchor::load(&Disk, folder, origin) {
            Ok(Some(note)) => known.push(Anchor { source: anchor::path(folder, origin).display().to_string(), note }),
            Ok(None) => {}
            Err(error) => return Err(io::Error::other(error)),
        }
    }
    for file in files {
        let note = std::fs::read(file)
            .map_err(|error| io::Error::new(error.kind(), format!("read {}: {error}", file.display())))?;
        known.push(Anchor { source: file.display().to_string(), note });
    }
    Ok(verify(&directory, &known))
}
