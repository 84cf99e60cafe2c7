//! Where everything stands: C2SP tlog-tiles paths, and our own files beside them.

use std::path::{Path, PathBuf};

/// Hashes in a full tile, and entries in a full bundle.
pub(crate) const TILE_WIDTH: u64 = 256;
/// The signed checkpoint for readers that know nothing of our write-ahead segments.
pub(crate) const CHECKPOINT: &str = "checkpoint";
/// The text of the key that verifies the checkpoints.
pub(crate) const VERIFIER: &str = "verifier";

/// A file of the static log.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum Tile {
    /// Entries of one bundle.
    Entries {
        /// Which bundle.
        index: u64,
        /// Entries in it: 1 to 256.
        width: u64,
    },
    /// Hashes of one tile.
    Hashes {
        /// Level in tiles: its hashes stand at level `8 * level` of the tree.
        level: u32,
        /// Which tile of that level.
        index: u64,
        /// Hashes in it: 1 to 256.
        width: u64,
    },
}

impl Tile {
    /// The path under the log's folder, such as `tile/0/x001/x234/067` or `tile/0/000.p/5`.
    pub(crate) fn path(self) -> String {
        let (level, index, width) = match self {
            Self::Entries { index, width } => ("entries".to_owned(), index, width),
            Self::Hashes { level, index, width } => (level.to_string(), index, width),
        };
        let mut number = format!("{:03}", index % 1000);
        let mut rest = index / 1000;
        while rest > 0 {
            number = format!("x{:03}/{number}", rest % 1000);
            rest /= 1000;
        }
        let partial = if width < TILE_WIDTH { format!(".p/{width}") } else { String::new() };
        format!("tile/{level}/{number}{partial}")
    }
}

/// The write-ahead segment whose first entry is `first`.
pub(crate) fn segment_path(directory: &Path, first: u64) -> PathBuf {
    directory.join(format!("wal-{first:020}"))
}

/// The first entry of the segment with this file name; `None` for another file.
pub(crate) fn segment_first(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("wal-")?;
    (digits.len() == 20 && digits.bytes().all(|b| b.is_ascii_digit())).then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_the_specification() {
        let hashes = |level, index, width| Tile::Hashes { level, index, width }.path();
        assert_eq!(hashes(0, 1_234_067, 256), "tile/0/x001/x234/067");
        assert_eq!(hashes(1, 0, 7), "tile/1/000.p/7");
        assert_eq!(Tile::Entries { index: 1000, width: 256 }.path(), "tile/entries/x001/000");
    }

    #[test]
    fn a_segment_is_found_by_its_name() {
        let path = segment_path(Path::new("ledger"), 16_384);
        assert_eq!(segment_first(path.file_name().unwrap().to_str().unwrap()), Some(16_384));
        assert_eq!(segment_first("wal-00000000000000016384.tmp"), None);
    }
}
