//! An event as rules see it.

use bartizan_core::{Event, Outcome};
use serde_json::{Map, Value};

/// One flat object: `type`, `action`, `outcome`, `reason`, `principal`, `tenant`, `asset`,
/// `asset.kind`, `asset.name`, `asset.digest` and `data.*`.
pub(crate) fn flatten(event: &Event) -> Value {
    let mut fields = Map::with_capacity(12 + event.data.len());
    let mut put = |name: &str, value: &str| {
        if !value.is_empty() {
            fields.insert(name.to_owned(), Value::from(value));
        }
    };
    put("type", &event.kind);
    put("id", &event.id);
    put("action", &event.action);
    put("outcome", outcome(event.outcome));
    put("reason", &event.reason);
    put("principal", &event.principal);
    put("tenant", event.tenant.as_str());
    put("correlation", &event.correlation);
    put("asset", &event.asset.urn());
    put("asset.kind", event.asset.kind().as_str());
    put("asset.name", event.asset.name());
    if let Some(digest) = event.asset.digest() {
        put("asset.digest", &digest.to_string());
    }
    for (key, value) in &event.data {
        fields.insert(format!("data.{key}"), value.clone());
    }
    Value::Object(fields)
}

const fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Allow => "allow",
        Outcome::Deny => "deny",
        Outcome::Transform => "transform",
        Outcome::Error => "error",
        Outcome::Observe => "observe",
    }
}
