//! What one principal asked a model lately.

use std::collections::VecDeque;

use bartizan_core::Timestamp;
use bartizan_statistics::{Cusum, Look, squared_distance};

use crate::centres::Centres;
use crate::profile::{Profile, Seen, TRAIL, WINDOW};
use crate::settings::Settings;
use crate::steps::Steps;

/// Suspicious rows that are kept to compare principals by.
const LAST: usize = 8;

/// The last distinct rows of one principal, and the evidence in them.
#[derive(Default)]
pub(crate) struct Window {
    pub(crate) principal: String,
    rows: VecDeque<(Vec<f32>, Look)>,
    trail: VecDeque<Vec<f32>>,
    /// Whether each of the last 32 rows was suspicious, as bits.
    suspicious: u32,
    since_test: usize,
    /// Windows in a row that differed from the reference.
    drifted: u32,
    /// Evidence that more rows are made up than clients' usually are, in nats.
    pub(crate) evidence: Cusum,
    /// Sketches of the last suspicious rows.
    pub(crate) last: VecDeque<Vec<f32>>,
    centres: Centres,
    steps: Steps,
    /// When a pool of principals was told of that this one belongs to.
    pub(crate) pooled: Option<Timestamp>,
    pub(crate) drift_score: f64,
}

/// What a row has brought to light.
#[derive(Default)]
pub(crate) struct Verdict {
    /// How far two windows in a row were over the threshold of drift, which is 1.
    pub(crate) drift: Option<f64>,
    /// Far from all data of the profile, crowded by queries before, or a repeated step from one.
    pub(crate) is_suspicious: bool,
    /// Rows among the last 64 that are nearly the same as others.
    pub(crate) probes: u32,
}

impl Window {
    pub(crate) fn of(principal: &str) -> Self {
        Self { principal: principal.to_owned(), ..Self::default() }
    }

    /// Takes in a row. A row that is there already is no news: clients repeat themselves.
    pub(crate) fn observe(&mut self, profile: &mut Profile, row: &[f32], settings: &Settings, most: f64) -> Verdict {
        let seen = profile.see(row);
        let distances = self.trail.iter().map(|other| squared_distance(other, &seen.sketch));
        let closest = distances.fold(f32::INFINITY, f32::min);
        if closest == 0.0 {
            return Verdict::default();
        }
        let is_near = self.centres.observe(&seen.sketch, profile.near());
        // What is nearly the same is a matter of membership probing.
        let is_step = !is_near && self.steps.observe(closest.sqrt()) && profile.steps_tell;
        let is_suspicious = !is_near && (seen.is_far || closest < profile.crowded() || is_step);
        if !is_near {
            self.evidence.observe(is_suspicious, profile.usual(), settings.extraction_share, most);
        }
        self.remember(seen, is_suspicious);
        self.since_test += 1;
        let drift = if self.since_test >= WINDOW { self.test(profile, most) } else { None };
        Verdict { drift, is_suspicious, probes: self.centres.probes() }
    }

    /// Share of the last 32 rows that were suspicious.
    pub(crate) fn share(&self) -> f64 {
        f64::from(self.suspicious.count_ones()) / WINDOW as f64
    }

    /// Whether the last suspicious rows of both could come from one maker: their means are close,
    /// measured by how far rows lie apart (the energy distance of Székely and Rizzo, 2013, with squared
    /// distances).
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        let (own, others) = (spread(&self.last), spread(&other.last));
        let (Some(own), Some(others)) = (own, others) else { return false };
        let pairs = self.last.iter().flat_map(|a| other.last.iter().map(move |b| squared_distance(a, b)));
        let between = pairs.sum::<f32>() / (self.last.len() * other.last.len()) as f32;
        let within = (own + others) / 2.0;
        between - within <= within / 2.0
    }

    fn remember(&mut self, seen: Seen, is_suspicious: bool) {
        if is_suspicious {
            push(&mut self.last, seen.sketch.clone(), LAST);
        }
        push(&mut self.trail, seen.sketch, TRAIL);
        push(&mut self.rows, (seen.values, seen.look), WINDOW);
        self.suspicious = self.suspicious << 1 | u32::from(is_suspicious);
    }

    /// Compares the window with the reference. One window in so many differs by chance, as the
    /// settings say; two in a row, which share no row, are drift.
    fn test(&mut self, profile: &mut Profile, most: f64) -> Option<f64> {
        self.since_test = 0;
        // Half of the evidence that is told of: what is that suspected teaches nothing.
        if self.evidence.value() < most / 4.0 {
            profile.learn_share(self.share());
        }
        if profile.is_learnt {
            return None;
        }
        let window: Vec<(&[f32], Look)> = self.rows.iter().map(|(values, look)| (values.as_slice(), *look)).collect();
        self.drift_score = profile.drift(&window);
        self.drifted = if self.drift_score > 1.0 { self.drifted + 1 } else { 0 };
        (self.drifted >= 2).then_some(self.drift_score)
    }
}

/// Mean squared distance between different rows; `None` for fewer than three.
fn spread(rows: &VecDeque<Vec<f32>>) -> Option<f32> {
    if rows.len() < 3 {
        return None;
    }
    let pairs = rows.iter().enumerate().flat_map(|(place, a)| rows.iter().skip(place + 1).map(move |b| (a, b)));
    let sum: f32 = pairs.map(|(a, b)| squared_distance(a, b)).sum();
    Some(2.0 * sum / (rows.len() * (rows.len() - 1)) as f32)
}

fn push<T>(queue: &mut VecDeque<T>, item: T, most: usize) {
    if queue.len() == most {
        queue.pop_front();
    }
    queue.push_back(item);
}
