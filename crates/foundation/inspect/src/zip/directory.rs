//! The two accounts that a ZIP archive gives of itself: the central directory at the end, and a
//! header before each member (APPNOTE 6.3.10, sections 4.3.7 and 4.3.12).

use std::io;

use rawzip::{ReaderAt, ZipLocator};

use crate::Source;

/// What one account says about a member.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Member {
    pub(crate) name: Vec<u8>,
    pub(crate) method: u16,
    pub(crate) flags: u16,
    pub(crate) crc: u32,
    pub(crate) compressed: u64,
    pub(crate) uncompressed: u64,
    /// Where its local header starts.
    pub(crate) header: u64,
    /// Where its bytes start; 0 in the central account, which doesn't say.
    pub(crate) data: u64,
}

impl Member {
    pub(crate) fn name(&self) -> String {
        String::from_utf8_lossy(&self.name).into_owned()
    }

    /// Sizes and checksum follow the data instead of standing in the local header.
    pub(crate) fn sizes_follow(&self) -> bool {
        self.flags & 0x8 != 0
    }
}

/// The central directory.
#[derive(Debug)]
pub(crate) struct Directory {
    pub(crate) members: Vec<Member>,
    /// Where the directory starts: members lie before it.
    pub(crate) start: u64,
    /// Why some of the directory could not be read.
    pub(crate) damage: Option<String>,
}

impl ReaderAt for Source {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        Source::read_at(self, buffer, offset).map_err(io::Error::other)
    }
}

/// Reads the central directory; `None` when there is none.
pub(crate) fn central(source: &Source) -> Option<Directory> {
    let mut buffer = vec![0; rawzip::RECOMMENDED_BUFFER_SIZE];
    let archive = ZipLocator::new().locate_in_reader(source, &mut buffer, source.length()).ok()?;
    let start = archive.directory_offset();
    let mut directory = Directory { members: Vec::new(), start, damage: None };
    let announced = archive.entries_hint();
    let mut entries = archive.entries(&mut buffer);
    loop {
        if let Err(exhausted) = source.budget().member() {
            directory.damage = Some(exhausted.to_string());
            break;
        }
        match entries.next_entry() {
            Ok(Some(entry)) => directory.members.push(Member {
                name: entry.file_path().as_ref().to_vec(),
                method: entry.compression_method().as_u16(),
                flags: entry.flags().bits(),
                crc: entry.crc32(),
                compressed: entry.compressed_size_hint(),
                uncompressed: entry.uncompressed_size_hint(),
                header: entry.local_header_offset(),
                data: 0,
            }),
            Ok(None) => break,
            Err(error) => {
                directory.damage = Some(format!("central directory: {error}"));
                break;
            }
        }
    }
    if directory.damage.is_none() && announced != directory.members.len() as u64 {
        directory.damage =
            Some(format!("the central directory announces {announced} members and lists {}", directory.members.len()));
    }
    Some(directory)
}

/// Reads the local header at `offset`; `None` when there is none.
pub(crate) fn local(source: &Source, offset: u64) -> Option<Member> {
    let fixed = source.read(offset, 30).ok()?;
    if !fixed.starts_with(b"PK\x03\x04") {
        return None;
    }
    let half =
        |at: usize| fixed.get(at..at + 2).map_or(0, |b| b.iter().rev().fold(0_u16, |n, b| n << 8 | u16::from(*b)));
    let word = |at: usize| u32::from(half(at)) | u32::from(half(at + 2)) << 16;
    let (name_length, extra_length) = (usize::from(half(26)), usize::from(half(28)));
    let name = source.read(offset + 30, name_length).ok()?;
    let extra = source.read(offset + 30 + name_length as u64, extra_length).ok()?;
    let mut member = Member {
        name,
        method: half(8),
        flags: half(6),
        crc: word(14),
        compressed: u64::from(word(18)),
        uncompressed: u64::from(word(22)),
        header: offset,
        data: offset + 30 + (name_length + extra_length) as u64,
    };
    zip64_sizes(&extra, &mut member);
    Some(member)
}

/// The ZIP64 extra field (APPNOTE 4.5.3) carries sizes that don't fit 32 bits.
fn zip64_sizes(mut extra: &[u8], member: &mut Member) {
    while let Some(([a, b, c, d], rest)) = extra.split_first_chunk::<4>() {
        let length = usize::from(u16::from_le_bytes([*c, *d]));
        let Some(field) = rest.get(..length) else { return };
        if u16::from_le_bytes([*a, *b]) == 1 {
            let mut sizes = field.chunks_exact(8).filter_map(|eight| eight.try_into().ok().map(u64::from_le_bytes));
            if member.uncompressed == u64::from(u32::MAX) {
                member.uncompressed = sizes.next().unwrap_or(member.uncompressed);
            }
            if member.compressed == u64::from(u32::MAX) {
                member.compressed = sizes.next().unwrap_or(member.compressed);
            }
        }
        extra = rest.get(length..).unwrap_or_default();
    }
}

/// Bytes between members that are searched for hidden ones; a model's own padding is far less.
const SEARCHED: u64 = 16 << 20;

/// Local headers in the gaps between `covered` ranges (sorted), up to `end`; and whether all of the
/// gaps were searched.
pub(crate) fn hidden(source: &Source, covered: &[(u64, u64)], end: u64) -> (Vec<Member>, bool) {
    let (mut members, mut position, mut left) = (Vec::new(), 0, SEARCHED);
    let tail = [(end, end)];
    for (start, stop) in covered.iter().chain(&tail) {
        while position + 30 <= *start {
            let length = (*start - position).min(64 << 10).min(left);
            let Ok(bytes) = source.read(position, usize::try_from(length).unwrap_or(0)) else {
                return (members, false);
            };
            match memchr::memmem::find(&bytes, b"PK\x03\x04") {
                Some(at) => {
                    let header = position + at as u64;
                    position = header + 4;
                    if let Some(member) = local(source, header) {
                        position =
                            member.data.saturating_add(if member.sizes_follow() { 0 } else { member.compressed });
                        members.push(member);
                    }
                }
                None if length < 30 => break,
                None => position += length - 3,
            }
            left = left.saturating_sub(length);
            if left == 0 || source.budget().member().is_err() {
                return (members, false);
            }
        }
        position = position.max(*stop);
    }
    (members, true)
}
