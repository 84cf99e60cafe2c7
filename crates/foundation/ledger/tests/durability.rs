//! Power loss at every moment, and the proof that each sync is needed.

#![allow(clippy::unwrap_used)]

mod world;

use std::path::Path;

use bartizan_ledger::{Checkpoint, Conclusion, LedgerError, LedgerReader, Urgency, verify_in};
use bartizan_storage::Storage;
use bartizan_storage::fault::{Faulty, Kind};
use world::{World, append_batch, directory, event, signer};

/// Crosses two segments, so that tiles are published in between; ends in the middle of a third.
const BATCHES: [u64; 5] = [200, 301, 302, 513, 520];

#[derive(Default)]
struct Told {
    /// Entries that were acknowledged.
    acknowledged: u64,
    /// Whether closing was reported as done.
    closed: bool,
}

fn run(world: &World, told: &mut Told) -> Result<(), LedgerError> {
    let ledger = world.open()?;
    let mut at = 0;
    for next in BATCHES {
        append_batch(&ledger.handle(), at..next)?;
        at = next;
        told.acknowledged = at;
    }
    ledger.close()?;
    told.closed = true;
    Ok(())
}

/// What must hold after any crash.
fn check(world: &World, told: &Told) -> Result<(), String> {
    static_readers_are_served(world, told)?;
    let text = |error: LedgerError| error.to_string();
    let ledger = world.open().map_err(text)?;
    let size = ledger.handle().size();
    if size < told.acknowledged {
        return Err(format!("{size} entries of {} that were acknowledged", told.acknowledged));
    }
    let receipt = ledger.handle().append(&event(size), Urgency::Now).map_err(text)?.wait().map_err(text)?;
    if receipt.index != size {
        return Err("the next entry is not the next one".to_owned());
    }
    ledger.close().map_err(text)?;
    let reader = LedgerReader::open_in(world.shared(), directory()).map_err(text)?;
    for entry in reader.entries(0, size + 1) {
        let entry = entry.map_err(text)?;
        if entry.event != event(entry.index) {
            return Err(format!("entry {} is another one", entry.index));
        }
    }
    let report = verify_in(world.shared(), directory(), &[]);
    if report.conclusion == Conclusion::InternallyConsistent { Ok(()) } else { Err(format!("{report:?}")) }
}

/// Who reads only `checkpoint` and tiles finds what the checkpoint says, as soon as a segment is
/// gone; and all of it once the ledger was closed.
fn static_readers_are_served(world: &World, told: &Told) -> Result<(), String> {
    let storage = &world.storage;
    let published = match storage.read(&directory().join("checkpoint")) {
        Ok(note) => Checkpoint::verify(&note, &signer().verifier()).map_err(|error| error.to_string())?.size,
        Err(_) => 0,
    };
    if told.closed && published < told.acknowledged {
        return Err(format!("closed at {}, the checkpoint says {published}", told.acknowledged));
    }
    let names = storage.list(directory()).unwrap_or_default();
    match names.iter().filter_map(|name| name.strip_prefix("wal-")?.parse::<u64>().ok()).min() {
        Some(first) if published < first => Err(format!("segments start at {first}, the checkpoint says {published}")),
        _ => Ok(()),
    }
}

fn life(storage: Faulty, crash: usize, seed: u64) -> Result<(), String> {
    let world = World { storage };
    world.storage.crash_at(crash);
    let mut told = Told::default();
    let _ = run(&world, &mut told);
    world.storage.reboot(seed);
    world.storage.elide(|_, _| false);
    check(&world, &told)
}

fn healthy() -> World {
    let world = World { storage: Faulty::new() };
    run(&world, &mut Told::default()).unwrap();
    world
}

#[test]
fn every_acknowledged_entry_survives_a_power_loss_at_every_operation() {
    let seeds = if std::env::var_os("BARTIZAN_LONG").is_some() { 64 } else { 4 };
    for crash in 0..=healthy().storage.operations().len() {
        for seed in 0..seeds {
            life(Faulty::new(), crash, seed).unwrap_or_else(|lost| panic!("crash at {crash}, seed {seed}: {lost}"));
        }
    }
}

#[test]
fn removing_any_sync_is_noticed() {
    let operations = healthy().storage.operations();
    let syncs = operations.iter().enumerate().filter(|(_, operation)| operation.is_sync());
    let mut unnoticed = Vec::new();
    for (number, (place, sync)) in syncs.enumerate() {
        // Whoever needs a folder syncs its parent, also when the folder is there already: who made
        // it may have died before. In one life these repeat each other, so they go together.
        let repeats = Path::new("state");
        let together = sync.path == repeats;
        let noticed = (0..24).any(|seed| {
            (place + 1..=operations.len()).rev().any(|crash| {
                let storage = Faulty::new();
                storage.elide(move |n, sync| if together { sync.path == repeats } else { n == number });
                life(storage, crash, seed).is_err()
            })
        });
        if !noticed {
            unnoticed.push((number, sync));
        }
    }
    assert!(unnoticed.is_empty(), "these syncs could be removed without a test failing: {unnoticed:#?}");
}

/// Dies at operation `crash`, is opened again (without one kind of sync there when told so), then
/// the power goes. What the second process said is durable must still be there.
fn die_then_lose_power(crash: usize, seed: u64, elide: Option<Kind>) -> Result<(), String> {
    let world = World { storage: Faulty::new() };
    world.storage.crash_at(crash);
    let _ = run(&world, &mut Told::default());
    world.storage.restart();
    world.storage.elide(move |_, operation| Some(operation.kind) == elide);
    let ledger = world.open().map_err(|error| error.to_string())?;
    let acknowledged = ledger.handle().size();
    // Dies without closing.
    world.storage.crash_at(0);
    drop(ledger);
    world.storage.reboot(seed);
    world.storage.elide(|_, _| false);
    check(&world, &Told { acknowledged, closed: false })
}

#[test]
fn what_a_restarted_writer_says_is_durable_survives_the_next_power_loss() {
    let operations = healthy().storage.operations().len();
    for crash in 0..=operations {
        die_then_lose_power(crash, crash as u64, None).unwrap_or_else(|lost| panic!("killed at {crash}: {lost}"));
    }
    for kind in [Kind::SyncFile, Kind::SyncDirectory] {
        let noticed =
            (0..=operations).any(|crash| (0..8).any(|seed| die_then_lose_power(crash, seed, Some(kind)).is_err()));
        assert!(noticed, "{kind:?} on reopening could be removed without a test failing");
    }
}

#[test]
fn every_failed_sync_is_reported_and_nothing_is_accepted_after_it() {
    for number in 0..healthy().storage.syncs().len() {
        let world = World { storage: Faulty::new() };
        world.storage.fail_sync_at(number);
        let mut told = Told::default();
        assert!(run(&world, &mut told).is_err(), "the failure of sync {number} was swallowed");
        world.storage.reboot(number as u64);
        check(&world, &told).unwrap_or_else(|lost| panic!("sync {number} failed: {lost}"));
    }
    let world = World { storage: Faulty::new() };
    let ledger = world.open().unwrap();
    append_batch(&ledger.handle(), 0..3).unwrap();
    world.storage.fail_sync_at(world.storage.syncs().len());
    assert!(append_batch(&ledger.handle(), 3..5).is_err());
    assert!(matches!(ledger.handle().append(&event(5), Urgency::Now), Err(LedgerError::Failed(_))));
    assert_eq!(ledger.handle().size(), 3);
    assert!(ledger.close().is_err());
}
