//! Files that are one compressed stream: `.gz`, `.bz2`, `.xz`, `.lzma`, `.zst`, `.lz4`, and the zlib
//! streams that joblib writes.

use bartizan_core::{Completeness, Finding, Link, Rule, Severity};

use crate::codec::Codec;
use crate::unpacked::unpack;
use crate::{Area, Findings, Format, Inspect, Source};

/// A compressed file expands without measure.
pub const STREAM_BOMB: Rule = Rule {
    id: "BZ-ARC-001",
    title: "Compressed file decompresses like a bomb",
    severity: Severity::Low,
    explanation: "A few bytes expand to so many that whoever decompresses it runs out of memory or disk. Models and data \
        do not compress like that.",
    remedy: "Do not decompress it.",
    links: &[Link::Cwe(409)],
};

/// Hands on what a compressed file holds.
#[derive(Clone, Copy, Debug, Default)]
pub struct CompressedFile;

impl Inspect for CompressedFile {
    fn name(&self) -> &'static str {
        "compressed"
    }

    fn area(&self) -> Area {
        Area::Containers
    }

    fn claims(&self, _: &Source, format: Format) -> bool {
        codec(format).is_some()
    }

    fn inspect(&self, source: &Source, findings: &mut Findings) -> Completeness {
        let Some(codec) = codec(crate::recognise(source)) else { return Completeness::Complete };
        let packed = match crate::format::old_joblib(&source.head(64)) {
            Some(start) if codec == Codec::Zlib => source.slice("stream", start, source.length() - start),
            _ => source.clone(),
        };
        let unpacked = unpack(source, &content_name(source.file_name()), &packed, codec);
        if unpacked.is_bomb {
            findings.push(Finding::new(&STREAM_BOMB, source.whole(), "decompresses like a bomb"));
        }
        findings.child(unpacked.source);
        unpacked.problem.map_or(Completeness::Complete, Completeness::Partial)
    }
}

fn codec(format: Format) -> Option<Codec> {
    Some(match format {
        Format::Gzip => Codec::Gzip,
        Format::Bzip2 => Codec::Bzip2,
        Format::Xz => Codec::Xz,
        Format::Lzma => Codec::Lzma,
        Format::Zstandard => Codec::Zstandard,
        Format::Lz4 => Codec::Lz4,
        Format::Zlib => Codec::Zlib,
        _ => return None,
    })
}

/// What tools call the decompressed file: `x.tar` for `x.tar.gz` and `x.tgz`.
fn content_name(name: &str) -> String {
    const LONG: &[(&str, &str)] = &[("tgz", "tar"), ("tbz2", "tar"), ("txz", "tar"), ("tzst", "tar")];
    const PLAIN: &[&str] = &["gz", "bz2", "xz", "lzma", "zst", "lz4", "z", "gzip"];
    let Some((stem, extension)) = name.rsplit_once('.') else { return "content".to_owned() };
    let extension = extension.to_ascii_lowercase();
    if let Some((_, inner)) = LONG.iter().find(|(short, _)| *short == extension) {
        return format!("{stem}.{inner}");
    }
    if PLAIN.contains(&extension.as_str()) && !stem.is_empty() { stem.to_owned() } else { "content".to_owned() }
}

/// Decompresses arbitrary bytes with every decoder; must neither panic nor run away.
pub fn fuzz_one(bytes: &[u8]) {
    let limits = crate::Limits { member: 1 << 20, inflated: 4 << 20, ..crate::Limits::default() };
    let all = [Codec::Deflate, Codec::Zlib, Codec::Gzip, Codec::Bzip2, Codec::Xz, Codec::Lzma, Codec::ZipLzma(1 << 16)];
    for codec in all.into_iter().chain([Codec::Zstandard, Codec::Lz4]) {
        let source = Source::from_bytes("fuzz", bytes.to_vec(), limits);
        let _ = unpack(&source, "content", &source, codec);
    }
}
