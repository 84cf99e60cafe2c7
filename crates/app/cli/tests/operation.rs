//! The daemon as an operator meets it: configuration, reload, crash, backup, tampering, canaries.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed set-up is a failed test")]

mod daemon;

use std::time::{Duration, Instant};

use daemon::{Daemon, World, all_bytes, copy, eventually, send, seven};

#[test]
fn a_configuration_error_names_file_line_and_what_was_meant() {
    let world = World::new();
    world.configure("[gateway]\nburts = 3\n");
    for arguments in [&["config", "check"][..], &["up"][..]] {
        let output = world.run(arguments);
        assert_eq!(output.status.code(), Some(3));
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(error.contains("bartizan.toml:2:1") && error.contains("did you mean `burst`?"), "{error}");
    }
    assert!(!world.state().exists(), "a refused configuration makes no state");
}

#[test]
fn config_show_prints_what_config_check_accepts() {
    let world = World::new();
    let shown = world.run(&["config", "show"]);
    assert!(shown.status.success());
    world.configure(&String::from_utf8(shown.stdout).unwrap());
    let checked = world.run(&["config", "check"]);
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}

#[test]
fn defaults_are_exported_and_can_be_loaded_again() {
    let world = World::new();
    let exported = world.run(&["config", "export-defaults", "defaults"]);
    assert!(exported.status.success(), "{}", String::from_utf8_lossy(&exported.stderr));
    for folder in ["policies", "rules", "playbooks"] {
        assert!(std::fs::read_dir(world.folder.path().join("defaults").join(folder)).unwrap().count() > 0, "{folder}");
    }
}

#[test]
fn a_public_address_without_tls_is_refused() {
    let output = World::new().run(&["up", "--listen", "0.0.0.0:0"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains("TLS"));
}

#[test]
fn reload_takes_the_new_configuration_and_keeps_the_last_good_one() {
    let world = World::new();
    world.configure("[gateway]\nburst = 1000\nrequests_per_second = 1000\n");
    let daemon = world.up(&[]);
    let path = daemon.world.folder.path().join("bartizan.toml");
    let limited = |daemon: &Daemon| (0..12).any(|_| daemon.infer(daemon.key(), &seven()).status == 429);
    assert!(!limited(&daemon));
    std::fs::write(&path, "[gateway]\nburst = nonsense\n").unwrap();
    daemon.signal("HUP");
    eventually("the refusal to reload", || daemon.log().contains("not reloaded").then_some(()));
    assert!(!limited(&daemon));
    std::fs::write(&path, "[gateway]\nburst = 2\nrequests_per_second = 1\n").unwrap();
    daemon.signal("HUP");
    eventually("the new limit", || limited(&daemon).then_some(()));
}

#[test]
fn one_daemon_has_a_state_folder_at_a_time() {
    let daemon = Daemon::start(&[]);
    let output = daemon.run(&["up", "--listen", "127.0.0.1:0", "--console", "127.0.0.1:0"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains("another bartizan"));
    // Verbs talk to the daemon that has it.
    assert!(daemon.run(&["access", "principals"]).status.success());
}

#[test]
fn verbs_work_on_the_state_folder_when_no_daemon_runs() {
    let world = Daemon::start(&[]).stop();
    assert!(world.run(&["access", "add", "night-shift", "--role", "operator"]).status.success());
    let listed = world.run(&["access", "principals"]);
    assert!(String::from_utf8_lossy(&listed.stdout).contains("night-shift"));
    assert!(world.run(&["audit", "verify"]).status.success());
}

#[test]
fn state_of_a_newer_format_is_refused_and_left_alone() {
    let world = Daemon::start(&[]).stop();
    std::fs::write(world.state().join("format"), "99\n").unwrap();
    let output = world.run(&["up"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains("format 99"));
    assert_eq!(std::fs::read_to_string(world.state().join("format")).unwrap(), "99\n");
}

#[test]
fn nothing_acknowledged_is_lost_when_the_daemon_is_killed_under_load() {
    let mut world = World::new();
    let mut acknowledged = 0_u64;
    for round in 0..5 {
        let daemon = world.up(&[]);
        if round == 0 {
            std::fs::write(daemon.world.folder.path().join("key"), daemon.key()).unwrap();
        }
        let key = std::fs::read_to_string(daemon.world.folder.path().join("key")).unwrap();
        let until = Instant::now() + Duration::from_millis(400);
        let answered: u64 = std::thread::scope(|scope| {
            let clients: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        let mut answered = 0;
                        while Instant::now() < until {
                            answered += u64::from(daemon.infer(&key, &seven()).status == 200);
                        }
                        answered
                    })
                })
                .collect();
            clients.into_iter().map(|client| client.join().unwrap()).sum()
        });
        acknowledged += answered;
        world = daemon.kill();
    }
    let daemon = world.up(&[]);
    let world = daemon.stop();
    let found = world.run(&[
        "audit",
        "search",
        "--type",
        "request.admission",
        "--action",
        "Infer",
        "--limit",
        "1000000",
        "--format",
        "json",
    ]);
    let admitted = String::from_utf8_lossy(&found.stdout).matches("request.admission").count() as u64;
    assert!(acknowledged > 20 && admitted >= acknowledged, "{admitted} entries for {acknowledged} answers");
    let verified = world.run(&["audit", "verify"]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
}

