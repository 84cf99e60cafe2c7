//! A storage for tests that loses power.
//!
//! [`Faulty`] keeps files in memory and models the worst that a file system may do: bytes that
//! were not synced may be there, gone, cut or torn into pieces with zeros between; names that were
//! not synced may be there or gone, each by itself, so also out of order; after a failed sync the
//! bytes can be read but will never reach the disk; a sync may be told to lie. A kill of the
//! process alone loses nothing, which [`Faulty::restart`] models.
//!
//! The proof that a store needs each of its syncs: run it healthy, then once for every sync in
//! [`Faulty::operations`] with that sync elided, and look for a moment of power loss after which
//! something acknowledged is missing.

mod disk_image;
mod random;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::{AppendFile, Storage};
use disk_image::DiskImage;

/// What was done to the storage.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Kind {
    /// A file came to be by opening it for appending.
    Create,
    /// Bytes at the end of a file.
    Append,
    /// A whole file was written.
    Write,
    /// A file was cut.
    Truncate,
    /// A file got another name.
    Rename,
    /// A file was removed.
    Remove,
    /// A directory was made.
    CreateDirectory,
    /// A file was synced.
    SyncFile,
    /// A directory was synced.
    SyncDirectory,
}

/// One change, in the order in which they were asked for.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Operation {
    /// What.
    pub kind: Kind,
    /// To which path.
    pub path: PathBuf,
}

impl Operation {
    /// Whether it is a sync of a file or directory.
    pub fn is_sync(&self) -> bool {
        matches!(self.kind, Kind::SyncFile | Kind::SyncDirectory)
    }
}

type Elide = Box<dyn Fn(usize, &Operation) -> bool + Send>;

#[derive(Default)]
struct State {
    image: DiskImage,
    operations: Vec<Operation>,
    syncs: usize,
    crash_at: Option<usize>,
    crashed: bool,
    fail_sync_at: Option<usize>,
    elide: Option<Elide>,
    /// Counts restarts; handles of an earlier process are dead.
    generation: u64,
}

/// The storage; clones share their state. For tests.
#[derive(Clone, Default)]
pub struct Faulty(Arc<Mutex<State>>);

impl Faulty {
    /// An empty, healthy storage.
    pub fn new() -> Self {
        Self::default()
    }

    /// The power goes at operation `n` (from 0, counted since the last boot or restart): that
    /// operation and all later ones fail.
    pub fn crash_at(&self, n: usize) {
        self.lock().crash_at = Some(n);
    }

    /// The `n`-th sync (from 0, since the last boot or restart) fails, and its bytes are lost.
    pub fn fail_sync_at(&self, n: usize) {
        self.lock().fail_sync_at = Some(n);
    }

    /// The `n`-th sync (from 0, since the last boot or restart) returns `Ok` and does nothing.
    pub fn elide_sync(&self, n: usize) {
        self.elide(move |sync, _| sync == n);
    }

    /// Every sync for which `lies` holds, given its number and itself, returns `Ok` and does
    /// nothing; stays across boots until it is replaced.
    pub fn elide(&self, lies: impl Fn(usize, &Operation) -> bool + Send + 'static) {
        self.lock().elide = Some(Box::new(lies));
    }

    /// Power back on: what survives of everything that was not synced is drawn from `seed`.
    pub fn reboot(&self, seed: u64) {
        let mut state = self.lock();
        state.image.lose_power(seed);
        state.begin();
    }

    /// The process dies and starts again without a power loss: nothing is lost, nothing becomes
    /// durable.
    pub fn restart(&self) {
        self.lock().begin();
    }

    /// What was done since the last boot or restart.
    pub fn operations(&self) -> Vec<Operation> {
        self.lock().operations.clone()
    }

    /// The syncs among [`operations`](Self::operations).
    pub fn syncs(&self) -> Vec<Operation> {
        self.operations().into_iter().filter(Operation::is_sync).collect()
    }

    /// An independent copy of the disk as it is now, without the settings.
    pub fn copy(&self) -> Self {
        let state = State { image: self.lock().image.clone(), ..State::default() };
        Self(Arc::new(Mutex::new(state)))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, kind: Kind, path: &Path, change: impl FnOnce(&mut DiskImage) -> io::Result<()>) -> io::Result<()> {
        let mut state = self.lock();
        let last = state.note(kind, path)?;
        let done = change(&mut state.image);
        if last { Err(power_lost()) } else { done }
    }

