//! Entries in, tile files out.

use bartizan_core::Digest;

use crate::bundle;
use crate::layout::{TILE_WIDTH, Tile};
use crate::merkle::root_over;

/// A tile file that is ready to be written.
pub(crate) type Made = (Tile, Vec<u8>);

/// The incomplete tiles at the right edge of the log.
#[derive(Default)]
pub(crate) struct Tiles {
    size: u64,
    entries: Vec<u8>,
    /// The hashes of each level's incomplete tile.
    levels: Vec<Vec<Digest>>,
}

impl Tiles {
    /// The edge of a log of `size` entries (a multiple of 256), whose complete subtrees
    /// `node(level, index)` gives.
    pub(crate) fn load<E>(size: u64, mut node: impl FnMut(u32, u64) -> Result<Digest, E>) -> Result<Self, E> {
        let mut levels = vec![Vec::new()];
        let mut level = 8;
        while size >> level > 0 {
            let end = size >> level;
            let start = end - end % TILE_WIDTH;
            levels.push((start..end).map(|index| node(level, index)).collect::<Result<_, E>>()?);
            level += 8;
        }
        Ok(Self { size, entries: Vec::new(), levels })
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Adds an entry; tiles that it completes go to `made`.
    pub(crate) fn push(&mut self, entry: &[u8], leaf: Digest, made: &mut Vec<Made>) {
        bundle::push(&mut self.entries, entry);
        self.size += 1;
        if self.size.is_multiple_of(TILE_WIDTH) {
            let index = self.size / TILE_WIDTH - 1;
            made.push((Tile::Entries { index, width: TILE_WIDTH }, std::mem::take(&mut self.entries)));
        }
        let mut node = leaf;
        for level in 0.. {
            if self.levels.len() <= level {
                self.levels.push(Vec::new());
            }
            let Some(hashes) = self.levels.get_mut(level) else { return };
            hashes.push(node);
            if (hashes.len() as u64) < TILE_WIDTH {
                return;
            }
            let hashes = std::mem::take(hashes);
            let level = u32::try_from(level).unwrap_or(u32::MAX);
            let index = (self.size >> (8 * level)) / TILE_WIDTH - 1;
            node = root_over(&hashes);
            made.push((Tile::Hashes { level, index, width: TILE_WIDTH }, join(&hashes)));
        }
    }

    /// The incomplete tiles, for a static copy of the log.
    pub(crate) fn partial(&self) -> Vec<Made> {
        let mut made = Vec::new();
        let index = self.size / TILE_WIDTH;
        if !self.entries.is_empty() {
            made.push((Tile::Entries { index, width: self.size % TILE_WIDTH }, self.entries.clone()));
        }
        for (level, hashes) in (0..).zip(&self.levels) {
            if !hashes.is_empty() {
                let index = (self.size >> (8 * level)) / TILE_WIDTH;
                made.push((Tile::Hashes { level, index, width: hashes.len() as u64 }, join(hashes)));
            }
        }
        made
    }
}

fn join(hashes: &[Digest]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| *hash.as_bytes()).collect()
}