#[test]
fn a_backup_of_a_running_daemon_restores_keys_ledger_and_incidents() {
    let daemon = Daemon::start(&[]);
    let key = daemon.key().to_owned();
    for _ in 0..5 {
        assert_eq!(daemon.infer(&key, &seven()).status, 200);
    }
    let backed_up = daemon.run(&["backup", "copy.sealed", "--key", "backup.key"]);
    assert!(backed_up.status.success(), "{}", String::from_utf8_lossy(&backed_up.stderr));
    let bytes = std::fs::read(daemon.world.folder.path().join("copy.sealed")).unwrap();
    assert!(!bytes.windows(16).any(|window| window == b"request.admissio"), "a backup is encrypted");
    let world = daemon.stop();

    std::fs::write(
        world.folder.path().join("wrong.key"),
        std::fs::read(world.state().join("keys/commitments")).unwrap(),
    )
    .unwrap();
    let wrong = world.run(&["restore", "copy.sealed", "--key", "wrong.key", "--state", "elsewhere"]);
    assert_eq!(wrong.status.code(), Some(1));
    let mut changed = bytes.clone();
    let middle = changed.len() / 2;
    changed[middle] ^= 1;
    std::fs::write(world.folder.path().join("changed.sealed"), changed).unwrap();
    assert_eq!(
        world.run(&["restore", "changed.sealed", "--key", "backup.key", "--state", "elsewhere"]).status.code(),
        Some(1)
    );
    std::fs::write(world.folder.path().join("short.sealed"), &bytes[..bytes.len() - 100]).unwrap();
    assert_eq!(
        world.run(&["restore", "short.sealed", "--key", "backup.key", "--state", "elsewhere"]).status.code(),
        Some(1)
    );
    assert!(!world.folder.path().join("elsewhere").exists());
    assert_eq!(
        world.run(&["restore", "copy.sealed", "--key", "backup.key"]).status.code(),
        Some(1),
        "the place is taken"
    );

    let restored = world.run(&["restore", "copy.sealed", "--key", "backup.key", "--state", "elsewhere"]);
    assert!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));
    let daemon = world.up(&["--state", "elsewhere"]);
    assert_eq!(daemon.infer(&key, &seven()).status, 200);
}

#[test]
fn a_changed_ledger_is_named_and_a_rolled_back_one_is_caught_by_the_anchor() {
    let daemon = Daemon::start(&[]);
    let key = daemon.key().to_owned();
    for _ in 0..3 {
        daemon.infer(&key, &seven());
    }
    let world = daemon.stop();
    let saved = world.folder.path().join("saved");
    copy(&world.state(), &saved);
    let daemon = world.up(&[]);
    for _ in 0..3 {
        daemon.infer(&key, &seven());
    }
    let world = daemon.stop();
    let verified = world.run(&["audit", "verify"]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));

    let wal = all_bytes(&world.state().join("ledger"))
        .into_iter()
        .find(|(path, _)| path.to_string_lossy().contains("wal-"))
        .unwrap();
    let mut bytes = wal.1.clone();
    let place = bytes.len() / 2;
    bytes[place] ^= 1;
    std::fs::write(&wal.0, bytes).unwrap();
    let flipped = world.run(&["audit", "verify"]);
    assert_eq!(flipped.status.code(), Some(1), "{}", String::from_utf8_lossy(&flipped.stdout));
    std::fs::write(&wal.0, &wal.1).unwrap();

    std::fs::remove_dir_all(world.state()).unwrap();
    copy(&saved, &world.state());
    let rolled_back = world.run(&["audit", "verify"]);
    assert_eq!(rolled_back.status.code(), Some(1), "{}", String::from_utf8_lossy(&rolled_back.stdout));
}

