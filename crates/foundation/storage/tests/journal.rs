//! What a journal promises, on the disk and under power loss.

mod workload;

use std::path::Path;
use std::sync::Arc;

use bartizan_storage::fault::{Faulty, Kind};
use bartizan_storage::{Disk, Journal, Storage, StorageError, ensure_directory, replace};
use workload::{NAME, Told, check, path, run};

const SEEDS: u64 = 24;

#[test]
fn every_acknowledged_record_survives_a_power_loss_at_every_operation() {
    let healthy = Faulty::new();
    run(&healthy, &mut Told::default()).unwrap();
    for crash in 0..=healthy.operations().len() {
        for seed in 0..SEEDS {
            let storage = Faulty::new();
            storage.crash_at(crash);
            let mut told = Told::default();
            let _ = run(&storage, &mut told);
            storage.reboot(seed);
            check(&storage, &told).unwrap_or_else(|lost| panic!("crash at {crash}, seed {seed}: {lost}"));
        }
    }
}

#[test]
fn what_a_restarted_process_has_read_survives_the_next_power_loss() {
    let healthy = Faulty::new();
    run(&healthy, &mut Told::default()).unwrap();
    for crash in 0..=healthy.operations().len() {
        for seed in 0..SEEDS {
            let lost = die_then_lose_power(crash, seed, None);
            assert!(lost.is_none(), "killed at {crash}, seed {seed}: {lost:?}");
        }
    }
}

/// Kills the process at operation `crash`, opens again (eliding one kind of sync there when told
/// to), then cuts the power. Says what is missing of that which the second process read.
fn die_then_lose_power(crash: usize, seed: u64, elide: Option<Kind>) -> Option<String> {
    let storage = Faulty::new();
    storage.crash_at(crash);
    let _ = run(&storage, &mut Told::default());
    storage.restart();
    storage.elide(move |_, operation| Some(operation.kind) == elide);
    let read = Journal::open(Arc::new(storage.clone()), path(), NAME, 1).map(|(_, records)| records);
    storage.reboot(seed);
    storage.elide(|_, _| false);
    match read {
        Ok(records) => check(&storage, &Told { states: vec![records] }).err(),
        Err(error) => Some(error.to_string()),
    }
}

#[test]
fn removing_any_sync_of_append_creation_or_compaction_is_noticed() {
    let healthy = Faulty::new();
    run(&healthy, &mut Told::default()).unwrap();
    let operations = healthy.operations().len();
    for (number, sync) in healthy.syncs().into_iter().enumerate() {
        let noticed = (0..=operations).any(|crash| {
            (0..SEEDS).any(|seed| {
                let storage = Faulty::new();
                storage.elide_sync(number);
                storage.crash_at(crash);
                let mut told = Told::default();
                let _ = run(&storage, &mut told);
                storage.reboot(seed);
                storage.elide(|_, _| false);
                check(&storage, &told).is_err()
            })
        });
        assert!(noticed, "sync {number} ({sync:?}) could be removed without a test failing");
    }
}

#[test]
fn removing_a_sync_of_reopening_is_noticed() {
    let healthy = Faulty::new();
    run(&healthy, &mut Told::default()).unwrap();
    for kind in [Kind::SyncFile, Kind::SyncDirectory] {
        let noticed = (0..=healthy.operations().len())
            .any(|crash| (0..SEEDS).any(|seed| die_then_lose_power(crash, seed, Some(kind)).is_some()));
        assert!(noticed, "{kind:?} on reopening could be removed without a test failing");
    }
}

#[test]
fn a_failed_sync_is_reported_and_nothing_is_accepted_after_it() {
    let healthy = Faulty::new();
    run(&healthy, &mut Told::default()).unwrap();
    for number in 0..healthy.syncs().len() {
        let storage = Faulty::new();
        storage.fail_sync_at(number);
        let mut told = Told::default();
        assert!(run(&storage, &mut told).is_err(), "the failure of sync {number} was swallowed");
        storage.reboot(1);
        check(&storage, &told).unwrap();
    }
    let storage = Faulty::new();
    let (mut journal, _) = Journal::open(Arc::new(storage.clone()), path(), NAME, 1).unwrap();
    storage.fail_sync_at(storage.syncs().len());
    assert!(journal.append(b"lost").is_err());
    assert!(matches!(journal.append(b"later"), Err(StorageError::Poisoned { .. })));
    assert!(matches!(journal.rewrite(&[]), Err(StorageError::Poisoned { .. })));
}

