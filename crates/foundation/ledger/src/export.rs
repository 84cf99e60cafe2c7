//! A complete static copy of the log, for any C2SP tile client.

use std::path::Path;

use bartizan_storage::{Storage, ensure_directory, replace};

use crate::error::LedgerError;
use crate::layout::{CHECKPOINT, VERIFIER};
use crate::merkle::{Frontier, leaf_hash};
use crate::reader::LedgerReader;
use crate::tiles::Tiles;

/// Writes all tiles, incomplete ones too, the signed checkpoint and the verifier key into a folder,
/// made anew from the entries. Fails before the checkpoint is written when they don't lead to it.
pub fn export(reader: &LedgerReader, storage: &dyn Storage, directory: &Path) -> Result<(), LedgerError> {
    ensure_directory(storage, directory).map_err(LedgerError::io("create", directory))?;
    let write = |name: &str, bytes: &[u8]| {
        let path = directory.join(name);
        if let Some(parent) = path.parent() {
            storage.create_directory(parent).map_err(LedgerError::io("create", parent))?;
        }
        storage.write(&path, bytes).map_err(LedgerError::io("write", &path))
    };
    let mut frontier = Frontier::default();
    let mut tiles = Tiles::default();
    let mut made = Vec::new();
    for raw in reader.raw(0, reader.size()) {
        let (_, bytes) = raw?;
        let leaf = leaf_hash(&bytes);
        frontier.push(leaf);
        tiles.push(&bytes, leaf, &mut made);
        made.drain(..).try_for_each(|(tile, bytes)| write(&tile.path(), &bytes))?;
    }
    tiles.partial().into_iter().try_for_each(|(tile, bytes)| write(&tile.path(), &bytes))?;
    if frontier.root() != reader.checkpoint().root {
        return Err(LedgerError::damaged(directory, "the entries do not lead to the signed root; verify the ledger"));
    }
    write(VERIFIER, format!("{}\n", reader.verifier()?).as_bytes())?;
    let path = directory.join(CHECKPOINT);
    replace(storage, &path, reader.signed_checkpoint()).map_err(LedgerError::io("write", &path))
}
