//! One look at each exchange.

use std::collections::BTreeMap;

use bartizan_core::{Asset, Exchange, Tenant, Timestamp};

use crate::activity::{Activity, Probing, WINDOW_SECONDS, is_unauthorized};
use crate::figures::PrincipalFigures;
use crate::finding::Finding;
use crate::inputs::Inputs;
use crate::key::KeyUse;
use crate::profile::Profile;
use crate::recent::Recent;
use crate::settings::Settings;
use crate::signal::{Signal, SignalKind};

/// What is known of one principal.
struct Known {
    tenant: Tenant,
    principal: String,
    drill: bool,
    last: Timestamp,
    sources: usize,
    activity: Activity,
    drift_score: f64,
    extraction_score: f64,
    told: BTreeMap<SignalKind, Timestamp>,
}

/// What is known of one source.
#[derive(Default)]
struct Source {
    probing: Probing,
    told: Option<Timestamp>,
}

/// Watches traffic. Memory is bounded by [`Settings::principals`] and [`Settings::window_bytes`].
pub struct Monitor {
    settings: Settings,
    inputs: Inputs,
    principals: Recent<Known>,
    keys: Recent<KeyUse>,
    sources: Recent<Source>,
}

impl Monitor {
    /// A monitor that knows nobody yet.
    pub fn new(settings: Settings) -> Self {
        let capacity = settings.principals;
        Self {
            inputs: Inputs::new(&settings),
            settings,
            principals: Recent::new(capacity),
            keys: Recent::new(capacity),
            sources: Recent::new(capacity),
        }
    }

    /// Registers what inputs of a model look like: rows of the data that it was made for. Fewer than 64
    /// equally wide, finite rows can't calibrate a test; then the answer is `false`, and the model's
    /// inputs are compared with what its clients send, once that was learnt.
    pub fn profile(&mut self, asset: &Asset, rows: &[Vec<f32>]) -> bool {
        let Some(profile) = Profile::registered(rows, &self.settings) else { return false };
        self.inputs.register(asset, profile, &self.settings);
        true
    }

    /// Takes in one exchange, and says what it reveals.
    pub fn observe(&mut self, exchange: &Exchange) -> Vec<Signal> {
        let mut signals = Vec::new();
        if is_unauthorized(&exchange.reason) {
            signals.extend(self.probing(exchange));
        }
        if exchange.principal.is_empty() {
            return signals;
        }
        let mut findings = Vec::new();
        let places = self.key_use(exchange, &mut findings);
        let scores = self.inputs.observe(exchange, &self.settings, &mut findings);
        let name = format!("{} {}", exchange.tenant, exchange.principal);
        let known = self.principals.entry(&name, || Known {
            tenant: exchange.tenant.clone(),
            principal: exchange.principal.clone(),
            drill: exchange.drill,
            last: exchange.time,
            sources: 0,
            activity: Activity::default(),
            drift_score: 0.0,
            extraction_score: 0.0,
            told: BTreeMap::new(),
        });
        known.last = exchange.time;
        known.sources = places;
        if let Some((drift, extraction)) = scores {
            known.drift_score = drift;
            known.extraction_score = extraction;
        }
        let counts = known.activity.observe(exchange.time, exchange.status, &exchange.reason, &self.settings);
        if f64::from(counts.requests) >= counts.flood || counts.limited >= self.settings.flood_refusals {
            findings.push(Finding {
                kind: SignalKind::RequestFlood,
                score: f64::from(counts.requests),
                threshold: if f64::from(counts.requests) >= counts.flood {
                    counts.flood
                } else {
                    f64::from(self.settings.flood_refusals)
                },
                members: Vec::new(),
                message: format!(
                    "{} requests in {WINDOW_SECONDS} s, {} of them over the limit",
                    counts.requests, counts.limited
                ),
            });
        }
        if counts.malformed >= self.settings.malformed_requests {
            findings.push(Finding {
                kind: SignalKind::MalformedInputs,
                score: f64::from(counts.malformed),
                threshold: f64::from(self.settings.malformed_requests),
                message: format!("{} of the last 64 requests were refused for their form", counts.malformed),
                members: Vec::new(),
            });
        }
        let cooldown = f64::from(self.settings.cooldown_seconds);
        for finding in findings {
            let told = known.told.get(&finding.kind);
            // A pool has its own patience.
            if !finding.members.is_empty() || told.is_none_or(|told| exchange.time.seconds_since(*told) >= cooldown) {
                known.told.insert(finding.kind, exchange.time);
                signals.push(signal(exchange, finding));
            }
        }
        signals
    }

    /// What is known of each principal, the latest first.
    pub fn figures(&self) -> Vec<PrincipalFigures> {
        let figures = self.principals.iter().map(|(_, known)| PrincipalFigures {
            tenant: known.tenant.clone(),
            principal: known.principal.clone(),
            drill: known.drill,
            requests: known.activity.requests,
            refusals: known.activity.refusals,
            rate: known.activity.rate(),
            drift_score: known.drift_score,
            extraction_score: known.extraction_score,
            sources: known.sources,
            last: known.last,
        });
        let mut figures: Vec<_> = figures.collect();
        figures.sort_by(|a, b| b.last.cmp(&a.last).then_with(|| a.principal.cmp(&b.principal)));
        figures
    }

    /// Places that the key was used from; a finding when two take turns.
    fn key_use(&mut self, exchange: &Exchange, findings: &mut Vec<Finding>) -> usize {
        if exchange.key.is_empty() || exchange.source.is_empty() {
            return 0;
        }
        let key = self.keys.entry(&exchange.key, KeyUse::default);
        let returns = key.observe(&exchange.source, exchange.time, &self.settings);
        let threshold = self.settings.key_shared_returns.max(1);
        if returns >= threshold as usize && !self.settings.shared_keys.contains(&exchange.key) {
            findings.push(Finding {
                kind: SignalKind::KeyShared,
                score: returns as f64,
                threshold: f64::from(threshold),
                message: format!(
                    "key {} changed {returns} times within {} s to a place that it had just left",
                    exchange.key, self.settings.key_shared_seconds
                ),
                members: Vec::new(),
            });
        }
        key.places()
    }

    fn probing(&mut self, exchange: &Exchange) -> Option<Signal> {
        if exchange.source.is_empty() {
            return None;
        }
        let threshold = self.settings.unauthorized_requests.max(1);
        let source = self.sources.entry(&exchange.source, Source::default);
        let count = source.probing.observe(exchange.time);
        let cooldown = f64::from(self.settings.cooldown_seconds);
        if count < threshold || source.told.is_some_and(|told| exchange.time.seconds_since(told) < cooldown) {
            return None;
        }
        source.told = Some(exchange.time);
        let message = format!("{count} requests without a right from one source within a minute");
        let kind = SignalKind::UnauthorizedProbing;
        let (score, threshold, members) = (f64::from(count), f64::from(threshold), Vec::new());
        Some(signal(exchange, Finding { kind, score, threshold, message, members }))
    }
}

fn signal(exchange: &Exchange, finding: Finding) -> Signal {
    Signal {
        kind: finding.kind,
        severity: finding.kind.severity(),
        tenant: exchange.tenant.clone(),
        principal: if finding.members.is_empty() { exchange.principal.clone() } else { String::new() },
        key: if finding.members.is_empty() { exchange.key.clone() } else { String::new() },
        members: finding.members,
        source: exchange.source.clone(),
        asset: exchange.asset.clone(),
        drill: exchange.drill,
        time: exchange.time,
        score: finding.score,
        threshold: finding.threshold,
        message: finding.message,
    }
}
