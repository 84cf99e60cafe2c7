//! `bartizan audit` as a user meets it: the binary, its output and its exit codes.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use bartizan_core::{Asset, AssetKind, Event, Outcome, Tenant, Timestamp};
use bartizan_ledger::{Ledger, LedgerReader, Urgency, anchor};
use bartizan_signing::{KeyKind, NoteSigner, SigningKey, load_or_create_key};
use bartizan_storage::Disk;
use serde_json::Value;

struct World {
    folder: tempfile::TempDir,
}

impl World {
    /// A state folder whose ledger holds that many entries.
    fn with_entries(size: u64) -> Self {
        let world = Self { folder: tempfile::tempdir().unwrap() };
        world.append(0, size);
        world
    }

    fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    fn signer(&self) -> NoteSigner {
        let seed = load_or_create_key(&Disk, &self.state().join("keys/ledger"), KeyKind::Ed25519).unwrap();
        NoteSigner::new("bartizan/test-node", SigningKey::from_seed(&seed).unwrap()).unwrap()
    }

    fn append(&self, first: u64, count: u64) {
        let ledger = Ledger::open(Arc::new(Disk), &self.state().join("ledger"), self.signer()).unwrap();
        for n in first..first + count {
            let asset = Asset::new(Tenant::default(), AssetKind::Model, "digits");
            let outcome = if n % 3 == 0 { Outcome::Deny } else { Outcome::Allow };
            let time = Timestamp::from_seconds(1_790_000_000 + i64::try_from(n).unwrap());
            let event = Event::new("request.admission", format!("id-{n}"), time, "Infer", asset, outcome)
                .by("p1")
                .because("steer\u{1b}[2Jthe terminal");
            drop(ledger.handle().append(&event, Urgency::Within(std::time::Duration::from_millis(5))).unwrap());
        }
        ledger.close().unwrap();
    }

