//! Proofs against a naive implementation, written as RFC 6962, section 2.1, defines it.

#![allow(clippy::unwrap_used)]

mod world;

use bartizan_core::Digest;
use bartizan_ledger::{empty_root, is_consistent, leaf_hash, node_hash, root_from_inclusion};
use proptest::prelude::*;
use world::World;

/// MTH of the RFC.
fn root(leaves: &[Vec<u8>]) -> Digest {
    match leaves {
        [] => empty_root(),
        [one] => leaf_hash(one),
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len()));
            node_hash(&root(left), &root(right))
        }
    }
}

/// The largest power of two smaller than `n`.
fn split(n: usize) -> usize {
    let mut k = 1;
    while k * 2 < n {
        k *= 2;
    }
    k
}

/// PATH of the RFC.
fn path(m: usize, leaves: &[Vec<u8>]) -> Vec<Digest> {
    if leaves.len() <= 1 {
        return Vec::new();
    }
    let k = split(leaves.len());
    let (left, right) = leaves.split_at(k);
    if m < k {
        let mut proof = path(m, left);
        proof.push(root(right));
        proof
    } else {
        let mut proof = path(m - k, right);
        proof.push(root(left));
        proof
    }
}

/// SUBPROOF of the RFC.
fn subproof(m: usize, leaves: &[Vec<u8>], known: bool) -> Vec<Digest> {
    if m == leaves.len() {
        return if known { Vec::new() } else { vec![root(leaves)] };
    }
    let k = split(leaves.len());
    let (left, right) = leaves.split_at(k);
    if m <= k {
        let mut proof = subproof(m, left, known);
        proof.push(root(right));
        proof
    } else {
        let mut proof = subproof(m - k, right, false);
        proof.push(root(left));
        proof
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn roots_and_proofs_equal_those_of_the_rfc(size in 1usize..900, a in any::<usize>(), b in any::<usize>()) {
        let world = World::with_entries(size as u64);
        let reader = world.reader();
        let leaves: Vec<Vec<u8>> = reader.raw(0, size as u64).map(|raw| raw.unwrap().1).collect();
        let (old, new) = { let (a, b) = (a % size + 1, b % size + 1); (a.min(b), a.max(b)) };
        let (old_root, new_root) = (root(&leaves[..old]), root(&leaves[..new]));
        prop_assert_eq!(reader.root_at(old as u64).unwrap(), old_root);
        prop_assert_eq!(reader.root_at(new as u64).unwrap(), new_root);
        prop_assert_eq!(reader.checkpoint().root, root(&leaves));

        let index = a % new;
        let proof = reader.inclusion_proof(index as u64, new as u64).unwrap();
        prop_assert_eq!(&proof, &path(index, &leaves[..new]));
        let leaf = leaf_hash(&leaves[index]);
        prop_assert_eq!(root_from_inclusion(&leaf, index as u64, new as u64, &proof), Some(new_root));
        let other = (index + 1) % new;
        if other != index {
            prop_assert_ne!(root_from_inclusion(&leaf, other as u64, new as u64, &proof), Some(new_root));
        }

        let proof = reader.consistency_proof(old as u64, new as u64).unwrap();
        prop_assert_eq!(&proof, &subproof(old, &leaves[..new], true));
        prop_assert!(is_consistent(old as u64, &old_root, new as u64, &new_root, &proof));
        for place in 0..proof.len() {
            let mut wrong = proof.clone();
            wrong[place] = empty_root();
            prop_assert!(!is_consistent(old as u64, &old_root, new as u64, &new_root, &wrong));
        }
        if old < new {
            prop_assert!(!is_consistent(old as u64, &new_root, new as u64, &new_root, &proof));
        }
    }
}

#[test]
fn a_proof_for_an_entry_that_is_not_there_is_refused() {
    let world = World::with_entries(3);
    assert!(world.reader().inclusion_proof(3, 3).is_err());
    assert!(world.reader().inclusion_proof(0, 4).is_err());
    assert!(world.reader().consistency_proof(0, 3).is_err());
    assert!(world.reader().consistency_proof(2, 4).is_err());
}
