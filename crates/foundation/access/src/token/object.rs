//! JSON objects and base64url that can be read in one way only.

use bartizan_core::refuse_duplicate_keys;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

/// The bytes of base64url without padding. A text that is padded, or has bits that stand for
/// nothing, is `None`: two texts never give the same bytes.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// A JSON object in which no object names a key twice, at any depth.
pub(super) fn object(bytes: &[u8]) -> Option<Value> {
    refuse_duplicate_keys(bytes).ok()?;
    serde_json::from_slice::<Value>(bytes).ok().filter(Value::is_object)
}
