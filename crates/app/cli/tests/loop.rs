//! The watch loop, end to end: attacks by drill, what is detected, contained and proved.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed set-up is a failed test")]

mod daemon;

use daemon::{Daemon, World, eventually, seven};
use serde_json::Value;

fn drill(daemon: &Daemon, arguments: &[&str]) -> (i32, Value) {
    let mut all = vec!["incident", "drill"];
    all.extend(arguments);
    all.extend(["--format", "json"]);
    let output = daemon.run(&all);
    let report = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| {
        panic!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
    });
    (output.status.code().unwrap(), report)
}

#[test]
fn a_stolen_key_is_contained_within_a_second_and_proved() {
    let daemon = Daemon::start(&[]);
    let (code, report) = drill(&daemon, &["stolen-key"]);
    assert_eq!(code, 0, "{report:#}");
    assert_eq!(report["contained"], true, "{report:#}");
    assert!(report["last_hostile_answer_seconds"].as_f64().unwrap() <= 1.0, "{report:#}");
    assert_eq!(report["honest_refused"], 0, "{report:#}");
    assert_eq!(report["proof"]["verified"], true, "{report:#}");
    let incident = daemon.json(&["incident", "show", report["incident"].as_str().unwrap(), "--format", "json"]);
    assert!(incident["techniques"].to_string().contains("AML.T"), "{incident:#}");
    assert!(daemon.run(&["audit", "verify"]).status.success());
}

#[test]
fn a_flood_is_slowed_down_or_stopped() {
    let daemon = Daemon::start(&[]);
    let (code, report) = drill(&daemon, &["flood"]);
    assert_eq!((code, &report["contained"]), (0, &true.into()), "{report:#}");
    assert_eq!(report["honest_refused"], 0, "{report:#}");
}

#[test]
fn malformed_requests_open_an_incident_and_none_is_answered() {
    let daemon = Daemon::start(&[]);
    let (code, report) = drill(&daemon, &["malformed"]);
    assert_eq!((code, &report["contained"]), (0, &true.into()), "{report:#}");
    assert_eq!(report["hostile_answers"], 0, "{report:#}");
    assert!(report["last_hostile_answer_seconds"].is_null());
}

#[test]
fn extraction_by_noise_is_caught_before_the_copy_is_good() {
    let daemon = Daemon::start(&[]);
    let (_, report) = drill(&daemon, &["extraction", "--attacker", "random"]);
    assert!(report["detected_seconds"].is_f64(), "{report:#}");
    let extraction = &report["extraction"];
    assert!(extraction["fidelity"].as_f64().unwrap() < 0.6, "{report:#}");
}

#[test]
fn extraction_that_looks_like_a_customer_is_reported_as_not_detected() {
    let daemon = Daemon::start(&[]);
    let (code, report) = drill(&daemon, &["extraction", "--attacker", "natural", "--budget", "100"]);
    assert_eq!(code, 1, "{report:#}");
    assert!(report["detected_seconds"].is_null(), "{report:#}");
    assert!(report["extraction"]["fidelity"].as_f64().unwrap() > 0.8, "{report:#}");
    let advice = report["advice"].to_string();
    assert!(advice.contains("information budget") && advice.contains("label_only"), "{advice}");
    let text = daemon.run(&["incident", "drill", "extraction", "--attacker", "natural", "--budget", "20"]);
    assert!(String::from_utf8_lossy(&text.stdout).contains("NOT DETECTED"));
}

#[test]
fn in_shadow_a_real_principal_is_watched_and_left_alone_until_somebody_contains() {
    let daemon = Daemon::start(&[]);
    let key = daemon.key().to_owned();
    steal(&daemon, &key);
    let incident = eventually("an incident", || incidents(&daemon).into_iter().next());
    assert_eq!(incident["state"], "shadowed", "{incident:#}");
    assert_eq!(daemon.infer(&key, &seven()).status, 200);
    let id = incident["id"].as_str().unwrap();
    let contained = daemon.json(&["incident", "respond", id, "contain", "--format", "json"]);
    assert_eq!(contained["state"], "contained", "{contained:#}");
    assert_eq!(daemon.infer(&key, &seven()).status, 401);
    let released = daemon.json(&["incident", "release", id, "--format", "json"]);
    assert_eq!(released["state"], "released", "{released:#}");
    assert_eq!(daemon.infer(&key, &seven()).status, 200);
}

