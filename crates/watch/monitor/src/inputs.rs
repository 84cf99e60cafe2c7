//! What a principal asks a model, compared with what the model was made for.

use std::collections::VecDeque;

use bartizan_statistics::{Look, Reference, squared_distance};

use crate::settings::Settings;

/// Distinct rows that are looked at together.
pub(crate) const WINDOW: usize = 32;
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
const CROWDED: f64 = 0.005;

/// What inputs of one model look like, with thresholds calibrated on it.
pub(crate) struct Profile {
    width: usize,
    minimum: f32,
    scale: f32,
    reference: Reference,
    drift: f64,
    far: f32,
    crowded: f32,
}

impl Profile {
    /// `None` when the rows can't calibrate anything.
    pub(crate) fn new(minimum: f32, maximum: f32, rows: &[Vec<f32>], settings: &Settings) -> Option<Self> {
        let width = rows.first()?.len();
        let span = maximum - minimum;
        let scale = if span > 0.0 && span.is_finite() { 1.0 / span } else { 1.0 };
        let stride = rows.len().div_ceil(ROWS).max(1);
        let scaled: Vec<Vec<f32>> = rows.iter().step_by(stride).map(|row| thin(row, minimum, scale)).collect();
        let reference = Reference::new(&scaled)?;
        Some(Self {
            width,
            minimum,
            scale,
            drift: reference
                .discrepancy_threshold(WINDOW, settings.drift_false_alarms, ROUNDS, SEED)
                .max(f64::MIN_POSITIVE),
            far: reference.nearest_quantile(FAR),
            crowded: reference.crowding_quantile(WINDOW, CROWDED, DRAWS, SEED),
            reference,
        })
    }

    /// Values in a row of the model's input.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// Bytes that one principal's window may take.
    pub(crate) fn window_bytes(&self) -> usize {
        WINDOW * (self.reference.width() * size_of::<f32>() + size_of::<Row>())
    }
}

fn thin(row: &[f32], minimum: f32, scale: f32) -> Vec<f32> {
    row.iter().step_by(row.len().div_ceil(FEATURES).max(1)).map(|value| (value - minimum) * scale).collect()
}

struct Row {
    values: Vec<f32>,
    look: Look,
    /// Far from all reference data, or close to a query shortly before.
    suspicious: bool,
}

/// The last distinct rows of one principal.
#[derive(Default)]
pub(crate) struct Window {
    rows: VecDeque<Row>,
    since_test: usize,
    /// Windows in a row that differed from the reference.
    drifted: u32,
    pub(crate) drift_score: f64,
    pub(crate) extraction_score: f64,
}

/// What a row has brought to light.
#[derive(Default)]
pub(crate) struct Verdict {
    /// How far two windows in a row were over the threshold of drift, which is 1.
    pub(crate) drift: Option<f64>,
    /// Share of suspicious rows, once it is over the setting.
    pub(crate) extraction: Option<f64>,
}

impl Window {
    /// Takes in a row. A row that is there already is no news: clients repeat themselves.
    pub(crate) fn observe(&mut self, profile: &Profile, row: &[f32], settings: &Settings) -> Verdict {
        let values = thin(row, profile.minimum, profile.scale);
        let distances = self.rows.iter().map(|row| squared_distance(&row.values, &values));
        let closest = distances.fold(f32::INFINITY, f32::min);
        if closest == 0.0 {
            return Verdict::default();
        }
        let look = profile.reference.look(&values);
        let suspicious = look.nearest > profile.far || closest.sqrt() < profile.crowded;
        if self.rows.len() == WINDOW {
            self.rows.pop_front();
        }
        self.rows.push_back(Row { values, look, suspicious });
        self.extraction_score = self.rows.iter().filter(|row| row.suspicious).count() as f64 / WINDOW as f64;
        let extraction = (self.extraction_score >= settings.extraction_share).then_some(self.extraction_score);
        self.since_test += 1;
        let drift = if self.since_test >= WINDOW { self.test(profile) } else { None };
        Verdict { drift, extraction }
    }

    /// Compares the window with the reference. One window in so many differs by chance, as the
    /// settings say; two in a row, which share no row, are drift.
    fn test(&mut self, profile: &Profile) -> Option<f64> {
        self.since_test = 0;
        let window: Vec<(&[f32], Look)> = self.rows.iter().map(|row| (row.values.as_slice(), row.look)).collect();
        self.drift_score = (profile.reference.discrepancy(&window) / profile.drift).max(0.0);
        self.drifted = if self.drift_score > 1.0 { self.drifted + 1 } else { 0 };
        (self.drifted >= 2).then_some(self.drift_score)
    }
}
