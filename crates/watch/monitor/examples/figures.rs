//! Prints the figures of `docs/watch.md`: false alarms on honest clients, queries until detection,
//! and what a query costs. `cargo run --release -p bartizan-monitor --example figures`

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    dead_code,
    reason = "a measurement stops at the first surprise"
)]

#[path = "../tests/world/mod.rs"]
mod world;

use bartizan_monitor::{Monitor, Settings, SignalKind};
use bartizan_statistics::{Numbers, wilson};
use world::{monitor, natural, noise, pushed, queries_until, query};

const CLIENTS: u64 = 2000;
const QUERIES: usize = 300;
const ATTACKERS: u64 = 100;

fn main() {
    honest();
    attacks();
    cost();
}

fn honest() {
    let mut monitor = monitor(Settings { cooldown_seconds: 1_000_000, ..Settings::default() });
    let (mut extraction, mut drift) = (0, 0);
    for client in 0..CLIENTS {
        let mut rows = natural();
        Numbers::new(client).shuffle(&mut rows, QUERIES);
        let mut kinds = Vec::new();
        for (number, row) in rows.iter().take(QUERIES).enumerate() {
            let exchange = query(&format!("honest{client}"), number as i64 * 100, std::slice::from_ref(row));
            kinds.extend(world::kinds(&monitor.observe(&exchange)));
        }
        extraction += u64::from(kinds.contains(&SignalKind::Extraction));
        drift += u64::from(kinds.contains(&SignalKind::InputDrift));
    }
    for (name, hits) in [("extraction", extraction), ("input-drift", drift)] {
        let high = wilson(hits, CLIENTS, 1.96).high;
        println!(
            "{name}: {hits} of {CLIENTS} honest clients flagged within {QUERIES} queries; at most {:.2} % (Wilson, 95 %)",
            high * 100.0
        );
    }
}

fn attacks() {
    let rows = natural();
    let mut counts = [Vec::new(), Vec::new(), Vec::new(), Vec::new()];
    for seed in 0..ATTACKERS {
        let mut numbers = Numbers::new(seed);
        let kind = SignalKind::Extraction;
        counts[0].push(alone(kind, |_| noise(&mut numbers)));
        let start = numbers.below(890);
        let push = |number: usize| pushed(&mut numbers, &rows[start + number % 8], 1.0 + (number / 64) as f32);
        counts[1].push(alone(kind, push));
        let mut customer = rows.clone();
        Numbers::new(seed).shuffle(&mut customer, QUERIES);
        counts[2].push(alone(kind, |number| customer[number].clone()));
        let faint = |number: usize| customer[number].iter().map(|pixel| (pixel * 0.6).floor()).collect();
        counts[3].push(alone(SignalKind::InputDrift, faint));
    }
    let names = [
        "extraction by noise",
        "extraction by pushed seeds",
        "extraction with natural rows",
        "drift to 60 % brightness",
    ];
    for (name, counts) in names.iter().zip(&mut counts) {
        let mut found: Vec<usize> = counts.iter().flatten().copied().collect();
        found.sort_unstable();
        let middle = found.get(found.len() / 2).copied().unwrap_or_default();
        let most = found.last().copied().unwrap_or_default();
        println!("{name}: found {} of {ATTACKERS}; queries until then: median {middle}, at most {most}", found.len());
    }
}

/// Each attacker meets a monitor of its own: together they would be a pool.
fn alone(kind: SignalKind, next: impl FnMut(usize) -> Vec<f32>) -> Option<usize> {
    queries_until(&mut monitor(Settings::default()), kind, "attacker", next, QUERIES)
}

fn cost() {
    let mut numbers = Numbers::new(1);
    // Each row once: repetitions are left out early and would flatter the figure.
    let mut time = |monitor: &mut Monitor, with_inputs: bool| {
        let exchanges: Vec<_> = (0..20_000_i64)
            .map(|number| match with_inputs {
                true => query(&format!("c{}", number % 50), number, &[noise(&mut numbers)]),
                false => world::request(&format!("c{}", number % 50), "home", number),
            })
            .collect();
        let each = exchanges.iter().map(|exchange| {
            let start = std::time::Instant::now();
            std::hint::black_box(monitor.observe(exchange));
            start.elapsed().as_secs_f64() * 1e6
        });
        let mut each: Vec<f64> = each.collect();
        // The median, for others use the machine, too.
        *each.select_nth_unstable_by(10_000, f64::total_cmp).1
    };
    let start = std::time::Instant::now();
    let mut with_profile = monitor(Settings::default());
    println!("calibrating a profile of 256 rows: {:.0} ms", start.elapsed().as_secs_f64() * 1e3);
    println!("an exchange with a row of 64 features: {:.1} us", time(&mut with_profile, true));
    println!("an exchange without inputs: {:.1} us", time(&mut with_profile, false));
}
