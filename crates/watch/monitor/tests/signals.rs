//! What the monitor promises: attackers are signalled, honest clients are not.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed set-up is a failed test")]

mod world;

use bartizan_core::{AssetKind, Outcome};
use bartizan_monitor::{Monitor, Settings, SignalKind};
use bartizan_statistics::Numbers;
use world::{kinds, monitor, natural, noise, pushed, queries_until, query, refused, request, shuffled};

/// Feeds the exchanges `(source, milliseconds)` of one key.
fn key_use(settings: Settings, uses: impl IntoIterator<Item = (&'static str, i64)>) -> usize {
    let mut monitor = Monitor::new(settings);
    let signals = uses.into_iter().flat_map(|(source, millis)| monitor.observe(&request("shop", source, millis)));
    signals.filter(|signal| signal.kind == SignalKind::KeyShared).count()
}

#[test]
fn a_key_in_two_hands_is_signalled_within_half_a_second_and_once_in_a_while() {
    let mut monitor = Monitor::new(Settings::default());
    let mut times = Vec::new();
    for millis in 0..12_000 {
        // The owner asks ten times a second, the thief two hundred times from the first second on.
        if millis % 100 == 0 {
            times.extend(monitor.observe(&request("shop", "owner", millis)).iter().map(|signal| (signal.kind, millis)));
        }
        if millis > 1000 && millis % 5 == 1 {
            times.extend(monitor.observe(&request("shop", "thief", millis)).iter().map(|signal| (signal.kind, millis)));
        }
    }
    times.retain(|(kind, _)| *kind == SignalKind::KeyShared);
    assert_eq!(times.len(), 2, "{times:?}");
    assert!(times[0].1 < 1500, "{times:?}");
    assert!(times[1].1 - times[0].1 >= 10_000, "{times:?}");
}

#[test]
fn a_key_that_moves_is_not_shared() {
    let moves = (0..40).map(|turn| (if turn < 20 { "home" } else { "office" }, turn * 100));
    assert_eq!(key_use(Settings::default(), moves), 0);
    let there_and_back = (0..40).map(|turn| (if (10..30).contains(&turn) { "train" } else { "home" }, turn * 200));
    assert_eq!(key_use(Settings::default(), there_and_back), 0);
    let stragglers = [("home", 0), ("office", 10), ("home", 20), ("office", 30), ("office", 40), ("office", 50)];
    assert_eq!(key_use(Settings::default(), stragglers), 0);
    let slowly = (0..40).map(|turn| (if turn % 2 == 0 { "home" } else { "office" }, turn * 15_000));
    assert_eq!(key_use(Settings::default(), slowly), 0);
}

#[test]
fn a_key_that_is_shared_on_purpose_is_left_alone() {
    let turns = || (0..40).map(|turn| (if turn % 2 == 0 { "one" } else { "two" }, turn * 50));
    assert!(key_use(Settings::default(), turns()) > 0);
    assert_eq!(key_use(Settings { shared_keys: vec!["bk_shop".to_owned()], ..Settings::default() }, turns()), 0);
}

#[test]
fn a_flood_is_signalled_and_steady_custom_is_not() {
    let mut monitor = Monitor::new(Settings::default());
    let flood: Vec<_> = (0..3000).flat_map(|number| monitor.observe(&request("flood", "a", number))).collect();
    assert_eq!(kinds(&flood), [SignalKind::RequestFlood]);
    let limited: Vec<_> = (0..60)
        .flat_map(|number| monitor.observe(&refused("limited", "a", 5000 + number * 20, "rate-limited", 429)))
        .collect();
    assert_eq!(kinds(&limited), [SignalKind::RequestFlood]);
    let steady: Vec<_> = (0..6000).flat_map(|number| monitor.observe(&request("steady", "a", number * 20))).collect();
    assert!(steady.is_empty(), "{steady:?}");
}

#[test]
fn custom_that_grew_slowly_is_not_a_flood() {
    let mut monitor = Monitor::new(Settings::default());
    let (mut millis, mut signals) = (0.0, Vec::new());
    // From 20 to 200 requests a second over half an hour.
    while millis < 1_800_000.0 {
        signals.extend(monitor.observe(&request("grown", "a", millis as i64)));
        millis += 1000.0 / (20.0 + 180.0 * millis / 1_800_000.0);
    }
    assert!(signals.is_empty(), "{signals:?}");
}

#[test]
fn malformed_requests_are_signalled_and_a_few_slips_are_not() {
    let mut monitor = Monitor::new(Settings::default());
    let count = (0..40).position(|number| {
        let signals = monitor.observe(&refused("bad", "a", number * 2, "tensor-shape", 422));
        signals.iter().any(|signal| signal.kind == SignalKind::MalformedInputs)
    });
    assert_eq!(count, Some(15));
    let slips: Vec<_> = (0..1000)
        .flat_map(|number| match number % 10 {
            0 => monitor.observe(&refused("slips", "a", number * 30, "json-malformed", 400)),
            _ => monitor.observe(&request("slips", "a", number * 30)),
        })
        .collect();
    assert!(slips.is_empty(), "{slips:?}");
}

#[test]
fn a_source_that_tries_keys_is_signalled_without_a_principal() {
    let mut monitor = Monitor::new(Settings::default());
    let signals: Vec<_> =
        (0..30).flat_map(|number| monitor.observe(&refused("", "prober", number * 100, "key-unknown", 401))).collect();
    assert_eq!(kinds(&signals), [SignalKind::UnauthorizedProbing]);
    assert_eq!(signals[0].principal, "");
    assert_eq!(signals[0].source, "prober");
    let slow: Vec<_> =
        (0..30).flat_map(|number| monitor.observe(&refused("", "typo", number * 10_000, "key-unknown", 401))).collect();
    assert!(slow.is_empty(), "{slow:?}");
}

#[test]
fn an_honest_client_is_not_flagged_in_20_runs_of_300_queries() {
    let mut monitor = monitor(Settings::default());
    for run in 0..20 {
        let rows = shuffled(run, 300);
        let found: Vec<_> = rows
            .iter()
            .enumerate()
            .flat_map(|(number, row)| {
                monitor.observe(&query(&format!("honest{run}"), number as i64 * 100, std::slice::from_ref(row)))
            })
            .collect();
        assert!(found.is_empty(), "run {run}: {found:?}");
    }
}

#[test]
fn a_client_that_repeats_itself_is_not_flagged() {
    let (mut monitor, rows) = (monitor(Settings::default()), natural());
    let found: Vec<_> =
        (0..500).flat_map(|number| monitor.observe(&query("probe", number * 100, &rows[..1]))).collect();
    assert!(found.is_empty(), "{found:?}");
    let found: Vec<_> = (0..500_usize)
        .flat_map(|number| {
            monitor.observe(&query("cycle", number as i64 * 100, std::slice::from_ref(&rows[number % 20])))
        })
        .collect();
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn extraction_by_noise_is_found_within_32_queries() {
    for seed in 0..20 {
        let (mut monitor, mut numbers) = (monitor(Settings::default()), Numbers::new(seed));
        let queries = queries_until(&mut monitor, SignalKind::Extraction, "noise", |_| noise(&mut numbers), 300);
        assert!(queries.is_some_and(|queries| queries <= 32), "{queries:?}");
    }
}

#[test]
fn extraction_by_pushing_a_few_seeds_is_found_within_64_queries() {
    let rows = natural();
    for seed in 0..20 {
        let (mut monitor, mut numbers) = (monitor(Settings::default()), Numbers::new(seed));
        let next =
            |number: usize| pushed(&mut numbers, &rows[seed as usize * 40 + number % 8], 1.0 + (number / 64) as f32);
        let queries = queries_until(&mut monitor, SignalKind::Extraction, "pushed", next, 300);
        assert!(queries.is_some_and(|queries| queries <= 64), "{queries:?}");
    }
}

#[test]
fn extraction_in_one_large_batch_is_found_too() {
    let (mut monitor, mut numbers) = (monitor(Settings::default()), Numbers::new(4));
    let batch: Vec<_> = (0..200).map(|_| noise(&mut numbers)).collect();
    assert!(kinds(&monitor.observe(&query("batch", 0, &batch))).contains(&SignalKind::Extraction));
}

#[test]
fn extraction_with_natural_rows_is_not_detected_and_that_is_known() {
    // What customers send can't be told from what customers send: the information budget bounds it.
    let (mut monitor, rows) = (monitor(Settings::default()), shuffled(77, 600));
    assert_eq!(
        queries_until(&mut monitor, SignalKind::Extraction, "natural", |number| rows[number].clone(), 600),
        None
    );
}

#[test]
fn drifted_inputs_are_signalled_within_two_windows() {
    let (mut monitor, rows) = (monitor(Settings::default()), natural());
    let negative = |number: usize| rows[number].iter().map(|pixel| 16.0 - pixel).collect();
    let queries = queries_until(&mut monitor, SignalKind::InputDrift, "negative", negative, 300);
    assert_eq!(queries, Some(64));
    let faint = |number: usize| rows[number].iter().map(|pixel| (pixel * 0.6).floor()).collect();
    let queries = queries_until(&mut monitor, SignalKind::InputDrift, "faint", faint, 300);
    assert!(queries.is_some_and(|queries| queries <= 128), "{queries:?}");
}

#[test]
fn a_model_without_a_profile_is_watched_for_everything_else() {
    let mut monitor = Monitor::new(Settings::default());
    let asset = bartizan_core::Asset::new(bartizan_core::Tenant::default(), AssetKind::Model, "other");
    assert!(!monitor.profile(&asset, &[vec![0.5; 4]]));
    let mut numbers = Numbers::new(1);
    let found: Vec<_> =
        (0..100).flat_map(|number| monitor.observe(&query("x", number * 100, &[noise(&mut numbers)]))).collect();
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn however_many_principals_come_memory_stays_bounded() {
    let mut monitor = monitor(Settings { principals: 100, ..Settings::default() });
    for number in 0..5000 {
        monitor.observe(&query(&format!("p{number}"), number, &[vec![number as f32; 64]]));
        monitor.observe(&refused("", &format!("s{number}"), number, "key-unknown", 401));
    }
    assert!(monitor.figures().len() <= 100);
}

#[test]
fn figures_tell_what_a_principal_did() {
    let mut monitor = Monitor::new(Settings::default());
    for number in 0..50 {
        monitor.observe(&request("shop", if number < 25 { "home" } else { "office" }, number * 200));
    }
    monitor.observe(&refused("shop", "office", 10_000, "tensor-shape", 422));
    let figures = monitor.figures();
    let shop = &figures[0];
    assert_eq!((shop.requests, shop.refusals, shop.sources), (51, 1, 2));
    assert!((shop.rate - 5.0).abs() < 0.6, "{}", shop.rate);
}

#[test]
fn a_signal_becomes_an_event_that_rules_can_read() {
    let mut monitor = Monitor::new(Settings::default());
    let turns = (0..40).map(|turn| request("shop", if turn % 2 == 0 { "one" } else { "two" }, turn * 50));
    let signal = turns.into_iter().find_map(|mut exchange| {
        exchange.drill = true;
        monitor.observe(&exchange).into_iter().next()
    });
    let event = signal.unwrap().event("id".to_owned());
    assert_eq!(
        (event.kind.as_str(), event.reason.as_str(), event.outcome),
        ("monitor.signal", "key-shared", Outcome::Observe)
    );
    assert_eq!((event.data["key"].as_str(), event.data["drill"].as_bool()), (Some("bk_shop"), Some(true)));
    assert_eq!(event.data["score_ppm"].as_i64(), Some(3_000_000));
}
