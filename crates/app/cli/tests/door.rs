//! The guarded endpoint, end to end: what passes, and each way of being refused.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed set-up is a failed test")]

mod daemon;

use daemon::{Daemon, World, raw, send, seven, tensor};
use serde_json::json;

/// The code of an error answer.
fn code(answer: &daemon::Answer) -> String {
    answer.json()["error"]["code"].as_str().unwrap().to_owned()
}

#[test]
fn a_first_start_serves_the_shipped_model_with_the_key_it_shows() {
    let daemon = Daemon::start(&[]);
    assert_eq!(daemon.announced["mode"], "shadow");
    assert_eq!(daemon.announced["anchored_outside_this_machine"], false);
    let answer = daemon.infer(daemon.key(), &seven());
    assert_eq!(answer.status, 200, "{answer:?}");
    let scores: Vec<f64> = serde_json::from_value(answer.json()["outputs"][0]["data"].clone()).unwrap();
    let best = (0..10).max_by(|a, b| scores[*a].total_cmp(&scores[*b])).unwrap();
    assert_eq!(best, 7);
    let metadata = daemon.get(daemon.key(), "/v2/models/digits").json();
    assert_eq!(metadata["inputs"][0]["shape"], json!([-1, 64]));
    assert_eq!(send(daemon.endpoint(), "GET", "/v2/health/live", &[], b"").status, 200);
    assert_eq!(send(daemon.endpoint(), "GET", "/v2/health/ready", &[], b"").status, 200);
    let state = daemon.world.state();
    let world = daemon.stop();
    // The second start shows no secret, and the key of the first still opens.
    let again = world.up(&[]);
    assert!(again.announced["key"].is_null() && again.announced["password"].is_null());
    assert!(state.join("ledger").exists());
}

#[test]
fn nobody_passes_without_a_good_key() {
    let daemon = Daemon::start(&[]);
    for key in ["", "nonsense", "bz_222222222222_0123456789012345678901234567890123456789012"] {
        let answer = daemon.infer(key, &seven());
        assert_eq!((answer.status, code(&answer).as_str()), (401, "unauthenticated"), "{key}");
        assert!(answer.head.to_ascii_lowercase().contains("www-authenticate: bearer"));
    }
    let two = [("authorization", "Bearer a"), ("x-api-key", "b")];
    assert_eq!(send(daemon.endpoint(), "POST", "/v2/models/digits/infer", &two, b"{}").status, 400);
}

#[test]
fn a_revoked_key_is_refused_from_the_next_request_on() {
    let daemon = Daemon::start(&[]);
    let key = daemon.key().to_owned();
    assert_eq!(daemon.infer(&key, &seven()).status, 200);
    let revoked = daemon.run(&["access", "keys", "revoke", &key[..15]]);
    assert!(revoked.status.success(), "{}", String::from_utf8_lossy(&revoked.stderr));
    assert_eq!(daemon.infer(&key, &seven()).status, 401);
    let world = daemon.stop();
    // Also after a restart.
    assert_eq!(world.up(&[]).infer(&key, &seven()).status, 401);
}

#[test]
fn a_role_without_the_right_is_refused() {
    let daemon = Daemon::start(&[]);
    assert!(daemon.run(&["access", "add", "reader", "--role", "auditor"]).status.success());
    let issued = daemon.json(&["access", "keys", "issue", "reader", "--format", "json"]);
    let answer = daemon.infer(issued["key"].as_str().unwrap(), &seven());
    assert_eq!((answer.status, code(&answer).as_str()), (403, "forbidden"));
    assert!(!answer.body.contains("no-policy"), "the client learns nothing of policies: {}", answer.body);
}

#[test]
fn another_tenant_is_refused() {
    let daemon = Daemon::start(&[]);
    assert!(daemon.run(&["access", "add", "stranger", "--role", "client", "--tenant", "other"]).status.success());
    let issued = daemon.json(&["access", "keys", "issue", "stranger", "--format", "json"]);
    let answer = daemon.infer(issued["key"].as_str().unwrap(), &seven());
    assert_eq!((answer.status, code(&answer).as_str()), (403, "forbidden"));
    let entries = daemon.text(&["audit", "search", "--reason", "tenants-are-apart", "--format", "json"]);
    assert!(entries.contains("request.refusal"), "{entries}");
}

