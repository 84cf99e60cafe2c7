//! The state folder: whose it is, which format it has, and who writes to it.
//!
//! One integer in the file `format` says how to read everything else. One process writes at a time,
//! and holds `state.lock` while it does; readers need no lock.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use bartizan_storage::{Disk, Storage, ensure_directory, replace};
use thiserror::Error;

/// The format that this version writes.
pub const FORMAT: u32 = 1;

/// Why a state folder can't be used.
#[derive(Debug, Error)]
pub enum StateError {
    /// There is none.
    #[error("there is no state in {0}; `bartizan up` makes it, or name another folder with `--state`")]
    Missing(PathBuf),
    /// It was written by a newer version.
    #[error(
        "the state in {path} has format {found}, this Bartizan reads up to {FORMAT}; upgrade Bartizan, or restore an older backup into another folder"
    )]
    Newer {
        /// Which folder.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
    /// Its `format` file is not a number.
    #[error("{0} is not a format number; restore the folder from a backup")]
    Format(PathBuf),
    /// Another process writes to it.
    #[error("another bartizan is using {0}; stop it, or use the commands that talk to it")]
    Locked(PathBuf),
    /// A file could not be read or written.
    #[error("can't {action} {path}: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// A state folder that this process may write to. The lock goes when it is dropped.
#[derive(Debug)]
pub struct StateFolder {
    path: PathBuf,
    node: String,
    is_new: bool,
    _lock: File,
}

impl StateFolder {
    /// Opens the folder for writing, and makes it when absent.
    ///
    /// # Errors
    /// It has a newer format, is in use, or can't be written.
    pub fn open(path: &Path) -> Result<Self, StateError> {
        let storage = Disk;
        let io = |action, path: &Path| {
            let path = path.to_owned();
            move |source| StateError::Io { action, path, source }
        };
        ensure_directory(&storage, path).map_err(io("make", path))?;
        restrict(path).map_err(io("protect", path))?;
        let lock = lock(path)?;
        let format = path.join("format");
        let is_new = storage.length(&format).map_err(io("read", &format))?.is_none();
        if is_new {
            replace(&storage, &format, format!("{FORMAT}\n").as_bytes()).map_err(io("write", &format))?;
        }
        read_format(path)?;
        let node = path.join("node");
        if storage.length(&node).map_err(io("read", &node))?.is_none() {
            let id = bartizan_signing::random_bytes::<8>().map_err(|_| StateError::Io {
                action: "name",
                path: node.clone(),
                source: io::Error::other("no randomness"),
            })?;
            let id: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
            replace(&storage, &node, format!("{id}\n").as_bytes()).map_err(io("write", &node))?;
        }
        let node_text = storage.read(&node).map_err(io("read", &node))?;
        let node = String::from_utf8_lossy(&node_text).trim().to_owned();
        Ok(Self { path: path.to_owned(), node, is_new, _lock: lock })
    }

    /// Checks that the folder is there and readable by this version, without touching it.
    ///
    /// # Errors
    /// There is none, or it has a newer format.
    pub fn look(path: &Path) -> Result<(), StateError> {
        if !path.join("format").exists() {
            return Err(StateError::Missing(path.to_owned()));
        }
        read_format(path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The random name of this installation, part of the ledger's origin.
    pub fn node(&self) -> &str {
        &self.node
    }

    /// Whether it was made just now.
    pub fn is_new(&self) -> bool {
        self.is_new
    }
}

/// Where the last checkpoint of each ledger is kept when nothing else is configured: outside every
/// state folder, in `bartizan/anchors` below the user's state folder (XDG Base Directory
/// Specification). `None` when the environment names no such place.
pub fn default_anchor_folder() -> Option<PathBuf> {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = absolute("XDG_STATE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/state")));
    base.map(|base| base.join("bartizan/anchors"))
}

fn lock(path: &Path) -> Result<File, StateError> {
    let name = path.join("state.lock");
    let io = |source| StateError::Io { action: "lock", path: name.clone(), source };
    let file = File::options().create(true).truncate(false).write(true).open(&name).map_err(io)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StateError::Locked(path.to_owned())),
        Err(TryLockError::Error(source)) => Err(io(source)),
    }
}

fn read_format(path: &Path) -> Result<(), StateError> {
    let file = path.join("format");
    let bytes = Disk.read(&file).map_err(|source| StateError::Io { action: "read", path: file.clone(), source })?;
    let found: u32 = String::from_utf8_lossy(&bytes).trim().parse().map_err(|_| StateError::Format(file.clone()))?;
    if found > FORMAT { Err(StateError::Newer { path: path.to_owned(), found }) } else { Ok(()) }
}

/// Nobody else may even look.
#[cfg(unix)]
fn restrict(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700))
}

#[cfg(not(unix))]
fn restrict(_path: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_process_writes_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let first = StateFolder::open(&path).unwrap();
        assert!(first.is_new());
        assert!(matches!(StateFolder::open(&path), Err(StateError::Locked(_))));
        let node = first.node().to_owned();
        drop(first);
        let again = StateFolder::open(&path).unwrap();
        assert!(!again.is_new());
        assert_eq!(again.node(), node);
    }

    #[test]
    fn a_newer_format_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("format"), "2\n").unwrap();
        assert!(matches!(StateFolder::open(folder.path()), Err(StateError::Newer { found: 2, .. })));
        assert!(matches!(StateFolder::look(folder.path()), Err(StateError::Newer { found: 2, .. })));
        assert_eq!(std::fs::read_to_string(folder.path().join("format")).unwrap(), "2\n");
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_may_look_into_the_folder() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let _state = StateFolder::open(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
    }
}
