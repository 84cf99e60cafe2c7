//! What the directory promises: durable before effect, nothing lost, revocation is immediate.

#![allow(clippy::unwrap_used, reason = "a failed set-up is a failed test")]

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use bartizan_access::{Directory, Restriction, RestrictionKind, Role};
use bartizan_core::{Secret, Tenant, Timestamp};
use bartizan_storage::Storage;
use bartizan_storage::fault::Faulty;

const NOW: Timestamp = Timestamp::from_seconds(1_790_000_000);

fn open(storage: &Arc<dyn Storage>) -> Directory {
    Directory::open(storage.clone(), Path::new("state/access")).unwrap()
}

fn client(directory: &Directory) -> (String, Secret<String>, String) {
    let principal =
        directory.add_principal(Tenant::default(), "shop", BTreeSet::from([Role::Client]), NOW, |_| {}).unwrap();
    let issued = directory.issue_key(&principal.id, NOW, None).unwrap();
    (principal.id.clone(), issued.secret, issued.key.prefix)
}

fn revoked(id: &str, prefix: &str, until: Option<Timestamp>) -> Restriction {
    Restriction {
        id: id.to_owned(),
        kind: RestrictionKind::RevokedKey,
        tenant: Tenant::default(),
        target: prefix.to_owned(),
        since: NOW,
        until,
        divisor: 1,
    }
}

#[test]
fn a_key_opens_until_it_is_revoked_and_again_when_that_is_taken_back() {
    let storage: Arc<dyn Storage> = Arc::new(Faulty::new());
    let directory = open(&storage);
    let (id, key, prefix) = client(&directory);
    assert_eq!(directory.authenticate(key.expose(), NOW).unwrap().principal.id, id);

    directory.restrict(revoked("a", &prefix, None)).unwrap();
    directory.restrict(revoked("a", &prefix, None)).unwrap();
    directory.restrict(revoked("b", &prefix, None)).unwrap();
    assert_eq!(directory.authenticate(key.expose(), NOW).unwrap_err().reason, "key-revoked");

    assert!(directory.lift("a").unwrap());
    assert!(!directory.lift("a").unwrap());
    assert_eq!(directory.authenticate(key.expose(), NOW).unwrap_err().reason, "key-revoked");
    assert!(directory.lift("b").unwrap());
    assert!(directory.authenticate(key.expose(), NOW).is_ok());
}

#[test]
fn a_restriction_ends_by_itself() {
    let storage: Arc<dyn Storage> = Arc::new(Faulty::new());
    let directory = open(&storage);
    let (_, key, prefix) = client(&directory);
    directory.restrict(revoked("a", &prefix, Some(NOW.plus_seconds(60)))).unwrap();
    assert!(directory.authenticate(key.expose(), NOW.plus_seconds(59)).is_err());
    assert!(directory.authenticate(key.expose(), NOW.plus_seconds(60)).is_ok());
}

#[test]
fn wrong_secrets_and_unknown_prefixes_are_told_apart_by_nobody() {
    let storage: Arc<dyn Storage> = Arc::new(Faulty::new());
    let directory = open(&storage);
    let (_, key, _) = client(&directory);
    let mut wrong = key.expose().clone();
    wrong.replace_range(20..21, if &wrong[20..21] == "x" { "y" } else { "x" });
    let unknown = format!("bz_222222222222{}", &key.expose()[15..]);
    let wrong = directory.authenticate(&wrong, NOW).unwrap_err();
    assert_eq!(wrong, directory.authenticate(&unknown, NOW).unwrap_err());
    assert_eq!((wrong.reason, wrong.principal.as_str(), wrong.key.as_str()), ("key-unknown", "", ""));
}

#[test]
fn rotation_lets_the_old_key_live_for_the_overlap_only() {
    let storage: Arc<dyn Storage> = Arc::new(Faulty::new());
    let directory = open(&storage);
    let (_, old, prefix) = client(&directory);
    let new = directory.rotate_key(&prefix, NOW, NOW.plus_seconds(100)).unwrap();
    assert!(directory.authenticate(old.expose(), NOW.plus_seconds(99)).is_ok());
    assert!(directory.authenticate(old.expose(), NOW.plus_seconds(100)).is_err());
    assert!(directory.authenticate(new.secret.expose(), NOW.plus_seconds(1_000)).is_ok());
}

#[test]
fn a_rotated_key_keeps_the_lifetime_of_the_old_one() {
    let storage: Arc<dyn Storage> = Arc::new(Faulty::new());
    let directory = open(&storage);
    let (id, _, _) = client(&directory);
    let old = directory.issue_key(&id, NOW, Some(NOW.plus_seconds(1000))).unwrap();
    let later = NOW.plus_seconds(900);
    let new = directory.rotate_key(&old.key.prefix, later, later.plus_seconds(10)).unwrap();
    assert_eq!(new.key.expires, Some(later.plus_seconds(1000)));
}

#[test]
fn the_last_administrator_can_neither_be_removed_nor_demoted() {
    let storage: Arc<dyn Storage> = Arc::new(Faulty::new());
    let directory = open(&storage);
    let admin = directory.add_principal(Tenant::default(), "root", BTreeSet::from([Role::Admin]), NOW, |_| {}).unwrap();
    assert!(directory.remove_principal(&admin.id).is_err());
    assert!(directory.change_principal(&admin.id, |p| p.roles = BTreeSet::from([Role::Auditor])).is_err());
    directory.add_principal(Tenant::default(), "second", BTreeSet::from([Role::Admin]), NOW, |_| {}).unwrap();
    assert!(directory.remove_principal(&admin.id).is_ok());
}

#[test]
fn all_that_was_acknowledged_survives_a_power_cut() {
    let faulty = Faulty::new();
    let storage: Arc<dyn Storage> = Arc::new(faulty.clone());
    let directory = open(&storage);
    let (_, key, prefix) = client(&directory);
    let (_, second) = {
        let principal = directory.principal("shop").unwrap();
        directory.set_password(&principal.id, &Secret::new("correct horse".to_owned()), true).unwrap();
        let issued = directory.issue_key(&principal.id, NOW, None).unwrap();
        (issued.key.prefix, issued.secret)
    };
    directory.restrict(revoked("a", &prefix, None)).unwrap();
    drop(directory);
    for seed in 0..16 {
        let survivor = faulty.copy();
        survivor.reboot(seed);
        let storage: Arc<dyn Storage> = Arc::new(survivor);
        let directory = open(&storage);
        assert_eq!(directory.authenticate(key.expose(), NOW).unwrap_err().reason, "key-revoked");
        assert!(directory.authenticate(second.expose(), NOW).is_ok());
        let password = Secret::new("correct horse".to_owned());
        let (principal, one_time) = directory.log_in(&Tenant::default(), "shop", &password, NOW).unwrap();
        assert_eq!((principal.name.as_str(), one_time), ("shop", true));
        assert!(directory.log_in(&Tenant::default(), "shop", &Secret::new("wrong".to_owned()), NOW).is_none());
    }
}