#[test]
fn a_policy_of_the_users_is_in_force() {
    let world = World::new();
    let text = r#"@id("nobody-infers") forbid (principal, action == Bartizan::Action::"Infer", resource);"#;
    std::fs::write(world.folder.path().join("mine.cedar"), text).unwrap();
    world.configure("[access]\npolicies = [\"mine.cedar\"]\n");
    let daemon = world.up(&[]);
    assert_eq!(daemon.infer(daemon.key(), &seven()).status, 403);
    assert_eq!(daemon.get(daemon.key(), "/v2/models/digits").status, 200);
}

#[test]
fn more_than_the_limit_is_told_when_to_come_back() {
    let world = World::new();
    world.configure("[gateway]\nrequests_per_second = 1\nburst = 3\n");
    let daemon = world.up(&[]);
    let statuses: Vec<u16> = (0..6).map(|_| daemon.infer(daemon.key(), &seven()).status).collect();
    assert_eq!(statuses[..3], [200, 200, 200]);
    assert!(statuses[3..].contains(&429), "{statuses:?}");
    let answer = (0..4).map(|_| daemon.infer(daemon.key(), &seven())).find(|answer| answer.status == 429).unwrap();
    assert_eq!(code(&answer), "rate-limited");
    assert!(answer.head.to_ascii_lowercase().contains("retry-after:"));
}

#[test]
fn a_used_up_information_budget_is_refused_when_enforced_and_survives_a_restart() {
    let world = World::new();
    world.configure("[gateway]\ninformation_bits_per_day = 500\n");
    let daemon = world.up(&["--enforce"]);
    let key = daemon.key().to_owned();
    let statuses: Vec<u16> = (0..4).map(|_| daemon.infer(&key, &seven()).status).collect();
    assert_eq!(statuses, [200, 200, 429, 429]);
    assert_eq!(code(&daemon.infer(&key, &seven())), "information-budget");
    let again = daemon.stop().up(&["--enforce"]);
    assert_eq!(again.infer(&key, &seven()).status, 429);
    // In shadow it is recorded and let through.
    let shadow = again.stop().up(&[]);
    assert_eq!(shadow.infer(&key, &seven()).status, 200);
    assert_eq!(shadow.infer(&key, &seven()).status, 200);
    let recorded = shadow.text(&["audit", "search", "--text", "shadowed", "--format", "json"]);
    assert!(recorded.contains("information-budget"), "{recorded}");
}

#[test]
fn tensors_that_do_not_fit_are_refused_each_with_its_reason() {
    let daemon = Daemon::start(&[]);
    let key = daemon.key();
    let row = |value: f64| json!(vec![value; 64]);
    let cases = [
        (tensor(&json!([1, 3]), "FP32", &json!([1, 2, 3])), 422, "tensor-shape"),
        (tensor(&json!([1, 64]), "FP32", &json!([1, 2, 3])), 422, "tensor-shape"),
        (tensor(&json!([1, 64]), "INT32", &row(1.0)), 422, "tensor-data-type"),
        (tensor(&json!([1, 64]), "BYTES", &row(1.0)), 400, "tensor-malformed"),
        (tensor(&json!([1, 64]), "FP32", &row(17.0)), 422, "tensor-range"),
        (tensor(&json!([1, 64]), "FP32", &row(1e300)), 422, "tensor-not-finite"),
        (json!({ "inputs": [] }), 422, "tensor-inputs"),
        (json!({ "inputs": "x" }), 400, "tensor-malformed"),
    ];
    for (body, status, reason) in cases {
        let answer = daemon.infer(key, &body);
        assert_eq!((answer.status, code(&answer).as_str()), (status, reason));
    }
    let nan = seven().to_string().replacen("13,", "NaN,", 1);
    let answer = daemon.post(key, "/v2/models/digits/infer", nan.as_bytes());
    assert_eq!((answer.status, code(&answer).as_str()), (400, "tensor-malformed"));
    let twice = seven().to_string().replacen("\"inputs\":", "\"inputs\":[],\"inputs\":", 1);
    assert_eq!(daemon.post(key, "/v2/models/digits/infer", twice.as_bytes()).status, 400);
    // NaN in a binary tensor.
    let header =
        br#"{"inputs":[{"name":"image","shape":[1,64],"datatype":"FP32","parameters":{"binary_data_size":256}}]}"#;
    let mut body = header.to_vec();
    body.extend((0..64).flat_map(|_| f32::NAN.to_le_bytes()));
    let authorization = format!("Bearer {key}");
    let length = header.len().to_string();
    let headers = [("authorization", authorization.as_str()), ("inference-header-content-length", length.as_str())];
    let answer = send(daemon.endpoint(), "POST", "/v2/models/digits/infer", &headers, &body);
    assert_eq!((answer.status, code(&answer).as_str()), (422, "tensor-not-finite"));
}

