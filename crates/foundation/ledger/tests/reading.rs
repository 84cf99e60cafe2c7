//! Reading: beside a writer, other people's logs, entries of other versions; and waiting.

#![allow(clippy::unwrap_used)]

mod world;

use std::collections::BTreeMap;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use bartizan_ledger::{
    Checkpoint, Conclusion, Ledger, LedgerError, LedgerReader, MAX_ENTRY, Options, Query, Urgency, export, fuzz_one,
    is_consistent, leaf_hash, verify,
};
use bartizan_storage::{Disk, Storage};
use world::{World, append_batch, directory, event, signer};

#[test]
fn a_public_tile_log_reads_and_its_checkpoints_are_consistent() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(3).unwrap();
    let log = root.join("../shared/corpora/integrity/tlog");
    if !log.is_dir() {
        println!("skipped: {} is absent", log.display());
        return;
    }
    let checkpoints: BTreeMap<u64, Checkpoint> = std::fs::read_dir(&log)
        .unwrap()
        .map(|file| file.unwrap().path())
        .filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("checkpoint"))
        .map(|path| Checkpoint::unverified(&std::fs::read(path).unwrap()).unwrap())
        .map(|checkpoint| (checkpoint.size, checkpoint))
        .collect();
    assert!(checkpoints.len() > 10);
    let reader = LedgerReader::open(&log).unwrap();
    assert_eq!(reader.raw(0, reader.size()).count() as u64, reader.size());
    for (size, checkpoint) in checkpoints.iter().filter(|(size, _)| **size > 0) {
        assert_eq!(reader.root_at(*size).unwrap(), checkpoint.root, "size {size}");
        let proof = reader.consistency_proof(*size, reader.size()).unwrap();
        assert!(is_consistent(*size, &checkpoint.root, reader.size(), &reader.checkpoint().root, &proof));
        let (index, bytes) = reader.raw(size - 1, *size).next().unwrap().unwrap();
        let proof = reader.inclusion_proof(index, *size).unwrap();
        let root = bartizan_ledger::root_from_inclusion(&leaf_hash(&bytes), index, *size, &proof);
        assert_eq!(root, Some(checkpoint.root));
    }
}

#[test]
fn what_is_not_known_of_an_entry_is_kept_and_a_newer_version_refused() {
    let world = World::with_entries(3);
    let (copy, folder) = (bartizan_storage::fault::Faulty::new(), Path::new("copy"));
    export(&world.reader(), &copy, folder).unwrap();
    let bundle = folder.join("tile/entries/000.p/3");
    let change = |from: &str, to: &str| {
        let reader = world.reader();
        let mut bytes = Vec::new();
        for raw in reader.raw(0, 3) {
            let (index, entry) = raw.unwrap();
            let text = String::from_utf8(entry).unwrap();
            let text = if index == 1 { text.replace(from, to) } else { text };
            bytes.extend(u16::try_from(text.len()).unwrap().to_be_bytes());
            bytes.extend(text.as_bytes());
        }
        copy.write(&bundle, &bytes).unwrap();
        LedgerReader::open_in(Arc::new(copy.clone()), folder).unwrap()
    };
    let reader = change("\"v\":1}", "\"v\":1,\"zebra\":{\"stripes\":40}}");
    let entry = reader.entry(1).unwrap();
    assert_eq!(entry.fields["zebra"]["stripes"], 40);
    assert_eq!(entry.event, event(1));
    let reader = change("\"v\":1}", "\"v\":2}");
    let refused = reader.entry(1).unwrap_err().to_string();
    assert!(refused.contains("entry 1") && refused.contains("version 2"), "{refused}");
    assert!(reader.entry(2).is_ok(), "the others are still read");
}

#[test]
fn a_search_finds_what_meets_all_conditions() {
    let world = World::with_entries(300);
    let reader = world.reader();
    let found = |query: Query| -> Vec<u64> {
        reader
            .entries(0, 300)
            .map(Result::unwrap)
            .filter(|entry| query.matches(entry))
            .map(|entry| entry.index)
            .collect()
    };
    assert_eq!(found(Query::default()).len(), 300);
    let query = Query {
        kind: Some("request".into()),
        principal: Some("p1".into()),
        outcome: Some(bartizan_core::Outcome::Deny),
        asset: Some("faces".into()),
        until: Some(event(100).time),
        ..Query::default()
    };
    assert_eq!(found(query), (0..100).filter(|n| n % 5 == 1 && n % 3 == 0 && n % 2 == 1).collect::<Vec<_>>());
    assert_eq!(found(Query { text: Some("EVENT-17\"".into()), ..Query::default() }), [17]);
    assert_eq!(found(Query { kind: Some("req".into()), ..Query::default() }), [0; 0]);
}

