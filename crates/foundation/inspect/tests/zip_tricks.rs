//! Archives that show different readers different content are taken apart.

#![allow(clippy::expect_used, reason = "a test that cannot prepare its world has failed")]

use std::io::Write as _;

use bartizan_inspect::zip::ZipArchive;
use bartizan_inspect::{Examination, Limits, Source, examine};

/// One member as the test wants it written; the fields may lie.
#[derive(Clone)]
struct Member {
    listed: &'static str,
    local: &'static str,
    method: u16,
    flags: u16,
    crc: u32,
    data: Vec<u8>,
    is_listed: bool,
}

fn stored(name: &'static str, data: &[u8]) -> Member {
    let mut crc = flate2::Crc::new();
    crc.update(data);
    Member { listed: name, local: name, method: 0, flags: 0, crc: crc.sum(), data: data.to_vec(), is_listed: true }
}

fn header(member: &Member, name: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for half in [20, member.flags, member.method, 0, 0] {
        out.extend_from_slice(&half.to_le_bytes());
    }
    for word in [member.crc, member.data.len() as u32, member.data.len() as u32] {
        out.extend_from_slice(&word.to_le_bytes());
    }
    out.extend_from_slice(&(name.len() as u16).to_le_bytes());
    out.extend_from_slice(&0_u16.to_le_bytes());
    out
}

fn archive(prefix: &[u8], members: &[Member]) -> Vec<u8> {
    let mut file = prefix.to_vec();
    let mut directory = Vec::new();
    let mut listed = 0_u16;
    for member in members {
        let offset = file.len() as u32;
        file.extend_from_slice(b"PK\x03\x04");
        file.extend_from_slice(&header(member, member.local));
        file.extend_from_slice(member.local.as_bytes());
        file.extend_from_slice(&member.data);
        if member.is_listed {
            listed += 1;
            directory.extend_from_slice(b"PK\x01\x02\x14\0");
            directory.extend_from_slice(&header(member, member.listed));
            directory.extend_from_slice(&[0; 10]);
            directory.extend_from_slice(&offset.to_le_bytes());
            directory.extend_from_slice(member.listed.as_bytes());
        }
    }
    let start = file.len() as u32;
    file.extend_from_slice(&directory);
    file.extend_from_slice(b"PK\x05\x06\0\0\0\0");
    file.extend_from_slice(&listed.to_le_bytes());
    file.extend_from_slice(&listed.to_le_bytes());
    file.extend_from_slice(&(directory.len() as u32).to_le_bytes());
    file.extend_from_slice(&start.to_le_bytes());
    file.extend_from_slice(&[0, 0]);
    file
}

fn look(bytes: Vec<u8>) -> Examination {
    examine(&Source::from_bytes("model.zip", bytes, Limits::default()), &[&ZipArchive])
}

#[track_caller]
fn flags(bytes: Vec<u8>, rule: &str) {
    let seen = look(bytes);
    assert!(seen.findings.iter().any(|finding| finding.rule.id == rule), "{rule}: {seen:?}");
}

#[test]
fn an_ordinary_archive_is_clean_and_its_members_are_looked_at() {
    for prefix in [&b""[..], b"#!/bin/sh\n"] {
        let seen = look(archive(prefix, &[stored("a.txt", b"hello"), stored("b.txt", b"there")]));
        assert!(seen.findings.is_empty() && seen.completeness.is_complete(), "{seen:?}");
        assert_eq!(seen.members, 2);
    }
}

#[test]
fn accounts_that_disagree_are_reported() {
    flags(archive(b"", &[Member { local: "b.pkl", ..stored("a.txt", b"x") }]), "BZ-ZIP-001");
}

#[test]
fn flags_that_hide_plain_bytes_are_reported() {
    for bits in [0x1, 0x20, 0x40] {
        flags(archive(b"", &[Member { flags: bits, ..stored("a.txt", b"x") }]), "BZ-ZIP-002");
    }
}

#[test]
fn an_encrypted_member_is_a_gap_and_no_lie() {
    let seen = look(archive(b"", &[Member { flags: 1, crc: 7, ..stored("a.txt", b"x") }]));
    assert!(seen.findings.is_empty() && !seen.completeness.is_complete(), "{seen:?}");
}

#[test]
fn a_wrong_checksum_is_reported_and_the_member_is_looked_at_all_the_same() {
    let bytes = archive(b"", &[Member { crc: 7, ..stored("a.txt", b"x") }]);
    assert_eq!(look(bytes.clone()).members, 1);
    flags(bytes, "BZ-ZIP-003");
}

#[test]
fn doubled_hidden_and_climbing_members_are_reported() {
    flags(archive(b"", &[stored("a", b"x"), stored("a", b"y")]), "BZ-ZIP-004");
    let hidden =
        archive(b"", &[stored("a", b"x"), Member { is_listed: false, ..stored("b", b"y") }, stored("c", b"z")]);
    assert_eq!(look(hidden.clone()).members, 3);
    flags(hidden, "BZ-ZIP-005");
    flags(archive(b"", &[stored("../../a", b"x")]), "BZ-ZIP-006");
}

#[test]
fn an_archive_cut_off_before_its_directory_is_a_gap_and_its_members_are_looked_at() {
    let mut bytes = archive(b"", &[stored("a", b"x"), stored("b", b"y")]);
    bytes.truncate(70);
    let seen = look(bytes);
    assert!(!seen.completeness.is_complete());
    assert_eq!(seen.members, 2);
}

#[test]
fn a_bomb_stops_early_and_is_a_gap() {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    for _ in 0..64 {
        encoder.write_all(&[0; 1 << 20]).expect("memory");
    }
    let data = encoder.finish().expect("memory");
    let bytes = archive(b"", &[Member { method: 8, data, ..stored("a", b"") }]);
    assert!(!look(bytes.clone()).completeness.is_complete());
    flags(bytes, "BZ-ZIP-007");
}

#[test]
fn unknown_compression_is_a_gap() {
    let seen = look(archive(b"", &[Member { method: 14, ..stored("a", b"x") }]));
    assert!(!seen.completeness.is_complete());
}
