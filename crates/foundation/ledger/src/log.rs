//! The log itself: recovery, and one group commit after the other. Knows no thread and no clock.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bartizan_signing::{NoteSigner, NoteVerifier};
use bartizan_storage::{Journal, Storage, ensure_directory, replace};

use crate::checkpoint::Checkpoint;
use crate::error::LedgerError;
use crate::layout::{CHECKPOINT, TILE_WIDTH, VERIFIER, segment_first, segment_path};
use crate::merkle::{Frontier, leaf_hash};
use crate::nodes::Nodes;
use crate::publisher::Work;
use crate::segment::{self, Leaf};

/// An open log.
pub(crate) struct Log {
    storage: Arc<dyn Storage>,
    directory: PathBuf,
    signer: NoteSigner,
    segment_entries: u64,
    frontier: Frontier,
    segment: Journal,
    first: u64,
    checkpoint: Arc<str>,
}

impl Log {
    /// Opens or creates the log; also returns the complete segments that are still to be published.
    pub(crate) fn open(
        storage: Arc<dyn Storage>,
        directory: &Path,
        signer: NoteSigner,
        segment_bundles: u64,
    ) -> Result<(Self, Vec<Work>), LedgerError> {
        ensure_directory(&*storage, directory).map_err(LedgerError::io("create", directory))?;
        let names = storage.list(directory).map_err(LedgerError::io("list", directory))?;
        let segments: Vec<u64> = names.iter().filter_map(|name| segment_first(name)).collect();
        check_verifier(&*storage, directory, &signer, !segments.is_empty())?;
        let published = published_checkpoint(&*storage, directory, &signer.verifier())?;
        let mut recovery = Recovery::new(Arc::clone(&storage), directory);
        let last = match segments.split_last() {
            Some((last, complete)) => {
                complete.iter().try_for_each(|first| recovery.complete(*first))?;
                *last
            }
            None if published.is_none() && !names.iter().any(|name| name == "tile") => 0,
            None => return Err(LedgerError::damaged(directory, "the write-ahead segments are missing")),
        };
        let (mut segment, is_empty) = recovery.last(last)?;
        let Recovery { frontier, checkpoint, complete, .. } = recovery;
        let checkpoint = match checkpoint {
            Some(checkpoint) => {
                Checkpoint::verify(checkpoint.as_bytes(), &signer.verifier())?;
                checkpoint
            }
            None => sign(&signer, &frontier)?,
        };
        if published.is_some_and(|published| published.size > frontier.size()) {
            let problem =
                format!("has only {} entries, fewer than its checkpoint says: it was rolled back", frontier.size());
            return Err(LedgerError::damaged(directory, problem));
        }
        if is_empty && !complete.is_empty() {
            // The last checkpoint must not go with the segment that holds it.
            segment.append(&segment::encode(frontier.size(), &checkpoint, &[]))?;
        }
        let work =
            complete.into_iter().map(|first| Work::Segment { first, checkpoint: Arc::clone(&checkpoint) }).collect();
        let directory = directory.to_owned();
        let segment_entries = segment_bundles.max(1) * TILE_WIDTH;
        let log = Self { storage, directory, signer, segment_entries, frontier, segment, first: last, checkpoint };
        Ok((log, work))
    }

    pub(crate) fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// The latest signed checkpoint; durable.
    pub(crate) fn checkpoint(&self) -> &Arc<str> {
        &self.checkpoint
    }

    /// Makes the entries durable; on an error nothing more may be committed. Segments that became
    /// complete go to `work`.
    pub(crate) fn commit(&mut self, leaves: &[Leaf], work: &mut Vec<Work>) -> Result<(), LedgerError> {
        let mut rest = leaves;
        while !rest.is_empty() {
            let room = (self.first + self.segment_entries).saturating_sub(self.size());
            let complete = (room == 0).then_some(self.first);
            if room == 0 {
                let path = segment_path(&self.directory, self.size());
                let (segment, _) = Journal::open(Arc::clone(&self.storage), &path, segment::MAGIC, segment::VERSION)?;
                self.segment = segment;
                self.first = self.size();
            }
            let room = self.first + self.segment_entries - self.size();
            let (now, later) = rest.split_at(rest.len().min(usize::try_from(room).unwrap_or(usize::MAX)));
            self.append(now)?;
            let checkpoint = &self.checkpoint;
            work.extend(complete.map(|first| Work::Segment { first, checkpoint: Arc::clone(checkpoint) }));
            rest = later;
        }
        Ok(())
    }

    /// One record, one sync.
    fn append(&mut self, leaves: &[Leaf]) -> Result<(), LedgerError> {
        let mut frontier = self.frontier.clone();
        leaves.iter().for_each(|leaf| frontier.push(leaf.hash));
        let checkpoint = sign(&self.signer, &frontier)?;
        self.segment.append(&segment::encode(self.size(), &checkpoint, leaves))?;
        self.frontier = frontier;
        self.checkpoint = checkpoint;
        Ok(())
    }
}