#[test]
fn readers_beside_a_busy_writer_always_see_a_whole_ledger() {
    let folder = tempfile::tempdir().unwrap();
    let directory: PathBuf = folder.path().join("ledger");
    let options = Options { segment_bundles: 1, inline: true };
    let ledger = Ledger::open_with(Arc::new(Disk), &directory, signer(), options).unwrap();
    let handle = ledger.handle();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for start in (0..3000).step_by(100) {
                append_batch(&handle, start..start + 100).unwrap();
            }
            done.store(true, Ordering::SeqCst);
        });
        let mut size = 0;
        while !done.load(Ordering::SeqCst) {
            let reader = LedgerReader::open(&directory).unwrap();
            assert!(reader.size() >= size);
            size = reader.size();
            assert_eq!(reader.root_at(size).unwrap(), reader.checkpoint().root);
            assert_eq!(reader.raw(0, size).map(Result::unwrap).count() as u64, size);
        }
        writer.join().unwrap();
    });
    ledger.close().unwrap();
    assert_eq!(verify(&directory, &[]).conclusion, Conclusion::InternallyConsistent);
}

struct Noticed(AtomicBool);

impl Wake for Noticed {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn a_ticket_is_a_future_that_wakes_whoever_polls_it() {
    let world = World::with_entries(0);
    let ledger = world.open().unwrap();
    let waiting = ledger.handle().append(&event(0), Urgency::Within(Duration::from_secs(3600))).unwrap();
    let noticed = Arc::new(Noticed(AtomicBool::new(false)));
    let waker = Waker::from(Arc::clone(&noticed));
    let mut context = Context::from_waker(&waker);
    let mut waiting = pin!(waiting);
    assert!(waiting.as_mut().poll(&mut context).is_pending());
    let receipt = ledger.handle().append(&event(1), Urgency::Now).unwrap().wait().unwrap();
    assert_eq!((receipt.index, receipt.size), (1, 2));
    while !noticed.0.load(Ordering::SeqCst) {
        std::thread::yield_now();
    }
    let Poll::Ready(Ok(receipt)) = waiting.as_mut().poll(&mut context) else { panic!("woken and not ready") };
    assert_eq!(receipt.index, 0);
    assert_eq!(ledger.handle().statistics().commits, 1, "both became durable together");
}

#[test]
fn an_entry_above_the_limit_and_one_after_closing_are_refused() {
    let world = World::with_entries(0);
    let ledger = world.open().unwrap();
    let handle = ledger.handle();
    let large = event(0).because(&"x".repeat(MAX_ENTRY));
    assert!(matches!(handle.append(&large, Urgency::Now), Err(LedgerError::TooLarge(_))));
    let dropped = handle.append(&event(0), Urgency::Within(Duration::from_secs(3600))).unwrap();
    drop(dropped);
    ledger.close().unwrap();
    assert!(matches!(handle.append(&event(1), Urgency::Now), Err(LedgerError::Closed)));
    assert_eq!(world.reader().size(), 1, "what was accepted is written on closing, ticket or not");
}

#[test]
fn the_queue_is_bounded() {
    let world = World::with_entries(0);
    let ledger = world.open().unwrap();
    let handle = ledger.handle();
    let large = event(0).because(&"x".repeat(MAX_ENTRY - 600));
    let patient = Urgency::Within(Duration::from_secs(3600));
    let refused = (0..2000).find_map(|_| handle.append(&large, patient).err());
    assert!(matches!(refused, Some(LedgerError::Full)));
}

#[test]
fn no_mutation_of_our_files_makes_a_parser_fall() {
    let world = World::with_entries(300);
    let proof = bartizan_ledger::prove(&world.reader(), 17).unwrap().into_bytes();
    let mut seeds = vec![proof];
    seeds.extend(world.files().iter().map(|path| world.storage.read(path).unwrap()));
    seeds.push(world.storage.read(&directory().join("checkpoint")).unwrap());
    let rounds = if std::env::var_os("BARTIZAN_LONG").is_some() { 200_000 } else { 2_000 };
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut draw = |end: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % end.max(1) as u64).unwrap()
    };
    for _ in 0..rounds {
        let mut bytes = seeds[draw(seeds.len())].clone();
        for _ in 0..=draw(4) {
            let at = draw(bytes.len());
            match draw(4) {
                0 => bytes.truncate(at),
                1 if !bytes.is_empty() => bytes[at] = u8::try_from(draw(256)).unwrap(),
                2 if !bytes.is_empty() => bytes[at] ^= 1 << draw(8),
                _ => {
                    let piece = bytes[at..(at + draw(40)).min(bytes.len())].to_vec();
                    bytes.splice(at..at, piece);
                }
            }
        }
        fuzz_one(&bytes);
    }
}
