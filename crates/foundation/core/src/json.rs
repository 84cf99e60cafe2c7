//! The shape of free-form data that travels with an event.

/// Extra, typed-by-convention fields of an event or finding: sorted, so that rendering is stable.
pub type JsonMap = std::collections::BTreeMap<String, serde_json::Value>;
