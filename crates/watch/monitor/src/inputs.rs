//! What principals ask models: drift, extraction alone and together, membership probing.

use std::collections::BTreeMap;

use bartizan_core::{Asset, Exchange, Outcome};

use crate::finding::Finding;
use crate::learning::Learner;
use crate::pool::{Bond, Pool, Together};
use crate::profile::{Profile, WINDOW};
use crate::recent::Recent;
use crate::settings::Settings;
use crate::signal::SignalKind;
use crate::window::{Verdict, Window};

/// Rows of one exchange that are looked at, evenly chosen: what bounds the work for a large batch.
const BATCH: usize = 64;
/// Distinct rows that a principal asks in a day, by which its rate of false alarms is meant.
const ROWS_A_DAY: f64 = 10_000.0;
/// Models without a profile that are learnt at the same time.
const LEARNERS: usize = 16;
/// Models whose profile was learnt.
const LEARNT: usize = 64;
/// Seconds in which a member of a pool is told of as such and not by itself.
const POOLED: f64 = 3600.0;
/// Pools: origins for each model, and one of likeness.
const POOLS: usize = 1024;

/// Watches inputs of models.
pub(crate) struct Inputs {
    profiles: BTreeMap<Asset, Profile>,
    learners: Recent<Learner>,
    windows: Recent<Window>,
    pools: Recent<Pool>,
}

/// Scores for people: of drift, and the share of suspicious rows.
pub(crate) type Scores = (f64, f64);

impl Inputs {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            profiles: BTreeMap::new(),
            learners: Recent::new(LEARNERS),
            windows: Recent::new(settings.principals),
            pools: Recent::new(POOLS.min(settings.principals)),
        }
    }

    /// Compares inputs of a model with that profile from now on.
    pub(crate) fn register(&mut self, asset: &Asset, profile: Profile, settings: &Settings) {
        self.profiles.insert(asset.clone(), profile);
        let widest = self.profiles.values().map(Profile::window_bytes).max().unwrap_or(1);
        self.windows = Recent::new((settings.window_bytes / widest).min(settings.principals));
    }

    /// Looks at the rows of an exchange; the scores, where the model's inputs are compared.
    pub(crate) fn observe(
        &mut self,
        exchange: &Exchange,
        settings: &Settings,
        findings: &mut Vec<Finding>,
    ) -> Option<Scores> {
        let width = exchange.width;
        if width == 0 || exchange.inputs.len() < width {
            return None;
        }
        let stride = (exchange.inputs.len() / width).div_ceil(BATCH);
        let rows = exchange.inputs.chunks_exact(width).step_by(stride);
        if !self.profiles.contains_key(&exchange.asset) {
            self.learn(exchange, rows, settings);
            return None;
        }
        let name = format!("{} {} {}", exchange.tenant, exchange.principal, exchange.asset);
        for row in rows {
            let profile = self.profiles.get_mut(&exchange.asset).filter(|profile| profile.width() == width)?;
            let window = self.windows.entry(&name, || Window::of(&exchange.principal));
            let bound = bound(settings);
            let verdict = window.observe(profile, row, settings, 2.0 * bound);
            if verdict.is_suspicious {
                self.look_together(exchange, &name, settings, findings);
            }
            let window = self.windows.entry(&name, || Window::of(&exchange.principal));
            findings.extend(alone(window, &verdict, bound, exchange, settings));
        }
        self.windows.get(&name).map(|window| (window.drift_score, window.share()))
    }

    fn learn<'a>(&mut self, exchange: &Exchange, rows: impl Iterator<Item = &'a [f32]>, settings: &Settings) {
        let learnt = self.profiles.values().filter(|profile| profile.is_learnt).count();
        if settings.learnt_rows == 0 || exchange.drill || exchange.outcome != Outcome::Allow || learnt >= LEARNT {
            return;
        }
        let learner = self.learners.entry(&exchange.asset.to_string(), Learner::default);
        for row in rows {
            if let Some(profile) = learner.observe(&exchange.principal, row, settings) {
                self.register(&exchange.asset, profile, settings);
                return;
            }
        }
    }

    /// Adds a suspicious query to the pools that its principal is in.
    fn look_together(&mut self, exchange: &Exchange, name: &str, settings: &Settings, findings: &mut Vec<Finding>) {
        let asset = format!("{} {} {}", exchange.tenant, exchange.asset, exchange.drill);
        let origins = [("source", &exchange.source), ("network", &exchange.network), ("program", &exchange.program)];
        let origins = origins.into_iter().filter(|(_, word)| !word.is_empty());
        let mut pools: Vec<(Bond, String)> =
            origins.map(|(kind, word)| (Bond::Origin, format!("{asset} {kind} {word}"))).collect();
        pools.push((Bond::Likeness, asset));
        for (bond, pool) in pools {
            let pool = self.pools.entry(&pool, || Pool::new(bond));
            let Some(together) = pool.observe(name, exchange.time, &self.windows, settings) else { continue };
            findings.push(self.tell(exchange, &together));
            return;
        }
    }

    fn tell(&mut self, exchange: &Exchange, together: &Together) -> Finding {
        let mut members = Vec::new();
        for name in &together.members {
            if let Some(window) = self.windows.get_mut(name) {
                window.pooled = Some(exchange.time);
                members.push(window.principal.clone());
            }
        }
        Finding {
            kind: SignalKind::ExtractionPool,
            score: together.evidence,
            threshold: together.bound,
            message: format!("{} principals ask together what an extractor would make up", members.len()),
            members,
        }
    }
}

/// What a principal's own queries say.
fn alone(
    window: &Window,
    verdict: &Verdict,
    bound: f64,
    exchange: &Exchange,
    settings: &Settings,
) -> impl Iterator<Item = Finding> {
    let evidence = window.evidence.value();
    let pooled = window.pooled.is_some_and(|told| exchange.time.seconds_since(told) < POOLED);
    let extraction = (verdict.is_suspicious && evidence >= bound && !pooled).then(|| Finding {
        kind: SignalKind::Extraction,
        score: evidence,
        threshold: bound,
        message: format!("{:.0} % of the last {WINDOW} queries look made up", window.share() * 100.0),
        members: Vec::new(),
    });
    let probing = (verdict.probes >= settings.membership_probes).then(|| Finding {
        kind: SignalKind::MembershipProbing,
        score: f64::from(verdict.probes),
        threshold: f64::from(settings.membership_probes),
        message: format!("{} of the last 64 distinct queries circle around single points", verdict.probes),
        members: Vec::new(),
    });
    let drift = verdict.drift.map(|score| Finding {
        kind: SignalKind::InputDrift,
        score,
        threshold: 1.0,
        message: format!("two windows of {WINDOW} rows differ from the profile, {score:.1} times the threshold"),
        members: Vec::new(),
    });
    [extraction, probing, drift].into_iter().flatten()
}

/// Evidence, in nats, that an honest principal reaches with the chance of the settings in a day.
fn bound(settings: &Settings) -> f64 {
    (ROWS_A_DAY / settings.false_alarms()).ln()
}
