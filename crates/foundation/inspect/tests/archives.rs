//! Whatever wraps bytes, the bytes inside are seen; what can't be unwrapped is said.

#![allow(clippy::expect_used, reason = "a test that cannot prepare its world has failed")]

use std::cell::RefCell;
use std::io::Write as _;

use bartizan_core::Completeness;
use bartizan_inspect::{Area, CONTAINERS, Examination, Findings, Format, Inspect, Limits, Source, examine};

/// "hello from inside", by the reference tool of each format.
const XZ: &[u8] = b"\xfd\x37\x7a\x58\x5a\x00\x00\x04\xe6\xd6\xb4\x46\x02\x00\x21\x01\x0c\x00\x00\x00\x8f\x98\x41\x9c\x01\x00\x10\x68\x65\x6c\x6c\x6f\x20\x66\x72\x6f\x6d\x20\x69\x6e\x73\x69\x64\x65\x00\x00\x00\x00\xb0\x13\x36\x69\xfd\x37\x79\xa5\x00\x01\x29\x11\x32\x0a\x70\x0e\x1f\xb6\xf3\x7d\x01\x00\x00\x00\x00\x04\x59\x5a";
const LZMA: &[u8] = b"\x5d\x00\x00\x04\x00\xff\xff\xff\xff\xff\xff\xff\xff\x00\x34\x19\x49\xdb\x85\x5c\x63\x5b\xa1\x77\x14\x94\xb1\x51\xc1\x11\xfc\x17\x8b\xb4\x04\xff\xff\x85\x24\x00\x00";
const ZSTANDARD: &[u8] =
    b"\x28\xb5\x2f\xfd\x20\x11\x89\x00\x00\x68\x65\x6c\x6c\x6f\x20\x66\x72\x6f\x6d\x20\x69\x6e\x73\x69\x64\x65";
const LZ4: &[u8] = b"\x04\x22\x4d\x18\x60\x40\x82\x11\x00\x00\x80\x68\x65\x6c\x6c\x6f\x20\x66\x72\x6f\x6d\x20\x69\x6e\x73\x69\x64\x65\x00\x00\x00\x00";
const BZIP2: &[u8] = b"\x42\x5a\x68\x39\x31\x41\x59\x26\x53\x59\x82\xaf\xf0\x4e\x00\x00\x03\x11\x80\x40\x00\x07\x67\x98\x00\x20\x00\x22\x9b\x42\x7a\x69\xa8\x40\xd0\x34\x16\x1a\x37\xe6\x02\xc2\x1e\xbf\x8b\xb9\x22\x9c\x28\x48\x41\x57\xf8\x27\x00";
const SEVEN_ZIP: &[u8] = b"\x37\x7a\xbc\xaf\x27\x1c\x00\x04\x0e\x6a\x87\x9c\x72\x00\x00\x00\x00\x00\x00\x00\x14\x00\x00\x00\x00\x00\x00\x00\x4e\xbb\x69\x46\x01\x00\x10\x68\x65\x6c\x6c\x6f\x20\x66\x72\x6f\x6d\x20\x69\x6e\x73\x69\x64\x65\x00\xe0\x00\x5a\x00\x55\x5d\x00\x00\x81\x33\x07\xae\x0f\xcf\x4b\x6f\x8c\x07\xb0\xc3\xda\x2a\xd7\x58\x64\xac\xb3\x78\xce\x54\xdd\xa4\x4a\x6f\x82\x7b\x05\x5f\x53\xe9\xcb\x88\x21\x48\x0d\x48\xef\xe6\x89\x0e\x09\xeb\xcf\xa2\x3a\x36\xd0\xef\xe5\xe3\xc4\xc8\x1c\x56\xf2\xd4\x84\x7f\xe3\x2b\x5b\xea\xc1\xac\x38\xe0\x7d\xf4\xc9\xdc\xd7\x46\x0a\x69\x0c\xfa\x87\x43\x5e\x00\x00\x00\x00\x17\x06\x15\x01\x09\x5d\x00\x07\x0b\x01\x00\x01\x21\x21\x01\x18\x0c\x5b\x00\x00";
const CONTENT: &[u8] = b"hello from inside";

/// Notes every source that no container claims.
#[derive(Default)]
struct Notes(std::sync::Mutex<Vec<(String, Vec<u8>)>>);

impl Inspect for Notes {
    fn name(&self) -> &'static str {
        "notes"
    }

    fn area(&self) -> Area {
        Area::Models
    }

    fn claims(&self, source: &Source, _: Format) -> bool {
        !CONTAINERS.iter().any(|container| container.claims(source, bartizan_inspect::recognise(source)))
    }

    fn inspect(&self, source: &Source, _: &mut Findings) -> Completeness {
        let bytes = RefCell::new(Vec::new());
        let mut offset = 0;
        let mut chunk = vec![0; 10_000];
        while let Ok(count @ 1..) = source.read_at(&mut chunk, offset) {
            bytes.borrow_mut().extend_from_slice(&chunk[..count]);
            offset += count as u64;
        }
        self.0.lock().expect("no panic before").push((source.name().to_owned(), bytes.into_inner()));
        Completeness::Complete
    }
}

