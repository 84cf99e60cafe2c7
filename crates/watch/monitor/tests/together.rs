//! What the monitor promises about several principals, about models that came without a profile, and
//! about queries around single points.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed set-up is a failed test")]

mod world;

use std::collections::BTreeSet;

use bartizan_core::{Asset, AssetKind, Exchange, Tenant};
use bartizan_monitor::{Monitor, Settings, Signal, SignalKind};
use bartizan_statistics::Numbers;
use world::{monitor, natural, noise, pushed, query, shuffled};

/// A row of a principal at a source.
fn asked(principal: &str, source: &str, number: usize, row: &[f32]) -> Exchange {
    Exchange { source: source.to_owned(), ..query(principal, number as i64 * 200, &[row.to_vec()]) }
}

fn pools(signals: &[Signal]) -> Vec<&Signal> {
    signals.iter().filter(|signal| signal.kind == SignalKind::ExtractionPool).collect()
}

fn members(signals: &[Signal]) -> BTreeSet<String> {
    pools(signals).iter().flat_map(|signal| signal.members.clone()).collect()
}

#[test]
fn an_extraction_split_over_ten_principals_is_found_within_80_queries_and_names_them() {
    for seed in 0..10 {
        let (mut monitor, mut numbers) = (monitor(Settings::default()), Numbers::new(seed));
        let honest = shuffled(seed, 300);
        let (mut signals, mut first) = (Vec::new(), None);
        for (number, natural) in honest.iter().enumerate().take(200) {
            let who = number % 10;
            let one = asked(&format!("split{who}"), &format!("at{who}"), number, &noise(&mut numbers));
            signals.extend(monitor.observe(&one));
            let other = asked(&format!("honest{}", number % 5), "office", number, natural);
            signals.extend(monitor.observe(&other));
            first = first.or_else(|| (!pools(&signals).is_empty()).then_some(number + 1));
        }
        assert!(first.is_some_and(|first| first <= 80), "{first:?}");
        assert_eq!(members(&signals), (0..10).map(|who| format!("split{who}")).collect(), "seed {seed}");
        assert!(!signals.iter().any(|signal| signal.kind == SignalKind::Extraction), "members are told of once");
        assert!(pools(&signals).iter().all(|signal| signal.principal.is_empty() && signal.key.is_empty()));
    }
}

#[test]
fn principals_of_one_network_or_program_are_pooled_though_their_queries_differ() {
    let rows = natural();
    for bond in ["source", "network", "program"] {
        let (mut monitor, mut numbers) = (monitor(Settings::default()), Numbers::new(5));
        let mut signals = Vec::new();
        for number in 0..120 {
            let row = if number % 2 == 0 { noise(&mut numbers) } else { pushed(&mut numbers, &rows[number % 3], 4.0) };
            let mut exchange = asked(&format!("p{}", number % 2), &format!("at{}", number % 2), number, &row);
            match bond {
                "source" => exchange.source = "same".to_owned(),
                "network" => exchange.network = "same".to_owned(),
                _ => exchange.program = "same".to_owned(),
            }
            signals.extend(monitor.observe(&exchange));
        }
        assert_eq!(members(&signals).len(), 2, "{bond}");
    }
}

#[test]
fn two_principals_that_share_nothing_are_not_pooled() {
    let (mut monitor, mut numbers) = (monitor(Settings::default()), Numbers::new(6));
    let signals: Vec<Signal> = (0..120)
        .flat_map(|number| {
            let who = number % 2;
            monitor.observe(&asked(&format!("p{who}"), &format!("at{who}"), number, &noise(&mut numbers)))
        })
        .collect();
    assert!(pools(&signals).is_empty());
    let alone = signals.iter().filter(|signal| signal.kind == SignalKind::Extraction);
    assert_eq!(alone.map(|signal| &signal.principal).collect::<BTreeSet<_>>().len(), 2);
}