    fn sync(
        &self,
        kind: Kind,
        path: &Path,
        sync: impl FnOnce(&mut DiskImage, bool) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut state = self.lock();
        if state.note(kind, path)? {
            return Err(power_lost());
        }
        let number = state.syncs;
        state.syncs += 1;
        if state.fail_sync_at == Some(number) {
            sync(&mut state.image, false)?;
            return Err(io::Error::other("injected sync failure"));
        }
        let operation = Operation { kind, path: path.to_owned() };
        if state.elide.as_ref().is_some_and(|lies| lies(number, &operation)) {
            return Ok(());
        }
        sync(&mut state.image, true)
    }

    fn look<T>(&self, look: impl FnOnce(&DiskImage) -> io::Result<T>) -> io::Result<T> {
        let state = self.lock();
        if state.crashed { Err(power_lost()) } else { look(&state.image) }
    }
}

impl State {
    /// Records the operation; `true` when the power goes during it.
    fn note(&mut self, kind: Kind, path: &Path) -> io::Result<bool> {
        if self.crashed {
            return Err(power_lost());
        }
        self.operations.push(Operation { kind, path: path.to_owned() });
        self.crashed = self.crash_at == Some(self.operations.len() - 1);
        Ok(self.crashed)
    }

    fn begin(&mut self) {
        self.operations.clear();
        self.syncs = 0;
        self.crash_at = None;
        self.crashed = false;
        self.fail_sync_at = None;
        self.generation += 1;
    }
}

fn power_lost() -> io::Error {
    io::Error::other("the power is gone")
}

struct FaultyFile {
    storage: Faulty,
    path: PathBuf,
    inode: usize,
    generation: u64,
}

impl FaultyFile {
    fn check(&self) -> io::Result<()> {
        if self.storage.lock().generation == self.generation { Ok(()) } else { Err(power_lost()) }
    }
}

impl AppendFile for FaultyFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.check()?;
        self.storage.change(Kind::Append, &self.path, |image| image.append(self.inode, bytes))
    }

    fn sync(&mut self) -> io::Result<()> {
        self.check()?;
        self.storage.sync(Kind::SyncFile, &self.path, |image, works| image.sync_inode(self.inode, works))
    }
}

impl Storage for Faulty {
    fn open_append(&self, path: &Path) -> io::Result<Box<dyn AppendFile>> {
        if self.look(|image| Ok(image.inode(path).is_none()))? {
            self.change(Kind::Create, path, |image| image.create(path).map(|_| ()))?;
        }
        let inode = self.look(|image| image.file(path))?;
        let generation = self.lock().generation;
        Ok(Box::new(FaultyFile { storage: self.clone(), path: path.to_owned(), inode, generation }))
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.look(|image| image.read(path))
    }

    fn read_range(&self, path: &Path, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let bytes = self.read(path)?;
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
        let end = start.saturating_add(length).min(bytes.len());
        Ok(bytes[start..end].to_vec())
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.change(Kind::Write, path, |image| image.write(path, bytes))
    }

    fn sync_file(&self, path: &Path) -> io::Result<()> {
        let inode = self.look(|image| image.file(path))?;
        self.sync(Kind::SyncFile, path, |image, works| image.sync_inode(inode, works))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.change(Kind::Rename, to, |image| image.rename(from, to))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.change(Kind::Remove, path, |image| image.remove(path))
    }

    fn create_directory(&self, path: &Path) -> io::Result<()> {
        let mut missing: Vec<&Path> = path
            .ancestors()
            .take_while(|path| self.look(|image| Ok(!image.is_directory(path))).unwrap_or(true))
            .collect();
        missing.reverse();
        missing
            .into_iter()
            .try_for_each(|path| self.change(Kind::CreateDirectory, path, |image| image.create_directory(path)))
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        self.look(|image| if image.is_directory(path) { Ok(()) } else { Err(io::ErrorKind::NotFound.into()) })?;
        self.sync(Kind::SyncDirectory, path, |image, works| {
            image.sync_directory(path, works);
            Ok(())
        })
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        self.look(|image| image.list(path))
    }

    fn length(&self, path: &Path) -> io::Result<Option<u64>> {
        self.look(|image| Ok(image.length(path)))
    }

    fn truncate(&self, path: &Path, length: u64) -> io::Result<()> {
        self.change(Kind::Truncate, path, |image| image.truncate(path, length))
    }
}
