//! Write-ahead segments: what one group commit wrote, entries and the signed checkpoint after them.
//!
//! A segment is a [`Journal`](bartizan_storage::Journal); a record is `first index: u64, length of
//! the checkpoint: u32, checkpoint, bundle of entries`, little-endian apart from the bundle.

use std::path::Path;

use bartizan_core::Digest;
use bartizan_storage::{Journal, Storage};

use crate::bundle;
use crate::error::LedgerError;
use crate::layout::segment_path;

/// Magic of a segment.
pub(crate) const MAGIC: &str = "bzwal";
/// Format version of a segment.
pub(crate) const VERSION: u32 = 1;

/// An entry on its way into the tree.
#[derive(Clone, Debug)]
pub(crate) struct Leaf {
    pub(crate) bytes: Vec<u8>,
    pub(crate) hash: Digest,
}

/// What one group commit wrote.
pub(crate) struct Record<'a> {
    pub(crate) first: u64,
    pub(crate) checkpoint: &'a [u8],
    pub(crate) entries: Vec<&'a [u8]>,
}

/// The bytes of a record.
pub(crate) fn encode(first: u64, checkpoint: &str, leaves: &[Leaf]) -> Vec<u8> {
    let entries: usize = leaves.iter().map(|leaf| leaf.bytes.len() + 2).sum();
    let mut record = Vec::with_capacity(12 + checkpoint.len() + entries);
    record.extend_from_slice(&first.to_le_bytes());
    // A checkpoint is a few hundred bytes.
    record.extend_from_slice(&u32::try_from(checkpoint.len()).unwrap_or(u32::MAX).to_le_bytes());
    record.extend_from_slice(checkpoint.as_bytes());
    for leaf in leaves {
        bundle::push(&mut record, &leaf.bytes);
    }
    record
}

/// Reads a record; `None` when its lengths don't add up.
pub(crate) fn parse(record: &[u8]) -> Option<Record<'_>> {
    let (first, rest) = record.split_first_chunk()?;
    let (length, rest) = rest.split_first_chunk()?;
    let (checkpoint, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    let entries = bundle::split(rest).ok()?;
    Some(Record { first: u64::from_le_bytes(*first), checkpoint, entries })
}

/// A segment's records, read without changing it, and how many bytes of an unfinished append stand
/// behind them.
pub(crate) fn read(
    storage: &dyn Storage,
    directory: &Path,
    first: u64,
) -> Result<(Vec<Vec<u8>>, u64, u64), LedgerError> {
    let replay = Journal::read(storage, &segment_path(directory, first), MAGIC, VERSION)?;
    Ok((replay.records, replay.end, replay.torn))
}
