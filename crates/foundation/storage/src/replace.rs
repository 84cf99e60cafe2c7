//! Whole files and directories that are there after a power cut, or were never there.

use std::ffi::OsString;
use std::io;
use std::path::Path;

use crate::Storage;

/// Writes the file so that after a crash at any moment it holds either the old bytes or the new
/// ones; the new ones for certain once this has returned. The parent directory must exist.
///
/// Uses `<path>.tmp` beside it, so each path has one writer at a time.
pub fn replace(storage: &dyn Storage, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut temporary = OsString::from(path);
    temporary.push(".tmp");
    let temporary = Path::new(&temporary);
    storage.write(temporary, bytes)?;
    storage.sync_file(temporary)?;
    storage.rename(temporary, path)?;
    storage.sync_directory(parent(path))
}

/// Creates the directory and those above it, durable once this has returned.
pub fn ensure_directory(storage: &dyn Storage, path: &Path) -> io::Result<()> {
    let mut missing = Vec::new();
    let mut next = Some(path);
    while let Some(directory) = next.filter(|directory| !directory.as_os_str().is_empty()) {
        missing.push(directory);
        if storage.length(directory)?.is_some() {
            break;
        }
        next = directory.parent();
    }
    storage.create_directory(path)?;
    // The lowest one that was there already is synced too: whoever made it may have died before.
    missing
        .iter()
        .rev()
        .filter(|directory| directory.parent().is_some())
        .try_for_each(|directory| storage.sync_directory(parent(directory)))
}

/// The directory that holds the name; empty for a bare name, which means the current directory.
pub(crate) fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}
