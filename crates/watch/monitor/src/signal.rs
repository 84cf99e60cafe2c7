//! What the monitor has to say.

use bartizan_core::{Asset, Event, Outcome, Severity, Tenant, Timestamp};

/// What was noticed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum SignalKind {
    /// One key is used from two places in turn.
    KeyShared,
    /// Far more requests than before.
    RequestFlood,
    /// A large share of requests refused for their form.
    MalformedInputs,
    /// Many requests of one source without a right.
    UnauthorizedProbing,
    /// Inputs differ from the model's reference profile.
    InputDrift,
    /// Queries that an extractor would make up.
    Extraction,
    /// Queries of several principals that one extractor would make up.
    ExtractionPool,
    /// Queries around single points, as membership inference asks them.
    MembershipProbing,
}

impl SignalKind {
    /// All.
    pub const ALL: [Self; 8] = [
        Self::KeyShared,
        Self::RequestFlood,
        Self::MalformedInputs,
        Self::UnauthorizedProbing,
        Self::InputDrift,
        Self::Extraction,
        Self::ExtractionPool,
        Self::MembershipProbing,
    ];

    /// The kebab-case word, which is the event's reason.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::KeyShared => "key-shared",
            Self::RequestFlood => "request-flood",
            Self::MalformedInputs => "malformed-inputs",
            Self::UnauthorizedProbing => "unauthorized-probing",
            Self::InputDrift => "input-drift",
            Self::Extraction => "extraction",
            Self::ExtractionPool => "extraction-pool",
            Self::MembershipProbing => "membership-probing",
        }
    }

    /// How bad it is by itself.
    pub const fn severity(self) -> Severity {
        match self {
            Self::KeyShared | Self::RequestFlood | Self::Extraction | Self::ExtractionPool => Severity::High,
            Self::MalformedInputs | Self::UnauthorizedProbing | Self::MembershipProbing => Severity::Medium,
            Self::InputDrift => Severity::Low,
        }
    }
}

/// Something noticed about a principal, key or source.
#[derive(Clone, PartialEq, Debug)]
pub struct Signal {
    /// What.
    pub kind: SignalKind,
    /// How bad it is by itself.
    pub severity: Severity,
    /// Whose.
    pub tenant: Tenant,
    /// About whom; empty when nobody was identified, or it is about several.
    pub principal: String,
    /// About whom together; empty when it is about one.
    pub members: Vec<String>,
    /// Public prefix of the key of the last request; empty when none was shown.
    pub key: String,
    /// Opaque fingerprint of where the last request came from.
    pub source: String,
    /// On what.
    pub asset: Asset,
    /// Whether it belongs to a drill.
    pub drill: bool,
    /// When the last request arrived.
    pub time: Timestamp,
    /// How strong; its unit is the kind's own.
    pub score: f64,
    /// From which score on it is a signal.
    pub threshold: f64,
    /// The same in words.
    pub message: String,
}

impl Signal {
    /// The event for ledger and rules; `id` is a UUIDv7 made by the caller. Scores are written as
    /// parts per million, for records hold whole numbers only.
    pub fn event(&self, id: String) -> Event {
        let mut event = Event::new("monitor.signal", id, self.time, "Observe", self.asset.clone(), Outcome::Observe)
            .by(&self.principal)
            .because(self.kind.as_str())
            .with("severity", self.severity.as_str())
            .with("source", self.source.as_str())
            .with("score_ppm", parts_per_million(self.score))
            .with("threshold_ppm", parts_per_million(self.threshold))
            .with("message", self.message.as_str());
        event.tenant = self.tenant.clone();
        if !self.members.is_empty() {
            event = event.with("members", self.members.clone());
        }
        if !self.key.is_empty() {
            event = event.with("key", self.key.as_str());
        }
        if self.drill {
            event = event.with("drill", true);
        }
        event
    }
}

/// Saturates; not-a-number becomes 0. Canonical JSON keeps whole numbers exact up to 2^53.
fn parts_per_million(value: f64) -> i64 {
    (value * 1e6).clamp(-9e15, 9e15) as i64
}