    fn audit(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_bartizan"))
            .arg("audit")
            .args(arguments)
            .current_dir(self.folder.path())
            .env("XDG_STATE_HOME", self.folder.path().join("elsewhere"))
            .output()
            .unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

/// The one write-ahead segment of a small ledger.
fn segment(state: &Path) -> PathBuf {
    state.join("ledger/wal-00000000000000000000")
}

#[test]
fn tail_prints_the_last_entries_and_nothing_steers_the_terminal() {
    let world = World::with_entries(30);
    let output = world.audit(&["tail", "--state", "state", "-n", "5"]);
    assert_eq!(code(&output), 0);
    let lines = text(&output);
    assert_eq!(lines.lines().count(), 6, "{lines}");
    assert!(lines.lines().nth(1).unwrap().trim_start().starts_with("25 "), "{lines}");
    assert!(!lines.contains('\u{1b}') && lines.contains("\\u{1b}[2J"));
}

#[test]
fn search_prints_json_lines_that_meet_the_conditions() {
    let world = World::with_entries(30);
    let arguments = ["search", "--state", "state", "--outcome", "deny", "--limit", "4", "--format", "json"];
    let output = world.audit(&arguments);
    let indexes: Vec<u64> = text(&output)
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .inspect(|line| assert_eq!(line["entry"]["outcome"], "deny"))
        .map(|line| line["index"].as_u64().unwrap())
        .collect();
    assert_eq!(indexes, [0, 3, 6, 9]);
    assert_eq!(code(&world.audit(&["search", "--state", "state", "--since", "yesterday"])), 3);
}

#[test]
fn show_prints_every_field_of_one_entry() {
    let world = World::with_entries(3);
    let shown = text(&world.audit(&["show", "2", "--state", "state"]));
    assert!(shown.contains("id-2") && shown.contains("urn:bartizan:default:model:digits"), "{shown}");
    let absent = world.audit(&["show", "3", "--state", "state"]);
    assert_eq!(code(&absent), 3);
    assert!(String::from_utf8_lossy(&absent.stderr).contains("the ledger has 3 entries"));
}

#[test]
fn verify_says_verified_only_with_an_anchor_and_names_what_was_changed() {
    let world = World::with_entries(20);
    let unanchored = world.audit(&["verify", "--state", "state"]);
    assert_eq!(code(&unanchored), 0);
    assert!(text(&unanchored).contains("internally consistent, not externally anchored"));

    let note = LedgerReader::open(&world.state().join("ledger")).unwrap().signed_checkpoint().to_vec();
    std::fs::write(world.path("kept"), &note).unwrap();
    let against = world.audit(&["verify", "--state", "state", "--against", "kept"]);
    assert!(text(&against).contains("result    verified"), "{}", text(&against));
    anchor::store(&Disk, &world.path("elsewhere/bartizan/anchors"), &note, &world.signer().verifier()).unwrap();
    let remembered = world.audit(&["verify", "--state", "state", "--format", "json"]);
    let report: Value = serde_json::from_slice(&remembered.stdout).unwrap();
    assert_eq!((&report["result"], &report["anchors"][0]["entries"]), (&"verified".into(), &20.into()));

    let intact = std::fs::read(segment(&world.state())).unwrap();
    let mut changed = intact.clone();
    changed[400] ^= 1;
    std::fs::write(segment(&world.state()), changed).unwrap();
    let output = world.audit(&["verify", "--state", "state", "--against", "kept"]);
    assert_eq!(code(&output), 1);
    assert!(text(&output).contains("NOT verified") && text(&output).contains("wal-0000"), "{}", text(&output));

    std::fs::remove_dir_all(world.state()).unwrap();
    world.append(0, 5);
    assert_eq!(code(&world.audit(&["verify", "--state", "state"])), 1, "written anew under the same name");
}

#[test]
fn verify_without_anything_to_verify_is_inconclusive() {
    let world = World::with_entries(0);
    assert_eq!(code(&world.audit(&["verify", "--state", "state"])), 2);
    assert_eq!(code(&world.audit(&["verify", "--state", "nowhere"])), 2);
    assert_eq!(code(&world.audit(&["verify", "--state", "state", "--against", "nofile"])), 3);
}

#[test]
fn a_proof_verifies_on_another_machine_with_the_verifier_key_alone() {
    let world = World::with_entries(40);
    assert_eq!(code(&world.audit(&["prove", "21", "--state", "state", "-o", "entry.tlog-proof"])), 0);
    std::fs::copy(world.state().join("ledger/verifier"), world.path("verifier.txt")).unwrap();
    let key = world.signer().verifier_key();
    std::fs::remove_dir_all(world.state()).unwrap();
    for verifier in ["verifier.txt", key.as_str()] {
        let output = world.audit(&["verify", "--proof", "entry.tlog-proof", "--verifier", verifier]);
        assert_eq!(code(&output), 0);
        assert!(text(&output).contains("id-21") && text(&output).contains("verified"), "{}", text(&output));
    }
    let proof = std::fs::read_to_string(world.path("entry.tlog-proof")).unwrap();
    std::fs::write(world.path("entry.tlog-proof"), proof.replace("index 21", "index 22")).unwrap();
    let output = world.audit(&["verify", "--proof", "entry.tlog-proof", "--verifier", "verifier.txt"]);
    assert_eq!(code(&output), 1);
    assert!(text(&output).contains("NOT verified"));
    assert_eq!(code(&world.audit(&["verify", "--proof", "entry.tlog-proof"])), 3, "a key is needed");
}

#[test]
fn an_export_verifies_as_a_log_of_its_own() {
    let world = World::with_entries(300);
    assert_eq!(code(&world.audit(&["export", "copy", "--state", "state"])), 0);
    assert!(world.path("copy/tile/0/001.p/44").is_file());
    assert!(world.path("copy/tile/entries/000").is_file());
    let output = world.audit(&["verify", "--state", "copy", "--against", "state/ledger/checkpoint"]);
    assert_eq!(code(&output), 0, "{}", text(&output));
    assert!(text(&output).contains("entries   300"));
    assert_eq!(code(&world.audit(&["export", "copy", "--state", "state"])), 3, "never over an old copy");
}
