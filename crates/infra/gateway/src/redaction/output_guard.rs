//! What is asked of an answer, and what is told of it.

use std::borrow::Cow;
use std::sync::Arc;

use bartizan_core::{Event, Outcome};
use bartizan_sensitive::Redaction;
use hyper::header::{ACCEPT_ENCODING, HeaderMap, HeaderValue};

use super::settings::{RedactionMode, RedactionSettings};
use super::tally::Tally;
use crate::metrics::Metrics;

/// The guard as it stands in the chain; none where it is off.
pub(crate) struct OutputGuard {
    pub(super) rules: Arc<Redaction>,
    pub(super) enforces: bool,
    pub(super) answer_bytes: usize,
}

impl OutputGuard {
    pub(crate) fn new(settings: &RedactionSettings) -> Option<Self> {
        if settings.mode == RedactionMode::Off {
            return None;
        }
        let rules = Redaction {
            personal_data: settings.personal_data,
            secrets: settings.secrets,
            except: settings.except.iter().cloned().collect(),
        };
        let enforces = settings.mode == RedactionMode::Enforce;
        Some(Self { rules: Arc::new(rules), enforces, answer_bytes: settings.answer_bytes })
    }

    /// Whether it changes answers.
    pub(crate) fn enforces(&self) -> bool {
        self.enforces
    }

    /// Asks the upstream for answers that can be read.
    pub(crate) fn ask_for_plain<'a>(&self, headers: &'a HeaderMap) -> Cow<'a, HeaderMap> {
        let mut headers = Cow::Borrowed(headers);
        if self.enforces {
            headers.to_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        }
        headers
    }

    /// Adds what was masked, or would have been, to the entry of an answer, and counts it.
    pub(crate) fn record(&self, tally: &Tally, event: Event, metrics: &Metrics) -> Event {
        let result = tally.result();
        let mode = if self.enforces { "enforce" } else { "shadow" };
        let mut event = event;
        if !result.counts.is_empty() {
            let counts: serde_json::Map<String, serde_json::Value> =
                result.counts.iter().map(|(kind, count)| (kind.to_owned(), count.into())).collect();
            result.counts.iter().for_each(|(kind, count)| metrics.redacted(kind, mode, count));
            event = event.with("redaction", mode).with("redacted", counts);
            if self.enforces && event.outcome == Outcome::Allow {
                event.outcome = Outcome::Transform;
            }
        }
        match result.unread {
            Some(why) => event.with("unread", why),
            None => event,
        }
    }
}
