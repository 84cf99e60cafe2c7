//! Turns complete write-ahead segments into the tiles of the static log.

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

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

/// A segment whose tiles are written and not yet synced.
struct Written {
    segment: PathBuf,
    files: Vec<PathBuf>,
    directories: BTreeSet<PathBuf>,
    checkpoint: Arc<str>,
    since: Instant,
}

/// Writes tiles and the `checkpoint` file. A segment is removed only after everything in it is
/// durable as tiles; until then it is what counts. So the syncs can wait until the system has
/// written the tiles by itself and they cost nothing, instead of standing in the way of commits.
pub(crate) struct Publisher {
    storage: Arc<dyn Storage>,
    directory: PathBuf,
    tiles: Tiles,
    /// Directories that were made or are known to be there.
    directories: HashSet<PathBuf>,
    written: VecDeque<Written>,
}

impl Publisher {
    pub(crate) fn new(storage: Arc<dyn Storage>, directory: &Path) -> Self {
        let directory = directory.to_owned();
        Self { storage, directory, tiles: Tiles::default(), directories: HashSet::new(), written: VecDeque::new() }
    }

    pub(crate) fn work(&mut self, work: &Work) -> Result<(), LedgerError> {
        match work {
            Work::Segment { first, checkpoint } => self.write(*first, checkpoint),
            Work::Checkpoint(checkpoint) => self.checkpoint(checkpoint),
        }
    }

    /// Makes durable what was written at least `age` ago, and removes the segments.
    pub(crate) fn settle(&mut self, age: Duration) -> Result<(), LedgerError> {
        while self.written.front().is_some_and(|written| written.since.elapsed() >= age) {
            let Some(written) = self.written.pop_front() else { break };
            for file in &written.files {
                self.storage.sync_file(file).map_err(LedgerError::io("sync", file))?;
            }
            // The ledger's own folder, where `tile` may be new, is synced with the checkpoint.
            for directory in written.directories.iter().filter(|directory| **directory != self.directory) {
                self.storage.sync_directory(directory).map_err(LedgerError::io("sync", directory))?;
            }
            self.checkpoint(&written.checkpoint)?;
            // Not synced: a segment that reappears is removed when the ledger is next opened.
            self.storage.remove(&written.segment).map_err(LedgerError::io("remove", &written.segment))?;
        }
        Ok(())
    }

    fn write(&mut self, first: u64, checkpoint: &Arc<str>) -> Result<(), LedgerError> {
        let segment = segment_path(&self.directory, first);
        if self.tiles.size() != first {
            let nodes = Nodes::new(Arc::clone(&self.storage), &self.directory, first, Vec::new());
            self.tiles = Tiles::load(first, |level, index| nodes.node(level, index))?;
        }
        let (records, ..) = segment::read(&*self.storage, &self.directory, first)?;
        let mut made = Vec::new();
        for record in &records {
            let record = segment::parse(record)
                .filter(|record| record.first == self.tiles.size())
                .ok_or_else(|| LedgerError::damaged(&segment, "a record is not the next one"))?;
            for entry in record.entries {
                self.tiles.push(entry, leaf_hash(entry), &mut made);
            }
        }
        let (mut files, mut directories) = (Vec::new(), BTreeSet::new());
        for (tile, bytes) in made {
            let path = self.directory.join(tile.path());
            self.make_directories(&path, &mut directories)?;
            self.storage.write(&path, &bytes).map_err(LedgerError::io("write", &path))?;
            directories.extend(path.parent().map(Path::to_owned));
            files.push(path);
        }
        let checkpoint = Arc::clone(checkpoint);
        self.written.push_back(Written { segment, files, directories, checkpoint, since: Instant::now() });
        Ok(())
    }

    /// Makes the folders above a tile; those that got a new name go to `changed`.
    fn make_directories(&mut self, path: &Path, changed: &mut BTreeSet<PathBuf>) -> Result<(), LedgerError> {
        let above: Vec<&Path> = path.ancestors().skip(1).take_while(|parent| *parent != self.directory).collect();
        for directory in above.into_iter().rev() {
            if self.directories.insert(directory.to_owned()) {
                self.storage.create_directory(directory).map_err(LedgerError::io("create", directory))?;
                changed.extend(directory.parent().map(Path::to_owned));
            }
        }
        Ok(())
    }

    fn checkpoint(&self, checkpoint: &str) -> Result<(), LedgerError> {
        let path = self.directory.join(CHECKPOINT);
        replace(&*self.storage, &path, checkpoint.as_bytes()).map_err(LedgerError::io("write", &path))
    }
}