fn look(name: &str, bytes: &[u8], limits: Limits) -> (Examination, Vec<(String, Vec<u8>)>) {
    let notes = Notes::default();
    let mut inspectors = CONTAINERS.to_vec();
    inspectors.push(&notes);
    let seen = examine(&Source::from_bytes(name, bytes.to_vec(), limits), &inspectors);
    (seen, notes.0.into_inner().expect("no panic before"))
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

fn tar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        builder.append_data(&mut header, name, *bytes).expect("memory");
    }
    builder.into_inner().expect("memory")
}

#[test]
fn every_compressed_stream_is_unwrapped() {
    let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    zlib.write_all(CONTENT).expect("memory");
    let zlib = zlib.finish().expect("memory");
    let streams = [
        ("a.gz", gzip(CONTENT)),
        ("a.z", zlib),
        ("a.xz", XZ.to_vec()),
        ("a.lzma", LZMA.to_vec()),
        ("a.zst", ZSTANDARD.to_vec()),
        ("a.lz4", LZ4.to_vec()),
        ("a.bz2", BZIP2.to_vec()),
    ];
    for (name, bytes) in streams {
        let (seen, notes) = look(name, &bytes, Limits::default());
        assert!(seen.completeness.is_complete(), "{name}: {seen:?}");
        assert_eq!(notes, [(format!("{name}!a"), CONTENT.to_vec())], "{name}");
        let cut = &bytes[..bytes.len() - 9];
        let (seen, _) = look(name, cut, Limits::default());
        assert!(!seen.completeness.is_complete(), "{name} cut off: {seen:?}");
    }
}

#[test]
fn archives_in_archives_are_unwrapped_to_the_last() {
    let inner = tar(&[("inside.txt", CONTENT)]);
    let outer = tar(&[("deep/inner.tar.gz", &gzip(&inner)), ("x.7z", SEVEN_ZIP)]);
    let (seen, notes) = look("outer.tgz", &gzip(&outer), Limits::default());
    assert!(seen.completeness.is_complete(), "{seen:?}");
    let names: Vec<&str> = notes.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        ["outer.tgz!outer.tar!deep/inner.tar.gz!inner.tar!inside.txt", "outer.tgz!outer.tar!x.7z!inside.txt"]
    );
    assert!(notes.iter().all(|(_, bytes)| bytes == CONTENT));
    let (seen, _) = look("outer.tgz", &gzip(&outer), Limits { depth: 2, ..Limits::default() });
    assert!(!seen.completeness.is_complete(), "{seen:?}");
}