fn sign(signer: &NoteSigner, frontier: &Frontier) -> Result<Arc<str>, LedgerError> {
    let origin = signer.name().to_owned();
    let checkpoint = Checkpoint { origin, size: frontier.size(), root: frontier.root() };
    Ok(Arc::from(signer.sign(&checkpoint.text())?))
}

/// Writes the verifier key of a new ledger; of an old one it must be there and be ours.
fn check_verifier(
    storage: &dyn Storage,
    directory: &Path,
    signer: &NoteSigner,
    exists: bool,
) -> Result<(), LedgerError> {
    let path = directory.join(VERIFIER);
    match storage.read(&path) {
        Ok(bytes) => {
            let verifier: NoteVerifier = String::from_utf8_lossy(&bytes).parse()?;
            let ours = verifier == signer.verifier();
            if ours {
                Ok(())
            } else {
                Err(LedgerError::damaged(&path, "the ledger was written with another key or name"))
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound && !exists => {
            let text = signer.verifier_key() + "\n";
            replace(storage, &path, text.as_bytes()).map_err(LedgerError::io("write", &path))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(LedgerError::damaged(&path, "is missing; restore it from a backup"))
        }
        Err(error) => Err(LedgerError::io("read", &path)(error)),
    }
}

fn published_checkpoint(
    storage: &dyn Storage,
    directory: &Path,
    verifier: &NoteVerifier,
) -> Result<Option<Checkpoint>, LedgerError> {
    let path = directory.join(CHECKPOINT);
    match storage.read(&path) {
        Ok(bytes) => Checkpoint::verify(&bytes, verifier)
            .map(Some)
            .map_err(|error| LedgerError::damaged(&path, error.to_string())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(LedgerError::io("read", &path)(error)),
    }
}

/// Replays segments, oldest first.
struct Recovery {
    storage: Arc<dyn Storage>,
    directory: PathBuf,
    frontier: Frontier,
    checkpoint: Option<Arc<str>>,
    complete: Vec<u64>,
}

impl Recovery {
    fn new(storage: Arc<dyn Storage>, directory: &Path) -> Self {
        let directory = directory.to_owned();
        Self { storage, directory, frontier: Frontier::default(), checkpoint: None, complete: Vec::new() }
    }

    /// A segment with a later one behind it.
    fn complete(&mut self, first: u64) -> Result<(), LedgerError> {
        self.start(first)?;
        let (records, end, torn) = segment::read(&*self.storage, &self.directory, first)?;
        if torn > 0 {
            return Err(LedgerError::damaged(
                &segment_path(&self.directory, first),
                format!("byte {end}: damaged record"),
            ));
        }
        self.replay(first, &records)?;
        self.complete.push(first);
        Ok(())
    }

    /// The segment that was being written.
    fn last(&mut self, first: u64) -> Result<(Journal, bool), LedgerError> {
        self.start(first)?;
        let path = segment_path(&self.directory, first);
        let (journal, records) = Journal::open(Arc::clone(&self.storage), &path, segment::MAGIC, segment::VERSION)?;
        self.replay(first, &records)?;
        if self.checkpoint.is_none() && self.frontier.size() > 0 {
            return Err(LedgerError::damaged(&path, "holds no checkpoint"));
        }
        Ok((journal, records.is_empty()))
    }

    /// Segments follow each other; before the first, and where published ones were removed, the
    /// tiles must hold what came before.
    fn start(&mut self, first: u64) -> Result<(), LedgerError> {
        if self.frontier.size() != first {
            let nodes = Nodes::new(Arc::clone(&self.storage), &self.directory, first, Vec::new());
            self.frontier = Frontier::load(first, |level, index| nodes.node(level, index))?;
            for stale in self.complete.drain(..) {
                let path = segment_path(&self.directory, stale);
                self.storage.remove(&path).map_err(LedgerError::io("remove", &path))?;
            }
        }
        Ok(())
    }

    fn replay(&mut self, first: u64, records: &[Vec<u8>]) -> Result<(), LedgerError> {
        let path = segment_path(&self.directory, first);
        for record in records {
            let at = self.frontier.size();
            let refuse = |problem: &str| LedgerError::damaged(&path, format!("record of entry {at}: {problem}"));
            let record = segment::parse(record).ok_or_else(|| refuse("malformed"))?;
            if record.first != at {
                return Err(refuse("is not the next one"));
            }
            record.entries.iter().for_each(|entry| self.frontier.push(leaf_hash(entry)));
            let checkpoint = Checkpoint::unverified(record.checkpoint)?;
            if checkpoint.size != self.frontier.size() || checkpoint.root != self.frontier.root() {
                return Err(refuse("its entries do not lead to its checkpoint"));
            }
            self.checkpoint = std::str::from_utf8(record.checkpoint).ok().map(Arc::from);
        }
        Ok(())
    }
}
