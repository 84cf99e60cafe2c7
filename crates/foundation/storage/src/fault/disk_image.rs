//! What is in the cache, what is on the disk, and what lies between.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use super::random::Random;
use crate::replace::parent;

/// A change of bytes that is not on the disk yet.
#[derive(Clone)]
enum Change {
    Write { at: usize, bytes: Vec<u8> },
    Truncate(usize),
}

#[derive(Clone, Default)]
struct Inode {
    /// What a reader sees.
    cache: Vec<u8>,
    /// What is on the disk for certain.
    disk: Vec<u8>,
    pending: Vec<Change>,
}

/// A change of names that is not on the disk yet.
#[derive(Clone)]
enum Naming {
    Link { path: PathBuf, inode: usize },
    Rename { from: PathBuf, to: PathBuf, inode: usize },
    Unlink { path: PathBuf, inode: usize },
    Directory { path: PathBuf },
}

impl Naming {
    /// The directory whose sync makes the change durable.
    fn directory(&self) -> &Path {
        match self {
            Self::Link { path, .. } | Self::Unlink { path, .. } | Self::Directory { path } => parent(path),
            Self::Rename { to, .. } => parent(to),
        }
    }
}

#[derive(Clone, Default)]
struct Names {
    files: BTreeMap<PathBuf, usize>,
    directories: BTreeSet<PathBuf>,
}

impl Names {
    fn apply(&mut self, naming: &Naming) {
        match naming {
            Naming::Link { path, inode } => {
                self.files.insert(path.clone(), *inode);
            }
            Naming::Rename { from, to, inode } => {
                if self.files.get(from) == Some(inode) {
                    self.files.remove(from);
                }
                self.files.insert(to.clone(), *inode);
            }
            Naming::Unlink { path, inode } => {
                if self.files.get(path) == Some(inode) {
                    self.files.remove(path);
                }
            }
            Naming::Directory { path } => {
                self.directories.insert(path.clone());
            }
        }
    }

    fn is_directory(&self, path: &Path) -> bool {
        path.parent().is_none_or(|parent| parent == path)
            || path.as_os_str().is_empty()
            || self.directories.contains(path)
    }
}

/// One disk with its cache.
#[derive(Clone, Default)]
pub(super) struct DiskImage {
    inodes: Vec<Inode>,
    cache: Names,
    disk: Names,
    pending: Vec<Naming>,
}

impl DiskImage {
    pub(super) fn is_directory(&self, path: &Path) -> bool {
        self.cache.is_directory(path)
    }

    pub(super) fn inode(&self, path: &Path) -> Option<usize> {
        self.cache.files.get(path).copied()
    }

    pub(super) fn file(&self, path: &Path) -> io::Result<usize> {
        self.inode(path).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    pub(super) fn create(&mut self, path: &Path) -> io::Result<usize> {
        if !self.is_directory(parent(path)) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let inode = self.inodes.len();
        self.inodes.push(Inode::default());
        self.name(Naming::Link { path: path.to_owned(), inode });
        Ok(inode)
    }

    pub(super) fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        Ok(self.inodes[self.file(path)?].cache.clone())
    }

    pub(super) fn length(&self, path: &Path) -> Option<u64> {
        match self.inode(path) {
            Some(inode) => Some(self.inodes[inode].cache.len() as u64),
            None => self.is_directory(path).then_some(0),
        }
    }

    pub(super) fn append(&mut self, inode: usize, bytes: &[u8]) -> io::Result<()> {
        let at = self.inodes[inode].cache.len();
        self.inodes[inode].change(Change::Write { at, bytes: bytes.to_vec() });
        Ok(())
    }

    pub(super) fn write(&mut self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let inode = match self.inode(path) {
            Some(inode) => inode,
            None => self.create(path)?,
        };
        self.inodes[inode].change(Change::Truncate(0));
        self.inodes[inode].change(Change::Write { at: 0, bytes: bytes.to_vec() });
        Ok(())
    }

