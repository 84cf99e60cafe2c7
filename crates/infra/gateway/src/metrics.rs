//! What the gateway counts, for Prometheus. Labels take values from fixed sets only.

use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::prompts::PromptFinding;

/// Upper bounds of the latency buckets in seconds.
const SECONDS: [f64; 14] =
    [0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

/// Most different reasons that get a series of their own.
const REASONS: u64 = 128;

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Labels {
    outcome: &'static str,
    reason: String,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct IssuerLabels {
    issuer: String,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct FetchLabels {
    issuer: String,
    outcome: &'static str,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct RedactionLabels {
    kind: &'static str,
    mode: &'static str,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct PromptLabels {
    verdict: &'static str,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct UpstreamLabels {
    upstream: String,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct AskedLabels {
    upstream: String,
    outcome: &'static str,
}

/// The gateway's counters and histograms.
#[derive(Clone)]
pub struct Metrics {
    requests: Family<Labels, Counter>,
    seconds: Histogram,
    in_flight: Gauge,
    shadowed: Counter,
    turned_away: Counter,
    redacted: Family<RedactionLabels, Counter>,
    keys: Family<IssuerLabels, Gauge>,
    key_fetches: Family<FetchLabels, Counter>,
    prompts: Family<PromptLabels, Counter>,
    prompt_seconds: Histogram,
    upstream_asked: Family<AskedLabels, Counter>,
    upstream_health: Family<UpstreamLabels, Gauge>,
    reasons: std::sync::Arc<AtomicU64>,
}

impl Metrics {
    /// Registers the gateway's metrics.
    pub fn new(registry: &mut Registry) -> Self {
        let metrics = Self {
            requests: Family::default(),
            seconds: Histogram::new(SECONDS),
            in_flight: Gauge::default(),
            shadowed: Counter::default(),
            turned_away: Counter::default(),
            redacted: Family::default(),
            keys: Family::default(),
            key_fetches: Family::default(),
            prompts: Family::default(),
            prompt_seconds: Histogram::new(SECONDS),
            upstream_asked: Family::default(),
            upstream_health: Family::default(),
            reasons: std::sync::Arc::default(),
        };
        let sub = registry.sub_registry_with_prefix("bartizan_gateway");
        sub.register("requests", "Requests by outcome and reason", metrics.requests.clone());
        sub.register_with_unit("request", "Time to the answer's end", Unit::Seconds, metrics.seconds.clone());
        sub.register("in_flight", "Requests being worked on", metrics.in_flight.clone());
        let help = "Connections closed because their address has its share already";
        sub.register("turned_away", help, metrics.turned_away.clone());
        sub.register("shadowed", "Requests that a guard in shadow would have refused", metrics.shadowed.clone());
        sub.register("redacted", "Secrets and personal data masked in answers, by kind", metrics.redacted.clone());
        sub.register("issuer_keys", "Usable keys held of an issuer of tokens", metrics.keys.clone());
        sub.register("issuer_key_fetches", "Fetches of an issuer's keys by outcome", metrics.key_fetches.clone());
        sub.register("prompts", "Requests whose texts were judged, by verdict", metrics.prompts.clone());
        let help = "Time to judge the texts of a request";
        sub.register_with_unit("prompt", help, Unit::Seconds, metrics.prompt_seconds.clone());
        sub.register("upstream_asked", "Attempts and copies by upstream and outcome", metrics.upstream_asked.clone());
        let help = "Whether an upstream with a health path answers it";
        sub.register("upstream_healthy", help, metrics.upstream_health.clone());
        metrics
    }

    /// How many keys of an issuer are held. Issuers are named in the configuration, so they are few.
    pub(crate) fn keys_held(&self, issuer: &str, count: usize) {
        let labels = IssuerLabels { issuer: issuer.to_owned() };
        self.keys.get_or_create(&labels).set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// A fetch of an issuer's keys ended.
    pub(crate) fn keys_fetched(&self, issuer: &str, outcome: &'static str) {
        self.key_fetches.get_or_create(&FetchLabels { issuer: issuer.to_owned(), outcome }).inc();
    }

    /// The texts of a request were judged.
    pub(crate) fn prompt_judged(&self, finding: &PromptFinding) {
        let verdict = match finding {
            PromptFinding { is_hostile: true, .. } => "hostile",
            PromptFinding { is_partial: true, .. } => "unread",
            _ => "harmless",
        };
        self.prompts.get_or_create(&PromptLabels { verdict }).inc();
        self.prompt_seconds.observe(finding.microseconds as f64 / 1e6);
    }

    /// An upstream was asked, or sent a copy. Upstreams are named in the configuration, so they are few.
    pub(crate) fn upstream_asked(&self, upstream: &str, outcome: &'static str) {
        self.upstream_asked.get_or_create(&AskedLabels { upstream: upstream.to_owned(), outcome }).inc();
    }

    /// How an upstream's health check ended.
    pub(crate) fn upstream_health(&self, upstream: &str, is_well: bool) {
        let labels = UpstreamLabels { upstream: upstream.to_owned() };
        self.upstream_health.get_or_create(&labels).set(i64::from(is_well));
    }

    pub(crate) fn turned_away(&self) {
        self.turned_away.inc();
    }

    /// So many of a kind were masked in an answer, or in shadow would have been. Kinds are part of the program.
    pub(crate) fn redacted(&self, kind: &'static str, mode: &'static str, count: u64) {
        self.redacted.get_or_create(&RedactionLabels { kind, mode }).inc_by(count);
    }

    pub(crate) fn begin(&self) {
        self.in_flight.inc();
    }

    pub(crate) fn end(&self, outcome: &'static str, reason: &str, microseconds: u64, shadowed: bool) {
        self.in_flight.dec();
        self.seconds.observe(microseconds as f64 / 1e6);
        if shadowed {
            self.shadowed.inc();
        }
        let mut labels = Labels { outcome, reason: reason.to_owned() };
        // Policy ids appear as reasons and come from the user's files: their number is bounded here.
        if self.requests.get(&labels).is_none() && self.reasons.fetch_add(1, Ordering::Relaxed) >= REASONS {
            "other".clone_into(&mut labels.reason);
        }
        self.requests.get_or_create(&labels).inc();
    }
}
