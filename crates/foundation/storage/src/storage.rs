//! What a place for files must do, and when it is durable.

use std::io;
use std::path::Path;

/// Files and directories, with the durability of each operation stated. Nothing is durable before
/// the sync that its method names; a failed sync means that the bytes may be gone for good, and
/// must not be retried.
pub trait Storage: Send + Sync + 'static {
    /// Opens a file for appending and creates it if it is absent. The creation is durable only
    /// after [`sync_directory`](Self::sync_directory) on its parent.
    fn open_append(&self, path: &Path) -> io::Result<Box<dyn AppendFile>>;

    /// The whole file.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// `length` bytes from `offset`; fewer at the end of the file.
    fn read_range(&self, path: &Path, offset: u64, length: usize) -> io::Result<Vec<u8>>;

    /// Creates or truncates the file and writes it. Durable only after
    /// [`sync_file`](Self::sync_file), and a new name after a sync of the parent directory.
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;

    /// Makes the file's bytes and length durable.
    fn sync_file(&self, path: &Path) -> io::Result<()>;

    /// Gives the file another name, over whatever had it. Durable only after a sync of the
    /// directory.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes the file. Durable only after a sync of the directory.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Creates the directory and those above it. Each is durable only after a sync of its parent;
    /// see [`ensure_directory`](crate::ensure_directory).
    fn create_directory(&self, path: &Path) -> io::Result<()>;

    /// Makes the directory's names durable.
    fn sync_directory(&self, path: &Path) -> io::Result<()>;

    /// Names in the directory, sorted by bytes.
    fn list(&self, path: &Path) -> io::Result<Vec<String>>;

    /// The file's length, or some number for a directory; `None` when there is no such name.
    fn length(&self, path: &Path) -> io::Result<Option<u64>>;

    /// Cuts the file. Durable only after [`sync_file`](Self::sync_file).
    fn truncate(&self, path: &Path, length: u64) -> io::Result<()>;
}

/// An open file that only grows.
pub trait AppendFile: Send {
    /// Writes at the end; not durable.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Makes all that was appended durable (`fdatasync`).
    fn sync(&mut self) -> io::Result<()>;
}
