//! Reading a ledger from its files, without a lock and beside a running writer.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bartizan_core::Digest;
use bartizan_signing::NoteVerifier;
use bartizan_storage::{Disk, Storage, StorageError};

use crate::bundle;
use crate::checkpoint::Checkpoint;
use crate::entry::{self, Entry};
use crate::error::LedgerError;
use crate::layout::{CHECKPOINT, TILE_WIDTH, Tile, VERIFIER, segment_first, segment_path};
use crate::merkle::{empty_root, leaf_hash};
use crate::nodes::Nodes;
use crate::segment;

/// How often a listing may be overtaken by the writer removing a segment.
const ATTEMPTS: usize = 20;

/// A record of a write-ahead segment, apart from its entries.
pub(crate) struct Commit {
    pub(crate) segment: u64,
    pub(crate) end: u64,
    pub(crate) checkpoint: Vec<u8>,
}

/// The end of the log, which stands in write-ahead segments.
#[derive(Default)]
pub(crate) struct Tail {
    /// How many entries stand in tiles, before these.
    pub(crate) first: u64,
    pub(crate) entries: Vec<Vec<u8>>,
    pub(crate) commits: Vec<Commit>,
    /// Path and byte of an append that is not finished, and how many bytes of it there are.
    pub(crate) unfinished: Option<(PathBuf, u64, u64)>,
}

/// A ledger as it was when it was opened: entries, proofs and the signed checkpoint over them.
/// Reads our own ledgers and static C2SP tile logs of others.
pub struct LedgerReader {
    storage: Arc<dyn Storage>,
    directory: PathBuf,
    pub(crate) tail: Tail,
    nodes: Nodes,
    note: Vec<u8>,
    checkpoint: Checkpoint,
    is_static: bool,
}

impl LedgerReader {
    /// Opens the ledger in this folder of this machine's disk.
    pub fn open(directory: &Path) -> Result<Self, LedgerError> {
        Self::open_in(Arc::new(Disk), directory)
    }

    /// Opens the ledger in this folder of a storage.
    pub fn open_in(storage: Arc<dyn Storage>, directory: &Path) -> Result<Self, LedgerError> {
        let tail = load_tail(&*storage, directory)?;
        let is_static = tail.is_none();
        let mut tail = tail.unwrap_or_default();
        let note = match tail.commits.last() {
            Some(commit) => commit.checkpoint.clone(),
            None if is_static => read_present(&*storage, &directory.join(CHECKPOINT), directory)?,
            None => Vec::new(),
        };
        let checkpoint = if note.is_empty() {
            let origin = verifier(&*storage, directory)?.name().to_owned();
            Checkpoint { origin, size: 0, root: empty_root() }
        } else {
            Checkpoint::unverified(&note)?
        };
        if is_static {
            tail.first = checkpoint.size;
        }
        let size = tail.first + tail.entries.len() as u64;
        if checkpoint.size != size {
            let problem = format!("has {size} entries where its checkpoint says {}", checkpoint.size);
            return Err(LedgerError::damaged(directory, problem));
        }
        let leaves = tail.entries.iter().map(|entry| leaf_hash(entry)).collect();
        let nodes = Nodes::new(Arc::clone(&storage), directory, tail.first, leaves);
        Ok(Self { storage, directory: directory.to_owned(), tail, nodes, note, checkpoint, is_static })
    }

    /// The checkpoint over all entries; its signature is checked by [`verify`](crate::verify).
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The signed checkpoint, byte for byte; empty for a ledger without entries.
    pub fn signed_checkpoint(&self) -> &[u8] {
        &self.note
    }

    /// How many entries there are.
    pub fn size(&self) -> u64 {
        self.checkpoint.size
    }

    /// The key that the folder says verifies its checkpoints.
    pub fn verifier(&self) -> Result<NoteVerifier, LedgerError> {
        verifier(&*self.storage, &self.directory)
    }

    /// Whether this is a static copy (with incomplete tiles) and no ledger that is written to.
    pub(crate) fn is_static(&self) -> bool {
        self.is_static
    }

    /// The exact bytes of entries `start..end`, a bundle at a time. After an error nothing more
    /// comes.
    pub fn raw(&self, start: u64, end: u64) -> RawEntries<'_> {
        RawEntries { reader: self, next: start, end: end.min(self.size()), bundle: Vec::new(), bundle_first: u64::MAX }
    }

    /// Entries `start..end`. One that this version can't read is an error in its place.
    pub fn entries(&self, start: u64, end: u64) -> impl Iterator<Item = Result<Entry, LedgerError>> + '_ {
        self.raw(start, end).map(|raw| raw.and_then(|(index, bytes)| entry::decode(index, &bytes)))
    }

    /// One entry.
    pub fn entry(&self, index: u64) -> Result<Entry, LedgerError> {
        let asked = LedgerError::OutOfRange { asked: index, size: self.size() };
        self.entries(index, index.saturating_add(1)).next().unwrap_or(Err(asked))
    }

    /// The root of the log when it had `size` entries.
    pub fn root_at(&self, size: u64) -> Result<Digest, LedgerError> {
        self.nodes.root_at(size)
    }

    /// The proof that entry `index` stands in the log of `size` entries.
    pub fn inclusion_proof(&self, index: u64, size: u64) -> Result<Vec<Digest>, LedgerError> {
        self.nodes.inclusion(index, size)
    }

    /// The proof that the log of `old` entries is the beginning of that of `new`.
    pub fn consistency_proof(&self, old: u64, new: u64) -> Result<Vec<Digest>, LedgerError> {
        self.nodes.consistency(old, new)
    }

    /// The bytes of a file of the log, with its path.
    pub(crate) fn file(&self, name: &str) -> (PathBuf, io::Result<Vec<u8>>) {
        let path = self.directory.join(name);
        let bytes = self.storage.read(&path);
        (path, bytes)
    }

    /// The entries of a bundle that stands in tiles.
    fn bundle(&self, index: u64) -> Result<Vec<Vec<u8>>, LedgerError> {
        let width = TILE_WIDTH.min(self.tail.first - index * TILE_WIDTH);
        let (path, bytes) = self.file(&Tile::Entries { index, width }.path());
        let bytes = bytes.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => LedgerError::damaged(&path, "the entry bundle is missing"),
            _ => LedgerError::io("read", &path)(error),
        })?;
        let entries = bundle::split(&bytes)
            .map_err(|at| LedgerError::damaged(&path, format!("byte {at}: an entry's length does not fit")))?;
        if entries.len() as u64 != width {
            return Err(LedgerError::damaged(&path, format!("holds {} entries instead of {width}", entries.len())));
        }
        Ok(entries.into_iter().map(<[u8]>::to_vec).collect())
    }
}

