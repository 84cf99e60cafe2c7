//! Fields of the admin API's answers.

use serde_json::Value;

/// A text field, or nothing.
pub(super) fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}