#[test]
fn oversized_and_ambiguous_requests_are_refused() {
    let world = World::new();
    world.configure("[gateway]\nbody_bytes = 10000\n");
    let daemon = world.up(&[]);
    let key = daemon.key();
    let answer = daemon.post(key, "/v2/models/digits/infer", &vec![b' '; 10_001]);
    assert_eq!((answer.status, code(&answer).as_str()), (413, "body-too-large"));
    // A body that grows past the limit without announcing it.
    let head = format!(
        "POST /v2/models/digits/infer HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\ntransfer-encoding: chunked\r\n\r\n"
    );
    let mut body = Vec::new();
    for _ in 0..20 {
        body.extend(format!("{:x}\r\n{}\r\n", 1000, " ".repeat(1000)).bytes());
    }
    body.extend(b"0\r\n\r\n");
    assert_eq!(raw(daemon.endpoint(), head.as_bytes(), &body).status, 413);
    for path in ["/v2/models/%64igits/infer", "/v2//models/digits/infer", "/v2/models/../models/digits/infer"] {
        assert_eq!(daemon.post(key, path, b"{}").status, 400, "{path}");
    }
    for path in ["/metrics", "/admin", "/v2/models/digits/load"] {
        assert_eq!(daemon.post(key, path, b"{}").status, 404, "{path}");
    }
    assert_eq!(daemon.post(key, "/v2/repository/index", b"{}").status, 403, "no policy permits to manage models");
    let smuggled = format!(
        "POST /v2/models/digits/infer HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{{}}"
    );
    assert_eq!(raw(daemon.endpoint(), smuggled.as_bytes(), b"").status, 400);
    assert_eq!(daemon.post(key, "/v2/models/other/infer", seven().to_string().as_bytes()).status, 404);
}

#[test]
fn hardened_answers_tell_less() {
    let world = World::new();
    world.configure("[gateway.hardening]\ntop_k = 1\ndecimals = 2\n");
    let daemon = world.up(&[]);
    let scores: Vec<f64> =
        serde_json::from_value(daemon.infer(daemon.key(), &seven()).json()["outputs"][0]["data"].clone()).unwrap();
    assert_eq!(scores.iter().filter(|score| **score > 0.0).count(), 1);
    assert!((scores[7] * 100.0 - (scores[7] * 100.0).round()).abs() < 1e-4, "{scores:?}");
}

#[test]
fn every_durability_mode_serves_and_records() {
    for mode in ["strict", "overlap", "batched"] {
        let daemon = Daemon::start(&["--durability", mode]);
        assert_eq!(daemon.infer(daemon.key(), &seven()).status, 200, "{mode}");
        let world = daemon.stop();
        let found = world.run(&["audit", "search", "--type", "request.completion", "--format", "json"]);
        assert!(String::from_utf8_lossy(&found.stdout).contains("request.completion"), "{mode}");
        assert!(world.run(&["audit", "verify"]).status.success(), "{mode}");
    }
}

#[test]
fn a_hostile_model_file_is_not_served() {
    let world = World::new();
    let path = world.folder.path().join("model.onnx");
    std::fs::write(&path, b"cos\nsystem\n(S'id'\ntR.").unwrap();
    let output = world.run(&["up", "model.onnx", "--listen", "127.0.0.1:0", "--console", "127.0.0.1:0"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains("is not served"));
}

#[test]
fn a_users_own_model_is_served_under_its_name() {
    let world = World::new();
    let source = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../models/digits/digits.onnx");
    std::fs::copy(source, world.folder.path().join("mine.onnx")).unwrap();
    let daemon = world.up(&["mine.onnx"]);
    let answer = daemon.post(daemon.key(), "/v2/models/mine/infer", seven().to_string().as_bytes());
    assert_eq!(answer.status, 200, "{answer:?}");
    // No profile beside it, so no range is known.
    let outside = tensor(&json!([1, 64]), "FP32", &json!(vec![17.0; 64]));
    assert_eq!(daemon.post(daemon.key(), "/v2/models/mine/infer", outside.to_string().as_bytes()).status, 200);
}