#[test]
fn honest_clients_of_one_office_are_no_pool() {
    let mut monitor = monitor(Settings::default());
    for run in 0..20 {
        for (number, row) in shuffled(run, 300).iter().enumerate() {
            let signals = monitor.observe(&asked(&format!("honest{run}"), "office", number, row));
            assert!(signals.is_empty(), "run {run}: {signals:?}");
        }
    }
}

#[test]
fn an_extractor_that_hides_two_thirds_of_its_queries_among_natural_ones_is_found() {
    let rows = shuffled(3, 600);
    let (mut monitor, mut numbers) = (monitor(Settings::default()), Numbers::new(9));
    let next = |number: usize| if number.is_multiple_of(3) { noise(&mut numbers) } else { rows[number].clone() };
    let queries = world::queries_until(&mut monitor, SignalKind::Extraction, "hidden", next, 600);
    assert!(queries.is_some_and(|queries| queries <= 200), "{queries:?}");
}

#[test]
fn a_model_without_a_profile_is_watched_once_its_clients_have_shown_what_it_is_asked() {
    let asset = Asset::new(Tenant::default(), AssetKind::Model, "unknown");
    let mut monitor = Monitor::new(Settings::default());
    let mut watch = |principal: &str, number: usize, row: &[f32]| {
        monitor.observe(&Exchange { asset: asset.clone(), ..asked(principal, principal, number, row) })
    };
    let mut numbers = Numbers::new(2);
    for client in 0..12 {
        for (number, row) in shuffled(client, 100).iter().enumerate() {
            assert!(watch(&format!("client{client}"), number, row).is_empty());
        }
    }
    let found = (0..40).find(|number| !watch("extractor", *number, &noise(&mut numbers)).is_empty());
    assert!(found.is_some(), "the extractor is found");
}

#[test]
fn one_client_alone_teaches_nothing() {
    let asset = Asset::new(Tenant::default(), AssetKind::Model, "unknown");
    let mut monitor = Monitor::new(Settings::default());
    let mut numbers = Numbers::new(2);
    for number in 0..2000 {
        let exchange = Exchange { asset: asset.clone(), ..asked("first", "at", number, &noise(&mut numbers)) };
        assert!(monitor.observe(&exchange).is_empty());
    }
    assert_eq!(monitor.figures()[0].extraction_score, 0.0);
}

#[test]
fn membership_probing_is_told_apart_from_extraction_and_from_repetition() {
    let rows = natural();
    let (mut monitor, mut numbers) = (monitor(Settings::default()), Numbers::new(4));
    let mut signals = Vec::new();
    for number in 0..240 {
        // Three records, each with two pixels in the middle changed by one, darker or brighter.
        let mut row = rows[number % 3].clone();
        for _ in 0..2 {
            row[[19, 20, 27, 28, 35, 36, 43, 44][numbers.below(8)]] += if numbers.unit() < 0.5 { 1.0 } else { -1.0 };
        }
        signals.extend(monitor.observe(&asked("prober", "at", number, &row)));
    }
    assert!(!signals.is_empty(), "nothing is found");
    // Three records are no sample of what the model was made for, and that is said, too.
    let expected = [SignalKind::MembershipProbing, SignalKind::InputDrift];
    assert!(signals.iter().all(|signal| expected.contains(&signal.kind)), "{signals:?}");
    assert_eq!(signals[0].kind, SignalKind::MembershipProbing);
    let pushes = |number: usize| pushed(&mut numbers, &rows[number % 8], 1.0 + (number / 64) as f32);
    assert_eq!(world::queries_until(&mut monitor, SignalKind::MembershipProbing, "pushed", pushes, 200), None);
}

#[test]
fn frames_that_follow_one_another_in_small_steps_are_no_membership_probing() {
    let rows = natural();
    let mut monitor = monitor(Settings::default());
    let film = |number: usize| {
        let (from, to) = (&rows[number / 20], &rows[number / 20 + 1]);
        let part = (number % 20) as f32 / 20.0;
        from.iter().zip(to).map(|(from, to)| from + (to - from) * part).collect()
    };
    assert_eq!(world::queries_until(&mut monitor, SignalKind::MembershipProbing, "film", film, 800), None);
}