#[test]
fn streams_too_long_for_memory_read_the_same_forwards_and_backwards() {
    let content: Vec<u8> = (0..6_000_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let limits = Limits { member: 1 << 20, ..Limits::default() };
    let (seen, notes) = look("a.gz", &gzip(&content), limits);
    assert!(seen.completeness.is_complete(), "{seen:?}");
    assert_eq!(notes.len(), 1);
    assert!(notes[0].1 == content);
}

#[test]
fn bombs_stop_after_little_output_whatever_packs_them() {
    let zeros = vec![0; 64 << 20];
    for (name, packed) in [("a.gz", gzip(&zeros)), ("a.tar.gz", gzip(&tar(&[("zeros", &zeros)])))] {
        let begun = std::time::Instant::now();
        let (seen, _) = look(name, &packed, Limits::default());
        assert!(begun.elapsed() < std::time::Duration::from_secs(1), "{name}: {:?}", begun.elapsed());
        assert!(!seen.completeness.is_complete(), "{seen:?}");
        assert!(seen.findings.iter().any(|finding| finding.rule.id == "BZ-ARC-001"), "{seen:?}");
    }
}

#[test]
fn tar_members_that_climb_or_hide_are_named() {
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(CONTENT.len() as u64);
    header.as_gnu_mut().expect("a GNU header").name[..11].copy_from_slice(b"../climbing");
    header.set_cksum();
    builder.append(&header, CONTENT).expect("memory");
    let mut link = tar::Header::new_gnu();
    link.set_entry_type(tar::EntryType::Symlink);
    link.set_size(0);
    builder.append_link(&mut link, "link", "/etc/passwd").expect("memory");
    let mut bytes = builder.into_inner().expect("memory");
    bytes.extend_from_slice(&tar(&[("behind", CONTENT)]));
    let (seen, notes) = look("a.tar", &bytes, Limits::default());
    let escaping = seen.findings.iter().filter(|finding| finding.rule.id == "BZ-ARC-002").count();
    assert_eq!(escaping, 2, "{seen:?}");
    assert!(seen.findings.iter().any(|finding| finding.rule.id == "BZ-ARC-003"), "{seen:?}");
    assert!(notes.iter().any(|(name, _)| name.ends_with("!behind")), "{notes:?}");
}

#[test]
fn damaged_archives_neither_panic_nor_run_away() {
    let seeds: Vec<Vec<u8>> = [XZ, LZMA, ZSTANDARD, LZ4, BZIP2, SEVEN_ZIP]
        .iter()
        .map(|bytes| bytes.to_vec())
        .chain([gzip(CONTENT), tar(&[("a", CONTENT), ("b", &[0; 700])])])
        .collect();
    let time = if std::env::var_os("BARTIZAN_LONG").is_some() { 100 } else { 2 };
    let end = std::time::Instant::now() + std::time::Duration::from_secs(time);
    for (count, bytes) in bartizan_inspect::mutations(&seeds, 0xa2c).enumerate() {
        let begun = std::time::Instant::now();
        bartizan_inspect::compressed::fuzz_one(&bytes);
        bartizan_inspect::tar::fuzz_one(&bytes);
        bartizan_inspect::sevenz::fuzz_one(&bytes);
        assert!(begun.elapsed() < std::time::Duration::from_secs(5), "input {count} runs away: {bytes:02x?}");
        if std::time::Instant::now() > end {
            assert!(count > 100);
            println!("{count} inputs");
            return;
        }
    }
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

#[track_caller]
fn unwraps(file: &[u8], content: &[u8]) {
    let (seen, found) = look("model", file, Limits::default());
    assert!(seen.completeness.is_complete(), "{seen:?}");
    let contents: Vec<&[u8]> = found.iter().map(|(_, bytes)| bytes.as_slice()).collect();
    assert_eq!(contents, [content]);
}

#[test]
fn a_stream_behind_a_stream_is_read_as_its_reader_reads_it() {
    let (one, other) = CONTENT.split_at(5);
    unwraps(&[zlib(b""), zlib(CONTENT)].concat(), CONTENT);
    unwraps(&[zlib(one), zlib(b""), zlib(other)].concat(), CONTENT);
    unwraps(&[gzip(one), gzip(other)].concat(), CONTENT);
    let twice = [CONTENT, CONTENT].concat();
    unwraps(&[LZMA, LZMA].concat(), &twice);
    unwraps(&[XZ, XZ].concat(), &twice);
    unwraps(&[BZIP2, BZIP2].concat(), &twice);
    unwraps(&[ZSTANDARD, ZSTANDARD].concat(), &twice);
    unwraps(&[LZ4, LZ4].concat(), &twice);
}

#[test]
fn bytes_behind_a_stream_that_are_none_are_a_gap() {
    for stream in
        [zlib(CONTENT), gzip(CONTENT), XZ.to_vec(), LZMA.to_vec(), BZIP2.to_vec(), ZSTANDARD.to_vec(), LZ4.to_vec()]
    {
        let (seen, _) = look("model", &[&stream[..], b"something else"].concat(), Limits::default());
        assert!(!seen.completeness.is_complete(), "{seen:?}");
    }
}

#[test]
fn frames_that_decoders_pass_over_hide_nothing() {
    let skipped = |number: u8, bytes: &[u8]| {
        let length = u32::try_from(bytes.len()).expect("short").to_le_bytes();
        [&[0x50 | number, 0x2a, 0x4d, 0x18][..], &length, bytes].concat()
    };
    for number in [0, 15] {
        unwraps(&[&skipped(number, b"abcd")[..], ZSTANDARD].concat(), CONTENT);
        unwraps(&[&skipped(number, b"")[..], &skipped(1, b"x"), ZSTANDARD, &skipped(2, b"y")].concat(), CONTENT);
    }
    let (seen, _) = look("model", &[&skipped(0, b"abcd")[..], LZ4].concat(), Limits::default());
    assert!(!seen.completeness.is_complete(), "{seen:?}");
}

#[test]
fn the_container_of_old_joblib_is_recognised_by_its_bytes() {
    for (width, length) in [(19, "0x11"), (20, "0x11L"), (19, "11")] {
        unwraps(&[format!("ZF{length:<width$}").as_bytes(), &zlib(CONTENT)].concat(), CONTENT);
    }
    let (seen, _) = look("notes.txt", b"ZFS is a file system, and this is a text about it", Limits::default());
    assert_eq!(seen.format, Format::Text);
}

#[test]
fn a_message_whose_field_is_longer_than_any_file_is_no_model() {
    let field = [0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0];
    let source = Source::from_bytes("model", field.to_vec(), Limits::default());
    assert_eq!(bartizan_inspect::recognise(&source), Format::Unknown);
}