#[test]
fn a_flipped_byte_before_the_last_append_is_an_error_that_names_the_byte() {
    let storage = Arc::new(Faulty::new());
    let (mut journal, _) = Journal::open(storage.clone(), path(), NAME, 1).unwrap();
    journal.append(b"first record").unwrap();
    let second = journal.bytes();
    journal.append(b"second record").unwrap();
    let last = usize::try_from(journal.bytes()).unwrap();
    journal.append(b"third record").unwrap();
    let bytes = storage.read(path()).unwrap();
    for at in 0..last {
        let mut flipped = bytes.clone();
        flipped[at] ^= 0x10;
        storage.write(path(), &flipped).unwrap();
        let Err(error) = Journal::open(storage.clone(), path(), NAME, 1) else { panic!("byte {at} was not noticed") };
        let expected = match at {
            0..16 => "byte 0:".to_owned(),
            _ if (at as u64) < second => "byte 16:".to_owned(),
            _ => format!("byte {second}:"),
        };
        assert!(error.to_string().contains(&expected), "byte {at}: {error}");
    }
}

#[test]
fn a_newer_format_is_refused_and_an_older_one_is_marked_as_ours() {
    let storage = Arc::new(Faulty::new());
    Journal::open(storage.clone(), path(), NAME, 2).unwrap().0.append(b"x").unwrap();
    let refused = Journal::open(storage.clone(), path(), NAME, 1);
    assert!(matches!(refused, Err(StorageError::Newer { found: 2, known: 1, .. })));
    let (_, records) = Journal::open(storage.clone(), path(), NAME, 3).unwrap();
    assert_eq!(records, [b"x"]);
    assert!(matches!(Journal::open(storage, path(), NAME, 2), Err(StorageError::Newer { found: 3, .. })));
}

#[test]
fn the_disk_keeps_what_the_model_keeps() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a/b/keys");
    let (mut journal, _) = Journal::open(Arc::new(Disk), &path, NAME, 1).unwrap();
    journal.append_all(&[b"one".to_vec(), Vec::new(), b"three".to_vec()]).unwrap();
    let (mut journal, records) = Journal::open(Arc::new(Disk), &path, NAME, 1).unwrap();
    assert_eq!(records, [b"one".to_vec(), Vec::new(), b"three".to_vec()]);
    journal.rewrite(&[b"only".to_vec()]).unwrap();
    journal.append(b"more").unwrap();
    assert_eq!(Disk.length(&path).unwrap(), Some(journal.bytes()));
    assert_eq!(Journal::open(Arc::new(Disk), &path, NAME, 1).unwrap().1, [b"only", b"more"]);
    assert_eq!(Disk.list(path.parent().unwrap()).unwrap(), ["keys"]);
    replace(&Disk, Path::new(&path), b"whole").unwrap();
    assert_eq!(Disk.read_range(&path, 1, 3).unwrap(), b"hol");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(path.parent().unwrap()), 0o700);
    }
}

#[test]
fn a_replaced_file_holds_the_old_bytes_or_the_new_ones_and_needs_each_sync() {
    let (old, new) = (vec![1; 70], vec![2; 90]);
    let life = |elide: Option<usize>, crash: usize, seed: u64| {
        let storage = Faulty::new();
        ensure_directory(&storage, Path::new("state")).unwrap();
        replace(&storage, Path::new("state/file"), &old).unwrap();
        storage.restart();
        storage.elide(move |number, _| Some(number) == elide);
        storage.crash_at(crash);
        let done = replace(&storage, Path::new("state/file"), &new).is_ok();
        storage.reboot(seed);
        let found = storage.read(Path::new("state/file")).unwrap_or_default();
        found == new || (!done && found == old)
    };
    for crash in 0..5 {
        assert!((0..64).all(|seed| life(None, crash, seed)), "crash at {crash}");
    }
    for sync in 0..2 {
        let noticed = (0..5).any(|crash| (0..64).any(|seed| !life(Some(sync), crash, seed)));
        assert!(noticed, "sync {sync} could be removed without a test failing");
    }
}
