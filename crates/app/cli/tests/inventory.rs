//! The inventory: what a recorded scan saw, and which models an advisory reaches in it.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot prepare its world has failed")]

mod daemon;

use std::process::Output;

use daemon::{Daemon, World};

/// An advisory about a package that scikit-learn requires.
const RECORD: &str = r#"{"id":"PYSEC-2026-1","modified":"2026-11-01T00:00:00Z","aliases":["CVE-2026-1"],
    "affected":[{"package":{"ecosystem":"PyPI","name":"scipy"},
    "ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"1.14.1"}]}]}]}"#;

/// What uv writes for a project that uses scikit-learn, and one package that has nothing to do with it.
const LOCK: &str = r#"version = 1
requires-python = ">=3.11"

[[package]]
name = "scikit-learn"
version = "1.5.2"
source = { registry = "https://pypi.org/simple" }
dependencies = [{ name = "scipy" }]

[[package]]
name = "scipy"
version = "1.13.0"
source = { registry = "https://pypi.org/simple" }

[[package]]
name = "torch"
version = "2.6.0"
source = { registry = "https://pypi.org/simple" }
"#;

/// A pickle that imports a class of scikit-learn, as joblib writes it.
const FOREST: &[u8] =
    b"\x80\x04\x8c\x16sklearn.tree._classes_\x94\x8c\x16DecisionTreeClassifier\x94\x93\x94)\x81\x94}\x94b.";
/// One that imports a function of torch.
const NET: &[u8] = b"\x80\x02ctorch\nSize\nK\x01\x85\x85R.";

fn code(output: &Output) -> i32 {
    output.status.code().expect("an exit code")
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A project beside its advisory index.
fn prepare(world: &World) {
    let folder = world.folder.path();
    std::fs::create_dir(folder.join("shop")).unwrap();
    std::fs::write(folder.join("shop/uv.lock"), LOCK).unwrap();
    std::fs::write(folder.join("shop/forest.joblib"), FOREST).unwrap();
    std::fs::write(folder.join("shop/net.bin"), NET).unwrap();
    std::fs::write(folder.join("PYSEC-2026-1.json"), RECORD).unwrap();
    let done = world.run(&["intel", "import", "--output", "advisories.idx", "PYSEC-2026-1.json"]);
    assert_eq!(code(&done), 0, "{done:?}");
}

fn reached(output: &Output) -> (Vec<String>, Vec<String>) {
    let said: serde_json::Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    let hit = &said["affected"][0];
    let texts = |value: &serde_json::Value| {
        value.as_array().into_iter().flatten().map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    let models =
        hit["models"].as_array().into_iter().flatten().map(|model| model["model"].as_str().unwrap().to_owned());
    (models.collect(), texts(&hit["models"][0]["through"]))
}

#[test]
fn an_advisory_is_traced_to_models_without_anything_recorded() {
    let world = World::new();
    prepare(&world);
    let ask = |advisory: &str| {
        world.run(&[
            "inventory",
            "affected",
            "--scan",
            "shop",
            "--intel",
            "advisories.idx",
            "--format",
            "json",
            advisory,
        ])
    };
    let output = ask("CVE-2026-1");
    assert_eq!(code(&output), 1);
    let (models, through) = reached(&output);
    assert_eq!(models, ["shop/forest.joblib"], "torch requires no scipy here");
    assert_eq!(through, ["pkg:pypi/scikit-learn@1.5.2", "pkg:pypi/scipy@1.13.0"]);
    let other = ask("CVE-2026-2");
    assert_ne!(code(&other), 1, "{}", text(&other));
    let without = world.run(&["inventory", "affected", "--scan", "shop", "CVE-2026-1", "--state", "nowhere"]);
    assert_eq!(code(&without), 3, "no index is no answer");
}

#[test]
fn a_recorded_scan_answers_beside_the_daemon_and_without_it() {
    let world = World::new();
    prepare(&world);
    let daemon = world.up(&[]);
    let state = daemon.world.state();
    let record = ["scan", "shop", "--intel", "advisories.idx", "--record", "shop", "--state", state.to_str().unwrap()];
    assert_eq!(code(&daemon.run(&record)), 1, "scipy is affected");
    let output = daemon.run(&["inventory", "affected", "CVE-2026-1", "--format", "json"]);
    assert_eq!((code(&output), reached(&output).0), (1, vec!["shop/forest.joblib".to_owned()]));
    let ledger = daemon.text(&["audit", "search", "--format", "json", "--action", "RecordInventory"]);
    assert!(ledger.contains("shop sha256:"), "{ledger}");
    let world = daemon.stop();
    let output = world.run(&["inventory", "list"]);
    assert!(text(&output).contains("shop"), "{output:?}");
    let output = world.run(&["inventory", "affected", "PYSEC-2026-1"]);
    assert_eq!(code(&output), 1);
    assert!(
        text(&output).contains("shop/forest.joblib → pkg:pypi/scikit-learn@1.5.2 → pkg:pypi/scipy@1.13.0"),
        "{}",
        text(&output)
    );
    assert!(text(&output).contains("cleared by 1.14.1"), "{}", text(&output));
    assert_eq!(code(&world.run(&["inventory", "forget", "shop"])), 0);
    assert_eq!(code(&world.run(&["inventory", "affected", "PYSEC-2026-1"])), 2, "nothing is recorded any more");
    assert_eq!(code(&world.run(&["inventory", "show", "shop"])), 1);
}

#[test]
fn who_may_not_record_is_refused() {
    let daemon = Daemon::start(&[]);
    let key = daemon.key().to_owned();
    let authorization = format!("Bearer {key}");
    for (method, path) in
        [("GET", "/api/v1/inventory"), ("PUT", "/api/v1/inventory/x"), ("GET", "/api/v1/affected/CVE-1")]
    {
        let body = br#"{"magic":"bartizan-inventory","version":1,"project":"x","complete":true,"components":[],"weaknesses":[]}"#;
        let body: &[u8] = if method == "PUT" { body } else { b"" };
        let headers = [("authorization", authorization.as_str()), ("content-type", "application/json")];
        let answer = daemon::send(daemon.console(), method, path, &headers, body);
        assert_eq!(answer.status, 403, "{method} {path}: {answer:?}");
    }
}
