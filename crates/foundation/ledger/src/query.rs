//! Which entries are looked for.

use bartizan_core::{Outcome, Timestamp};

use crate::entry::Entry;

/// Conditions that must all hold; an empty one holds for every entry.
#[derive(Clone, Default, Debug)]
pub struct Query {
    /// The event's type, or its beginning up to a dot: `request` finds `request.admission`.
    pub kind: Option<String>,
    /// Who.
    pub principal: Option<String>,
    /// What was attempted.
    pub action: Option<String>,
    /// Part of the asset's URN.
    pub asset: Option<String>,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// Why.
    pub reason: Option<String>,
    /// The request, incident or drill.
    pub correlation: Option<String>,
    /// Part of the entry's JSON, whatever its case.
    pub text: Option<String>,
    /// Not before.
    pub since: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
}

impl Query {
    /// Whether the entry is looked for.
    pub fn matches(&self, entry: &Entry) -> bool {
        let event = &entry.event;
        let same = |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|wanted| wanted == found);
        let kind = |wanted: &String| {
            event.kind.strip_prefix(wanted.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        let text =
            |wanted: &String| String::from_utf8_lossy(&entry.bytes).to_lowercase().contains(&wanted.to_lowercase());
        self.kind.as_ref().is_none_or(kind)
            && same(&self.principal, &event.principal)
            && same(&self.action, &event.action)
            && self.asset.as_ref().is_none_or(|asset| event.asset.urn().contains(asset.as_str()))
            && self.outcome.is_none_or(|outcome| outcome == event.outcome)
            && same(&self.reason, &event.reason)
            && same(&self.correlation, &event.correlation)
            && self.since.is_none_or(|since| event.time >= since)
            && self.until.is_none_or(|until| event.time < until)
            && self.text.as_ref().is_none_or(text)
    }
}