#[test]
fn a_ledger_that_was_rolled_back_is_announced_and_never_anchored_over() {
    let daemon = Daemon::start(&[]);
    let key = daemon.key().to_owned();
    let world = daemon.stop();
    let saved = world.folder.path().join("saved");
    copy(&world.state(), &saved);
    let daemon = world.up(&[]);
    for _ in 0..5 {
        daemon.infer(&key, &seven());
    }
    let world = daemon.stop();
    std::fs::remove_dir_all(world.state()).unwrap();
    copy(&saved, &world.state());
    let daemon = world.up(&[]);
    assert!(daemon.announced["anchor_conflict"].as_str().unwrap().contains("rolled back"), "{}", daemon.announced);
    // Also when the new ledger has outgrown the checkpoint that is kept.
    for _ in 0..20 {
        daemon.infer(&key, &seven());
    }
    let world = daemon.stop();
    let verified = world.run(&["audit", "verify"]);
    assert_eq!(verified.status.code(), Some(1), "{}", String::from_utf8_lossy(&verified.stdout));
}

#[test]
fn a_lost_part_of_the_state_is_an_error_and_no_new_beginning() {
    let world = Daemon::start(&[]).stop();
    std::fs::remove_file(world.state().join("access/access.journal")).unwrap();
    let output = world.run(&["up", "--listen", "127.0.0.1:0", "--console", "127.0.0.1:0"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains("access.journal"));
    let world = Daemon::start(&[]).stop();
    std::fs::remove_dir_all(world.state().join("ledger")).unwrap();
    let output = world.run(&["up", "--listen", "127.0.0.1:0", "--console", "127.0.0.1:0"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains("ledger"));
}

#[test]
fn a_first_start_that_fails_shows_its_secrets_at_the_next_one() {
    let world = World::new();
    assert_eq!(world.run(&["up", "nowhere.onnx"]).status.code(), Some(3));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    assert_eq!(world.run(&["up", "--listen", &address]).status.code(), Some(3));
    let daemon = world.up(&[]);
    assert_eq!(daemon.infer(daemon.key(), &seven()).status, 200);
}

#[test]
fn a_backup_never_overwrites_its_key_or_anything_that_is_no_file() {
    let daemon = Daemon::start(&[]);
    assert!(daemon.run(&["backup", "a.sealed", "--key", "k"]).status.success());
    let key = std::fs::read(daemon.world.folder.path().join("k")).unwrap();
    for target in ["k", ".", "nowhere/a.sealed"] {
        assert_eq!(daemon.run(&["backup", target, "--key", "k"]).status.code(), Some(1), "{target}");
    }
    assert_eq!(std::fs::read(daemon.world.folder.path().join("k")).unwrap(), key);
}

#[test]
fn a_revoked_key_can_not_be_rotated_into_a_good_one() {
    let daemon = Daemon::start(&[]);
    let key = daemon.key().to_owned();
    // The whole key, pasted in haste, is taken for its public part and not repeated.
    let revoked = daemon.run(&["access", "keys", "revoke", &key]);
    assert!(revoked.status.success(), "{}", String::from_utf8_lossy(&revoked.stderr));
    let rotated = daemon.run(&["access", "keys", "rotate", &key[..15]]);
    assert_eq!(rotated.status.code(), Some(1));
    assert_eq!(daemon.infer(&key, &seven()).status, 401);
}

#[test]
fn canaries_in_keys_prompts_and_tensors_reach_no_log_metric_or_ledger() {
    let daemon = Daemon::start(&[]);
    let key = daemon.key().to_owned();
    let secret = key[16..].to_owned();
    let canary = "canary-7f3a91";
    let mut body = seven();
    body["id"] = canary.into();
    body["inputs"][0]["data"][0] = 3.731_925.into();
    assert_eq!(daemon.infer(&key, &body).status, 200);
    daemon.post(&key, "/v2/models/digits/infer", format!("{{\"prompt\":\"{canary}\"}}").as_bytes());
    daemon.post(&format!("bz_222222222222_{canary}"), "/v2/models/digits/infer", b"{}");
    daemon.get(&key, &format!("/v2/models/{canary}"));
    let authorization = format!("Bearer {key}");
    send(
        daemon.endpoint(),
        "POST",
        "/v2/models/digits/infer",
        &[("authorization", &authorization), ("user-agent", canary)],
        b"{",
    );
    let metrics = send(daemon.console(), "GET", "/metrics", &[], b"");
    assert!(metrics.body.contains("bartizan_gateway_requests_total"), "{}", metrics.body);
    let mut places = vec![("metrics".into(), metrics.body.into_bytes()), ("log".into(), daemon.log().into_bytes())];
    let world = daemon.stop();
    places.extend(all_bytes(&world.state()));
    for (path, bytes) in &places {
        for needle in [canary, secret.as_str(), "3.731925"] {
            let found = bytes.windows(needle.len()).any(|window| window == needle.as_bytes());
            assert!(!found, "`{needle}` stands in {}", path.display());
        }
    }
}

#[test]
fn health_and_readiness_tell_the_truth() {
    let daemon = Daemon::start(&[]);
    assert_eq!(send(daemon.console(), "GET", "/healthz", &[], b"").status, 200);
    assert_eq!(send(daemon.console(), "GET", "/readyz", &[], b"").status, 200);
}

#[test]
fn the_admin_api_asks_the_same_policies_and_describes_itself() {
    let daemon = Daemon::start(&[]);
    assert_eq!(send(daemon.console(), "GET", "/api/v1/overview", &[], b"").status, 401);
    let client = format!("Bearer {}", daemon.key());
    assert_eq!(send(daemon.console(), "GET", "/api/v1/principals", &[("authorization", &client)], b"").status, 403);
    assert!(daemon.run(&["access", "add", "reader", "--role", "auditor"]).status.success());
    let issued = daemon.json(&["access", "keys", "issue", "reader", "--format", "json"]);
    let reader = format!("Bearer {}", issued["key"].as_str().unwrap());
    let headers = [("authorization", reader.as_str()), ("content-type", "application/json")];
    let document = send(daemon.console(), "GET", "/api/v1/openapi.json", &headers, b"").json();
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(send(daemon.console(), "GET", "/api/v1/principals", &headers, b"").status, 200);
    // Every described route is there; none that changes something is open to an auditor.
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            if path == "/api/v1/events" {
                continue;
            }
            let path =
                path.replace("{id}", "x").replace("{prefix}", "x").replace("{index}", "0").replace("{verb}", "close");
            let path = path.replace("{project}", "x").replace("{advisory}", "CVE-1");
            let path = path.replace("{issuer}", "x").replace("{subject}", "x");
            let body: &[u8] = match path.as_str() {
                "/api/v1/principals" => br#"{"name":"x","roles":["admin"]}"#,
                "/api/v1/keys" => br#"{"principal":"first-client"}"#,
                "/api/v1/issuers/x/revocations" => br#"{"token":"x"}"#,
                "/api/v1/drills" if method == "post" => br#"{"participants":["a"],"seconds":1}"#,
                "/api/v1/drills" => br#"{"principals":[]}"#,
                "/api/v1/system/backup" => br#"{"path":"a","key":"b"}"#,
                _ => b"{}",
            };
            let body = if method == "get" { b"" } else { body };
            let length = body.len().to_string();
            let mut with_length = headers.to_vec();
            if matches!(method.as_str(), "delete" | "patch" | "put") {
                with_length.push(("content-length", &length));
            }
            let answer = send(daemon.console(), &method.to_uppercase(), &path, &with_length, body);
            let absent = answer.status == 404
                && ["there is no incident", "there is no project", "there is no issuer"]
                    .iter()
                    .any(|words| answer.body.contains(words));
            let fine = if method == "get" { answer.status == 200 || absent } else { answer.status == 403 };
            assert!(fine, "{method} {path}: {answer:?}");
        }
    }
}