#[test]
fn when_enforcing_a_real_key_is_revoked_and_stays_so_over_a_restart() {
    let daemon = Daemon::start(&["--enforce"]);
    let key = daemon.key().to_owned();
    steal(&daemon, &key);
    eventually("a refusal", || (daemon.infer(&key, &seven()).status == 401).then_some(()));
    let again = daemon.kill().up(&["--enforce"]);
    assert_eq!(again.infer(&key, &seven()).status, 401);
    let id = incidents(&again)[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(again.json(&["incident", "release", &id, "--format", "json"])["state"], "released");
    assert_eq!(again.infer(&key, &seven()).status, 200);
}

#[test]
fn a_protected_principal_is_never_contained_automatically() {
    let daemon = Daemon::start(&["--enforce"]);
    assert!(daemon.run(&["access", "add", "payments", "--role", "client", "--protected"]).status.success());
    let issued = daemon.json(&["access", "keys", "issue", "payments", "--format", "json"]);
    let key = issued["key"].as_str().unwrap().to_owned();
    steal(&daemon, &key);
    let incident = eventually("an incident", || incidents(&daemon).into_iter().next());
    assert_ne!(incident["state"], "contained", "{incident:#}");
    assert_eq!(daemon.infer(&key, &seven()).status, 200);
}

#[test]
fn a_canary_key_never_opens_the_door_and_raises_an_incident() {
    let daemon = Daemon::start(&[]);
    assert!(daemon.run(&["access", "add", "old-backup", "--role", "client", "--canary"]).status.success());
    let issued = daemon.json(&["access", "keys", "issue", "old-backup", "--format", "json"]);
    assert_eq!(daemon.infer(issued["key"].as_str().unwrap(), &seven()).status, 401);
    let incident = eventually("an incident", || incidents(&daemon).into_iter().next());
    assert!(incident["rules"].to_string().contains("bartizan-canary-key"), "{incident:#}");
}

#[test]
fn a_webhook_is_delivered_signed_and_once_it_is_back_again() {
    use std::io::{Read as _, Write as _};
    let receiver = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let world = World::new();
    std::fs::write(world.folder.path().join("secret"), "whsec-canary-1").unwrap();
    world.configure(&format!(
        "[[respond.webhooks]]\nname = \"pager\"\nurl = \"http://{}/hook\"\nsecret = \"file:secret\"\n",
        receiver.local_addr().unwrap()
    ));
    let daemon = world.up(&["--enforce"]);
    let key = daemon.key().to_owned();
    let requests = std::thread::spawn(move || {
        let mut requests = Vec::new();
        for status in ["500 Oops", "200 OK"] {
            let (mut stream, _) = receiver.accept().unwrap();
            stream.set_read_timeout(Some(std::time::Duration::from_secs(5))).unwrap();
            let mut bytes = Vec::new();
            let mut buffer = [0; 4096];
            while let Ok(count) = stream.read(&mut buffer) {
                bytes.extend(&buffer[..count]);
                let text = String::from_utf8_lossy(&bytes);
                if count == 0 || text.contains("\r\n\r\n") && text.trim_end().ends_with('}') {
                    break;
                }
            }
            write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").unwrap();
            requests.push(String::from_utf8(bytes).unwrap());
        }
        requests
    });
    steal(&daemon, &key);
    let requests = requests.join().unwrap();
    let header = |request: &str, name: &str| {
        request.lines().find_map(|line| {
            line.to_ascii_lowercase().strip_prefix(&format!("{name}: ")).map(|_| line[name.len() + 2..].to_owned())
        })
    };
    assert_eq!(header(&requests[0], "webhook-id"), header(&requests[1], "webhook-id"));
    let (head, body) = requests[1].split_once("\r\n\r\n").unwrap();
    let (id, time) = (header(head, "webhook-id").unwrap(), header(head, "webhook-timestamp").unwrap());
    let signed = bartizan_signing::hmac_sha256(b"whsec-canary-1", format!("{id}.{time}.{body}").as_bytes());
    let signature = header(head, "webhook-signature").unwrap();
    assert_eq!(signature, format!("v1,{}", base64(&signed)));
}

/// The same key from two places, in turn.
fn steal(daemon: &Daemon, key: &str) {
    let authorization = format!("Bearer {key}");
    for turn in 0..24 {
        let agent = if turn % 2 == 0 { "shop/2.1" } else { "attacker/6.6" };
        let headers = [("authorization", authorization.as_str()), ("user-agent", agent)];
        daemon::send(daemon.endpoint(), "POST", "/v2/models/digits/infer", &headers, seven().to_string().as_bytes());
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

fn incidents(daemon: &Daemon) -> Vec<Value> {
    daemon.json(&["incident", "list", "--format", "json"])["incidents"].as_array().unwrap().clone()
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            text.push(if place <= chunk.len() {
                char::from(LETTERS[(bits >> (18 - 6 * place) & 63) as usize])
            } else {
                '='
            });
        }
    }
    text
}
