//! Exchanges of the shipped digits model, and clients honest and other.

#![allow(dead_code, reason = "each test file uses a part")]

use std::sync::Arc;

use bartizan_core::{Asset, AssetKind, Exchange, Outcome, Tenant, Timestamp};
use bartizan_monitor::{Monitor, Settings, Signal, SignalKind};
use bartizan_statistics::Numbers;

const PROFILE: &str = include_str!("../../../../../models/digits/digits.profile.json");
const ROWS: &str = include_str!("../../../../../models/digits/digits.rows");

pub(crate) fn asset() -> Asset {
    Asset::new(Tenant::default(), AssetKind::Model, "digits")
}

/// A monitor that knows the digits model.
pub(crate) fn monitor(settings: Settings) -> Monitor {
    let profile: serde_json::Value = serde_json::from_str(PROFILE).unwrap();
    let rows: Vec<Vec<f32>> = serde_json::from_value(profile["rows"].clone()).unwrap();
    let mut monitor = Monitor::new(settings);
    assert!(monitor.profile(&asset(), &rows));
    monitor
}

/// All 900 held-out rows; none of them is in the profile.
pub(crate) fn natural() -> Vec<Vec<f32>> {
    let rows: Vec<Vec<f32>> = ROWS
        .lines()
        .filter_map(|line| line.split(' ').nth(2))
        .map(|pixels| pixels.chars().filter_map(|c| c.to_digit(17)).map(|pixel| pixel as f32).collect())
        .collect();
    assert_eq!(rows.len(), 900);
    rows
}

/// An admitted request without inputs, `millis` after the epoch of the test.
pub(crate) fn request(principal: &str, source: &str, millis: i64) -> Exchange {
    Exchange {
        time: Timestamp::from_nanoseconds(1_790_000_000_000_000_000 + millis * 1_000_000),
        tenant: Tenant::default(),
        principal: principal.to_owned(),
        key: if principal.is_empty() { String::new() } else { format!("bk_{principal}") },
        drill: false,
        source: source.to_owned(),
        network: String::new(),
        program: String::new(),
        asset: asset(),
        outcome: Outcome::Allow,
        reason: String::new(),
        status: 200,
        microseconds: 900,
        inputs: Arc::default(),
        width: 0,
        labels: Arc::default(),
    }
}

/// A refused request.
pub(crate) fn refused(principal: &str, source: &str, millis: i64, reason: &str, status: u16) -> Exchange {
    let outcome = Outcome::Deny;
    Exchange { outcome, reason: reason.to_owned(), status, ..request(principal, source, millis) }
}

/// An answered question about rows.
pub(crate) fn query(principal: &str, millis: i64, rows: &[Vec<f32>]) -> Exchange {
    Exchange { inputs: rows.concat().into(), width: rows[0].len(), ..request(principal, "home", millis) }
}

/// How many queries it took until the kind of signal came.
pub(crate) fn queries_until(
    monitor: &mut Monitor,
    kind: SignalKind,
    principal: &str,
    mut next: impl FnMut(usize) -> Vec<f32>,
    most: usize,
) -> Option<usize> {
    (0..most)
        .find(|number| {
            let exchange = query(principal, *number as i64 * 20, &[next(*number)]);
            monitor.observe(&exchange).iter().any(|signal| signal.kind == kind)
        })
        .map(|number| number + 1)
}

pub(crate) fn kinds(signals: &[Signal]) -> Vec<SignalKind> {
    signals.iter().map(|signal| signal.kind).collect()
}

/// Natural rows in an order of their own.
pub(crate) fn shuffled(seed: u64, count: usize) -> Vec<Vec<f32>> {
    let mut rows = natural();
    Numbers::new(seed).shuffle(&mut rows, count);
    rows.truncate(count);
    rows
}

pub(crate) fn noise(numbers: &mut Numbers) -> Vec<f32> {
    (0..64).map(|_| (numbers.unit() * 16.0).floor() as f32).collect()
}

/// A seed pushed up or down by `step` in every place.
pub(crate) fn pushed(numbers: &mut Numbers, seed: &[f32], step: f32) -> Vec<f32> {
    seed.iter().map(|value| (value + if numbers.unit() < 0.5 { -step } else { step }).clamp(0.0, 16.0)).collect()
}
