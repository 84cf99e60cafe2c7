//! Records, one after the other, each durable when its append returns.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;

use crate::replace::parent;
use crate::{AppendFile, HEADER_LENGTH, Storage, ensure_directory, frame, header, replace, split_header};

/// Why a journal could not be read or written.
#[derive(Debug, Error)]
pub enum StorageError {
    /// The system refused.
    #[error("{action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not one of this kind.
    #[error("{}: byte 0: not a `{name}` file; restore it from a backup or move it away", path.display())]
    NotOurs {
        /// The file.
        path: PathBuf,
        /// The magic that was expected.
        name: &'static str,
    },
    /// The file was written by a newer Bartizan.
    #[error("{}: has format version {found}, this program knows up to {known}; use a newer bartizan", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The newest version that this code reads.
        known: u32,
    },
    /// A record that is not the last is damaged, which no power cut does.
    #[error("{}: byte {offset}: a record in the middle is damaged; restore the file from a backup", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where the damaged record starts.
        offset: u64,
    },
    /// An earlier write failed; what is on disk is unknown until the journal is opened again.
    #[error("{}: an earlier write failed, so nothing more is accepted; restart to read what is on disk", path.display())]
    Poisoned {
        /// The file.
        path: PathBuf,
    },
    /// The records are too long for one append (4 GiB).
    #[error("{}: a record of more than 4 GiB can't be written", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
    },
}

/// What stands in a journal, read without changing it.
#[derive(Debug)]
pub struct Replay {
    /// The intact records, oldest first.
    pub records: Vec<Vec<u8>>,
    /// Where they end.
    pub end: u64,
    /// Bytes of a torn last append behind them; nobody was told that these are durable.
    pub torn: u64,
    /// The format version of the file.
    pub version: u32,
}

/// An append-only file of records that starts with magic and version.
///
/// An append is durable when it returns. After a failed write or sync the journal refuses further
/// appends: the kernel may have dropped the bytes and report success the next time.
pub struct Journal {
    storage: Arc<dyn Storage>,
    path: PathBuf,
    name: &'static str,
    version: u32,
    /// `None` once a write has failed.
    file: Option<Box<dyn AppendFile>>,
    bytes: u64,
}

impl Journal {
    /// Opens the journal, creating it and its folder when absent, and replays its records. A torn
    /// last append is cut off (its writer was never told that it succeeded); damage before that is
    /// an error. `name` is the magic: at most 8 ASCII characters.
    ///
    /// What is returned is durable, also when the previous writer died between write and sync.
    pub fn open(
        storage: Arc<dyn Storage>,
        path: &Path,
        name: &'static str,
        version: u32,
    ) -> Result<(Self, Vec<Vec<u8>>), StorageError> {
        let failed = |action| move |source| StorageError::Io { action, path: path.to_owned(), source };
        let (records, bytes, found) = if storage.length(path).map_err(failed("look at"))?.is_none() {
            ensure_directory(&*storage, parent(path)).map_err(failed("create the folder of"))?;
            replace(&*storage, path, &header(name, version)).map_err(failed("create"))?;
            (Vec::new(), HEADER_LENGTH as u64, version)
        } else {
            let replay = Self::read(&*storage, path, name, version)?;
            if replay.torn > 0 {
                storage.truncate(path, replay.end).map_err(failed("cut the torn end of"))?;
            }
            storage.sync_file(path).map_err(failed("sync"))?;
            storage.sync_directory(parent(path)).map_err(failed("sync the folder of"))?;
            (replay.records, replay.end, replay.version)
        };
        let file = storage.open_append(path).map_err(failed("open"))?;
        let mut journal = Self { storage, path: path.to_owned(), name, version, file: Some(file), bytes };
        if found < version {
            // An older program must not read what this one appends.
            journal.rewrite(&records)?;
        }
        Ok((journal, records))
    }

    /// Reads a journal without touching it; may run beside its writer, whose unfinished append
    /// then shows as torn.
    pub fn read(storage: &dyn Storage, path: &Path, name: &'static str, version: u32) -> Result<Replay, StorageError> {
        let bytes =
            storage.read(path).map_err(|source| StorageError::Io { action: "read", path: path.to_owned(), source })?;
        Self::parse(&bytes, path, name, version)
    }

    /// Reads a journal's bytes; `path` is for error messages.
    pub fn parse(bytes: &[u8], path: &Path, name: &'static str, version: u32) -> Result<Replay, StorageError> {
        let Some((found, _)) = split_header(bytes, name) else {
            return Err(StorageError::NotOurs { path: path.to_owned(), name });
        };
        if found > version {
            return Err(StorageError::Newer { path: path.to_owned(), found, known: version });
        }
        let walk = frame::walk(bytes, HEADER_LENGTH);
        if let Some(offset) = walk.damaged {
            return Err(StorageError::Damaged { path: path.to_owned(), offset: offset as u64 });
        }
        let torn = (bytes.len() - walk.end) as u64;
        Ok(Replay { records: walk.records, end: walk.end as u64, torn, version: found })
    }

    /// Appends one record; durable on return.
    pub fn append(&mut self, record: &[u8]) -> Result<(), StorageError> {
        self.append_frame(std::iter::once(record))
    }

    /// Appends the records with one write and one sync: after a crash either all of them are
    /// there, or none.
    pub fn append_all(&mut self, records: &[Vec<u8>]) -> Result<(), StorageError> {
        if records.is_empty() { Ok(()) } else { self.append_frame(records.iter().map(Vec::as_slice)) }
    }

    fn append_frame<'a>(&mut self, records: impl Iterator<Item = &'a [u8]>) -> Result<(), StorageError> {
        let Some(frame) = frame::encode(self.bytes, records) else {
            return Err(StorageError::TooLong { path: self.path.clone() });
        };
        let Some(file) = &mut self.file else {
            return Err(StorageError::Poisoned { path: self.path.clone() });
        };
        match file.append(&frame).and_then(|()| file.sync()) {
            Ok(()) => {
                self.bytes += frame.len() as u64;
                Ok(())
            }
            Err(source) => {
                self.file = None;
                Err(StorageError::Io { action: "append to", path: self.path.clone(), source })
            }
        }
    }

    /// Replaces all records, atomically: after a crash either the old ones are there, or these.
    pub fn rewrite(&mut self, records: &[Vec<u8>]) -> Result<(), StorageError> {
        if self.file.is_none() {
            return Err(StorageError::Poisoned { path: self.path.clone() });
        }
        let mut bytes = header(self.name, self.version).to_vec();
        for record in records {
            let frame = frame::encode(bytes.len() as u64, std::iter::once(record.as_slice()));
            bytes.extend(frame.ok_or_else(|| StorageError::TooLong { path: self.path.clone() })?);
        }
        let failed = |source| StorageError::Io { action: "rewrite", path: self.path.clone(), source };
        self.file = None;
        replace(&*self.storage, &self.path, &bytes).map_err(failed)?;
        self.file = Some(self.storage.open_append(&self.path).map_err(failed)?);
        self.bytes = bytes.len() as u64;
        Ok(())
    }

    /// Length of the file; what to watch when deciding to [`rewrite`](Self::rewrite).
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}
