//! The last checkpoint of each log, kept outside the state folder: whoever rewrites the ledger must
//! rewrite this too.

use std::io;
use std::path::{Path, PathBuf};

use bartizan_signing::{NoteVerifier, digest};
use bartizan_storage::{Storage, ensure_directory, replace};

use crate::checkpoint::Checkpoint;
use crate::error::LedgerError;
use crate::reader::LedgerReader;

/// The file that keeps the log's last checkpoint: `<directory>/<SHA-256 of its origin>`.
pub fn path(directory: &Path, origin: &str) -> PathBuf {
    directory.join(digest(origin.as_bytes()).hex())
}

/// How a ledger stands to the checkpoint that is kept of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// None is kept.
    NotKept,
    /// The first so many entries are as they were when it was kept.
    Agrees(u64),
    /// It covers so many entries, which the ledger does not have, or not those.
    Contradicts(u64),
}

/// Compares a ledger with the checkpoint that is kept of it.
///
/// # Errors
/// The kept checkpoint can't be read or is not signed by the ledger's key, or the ledger can't be read.
pub fn compare(storage: &dyn Storage, directory: &Path, reader: &LedgerReader) -> Result<Standing, LedgerError> {
    let Some(note) = load(storage, directory, &reader.checkpoint().origin)? else { return Ok(Standing::NotKept) };
    let kept = Checkpoint::verify(&note, &reader.verifier()?)?;
    let agrees = kept.size <= reader.size() && reader.root_at(kept.size)? == kept.root;
    Ok(if agrees { Standing::Agrees(kept.size) } else { Standing::Contradicts(kept.size) })
}

/// Keeps a signed checkpoint, durable on return. A smaller one than is kept already is refused: the
/// ledger was rolled back. Whether a larger one continues the kept one is not looked at here: who opens
/// a ledger to write to it asks [`compare`] once, before it appends.
pub fn store(storage: &dyn Storage, directory: &Path, note: &[u8], verifier: &NoteVerifier) -> Result<(), LedgerError> {
    let checkpoint = Checkpoint::verify(note, verifier)?;
    let path = path(directory, &checkpoint.origin);
    if let Some(kept) = load(storage, directory, &checkpoint.origin)? {
        let kept = Checkpoint::verify(&kept, verifier)?;
        let rewritten = kept.size == checkpoint.size && kept.root != checkpoint.root;
        if kept.size > checkpoint.size || rewritten {
            let (size, asked) = (kept.size, checkpoint.size);
            let problem = format!("anchors {size} entries, the ledger has {asked}: it was rolled back or rewritten");
            return Err(LedgerError::damaged(&path, problem));
        }
    }
    ensure_directory(storage, directory).map_err(LedgerError::io("create", directory))?;
    replace(storage, &path, note).map_err(LedgerError::io("write", &path))
}

/// The signed checkpoint that is kept of the log; `None` when none is.
pub fn load(storage: &dyn Storage, directory: &Path, origin: &str) -> Result<Option<Vec<u8>>, LedgerError> {
    let path = path(directory, origin);
    match storage.read(&path) {
        Ok(note) => Ok(Some(note)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(LedgerError::io("read", &path)(error)),
    }
}
