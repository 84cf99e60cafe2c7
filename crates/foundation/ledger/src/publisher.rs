//! Turns complete write-ahead segments into the tiles of the static log.

use std::collections::{BTreeSet, HashSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bartizan_storage::{Storage, replace};

use crate::error::LedgerError;
use crate::layout::{CHECKPOINT, segment_path};
use crate::merkle::leaf_hash;
use crate::nodes::Nodes;
use crate::segment;
use crate::tiles::Tiles;

/// Work for the publisher.
pub(crate) enum Work {
    /// This segment is complete, and a later one holds this checkpoint.
    Segment {
        /// Its first entry.
        first: u64,
        /// A checkpoint over at least its entries.
        checkpoint: Arc<str>,
    },
    /// Write the checkpoint for readers of the static log.
    Checkpoint(Arc<str>),
}

/// Writes tiles and the `checkpoint` file. A segment is removed only after everything in it is
/// durable as tiles.
pub(crate) struct Publisher {
    storage: Arc<dyn Storage>,
    directory: PathBuf,
    tiles: Tiles,
    /// Directories whose names are known to be durable.
    directories: HashSet<PathBuf>,
}

impl Publisher {
    pub(crate) fn new(storage: Arc<dyn Storage>, directory: &Path) -> Self {
        Self { storage, directory: directory.to_owned(), tiles: Tiles::default(), directories: HashSet::new() }
    }

    pub(crate) fn work(&mut self, work: &Work) -> Result<(), LedgerError> {
        match work {
            Work::Segment { first, checkpoint } => self.segment(*first, checkpoint),
            Work::Checkpoint(checkpoint) => self.checkpoint(checkpoint),
        }
    }

    fn segment(&mut self, first: u64, checkpoint: &str) -> Result<(), LedgerError> {
        let path = segment_path(&self.directory, first);
        if self.tiles.size() != first {
            let nodes = Nodes::new(Arc::clone(&self.storage), &self.directory, first, Vec::new());
            self.tiles = Tiles::load(first, |level, index| nodes.node(level, index))?;
        }
        let (records, ..) = segment::read(&*self.storage, &self.directory, first)?;
        let mut made = Vec::new();
        for record in &records {
            let record = segment::parse(record)
                .filter(|record| record.first == self.tiles.size())
                .ok_or_else(|| LedgerError::damaged(&path, "a record is not the next one"))?;
            for entry in record.entries {
                self.tiles.push(entry, leaf_hash(entry), &mut made);
            }
        }
        let mut changed = BTreeSet::new();
        for (tile, bytes) in made {
            self.file(&tile.path(), &bytes, &mut changed)?;
        }
        // The ledger's own folder, where `tile` may be new, is synced with the checkpoint.
        changed.remove(&self.directory);
        for directory in changed {
            self.storage.sync_directory(&directory).map_err(LedgerError::io("sync", &directory))?;
        }
        self.checkpoint(checkpoint)?;
        // Not synced: a segment that reappears is removed when the ledger is next opened.
        self.storage.remove(&path).map_err(LedgerError::io("remove", &path))
    }

    /// Writes a tile whole and names it; `changed` gathers directories that must be synced.
    fn file(&mut self, name: &str, bytes: &[u8], changed: &mut BTreeSet<PathBuf>) -> Result<(), LedgerError> {
        let path = self.directory.join(name);
        let parents: Vec<&Path> = path.ancestors().skip(1).take_while(|parent| *parent != self.directory).collect();
        for parent in parents.into_iter().rev() {
            if self.directories.insert(parent.to_owned()) {
                self.storage.create_directory(parent).map_err(LedgerError::io("create", parent))?;
                changed.extend(parent.parent().map(Path::to_owned));
            }
        }
        let mut temporary = OsString::from(&path);
        temporary.push(".tmp");
        let temporary = Path::new(&temporary);
        self.storage.write(temporary, bytes).map_err(LedgerError::io("write", temporary))?;
        self.storage.sync_file(temporary).map_err(LedgerError::io("sync", temporary))?;
        self.storage.rename(temporary, &path).map_err(LedgerError::io("rename", &path))?;
        changed.extend(path.parent().map(Path::to_owned));
        Ok(())
    }

    fn checkpoint(&self, checkpoint: &str) -> Result<(), LedgerError> {
        let path = self.directory.join(CHECKPOINT);
        replace(&*self.storage, &path, checkpoint.as_bytes()).map_err(LedgerError::io("write", &path))
    }
}
