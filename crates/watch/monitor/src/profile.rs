//! What inputs of one model look like, with thresholds calibrated on it.

use std::collections::VecDeque;

use bartizan_statistics::{Look, Projection, Reference, Scale, squared_distance};

use crate::settings::Settings;
use crate::steps::Steps;

/// Distinct rows that drift is tested on.
pub(crate) const WINDOW: usize = 32;
/// Rows before a query in which its likes are looked for.
pub(crate) const TRAIL: usize = 128;
/// Values of a row's sketch.
pub(crate) const SKETCH: usize = 32;
/// Features of a row that are looked at; wider rows are thinned out evenly.
const FEATURES: usize = 1024;
/// Rows of the reference that are used.
const ROWS: usize = 512;
/// Splits of the reference that calibrate drift, and draws that calibrate crowding.
const ROUNDS: usize = 20_000;
const DRAWS: usize = 20_000;
const SEED: u64 = 0x6261_7274_697a_616e;
/// Share of the model's own data that counts as far out, or as crowded.
const FAR: f64 = 0.99;
const CROWDED: f64 = 0.002;
/// Share of the model's own data that may be a repeated step away from other rows.
const STEPS: f64 = 0.02;
/// Part of the crowded distance within which two queries are nearly the same.
const NEAR: f32 = 0.25;
/// Windows of different times that say which share of suspicious rows is usual.
const SHARES: usize = 256;
/// Fewest windows that may raise the usual share, and how far.
const ENOUGH: usize = 32;
const USUAL: f64 = 0.05;
const MOST_USUAL: f64 = 0.3;

/// The data that a model was made for, or that its clients send.
pub(crate) struct Profile {
    width: usize,
    scale: Scale,
    projection: Projection,
    reference: Reference,
    drift: f64,
    far: f32,
    crowded: f32,
    /// Whether equal steps between rows are rare in the model's own data; among few discrete values they
    /// are not.
    pub(crate) steps_tell: bool,
    shares: VecDeque<f64>,
    usual: f64,
    /// Whether it was learnt from traffic, and so can't tell what drifts from it.
    pub(crate) is_learnt: bool,
}

/// A row as the profile sees it.
pub(crate) struct Seen {
    pub(crate) values: Vec<f32>,
    pub(crate) sketch: Vec<f32>,
    pub(crate) look: Look,
    /// Farther from all data of the profile than 99 % of that data are from one another.
    pub(crate) is_far: bool,
}

impl Profile {
    /// The profile that these rows of the model's data are; `None` when they can't calibrate anything.
    pub(crate) fn registered(rows: &[Vec<f32>], settings: &Settings) -> Option<Self> {
        Self::new(rows, rows.first()?.len(), false, settings)
    }

    /// The profile that these thinned rows of clients are, which were `width` wide.
    pub(crate) fn learnt(rows: &[Vec<f32>], width: usize, settings: &Settings) -> Option<Self> {
        Self::new(rows, width, true, settings)
    }

    fn new(rows: &[Vec<f32>], width: usize, is_learnt: bool, settings: &Settings) -> Option<Self> {
        let stride = rows.len().div_ceil(ROWS).max(1);
        let thinned: Vec<Vec<f32>> = rows.iter().step_by(stride).map(|row| thin(row)).collect();
        let scale = Scale::new(&thinned)?;
        let scaled: Vec<Vec<f32>> = thinned.iter().map(|row| scale.apply(row)).collect();
        let projection = Projection::new(scaled.first()?.len(), SKETCH, SEED);
        let sketched: Vec<Vec<f32>> = scaled.iter().map(|row| projection.sketch(row)).collect();
        let reference = Reference::new(&scaled)?;
        let drift = if is_learnt {
            f64::INFINITY
        } else {
            reference.discrepancy_threshold(WINDOW, settings.drift_false_alarms, ROUNDS, SEED).max(f64::MIN_POSITIVE)
        };
        Some(Self {
            width,
            drift,
            far: reference.nearest_quantile(FAR),
            crowded: Reference::new(&sketched)?.crowding_quantile(TRAIL, CROWDED, DRAWS, SEED),
            steps_tell: share_of_steps(&sketched) < STEPS,
            scale,
            projection,
            reference,
            shares: VecDeque::new(),
            usual: USUAL,
            is_learnt,
        })
    }

    /// Values in a row of the model's input.
    pub(crate) const fn width(&self) -> usize {
        self.width
    }

    /// Bytes that one principal's window may take.
    pub(crate) fn window_bytes(&self) -> usize {
        let sketches = (TRAIL + 64) * self.projection.dimensions();
        (WINDOW * self.reference.width() + sketches) * size_of::<f32>()
    }

    pub(crate) fn see(&self, row: &[f32]) -> Seen {
        let values = self.scale.apply(&thin(row));
        let look = self.reference.look(&values);
        Seen { sketch: self.projection.sketch(&values), look, is_far: look.nearest > self.far, values }
    }

    /// The discrepancy of a window from the reference; 1 is where drift begins.
    pub(crate) fn drift(&self, window: &[(&[f32], Look)]) -> f64 {
        (self.reference.discrepancy(window) / self.drift).max(0.0)
    }

    /// Squared distance of sketches below which a query is crowded by its predecessors.
    pub(crate) const fn crowded(&self) -> f32 {
        self.crowded * self.crowded
    }

    /// Squared distance of sketches below which two queries are nearly the same.
    pub(crate) const fn near(&self) -> f32 {
        self.crowded * self.crowded * (NEAR * NEAR)
    }

    /// The share of suspicious rows that clients of this model usually have.
    pub(crate) const fn usual(&self) -> f64 {
        self.usual
    }

    /// Learns from an unsuspected client's window what share of suspicious rows is usual: the highest
    /// that nine of ten windows stay under. Bounded, so that no attacker can teach it everything.
    pub(crate) fn learn_share(&mut self, share: f64) {
        if self.shares.len() == SHARES {
            self.shares.pop_front();
        }
        self.shares.push_back(share);
        if self.shares.len() >= ENOUGH {
            let mut shares: Vec<f64> = self.shares.iter().copied().collect();
            let place = shares.len() * 9 / 10;
            let (_, share, _) = shares.select_nth_unstable_by(place, f64::total_cmp);
            self.usual = share.clamp(USUAL, MOST_USUAL);
        }
    }
}

/// Share of rows, in the order in which they come, that are a step away which others are as well.
fn share_of_steps(rows: &[Vec<f32>]) -> f64 {
    let mut steps = Steps::default();
    let is_step = |(place, row): (usize, &Vec<f32>)| {
        let before = rows.get(place.saturating_sub(TRAIL)..place).unwrap_or_default();
        steps.observe(before.iter().map(|other| squared_distance(other, row)).fold(f32::INFINITY, f32::min).sqrt())
    };
    rows.iter().enumerate().map(is_step).filter(|is_step| *is_step).count() as f64 / rows.len().max(1) as f64
}

/// At most 1024 features of a row.
pub(crate) fn thin(row: &[f32]) -> Vec<f32> {
    row.iter().step_by(row.len().div_ceil(FEATURES).max(1)).copied().collect()
}
