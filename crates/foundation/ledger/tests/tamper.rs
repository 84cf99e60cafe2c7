//! Whatever is done to the files, verification says where.

#![allow(clippy::unwrap_used)]

mod world;

use std::path::Path;

use bartizan_core::Outcome;
use bartizan_ledger::{
    Anchor, Conclusion, Ledger, LedgerReader, Urgency, anchor, export, prove, verify_in, verify_proof,
};
use bartizan_storage::Storage;
use bartizan_storage::fault::Faulty;
use world::{OPTIONS, World, append_batch, directory, event, signer};

/// Two bundles in tiles, and a tail.
const SIZE: u64 = 600;

fn conclude(world: &World, anchors: &[Anchor]) -> (Conclusion, String) {
    let report = verify_in(world.shared(), directory(), anchors);
    (report.conclusion, format!("{report:?}"))
}

fn anchor_of(world: &World) -> Anchor {
    Anchor { source: "elsewhere".to_owned(), note: world.reader().signed_checkpoint().to_vec() }
}

#[test]
fn an_untouched_ledger_verifies_and_says_how_far_it_is_anchored() {
    let world = World::with_entries(SIZE);
    assert_eq!(conclude(&world, &[]).0, Conclusion::InternallyConsistent);
    let report = verify_in(world.shared(), directory(), &[anchor_of(&world)]);
    assert_eq!(report.conclusion, Conclusion::Verified);
    assert_eq!(report.anchors, [("elsewhere".to_owned(), SIZE)]);
    assert_eq!((report.size, report.root), (SIZE, Some(world.reader().checkpoint().root)));
    let ledger = world.open().unwrap();
    append_batch(&ledger.handle(), SIZE..SIZE + 10).unwrap();
    let older = Anchor { source: "older".to_owned(), ..anchor_of(&World::with_entries(SIZE)) };
    assert_eq!(conclude(&world, &[older]).0, Conclusion::Verified, "an older anchor of a ledger that grew");
}

#[test]
fn an_empty_or_absent_ledger_is_inconclusive_and_never_verified() {
    let world = World { storage: Faulty::new() };
    assert_eq!(conclude(&world, &[]).0, Conclusion::Inconclusive);
    world.open().unwrap().close().unwrap();
    assert_eq!(conclude(&world, &[]).0, Conclusion::Inconclusive);
}

#[test]
fn a_flipped_byte_is_noticed_and_its_file_or_entry_named_in_every_kind_of_file() {
    let world = World::with_entries(SIZE);
    let mut kinds = 0;
    for path in world.files() {
        let bytes = world.storage.read(&path).unwrap();
        let step = if std::env::var_os("BARTIZAN_LONG").is_some() { 1 } else { bytes.len() / 40 + 1 };
        for at in (0..bytes.len()).step_by(step) {
            let mut flipped = bytes.clone();
            flipped[at] ^= 0x04;
            world.storage.write(&path, &flipped).unwrap();
            let (conclusion, said) = conclude(&world, &[]);
            // The tail's last append may also be one that a power cut tore: said, but not certain.
            let certain = conclusion == Conclusion::NotVerified;
            assert!(certain || conclusion == Conclusion::Inconclusive, "{} byte {at}: {said}", path.display());
            let bundle = path
                .strip_prefix(directory().join("tile/entries"))
                .ok()
                .map(|name| name.to_str().unwrap().parse::<u64>().unwrap());
            let named = said.contains(path.to_str().unwrap())
                || bundle.is_some_and(|bundle| (bundle * 256..(bundle + 1) * 256).any(|n| said.contains(&format!("entry {n}:"))))
                // Another signer's name or key makes every checkpoint wrong.
                || (path.ends_with("verifier") && said.contains("not signed by"));
            assert!(named, "{} byte {at}: {said}", path.display());
        }
        world.storage.write(&path, &bytes).unwrap();
        kinds += 1;
    }
    assert!(kinds >= 7, "bundles, tiles, segment, checkpoint and verifier");
    assert_eq!(conclude(&world, &[]).0, Conclusion::InternallyConsistent);
}

#[test]
fn a_missing_file_is_named() {
    let world = World::with_entries(SIZE);
    for path in world.files() {
        let copy = World { storage: world.storage.copy() };
        copy.storage.remove(&path).unwrap();
        let (conclusion, said) = conclude(&copy, &[]);
        if path.ends_with("checkpoint") {
            // Only static readers need it; the tail's checkpoint says the same.
            assert_eq!(conclusion, Conclusion::InternallyConsistent);
            continue;
        }
        assert_eq!(conclusion, Conclusion::NotVerified, "{}: {said}", path.display());
        let lost_tail = path.to_str().unwrap().contains("wal-");
        assert!(lost_tail || said.contains(path.to_str().unwrap()), "{}: {said}", path.display());
        assert!(copy.open().is_err() || path.to_str().unwrap().contains("tile"), "{}", path.display());
    }
}