/// Entries as they stand in the tree; see [`LedgerReader::raw`].
pub struct RawEntries<'a> {
    reader: &'a LedgerReader,
    next: u64,
    end: u64,
    bundle: Vec<Vec<u8>>,
    bundle_first: u64,
}

impl Iterator for RawEntries<'_> {
    type Item = Result<(u64, Vec<u8>), LedgerError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.end {
            return None;
        }
        let index = self.next;
        self.next += 1;
        let tiled = self.reader.tail.first;
        let entry = if index >= tiled {
            self.reader.tail.entries.get(usize::try_from(index - tiled).ok()?).cloned()
        } else {
            let first = index - index % TILE_WIDTH;
            if self.bundle_first != first {
                match self.reader.bundle(index / TILE_WIDTH) {
                    Ok(bundle) => self.bundle = bundle,
                    Err(error) => {
                        self.next = self.end;
                        return Some(Err(error));
                    }
                }
                self.bundle_first = first;
            }
            self.bundle.get_mut(usize::try_from(index - first).ok()?).map(std::mem::take)
        };
        entry.map(|bytes| Ok((index, bytes)))
    }
}

fn read_present(storage: &dyn Storage, path: &Path, directory: &Path) -> Result<Vec<u8>, LedgerError> {
    storage.read(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => LedgerError::Absent(directory.to_owned()),
        _ => LedgerError::io("read", path)(error),
    })
}

fn verifier(storage: &dyn Storage, directory: &Path) -> Result<NoteVerifier, LedgerError> {
    let path = directory.join(VERIFIER);
    let bytes = storage.read(&path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => LedgerError::damaged(&path, "the verifier key is missing"),
        _ => LedgerError::io("read", &path)(error),
    })?;
    let text = std::str::from_utf8(&bytes).map_err(|_| LedgerError::damaged(&path, "is not UTF-8"))?;
    text.parse().map_err(|error| LedgerError::damaged(&path, format!("{error}")))
}

/// The write-ahead segments; `None` when there are none.
fn load_tail(storage: &dyn Storage, directory: &Path) -> Result<Option<Tail>, LedgerError> {
    let mut attempts = 0;
    loop {
        attempts += 1;
        let names = match storage.list(directory) {
            Ok(names) => names,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(LedgerError::Absent(directory.to_owned()));
            }
            Err(error) => return Err(LedgerError::io("list", directory)(error)),
        };
        let segments: Vec<u64> = names.iter().filter_map(|name| segment_first(name)).collect();
        match read_tail(storage, directory, &segments) {
            Err(LedgerError::Storage(error)) if was_removed(&error) && attempts < ATTEMPTS => {}
            tail => return tail,
        }
    }
}

fn was_removed(error: &StorageError) -> bool {
    matches!(error, StorageError::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
}

fn read_tail(storage: &dyn Storage, directory: &Path, segments: &[u64]) -> Result<Option<Tail>, LedgerError> {
    let Some((first, _)) = segments.split_first() else { return Ok(None) };
    let mut tail = Tail { first: *first, ..Tail::default() };
    for segment in segments {
        let path = segment_path(directory, *segment);
        if let Some((path, at, _)) = &tail.unfinished {
            return Err(LedgerError::damaged(path, format!("byte {at}: a record is damaged")));
        }
        if tail.first + tail.entries.len() as u64 != *segment {
            // What came before was published, and a crash brought some of it back.
            tail = Tail { first: *segment, ..Tail::default() };
        }
        let (records, end, torn) = segment::read(storage, directory, *segment)?;
        for record in &records {
            let next = tail.first + tail.entries.len() as u64;
            let refuse = |problem| LedgerError::damaged(&path, format!("record of entry {next}: {problem}"));
            let record = segment::parse(record).ok_or_else(|| refuse("malformed"))?;
            if record.first != next {
                return Err(refuse("is not the next one"));
            }
            tail.entries.extend(record.entries.iter().map(|entry| entry.to_vec()));
            let end = next + record.entries.len() as u64;
            tail.commits.push(Commit { segment: *segment, end, checkpoint: record.checkpoint.to_vec() });
        }
        tail.unfinished = (torn > 0).then_some((path, end, torn));
    }
    if tail.first > 0 && tail.commits.is_empty() {
        // What came before is removed only when this segment holds a checkpoint.
        let path = segment_path(directory, tail.first);
        return Err(LedgerError::damaged(&path, "byte 16: the first record is damaged or missing"));
    }
    Ok(Some(tail))
}
