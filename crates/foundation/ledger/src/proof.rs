//! Inclusion and consistency proofs (RFC 6962, sections 2.1.1 and 2.1.2), made and checked.

use bartizan_core::Digest;

use crate::merkle::{node_hash, split};

/// A step of a proof: the complete or incomplete subtree over entries `start..end`.
type Subtree = (u64, u64);

/// The subtrees whose roots prove that entry `index` stands in the tree of `size` entries, from the
/// leaf's sibling upwards. `None` when it does not.
pub(crate) fn inclusion_subtrees(index: u64, size: u64) -> Option<Vec<Subtree>> {
    if index >= size {
        return None;
    }
    let (mut start, mut end) = (0, size);
    let mut path = Vec::new();
    while end - start > 1 {
        let middle = start + split(end - start);
        if index < middle {
            path.push((middle, end));
            end = middle;
        } else {
            path.push((start, middle));
            start = middle;
        }
    }
    path.reverse();
    Some(path)
}

/// The subtrees whose roots prove that the tree of `old` entries is the beginning of that of `new`.
/// `None` when `old` is 0 or above `new`.
pub(crate) fn consistency_subtrees(old: u64, new: u64) -> Option<Vec<Subtree>> {
    if old == 0 || old > new {
        return None;
    }
    let (mut start, mut end) = (0, new);
    let mut path = Vec::new();
    // Whether the old tree's root is this subtree's, so that the verifier knows it already.
    let mut known = true;
    while end != old {
        let middle = start + split(end - start);
        if old <= middle {
            path.push((middle, end));
            end = middle;
        } else {
            path.push((start, middle));
            start = middle;
            known = false;
        }
    }
    if !known {
        path.push((start, end));
    }
    path.reverse();
    Some(path)
}

/// Splits `start..end` into complete aligned subtrees as (level, index), largest first.
pub(crate) fn complete_subtrees(start: u64, end: u64) -> Vec<(u32, u64)> {
    let mut parts = Vec::new();
    let mut at = start;
    while at < end {
        let level = (end - at).ilog2().min(if at == 0 { u64::BITS } else { at.trailing_zeros() });
        parts.push((level, at >> level));
        at += 1 << level;
    }
    parts
}

/// The root that the proof leads to from this leaf; `None` when the proof has the wrong length
/// (RFC 9162, section 2.1.3.2).
pub fn root_from_inclusion(leaf: &Digest, index: u64, size: u64, proof: &[Digest]) -> Option<Digest> {
    if index >= size {
        return None;
    }
    let (mut position, mut last, mut root) = (index, size - 1, *leaf);
    for sibling in proof {
        if last == 0 {
            return None;
        }
        if position & 1 == 1 || position == last {
            root = node_hash(sibling, &root);
            while position & 1 == 0 && position != 0 {
                position >>= 1;
                last >>= 1;
            }
        } else {
            root = node_hash(&root, sibling);
        }
        position >>= 1;
        last >>= 1;
    }
    (last == 0).then_some(root)
}

/// Whether the proof shows that the tree of `old` entries with `old_root` is the beginning of that
/// of `new` entries with `new_root` (RFC 9162, section 2.1.4.2).
pub fn is_consistent(old: u64, old_root: &Digest, new: u64, new_root: &Digest, proof: &[Digest]) -> bool {
    if old == 0 || old > new {
        return false;
    }
    if old == new {
        return proof.is_empty() && old_root == new_root;
    }
    let mut steps = proof.iter();
    let first = if old.is_power_of_two() { Some(old_root) } else { steps.next() };
    let Some(first) = first else { return false };
    let (mut position, mut last) = (old - 1, new - 1);
    while position & 1 == 1 {
        position >>= 1;
        last >>= 1;
    }
    let (mut from_old, mut from_new) = (*first, *first);
    for step in steps {
        if last == 0 {
            return false;
        }
        if position & 1 == 1 || position == last {
            from_old = node_hash(step, &from_old);
            from_new = node_hash(step, &from_new);
            while position & 1 == 0 && position != 0 {
                position >>= 1;
                last >>= 1;
            }
        } else {
            from_new = node_hash(&from_new, step);
        }
        position >>= 1;
        last >>= 1;
    }
    last == 0 && from_old == *old_root && from_new == *new_root
}
