//! The hashes of a Merkle tree (RFC 6962, section 2.1; RFC 9162, section 2.1).

use bartizan_core::Digest;
use bartizan_signing::Hasher;

/// The hash of an entry.
pub fn leaf_hash(entry: &[u8]) -> Digest {
    let mut hasher = Hasher::new();
    hasher.update(&[0]);
    hasher.update(entry);
    hasher.finish()
}

/// The hash of an inner node.
pub fn node_hash(left: &Digest, right: &Digest) -> Digest {
    let mut bytes = [1; 65];
    bytes[1..33].copy_from_slice(left.as_bytes());
    bytes[33..].copy_from_slice(right.as_bytes());
    bartizan_signing::digest(&bytes)
}

/// The root of a tree without entries.
pub fn empty_root() -> Digest {
    bartizan_signing::digest(&[])
}

/// The root of the tree over these nodes of one level, of which only the last may be incomplete.
/// The same as over their entries, because incomplete subtrees stand only on the right.
pub(crate) fn root_over(nodes: &[Digest]) -> Digest {
    match nodes {
        [] => empty_root(),
        [one] => *one,
        _ => {
            let (left, right) = nodes.split_at(split(nodes.len() as u64) as usize);
            node_hash(&root_over(left), &root_over(right))
        }
    }
}

/// The largest power of two below `size`, which must be above 1: where a tree divides.
pub(crate) fn split(size: u64) -> u64 {
    1 << (size - 1).ilog2()
}

/// The right edge of a growing tree: the roots of its complete subtrees, largest first. Enough to
/// add entries and to say the root.
#[derive(Clone, Default)]
pub(crate) struct Frontier {
    size: u64,
    roots: Vec<Digest>,
}

impl Frontier {
    /// The edge of a tree of `size` entries, whose complete subtrees `root_of(level, index)` gives.
    pub(crate) fn load<E>(size: u64, mut root_of: impl FnMut(u32, u64) -> Result<Digest, E>) -> Result<Self, E> {
        let mut roots = Vec::new();
        for level in (0..u64::BITS).rev().filter(|level| size >> level & 1 == 1) {
            roots.push(root_of(level, (size >> level) - 1)?);
        }
        Ok(Self { size, roots })
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    pub(crate) fn push(&mut self, leaf: Digest) {
        let mut node = leaf;
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.roots.pop() {
                node = node_hash(&left, &node);
            }
        }
        self.roots.push(node);
        self.size += 1;
    }

    pub(crate) fn root(&self) -> Digest {
        let mut roots = self.roots.iter().rev();
        let Some(last) = roots.next() else { return empty_root() };
        roots.fold(*last, |right, left| node_hash(left, &right))
    }
}
