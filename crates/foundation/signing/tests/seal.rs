//! A sealed file opens with its key, whole and unchanged, or not at all.

#![allow(clippy::unwrap_used)]

use bartizan_core::Secret;
use bartizan_signing::{SealError, open, seal};

const CHUNK: usize = 64 * 1024;
const HEADER: usize = 80;

fn key(byte: u8) -> Secret<[u8; 32]> {
    Secret::new([byte; 32])
}

fn sealed(plain: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    seal(plain, &mut out, &key(1)).unwrap();
    out
}

fn opened(sealed: &[u8]) -> Result<Vec<u8>, SealError> {
    let mut out = Vec::new();
    open(sealed, &mut out, &key(1)).map(|()| out)
}

#[test]
fn what_was_sealed_opens_at_every_length_around_a_chunk() {
    for length in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 5] {
        let plain: Vec<u8> = (0..length).map(|i| (i % 251) as u8).collect();
        let sealed = sealed(&plain);
        assert_eq!(sealed.len(), HEADER + length + 16 * length.div_ceil(CHUNK).max(1));
        assert_eq!(opened(&sealed).unwrap(), plain);
    }
}

#[test]
fn two_seals_of_the_same_bytes_share_nothing() {
    assert_ne!(sealed(b"same")[16..], sealed(b"same")[16..]);
}

#[test]
fn another_key_is_told_apart_from_damage() {
    let mut out = Vec::new();
    let refused = open(sealed(b"secret").as_slice(), &mut out, &key(2));
    assert!(matches!(refused, Err(SealError::WrongKey)));
    assert!(out.is_empty());
}

#[test]
fn every_flipped_bit_of_a_short_file_is_refused() {
    let sealed = sealed(b"a short file");
    for at in 0..sealed.len() {
        for bit in 0..8 {
            let mut flipped = sealed.clone();
            flipped[at] ^= 1 << bit;
            assert!(opened(&flipped).is_err(), "byte {at}, bit {bit}");
        }
    }
}

#[test]
fn cutting_swapping_repeating_extending_and_splicing_chunks_is_refused() {
    let plain: Vec<u8> = (0..3 * CHUNK).map(|i| (i / CHUNK) as u8).collect();
    let whole = sealed(&plain);
    let step = CHUNK + 16;
    let chunk = |n: usize| &whole[HEADER + n * step..HEADER + (n + 1) * step];
    let head = &whole[..HEADER];
    let other = sealed(&plain);
    for (what, parts) in [
        ("cut after a chunk", vec![head, chunk(0), chunk(1)]),
        ("only the header", vec![head]),
        ("swapped", vec![head, chunk(1), chunk(0), chunk(2)]),
        ("repeated", vec![head, chunk(0), chunk(0), chunk(1), chunk(2)]),
        ("extended", vec![head, chunk(0), chunk(1), chunk(2), chunk(2)]),
        ("dropped from the middle", vec![head, chunk(0), chunk(2)]),
        ("another file's chunk", vec![head, chunk(0), &other[HEADER + step..HEADER + 2 * step], chunk(2)]),
        ("another file's header", vec![&other[..HEADER], chunk(0), chunk(1), chunk(2)]),
    ] {
        assert!(opened(&parts.concat()).is_err(), "{what}");
    }
    for cut in [0, 1, HEADER - 1, HEADER + 5, whole.len() - 1] {
        assert!(opened(&whole[..cut]).is_err(), "cut at {cut}");
    }
}
