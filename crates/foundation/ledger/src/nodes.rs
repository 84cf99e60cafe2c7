//! The hash of any complete subtree, from tile files and from the entries that are in none yet.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bartizan_core::Digest;
use bartizan_storage::Storage;

use crate::error::LedgerError;
use crate::layout::{TILE_WIDTH, Tile};
use crate::merkle::{empty_root, node_hash, root_over};
use crate::proof::{complete_subtrees, consistency_subtrees, inclusion_subtrees};

/// Tiles that are kept in memory: 32 MiB of hashes.
const CACHED_TILES: usize = 4096;

type Cache = HashMap<Tile, Option<Arc<Vec<Digest>>>>;

/// Hashes of a log whose first `tiled` entries are in tiles and the others in `leaves`.
pub(crate) struct Nodes {
    storage: Arc<dyn Storage>,
    directory: PathBuf,
    tiled: u64,
    leaves: Vec<Digest>,
    cache: Mutex<Cache>,
}

impl Nodes {
    pub(crate) fn new(storage: Arc<dyn Storage>, directory: &Path, tiled: u64, leaves: Vec<Digest>) -> Self {
        Self { storage, directory: directory.to_owned(), tiled, leaves, cache: Mutex::default() }
    }

    fn size(&self) -> u64 {
        self.tiled + self.leaves.len() as u64
    }

    /// The root of the complete subtree `index` of that level.
    pub(crate) fn node(&self, level: u32, index: u64) -> Result<Digest, LedgerError> {
        let (start, end) = (index << level, (index + 1) << level);
        if end > self.size() {
            return Err(LedgerError::OutOfRange { asked: end, size: self.size() });
        }
        if start >= self.tiled {
            let place = |entry: u64| usize::try_from(entry - self.tiled).unwrap_or(usize::MAX);
            return Ok(root_over(self.leaves.get(place(start)..place(end)).unwrap_or_default()));
        }
        if end <= self.tiled
            && let Some(hashes) = self.tile_above(level, start)?
        {
            let first = usize::try_from((start >> (level / 8 * 8)) % TILE_WIDTH).unwrap_or(0);
            if let Some(nodes) = hashes.get(first..first + (1 << (level % 8))) {
                return Ok(root_over(nodes));
            }
        }
        if level == 0 {
            return Err(LedgerError::OutOfRange { asked: start, size: self.size() });
        }
        Ok(node_hash(&self.node(level - 1, 2 * index)?, &self.node(level - 1, 2 * index + 1)?))
    }

    /// The tile that holds that level's nodes at entry `start`; `None` when it is an incomplete one
    /// that was never written.
    fn tile_above(&self, level: u32, start: u64) -> Result<Option<Arc<Vec<Digest>>>, LedgerError> {
        let level = level / 8;
        let index = (start >> (8 * level)) / TILE_WIDTH;
        let width = TILE_WIDTH.min((self.tiled >> (8 * level)) - index * TILE_WIDTH);
        let tile = Tile::Hashes { level, index, width };
        if let Some(known) = self.cache().get(&tile) {
            return Ok(known.clone());
        }
        let path = self.directory.join(tile.path());
        let hashes = match self.storage.read(&path) {
            Ok(bytes) => Some(Arc::new(parse_hashes(&path, &bytes, width)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if level == 0 || width == TILE_WIDTH {
                    return Err(LedgerError::damaged(&path, "the tile is missing"));
                }
                None
            }
            Err(error) => return Err(LedgerError::io("read", &path)(error)),
        };
        let mut cache = self.cache();
        if cache.len() >= CACHED_TILES {
            cache.clear();
        }
        cache.insert(tile, hashes.clone());
        Ok(hashes)
    }

    fn cache(&self) -> std::sync::MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The root over entries `start..end`, as a proof states it.
    fn subtree(&self, (start, end): (u64, u64)) -> Result<Digest, LedgerError> {
        let mut right: Option<Digest> = None;
        for (level, index) in complete_subtrees(start, end).into_iter().rev() {
            let left = self.node(level, index)?;
            right = Some(right.map_or(left, |right| node_hash(&left, &right)));
        }
        Ok(right.unwrap_or_else(empty_root))
    }

    /// The root of the log when it had `size` entries.
    pub(crate) fn root_at(&self, size: u64) -> Result<Digest, LedgerError> {
        self.subtree((0, size))
    }

    /// The inclusion proof of entry `index` in the tree of `size`.
    pub(crate) fn inclusion(&self, index: u64, size: u64) -> Result<Vec<Digest>, LedgerError> {
        let asked = index.saturating_add(1).max(size);
        let subtrees = inclusion_subtrees(index, size).filter(|_| size <= self.size());
        let subtrees = subtrees.ok_or(LedgerError::OutOfRange { asked, size: self.size() })?;
        subtrees.into_iter().map(|subtree| self.subtree(subtree)).collect()
    }

    /// The consistency proof between two sizes.
    pub(crate) fn consistency(&self, old: u64, new: u64) -> Result<Vec<Digest>, LedgerError> {
        let subtrees = consistency_subtrees(old, new).filter(|_| new <= self.size());
        let subtrees = subtrees.ok_or(LedgerError::OutOfRange { asked: old.max(new), size: self.size() })?;
        subtrees.into_iter().map(|subtree| self.subtree(subtree)).collect()
    }
}

/// The hashes in a tile file.
pub(crate) fn parse_hashes(path: &Path, bytes: &[u8], width: u64) -> Result<Vec<Digest>, LedgerError> {
    let (hashes, rest) = bytes.as_chunks::<32>();
    if !rest.is_empty() || hashes.len() as u64 != width {
        let expected = width * 32;
        return Err(LedgerError::damaged(path, format!("has {} bytes instead of {expected}", bytes.len())));
    }
    Ok(hashes.iter().copied().map(Digest::from_bytes).collect())
}
