//! How records stand in a journal, and how a torn tail is told from damage.
//!
//! A frame is what one append wrote: `length: u32, CRC-32 of (offset, length): u32, CRC-32 of
//! payload: u32, payload`, little-endian; the payload is `(length: u32, record)…`. Every append is
//! synced before the next, so only the last frame can be torn by a power cut. A frame's header is
//! bound to its offset, so that bytes inside a record are never taken for a frame.

/// Bytes before a frame's payload.
const FRAME_HEADER: usize = 12;

/// What a walk over a journal's bytes found.
pub(crate) struct Walk {
    /// The records of all intact frames.
    pub(crate) records: Vec<Vec<u8>>,
    /// Where the intact frames end.
    pub(crate) end: usize,
    /// Where a frame is damaged that is not the last: no power cut does that.
    pub(crate) damaged: Option<usize>,
}

/// Adds one frame with these records, which will stand at `offset` of the file. `None` when they
/// don't fit in a frame.
pub(crate) fn encode<'a>(offset: u64, records: impl Iterator<Item = &'a [u8]>) -> Option<Vec<u8>> {
    let mut frame = vec![0; FRAME_HEADER];
    for record in records {
        frame.extend_from_slice(&u32::try_from(record.len()).ok()?.to_le_bytes());
        frame.extend_from_slice(record);
    }
    let length = u32::try_from(frame.len() - FRAME_HEADER).ok()?;
    let payload = crc32fast::hash(&frame[FRAME_HEADER..]);
    frame[..4].copy_from_slice(&length.to_le_bytes());
    frame[4..8].copy_from_slice(&place(offset, length).to_le_bytes());
    frame[8..12].copy_from_slice(&payload.to_le_bytes());
    Some(frame)
}

/// Walks the frames in `bytes` (a whole file) from `start`.
pub(crate) fn walk(bytes: &[u8], start: usize) -> Walk {
    let mut walk = Walk { records: Vec::new(), end: start, damaged: None };
    while walk.end < bytes.len() {
        match intact(bytes, walk.end) {
            Some(payload) if split(payload, &mut walk.records) => walk.end += FRAME_HEADER + payload.len(),
            Some(_) => {
                walk.damaged = Some(walk.end);
                break;
            }
            None => {
                walk.damaged = is_followed(bytes, walk.end).then_some(walk.end);
                break;
            }
        }
    }
    walk
}

/// The payload of the frame at `at`, when header and payload are intact.
fn intact(bytes: &[u8], at: usize) -> Option<&[u8]> {
    let length = header_length(bytes, at)?;
    let crc = u32::from_le_bytes(*bytes.get(at + 8..)?.first_chunk()?);
    let payload = bytes.get(at + FRAME_HEADER..)?.get(..length)?;
    (crc32fast::hash(payload) == crc).then_some(payload)
}

/// The payload length that an intact frame header at `at` states.
fn header_length(bytes: &[u8], at: usize) -> Option<usize> {
    let head = bytes.get(at..)?.first_chunk::<FRAME_HEADER>()?;
    let length = u32::from_le_bytes(*head.first_chunk()?);
    let crc = u32::from_le_bytes(*head.get(4..)?.first_chunk()?);
    (place(at as u64, length) == crc).then_some(length as usize)
}

/// Whether something was appended after the broken frame at `at`: then it is not a torn tail.
fn is_followed(bytes: &[u8], at: usize) -> bool {
    match header_length(bytes, at) {
        Some(length) => bytes.len() - at > FRAME_HEADER + length,
        None => (at + 1..bytes.len()).any(|later| intact(bytes, later).is_some()),
    }
}

/// Splits a payload into its records; false when the lengths don't add up.
fn split(mut payload: &[u8], records: &mut Vec<Vec<u8>>) -> bool {
    while let Some((length, rest)) = payload.split_first_chunk() {
        let Some((record, rest)) = rest.split_at_checked(u32::from_le_bytes(*length) as usize) else { return false };
        records.push(record.to_vec());
        payload = rest;
    }
    payload.is_empty()
}

/// The checksum that ties a length to its place.
fn place(offset: u64, length: u32) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&offset.to_le_bytes());
    hasher.update(&length.to_le_bytes());
    // All zeros must not pass for an empty frame.
    !hasher.finalize()
}
