//! Private keys on disk.

#![allow(clippy::unwrap_used)]

use std::path::Path;

use bartizan_signing::{KeyKind, SigningKey, load_key, load_or_create_key};
use bartizan_storage::fault::Faulty;
use bartizan_storage::{Disk, Storage};

#[test]
fn a_key_is_made_once_and_only_its_owner_reads_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys/ledger");
    let first = load_or_create_key(&Disk, &path, KeyKind::Ed25519).unwrap();
    let again = load_or_create_key(&Disk, &path, KeyKind::Ed25519).unwrap();
    assert_eq!(first.expose(), again.expose());
    let message = b"message";
    let signature = SigningKey::from_seed(&first).unwrap().sign(message).unwrap();
    let public = SigningKey::from_seed(&again).unwrap().public();
    assert!(public.verifies(message, &signature));
    assert!(!public.verifies(b"massage", &signature));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn a_damaged_key_file_is_refused_and_never_replaced_silently() {
    let storage = Faulty::new();
    let path = Path::new("keys/ledger");
    load_or_create_key(&storage, path, KeyKind::Ed25519).unwrap();
    let bytes = storage.read(path).unwrap();
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 4;
        storage.write(path, &flipped).unwrap();
        assert!(load_or_create_key(&storage, path, KeyKind::Ed25519).is_err(), "byte {at}");
        storage.write(path, &bytes[..at]).unwrap();
        assert!(load_or_create_key(&storage, path, KeyKind::Ed25519).is_err(), "cut at {at}");
    }
}

#[test]
fn a_key_is_not_used_for_another_purpose() {
    let storage = Faulty::new();
    let path = Path::new("keys/root");
    load_or_create_key(&storage, path, KeyKind::Aes256).unwrap();
    assert!(load_key(&storage, path, KeyKind::Hmac).is_err());
}
