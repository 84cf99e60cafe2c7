//! The first bytes of every file of ours: who it belongs to, and which shape it has.

/// Bytes of a header.
pub const HEADER_LENGTH: usize = 16;

/// Magic (`name`, at most 8 ASCII characters, padded with zeros), version (`u32`, little-endian)
/// and CRC-32 of the two. A longer name is cut.
pub fn header(name: &str, version: u32) -> [u8; HEADER_LENGTH] {
    let mut header = [0; HEADER_LENGTH];
    let magic = name.as_bytes();
    let length = magic.len().min(8);
    header[..length].copy_from_slice(&magic[..length]);
    header[8..12].copy_from_slice(&version.to_le_bytes());
    let crc = crc32fast::hash(&header[..12]);
    header[12..].copy_from_slice(&crc.to_le_bytes());
    header
}

/// The version and what follows the header; `None` when the file does not start with an intact
/// header of that name. The caller refuses a version that it does not know.
pub fn split_header<'a>(bytes: &'a [u8], name: &str) -> Option<(u32, &'a [u8])> {
    let (head, rest) = bytes.split_first_chunk::<HEADER_LENGTH>()?;
    let version = u32::from_le_bytes(*head.get(8..)?.first_chunk()?);
    (*head == header(name, version)).then_some((version, rest))
}
