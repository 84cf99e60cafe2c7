//! One entry: an event as RFC 8785 JSON.

use std::sync::Arc;

use bartizan_core::{Event, JsonMap};

use crate::canonical;
use crate::error::LedgerError;

/// The longest entry; larger evidence is recorded by digest.
pub const MAX_ENTRY: usize = 16 * 1024;

/// An entry as it was read.
#[derive(Clone, PartialEq, Debug)]
pub struct Entry {
    /// Its place in the log.
    pub index: u64,
    /// The event, as far as this version knows its fields.
    pub event: Event,
    /// Every field, also those that this version does not know.
    pub fields: JsonMap,
    /// The exact bytes that are in the tree.
    pub bytes: Vec<u8>,
}

/// The event as canonical JSON.
pub(crate) fn encode(event: &Event) -> Result<Vec<u8>, LedgerError> {
    let bytes = canonical::encode(event).map_err(|error| LedgerError::Unwritable(Arc::from(error)))?;
    if bytes.len() > MAX_ENTRY { Err(LedgerError::TooLarge(bytes.len())) } else { Ok(bytes) }
}

/// Reads an entry. One with a newer major `v` is refused: its fields may mean something else.
pub(crate) fn decode(index: u64, bytes: &[u8]) -> Result<Entry, LedgerError> {
    let refuse = |problem: String| LedgerError::Entry { index, problem };
    let fields: JsonMap =
        serde_json::from_slice(bytes).map_err(|error| refuse(format!("not a JSON object: {error}")))?;
    let version = fields.get("v").and_then(serde_json::Value::as_u64).ok_or_else(|| refuse("has no version".into()))?;
    if version > u64::from(Event::VERSION) {
        let known = Event::VERSION;
        return Err(refuse(format!("has version {version}, this program knows up to {known}; use a newer bartizan")));
    }
    let event = serde_json::from_slice(bytes).map_err(|error| refuse(format!("not an event: {error}")))?;
    Ok(Entry { index, event, fields, bytes: bytes.to_vec() })
}