#[test]
fn an_older_valid_copy_is_caught_by_the_anchor_and_not_opened_beside_its_checkpoint() {
    let old = World::with_entries(300);
    let new = World::with_entries(SIZE);
    let anchor = anchor_of(&new);
    let (conclusion, said) = conclude(&old, std::slice::from_ref(&anchor));
    assert_eq!(conclusion, Conclusion::NotVerified);
    assert!(said.contains("rolled back"), "{said}");
    let published = directory().join("checkpoint");
    old.storage.write(&published, &new.storage.read(&published).unwrap()).unwrap();
    let refused = old.open().err().unwrap().to_string();
    assert!(refused.contains("rolled back"), "{refused}");
}

#[test]
fn a_ledger_written_anew_with_the_stolen_key_is_caught_by_the_anchor() {
    let anchor = anchor_of(&World::with_entries(SIZE));
    let forged = World { storage: Faulty::new() };
    let ledger = Ledger::open_with(forged.shared(), directory(), signer(), OPTIONS).unwrap();
    for n in 0..SIZE + 50 {
        let mut event = event(n);
        if n == 3 {
            event.outcome = Outcome::Allow;
        }
        let urgency = if n % 90 == 0 { Urgency::Now } else { Urgency::Within(std::time::Duration::from_secs(1)) };
        drop(ledger.handle().append(&event, urgency).unwrap());
    }
    ledger.close().unwrap();
    assert_eq!(conclude(&forged, &[]).0, Conclusion::InternallyConsistent, "the forger has the key");
    let (conclusion, said) = conclude(&forged, &[anchor]);
    assert_eq!(conclusion, Conclusion::NotVerified);
    assert!(said.contains("rewritten"), "{said}");
}

#[test]
fn an_anchor_never_goes_backwards_and_comes_from_the_right_key() {
    let storage = Faulty::new();
    let folder = Path::new("elsewhere/anchors");
    let verifier = signer().verifier();
    let (old, new) = (World::with_entries(10), World::with_entries(20));
    let (old, new) = (old.reader(), new.reader());
    anchor::store(&storage, folder, old.signed_checkpoint(), &verifier).unwrap();
    anchor::store(&storage, folder, new.signed_checkpoint(), &verifier).unwrap();
    assert!(anchor::store(&storage, folder, old.signed_checkpoint(), &verifier).is_err());
    let mut forged = new.signed_checkpoint().to_vec();
    let last = forged.len() - 5;
    forged[last] ^= 1;
    assert!(anchor::store(&storage, folder, &forged, &verifier).is_err());
    assert_eq!(anchor::load(&storage, folder, "bartizan/node").unwrap().unwrap(), new.signed_checkpoint());
    assert_eq!(anchor::load(&storage, folder, "another/node").unwrap(), None);
}

#[test]
fn a_proof_verifies_without_the_ledger_and_no_changed_one_does() {
    let world = World::with_entries(SIZE);
    let proof = prove(&world.reader(), 300).unwrap();
    let verifier = signer().verifier();
    let proven = verify_proof(&proof, &verifier).unwrap();
    assert_eq!((proven.entry.index, &proven.entry.event), (300, &event(300)));
    assert_eq!(proven.checkpoint, *world.reader().checkpoint());
    for at in 0..proof.len() {
        let mut changed = proof.clone().into_bytes();
        changed[at] ^= 0x02;
        let Ok(changed) = String::from_utf8(changed) else { continue };
        assert!(verify_proof(&changed, &verifier).is_err(), "byte {at}");
    }
    assert!(verify_proof(&proof.replace("index 300", "index 301"), &verifier).is_err());
}

#[test]
fn an_export_is_a_complete_static_log() {
    let world = World::with_entries(SIZE);
    let reader = world.reader();
    let (copy, folder) = (Faulty::new(), Path::new("copy"));
    export(&reader, &copy, folder).unwrap();
    let shared: std::sync::Arc<dyn Storage> = std::sync::Arc::new(copy.clone());
    let exported = LedgerReader::open_in(shared.clone(), folder).unwrap();
    assert_eq!(exported.checkpoint(), reader.checkpoint());
    assert!(exported.raw(0, SIZE).map(Result::unwrap).eq(reader.raw(0, SIZE).map(Result::unwrap)));
    assert_eq!(exported.root_at(SIZE).unwrap(), reader.checkpoint().root);
    assert_eq!(exported.inclusion_proof(599, SIZE).unwrap(), reader.inclusion_proof(599, SIZE).unwrap());
    let anchors = [anchor_of(&world)];
    assert_eq!(verify_in(shared.clone(), folder, &anchors).conclusion, Conclusion::Verified);
    let partial = folder.join("tile/0/002.p/88");
    let mut bytes = copy.read(&partial).unwrap();
    bytes[40] ^= 1;
    copy.write(&partial, &bytes).unwrap();
    let report = verify_in(shared, folder, &anchors);
    assert_eq!(report.conclusion, Conclusion::NotVerified);
    assert!(report.problems[0].contains("tile/0/002.p/88: byte 40"), "{:?}", report.problems);
}
