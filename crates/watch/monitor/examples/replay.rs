//! Replays traffic that was written down, and prints what the monitor says to it: what
//! `bench/extraction.py` measures is this code and no other.
//!
//! Standard input: a line of JSON with `width`, `principals`, `sources` (words) and `profile` (how many rows
//! follow as the model's profile; 0: none), then the profile's rows, then records: four little-endian
//! 32-bit integers (principal, source, milliseconds, rows) and the rows. Values are 32-bit floats.
//! Standard output: a line of JSON for each signal, then one with the median time that an
//! exchange of one row took.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a measurement stops at the first surprise")]

use std::io::{BufRead as _, Read as _};
use std::sync::Arc;
use std::time::Instant;

use bartizan_core::{Asset, AssetKind, Exchange, Outcome, Tenant, Timestamp};
use bartizan_monitor::{Monitor, Settings};
use serde_json::{Value, json};

fn main() {
    let mut input = std::io::stdin().lock();
    let mut line = String::new();
    input.read_line(&mut line).unwrap();
    let head: Value = serde_json::from_str(&line).unwrap();
    let words = |name: &str| -> Vec<String> { serde_json::from_value(head[name].clone()).unwrap() };
    let (principals, sources) = (words("principals"), words("sources"));
    let width = usize::try_from(head["width"].as_u64().unwrap()).unwrap();
    let profile = usize::try_from(head["profile"].as_u64().unwrap()).unwrap();
    let mut bytes = Vec::new();
    input.read_to_end(&mut bytes).unwrap();
    let mut words = bytes.chunks_exact(4).map(|bytes| u32::from_le_bytes(bytes.try_into().unwrap()));
    let floats =
        |words: &mut dyn Iterator<Item = u32>, count: usize| words.take(count).map(f32::from_bits).collect::<Vec<_>>();

    let asset = Asset::new(Tenant::default(), AssetKind::Model, "victim");
    let mut monitor = Monitor::new(Settings::default());
    let rows: Vec<Vec<f32>> = (0..profile).map(|_| floats(&mut words, width)).collect();
    assert!(rows.is_empty() || monitor.profile(&asset, &rows), "the profile can't be used");
    let (mut record, mut seconds) = (0, Vec::new());
    while let Some(principal) = words.next() {
        let (source, millis, count) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
        let exchange = Exchange {
            time: Timestamp::from_nanoseconds(1_790_000_000_000_000_000 + i64::from(millis) * 1_000_000),
            tenant: Tenant::default(),
            principal: principals[principal as usize].clone(),
            key: format!("bk_{principal}"),
            drill: false,
            source: sources[source as usize].clone(),
            network: String::new(),
            program: String::new(),
            asset: asset.clone(),
            outcome: Outcome::Allow,
            reason: String::new(),
            status: 200,
            microseconds: 900,
            inputs: floats(&mut words, count as usize * width).into(),
            width,
            labels: Arc::default(),
        };
        let start = Instant::now();
        let signals = monitor.observe(&exchange);
        if count == 1 {
            seconds.push(start.elapsed().as_secs_f64());
        }
        for signal in signals {
            println!(
                "{}",
                json!({ "record": record, "kind": signal.kind.as_str(), "principal": signal.principal, "members": signal.members })
            );
        }
        record += 1;
    }
    // The median, for others use the machine, too.
    seconds.sort_by(f64::total_cmp);
    let middle = seconds.get(seconds.len() / 2).copied().unwrap_or_default();
    println!("{}", json!({ "exchanges": record, "microseconds": middle * 1e6 }));
}