    pub(super) fn truncate(&mut self, path: &Path, length: u64) -> io::Result<()> {
        let inode = self.file(path)?;
        self.inodes[inode].change(Change::Truncate(usize::try_from(length).unwrap_or(usize::MAX)));
        Ok(())
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let inode = self.file(from)?;
        self.name(Naming::Rename { from: from.to_owned(), to: to.to_owned(), inode });
        Ok(())
    }

    pub(super) fn remove(&mut self, path: &Path) -> io::Result<()> {
        let inode = self.file(path)?;
        self.name(Naming::Unlink { path: path.to_owned(), inode });
        Ok(())
    }

    pub(super) fn create_directory(&mut self, path: &Path) -> io::Result<()> {
        self.name(Naming::Directory { path: path.to_owned() });
        Ok(())
    }

    pub(super) fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        if !self.is_directory(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let names = self.cache.files.keys().chain(&self.cache.directories);
        let mut names: Vec<String> = names
            .filter(|name| parent(name) == path)
            .filter_map(|name| Some(name.file_name()?.to_str()?.to_owned()))
            .collect();
        names.sort_unstable();
        Ok(names)
    }

    /// With `works` false the sync fails: what was pending can be read but never reaches the disk.
    pub(super) fn sync_inode(&mut self, inode: usize, works: bool) -> io::Result<()> {
        let inode = &mut self.inodes[inode];
        for change in std::mem::take(&mut inode.pending) {
            if works {
                apply(&mut inode.disk, &change);
            }
        }
        Ok(())
    }

    pub(super) fn sync_directory(&mut self, path: &Path, works: bool) {
        let (now, later) = std::mem::take(&mut self.pending).into_iter().partition(|naming| naming.directory() == path);
        self.pending = later;
        let now: Vec<Naming> = now;
        now.iter().filter(|_| works).for_each(|naming| self.disk.apply(naming));
    }

    /// Draws what survives of everything that is pending.
    pub(super) fn lose_power(&mut self, seed: u64) {
        let mut random = Random::new(seed);
        for inode in &mut self.inodes {
            for change in std::mem::take(&mut inode.pending) {
                survive(&mut inode.disk, change, &mut random);
            }
            inode.cache.clone_from(&inode.disk);
        }
        for naming in std::mem::take(&mut self.pending) {
            if random.below(2) == 0 {
                self.disk.apply(&naming);
            }
        }
        self.forget_orphans();
        self.cache = self.disk.clone();
    }

    /// What stood in a directory that is gone is gone with it.
    fn forget_orphans(&mut self) {
        loop {
            let names = self.disk.clone();
            self.disk.directories.retain(|path| names.is_directory(parent(path)));
            if self.disk.directories.len() == names.directories.len() {
                break;
            }
        }
        let names = self.disk.clone();
        self.disk.files.retain(|path, _| names.is_directory(parent(path)));
    }

    fn name(&mut self, naming: Naming) {
        self.cache.apply(&naming);
        self.pending.push(naming);
    }
}

impl Inode {
    fn change(&mut self, change: Change) {
        apply(&mut self.cache, &change);
        self.pending.push(change);
    }
}

fn apply(bytes: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Write { at, bytes: new } => {
            if bytes.len() < at + new.len() {
                bytes.resize(at + new.len(), 0);
            }
            bytes[*at..*at + new.len()].copy_from_slice(new);
        }
        Change::Truncate(length) => bytes.truncate(*length),
    }
}

/// A change that was not synced: whole, gone, cut, or in pieces.
fn survive(disk: &mut Vec<u8>, change: Change, random: &mut Random) {
    /// Small, so that short records tear too.
    const SECTOR: usize = 16;
    match change {
        Change::Truncate(_) if random.below(2) == 0 => {}
        Change::Truncate(_) => apply(disk, &change),
        Change::Write { at, mut bytes } => match random.below(4) {
            0 => {}
            1 => apply(disk, &Change::Write { at, bytes }),
            2 => {
                bytes.truncate(random.below(bytes.len() + 1));
                apply(disk, &Change::Write { at, bytes });
            }
            _ => {
                for sector in bytes.chunks_mut(SECTOR) {
                    if random.below(2) == 0 {
                        sector.fill(0);
                    }
                }
                apply(disk, &Change::Write { at, bytes });
            }
        },
    }
}
