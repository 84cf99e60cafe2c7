//! Access tokens at the guarded endpoint, end to end: a real key server, real tokens, the real binary.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed set-up is a failed test")]

mod daemon;
mod issuer;
#[path = "../../../foundation/access/tests/minter/mod.rs"]
mod minter;

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use daemon::{Daemon, World, all_bytes, eventually, raw, send, seven};
use issuer::KeyServer;
use minter::{ALGORITHMS, AUDIENCE, ISSUER, Key, claims, hostile, hostile_key_set, key_set, with};
use serde_json::{Value, json};

fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

/// `[access.issuers.NAME]` for the tests' issuer.
fn section(name: &str, issuer: &str, algorithm: &str, jwks: &str) -> String {
    format!(
        "[access.issuers.{name}]\nissuer = \"{issuer}\"\naudience = [\"{AUDIENCE}\", \"api://spare\"]\n\
         algorithm = \"{algorithm}\"\njwks = \"{jwks}\"\ngroups_claim = \"groups\"\nroles = {{ ml-users = \"client\" }}\n"
    )
}

/// A daemon that trusts one issuer, with more lines in its section.
fn trusting(algorithm: &str, jwks: &str, more: &str) -> Daemon {
    let world = World::new();
    world.configure(&format!("{}{more}", section("main", ISSUER, algorithm, jwks)));
    world.up(&[])
}

/// The value of a metric whose line begins so; 0 when there is none.
fn metric(daemon: &Daemon, line: &str) -> u64 {
    let text = send(daemon.console(), "GET", "/metrics", &[], b"").body;
    let value = text.lines().find_map(|found| found.strip_prefix(line)?.trim().parse::<f64>().ok());
    value.unwrap_or_default() as u64
}

/// How often the keys of `main` were fetched with that outcome.
fn fetches(daemon: &Daemon, outcome: &str) -> u64 {
    metric(daemon, &format!("bartizan_gateway_issuer_key_fetches_total{{issuer=\"main\",outcome=\"{outcome}\"}}"))
}

fn status(daemon: &Daemon, token: &str) -> u16 {
    daemon.infer(token, &seven()).status
}

#[test]
fn a_token_opens_the_door_and_its_subject_stays_out_of_everything() {
    let key = Key::new("k1", "RS256");
    let server = KeyServer::start(&key_set(&[&key]));
    let daemon = trusting("RS256", &server.url(), "");
    assert_eq!(daemon.announced["issuers"][0], json!({ "name": "main", "keys": 1, "failure": null }));
    let token = key.token(&claims(now()));
    let answer = daemon.infer(&token, &seven());
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(status(&daemon, daemon.key()), 200, "API keys open as before");
    // Without a group that gives a role, somebody is known and may do nothing.
    let stranger = key.token(&with(claims(now()), "groups", json!(["others"])));
    assert_eq!(status(&daemon, &stranger), 403);
    let entries = daemon.text(&["audit", "search", "--type", "request.admission", "--format", "json"]);
    assert!(entries.contains("\"main:") && entries.contains("tok_"), "{entries}");
    let ready = send(daemon.endpoint(), "GET", "/v2/health/ready", &[], b"").json();
    assert_eq!(ready, json!({ "ready": true, "issuer_keys": "held" }));
    let metrics = send(daemon.console(), "GET", "/metrics", &[], b"").body;
    assert!(metrics.contains("bartizan_gateway_issuer_keys{issuer=\"main\"} 1"), "{metrics}");
    let world = daemon.stop();
    let signature = token.rsplit('.').next().unwrap();
    for (path, bytes) in all_bytes(world.folder.path()) {
        for canary in ["alice@example.org", "token-1", signature] {
            let found = bytes.windows(canary.len()).any(|window| window == canary.as_bytes());
            assert!(!found, "{canary} in {}", path.display());
        }
    }
    assert!(!metrics.contains("alice"));
}

#[test]
fn every_algorithm_opens_where_it_is_pinned() {
    let world = World::new();
    let keys: Vec<Key> = ALGORITHMS.into_iter().map(|algorithm| Key::new("k1", algorithm)).collect();
    let mut configuration = String::new();
    let issuer = |algorithm: &str| format!("https://{}.example", algorithm.to_lowercase());
    for key in &keys {
        let file = format!("{}.json", key.algorithm);
        std::fs::write(world.folder.path().join(&file), key_set(&[key])).unwrap();
        let name = key.algorithm.to_lowercase();
        configuration += &section(&name, &issuer(key.algorithm), key.algorithm, &format!("file:{file}"));
    }
    world.configure(&configuration);
    let daemon = world.up(&[]);
    for key in &keys {
        let token = key.token(&with(claims(now()), "iss", json!(issuer(key.algorithm))));
        assert_eq!(status(&daemon, &token), 200, "{}", key.algorithm);
        for other in keys.iter().filter(|other| other.algorithm != key.algorithm) {
            let token = key.token(&with(claims(now()), "iss", json!(issuer(other.algorithm))));
            assert_eq!(status(&daemon, &token), 401, "{} at {}", key.algorithm, other.algorithm);
        }
    }
}

#[test]
fn nothing_in_the_negative_matrix_opens_the_door_and_the_client_can_tell_nothing_apart() {
    let (key, ec, other) = (Key::new("k1", "RS256"), Key::new("ec", "ES256"), Key::attackers("other-1", "RS256"));
    let server = KeyServer::start(&hostile_key_set(&key, &ec));
    let second = KeyServer::start(&key_set(&[&other]));
    let world = World::new();
    world.configure(&format!(
        "{}{}[gateway]\nrefusals_per_second = 10000\n",
        section("main", ISSUER, "RS256", &server.url()),
        section("other", "https://other.example", "RS256", &second.url())
    ));
    let daemon = world.up(&[]);
    let started = Instant::now();
    assert_eq!(status(&daemon, &key.token(&claims(now()))), 200);
    let anonymous = |answer: &daemon::Answer| {
        let mut body = answer.json();
        body["error"]["request"] = Value::Null;
        let mut head: Vec<String> = answer.head.lines().map(str::to_lowercase).collect();
        head.retain(|line| !line.starts_with("date:"));
        (answer.status, head, body)
    };
    let bad_key = "bz_222222222222_0123456789012345678901234567890123456789012";
    let expected = anonymous(&daemon.infer(bad_key, &seven()));
    assert_eq!(expected.0, 401);
    assert!(expected.1.contains(&"www-authenticate: bearer error=\"invalid_token\"".to_owned()), "{expected:?}");
    let all = hostile(&key, &ec, &other, now());
    let mut reasons = std::collections::BTreeMap::<&str, u64>::new();
    let mut accepted = 0;
    for case in &all {
        let answer = daemon.infer(&case.token, &seven());
        accepted += u32::from(answer.status != 401);
        assert_eq!(anonymous(&answer), expected, "{}", case.name);
        *reasons.entry(case.reason).or_default() += 1;
    }
    println!("{} hostile tokens, {accepted} accepted", all.len());
    for (reason, count) in &reasons {
        let line = format!("bartizan_gateway_requests_total{{outcome=\"deny\",reason=\"{reason}\"}}");
        assert_eq!(metric(&daemon, &line), *count, "{reason}");
        let entries = daemon.text(&["audit", "search", "--reason", reason, "--format", "json"]);
        assert!(entries.contains("request.refusal"), "{reason}: {entries}");
    }
    assert_eq!(server.asked() as u64, fetches(&daemon, "ok"));
    let most = 2 + started.elapsed().as_secs() / 10;
    assert!(fetches(&daemon, "ok") <= most, "keys were fetched {} times", fetches(&daemon, "ok"));
}

#[test]
fn two_credentials_are_refused_before_either_is_read() {
    let key = Key::new("k1", "ES256");
    let server = KeyServer::start(&key_set(&[&key]));
    let daemon = trusting("ES256", &server.url(), "");
    let token = key.token(&claims(now()));
    for second in [format!("authorization: Bearer {token}"), format!("x-api-key: {}", daemon.key())] {
        let head = format!(
            "GET /v2/models/digits HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {token}\r\n{second}\r\n\r\n"
        );
        assert_eq!(raw(daemon.endpoint(), head.as_bytes(), b"").status, 400);
    }
    // A key is never taken for a token, nor a token for a key.
    assert_eq!(status(&daemon, &format!("bz_{token}")), 401);
    assert_eq!(daemon.get("", "/v2/models/digits").status, 401);
    let none = send(daemon.endpoint(), "GET", "/v2/models/digits", &[], b"");
    assert!(none.head.to_lowercase().contains("www-authenticate: bearer\r\n"), "{none:?}");
}

#[test]
fn keys_roll_over_with_an_overlap_and_without_a_restart() {
    let (old, new) = (Key::new("2026-01", "ES256"), Key::new("2026-02", "ES256"));
    let server = KeyServer::start(&key_set(&[&old]));
    let daemon = trusting("ES256", &server.url(), "refetch_seconds = 1\nrefresh_seconds = 1\n");
    let token = |key: &Key| key.token(&claims(now()));
    assert_eq!(status(&daemon, &token(&old)), 200);
    server.publish(&key_set(&[&old, &new]));
    eventually("the new key", || (status(&daemon, &token(&new)) == 200).then_some(()));
    assert_eq!(status(&daemon, &token(&old)), 200, "the old key lives on while it is published");
    server.publish(&key_set(&[&new]));
    eventually("the end of the old key", || (status(&daemon, &token(&old)) == 401).then_some(()));
    assert_eq!(status(&daemon, &token(&new)), 200);
}

#[test]
fn a_new_key_is_fetched_at_its_first_token_and_once_for_all_who_wait() {
    let (old, new) = (Key::new("2026-01", "ES256"), Key::new("2026-02", "ES256"));
    let server = KeyServer::start(&key_set(&[&old]));
    let daemon = trusting("ES256", &server.url(), "refetch_seconds = 1\n");
    assert_eq!(server.asked(), 1);
    server.publish(&key_set(&[&old, &new]));
    server.be_slow(true);
    std::thread::sleep(Duration::from_millis(1100));
    let token = new.token(&claims(now()));
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let asking: Vec<_> = (0..40).map(|_| scope.spawn(|| status(&daemon, &token))).collect();
        asking.into_iter().map(|asking| asking.join().unwrap()).collect()
    });
    assert_eq!(statuses, vec![200; 40]);
    assert_eq!(server.asked(), 2, "one fetch for forty requests");
}

#[test]
fn a_flood_of_unknown_keys_causes_no_flood_of_fetches() {
    let key = Key::new("k1", "ES256");
    let server = KeyServer::start(&key_set(&[&key]));
    let daemon = trusting("ES256", &server.url(), "[gateway]\nrefusals_per_second = 10000\n");
    let started = Instant::now();
    for number in 0..400 {
        let unknown = key.called(&format!("unknown-{number}"));
        assert_eq!(status(&daemon, &unknown.token(&claims(now()))), 401);
    }
    let most = 2 + usize::try_from(started.elapsed().as_secs() / 10).unwrap();
    assert!(server.asked() <= most, "{} fetches for 400 tokens", server.asked());
    assert_eq!(status(&daemon, &key.token(&claims(now()))), 200);
}

#[test]
fn the_last_good_keys_hold_whatever_the_server_says_instead_until_they_are_too_old() {
    let key = Key::new("k1", "ES256");
    let server = KeyServer::start(&key_set(&[&key]));
    let elsewhere = KeyServer::start(&key_set(&[&Key::new("k1", "ES256")]));
    let daemon = trusting("ES256", &server.url(), "refetch_seconds = 1\nrefresh_seconds = 1\nstale_seconds = 4\n");
    let ok =
        |body: &str| format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
    let large = format!("{}{}", key_set(&[&key]), " ".repeat(256 << 10));
    for (answer, why) in [
        (ok("<html>Sign in</html>"), "not a JWK set"),
        (ok("{\"keys\":[]}"), "no key that fits"),
        (ok("{\"keys\":[],\"keys\":[]}"), "not a JWK set"),
        (ok(&large), "larger than"),
        ("HTTP/1.1 500 Oops\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_owned(), "answered 500"),
        (
            format!(
                "HTTP/1.1 302 Found\r\nlocation: {}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
                elsewhere.url()
            ),
            "redirect",
        ),
        (String::new(), "can't be reached"),
    ] {
        let failed = fetches(&daemon, "failed");
        server.answer_with(&answer);
        eventually(why, || (fetches(&daemon, "failed") > failed).then_some(()));
        assert!(daemon.log().contains(why), "{why}: {}", daemon.log());
        assert_eq!(status(&daemon, &key.token(&claims(now()))), 200, "{why}");
        server.publish(&key_set(&[&key]));
        let good = fetches(&daemon, "ok");
        eventually("a good fetch", || (fetches(&daemon, "ok") > good).then_some(()));
    }
    assert_eq!(elsewhere.asked(), 0, "redirects are not followed");
    server.answer_with("");
    eventually("the end of keys that are too old", || {
        (status(&daemon, &key.token(&claims(now()))) == 401).then_some(())
    });
    let entries = daemon.text(&["audit", "search", "--reason", "token-keys-unavailable", "--format", "json"]);
    assert!(entries.contains("request.refusal"), "{entries}");
    let ready = send(daemon.endpoint(), "GET", "/v2/health/ready", &[], b"").json();
    assert_eq!(ready, json!({ "ready": true, "issuer_keys": "missing" }));
    assert_eq!(status(&daemon, daemon.key()), 200);
}

#[test]
fn keys_that_are_not_there_at_start_are_announced_and_taken_into_use_when_they_come() {
    let key = Key::new("k1", "EdDSA");
    let daemon = trusting("EdDSA", "file:keys.json", "refetch_seconds = 1\n");
    let announced = &daemon.announced["issuers"][0];
    assert_eq!(announced["keys"], 0);
    assert!(announced["failure"].as_str().unwrap().contains("can't be read"), "{announced}");
    let token = key.token(&claims(now()));
    assert_eq!(status(&daemon, &token), 401);
    assert_eq!(status(&daemon, daemon.key()), 200);
    std::fs::write(daemon.world.folder.path().join("keys.json"), key_set(&[&key])).unwrap();
    eventually("the keys", || (status(&daemon, &token) == 200).then_some(()));
}

#[test]
fn a_reload_takes_issuers_into_use_and_keeps_the_keys_that_are_held() {
    let (key, other) = (Key::new("k1", "ES256"), Key::new("k1", "EdDSA"));
    let (server, second) = (KeyServer::start(&key_set(&[&key])), KeyServer::start(&key_set(&[&other])));
    let daemon = trusting("ES256", &server.url(), "");
    let theirs = other.token(&with(claims(now()), "iss", json!("https://second.example")));
    assert_eq!(status(&daemon, &theirs), 401);
    daemon.world.configure(&format!(
        "{}leeway_seconds = 10\n{}",
        section("main", ISSUER, "ES256", &server.url()),
        section("second", "https://second.example", "EdDSA", &second.url())
    ));
    daemon.signal("HUP");
    eventually("the second issuer", || (status(&daemon, &theirs) == 200).then_some(()));
    assert_eq!(status(&daemon, &key.token(&claims(now()))), 200);
    assert_eq!(server.asked(), 1, "the keys of the first are still held");
    // A configuration that can't be used leaves all as it is.
    daemon.world.configure(&section("main", ISSUER, "ES256", "http://keys.example/"));
    daemon.signal("HUP");
    eventually("the refusal", || daemon.log().contains("plain http").then_some(()));
    assert_eq!(status(&daemon, &theirs), 200);
    daemon.world.configure("");
    daemon.signal("HUP");
    eventually("the end of both", || (status(&daemon, &theirs) == 401).then_some(()));
    assert_eq!(status(&daemon, &key.token(&claims(now()))), 401);
}

#[test]
fn the_configuration_of_an_issuer_is_checked_and_shown() {
    let world = World::new();
    let good = section("main", ISSUER, "RS256", "https://issuer.example/keys");
    let check = |text: &str| {
        world.configure(text);
        let output = world.run(&["config", "check"]);
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    assert_eq!(check(&good), (true, String::new()));
    let shown = world.run(&["config", "show"]);
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("[access.issuers.main]") && shown.contains("stale_seconds = 86400"), "{shown}");
    assert!(check(&shown).0, "what is shown can be used");
    for (from, to, told) in [
        ("RS256", "HS256", "unknown variant `HS256`"),
        ("RS256", "none", "unknown variant `none`"),
        ("https://issuer.example/keys", "http://issuer.example/keys", "access.issuers.main.jwks: is plain http"),
        ("https://issuer.example/keys", "https://me:word@issuer.example/keys", "holds credentials"),
        ("jwks =", "jwsk =", "did you mean `jwks`?"),
        ("issuer =", "#", "missing field `issuer`"),
        ("client", "god", "unknown variant `god`"),
        ("issuers.main", "issuers.Main", "1 to 32 of a-z"),
        ("groups_claim = \"groups\"\n", "", "need each other"),
    ] {
        let (passed, error) = check(&good.replacen(from, to, 1));
        assert!(!passed && error.contains(told), "{to}: {error}");
    }
    let (passed, error) = check(&format!("{good}{}", good.replace("issuers.main", "issuers.second")));
    assert!(!passed && error.contains("access.issuers.second.issuer: is the issuer of `main` already"), "{error}");
}

#[test]
fn what_is_held_against_a_token_or_its_principal_is_in_force_at_the_next_request_and_after_a_restart() {
    let key = Key::new("k1", "ES256");
    let server = KeyServer::start(&key_set(&[&key]));
    let daemon = trusting("ES256", &server.url(), "");
    let token =
        |subject: &str, jti: &str| key.token(&with(with(claims(now() + 5), "sub", json!(subject)), "jti", json!(jti)));
    let (first, second, bob) = (token("alice", "1"), token("alice", "2"), token("bob", "3"));
    let statuses = |daemon: &Daemon| [&first, &second, &bob].map(|token| status(daemon, token));
    assert_eq!(statuses(&daemon), [200, 200, 200]);

    let said = daemon.text(&["access", "tokens", "revoke", "main", "--token", "1"]);
    assert_eq!(statuses(&daemon), [401, 200, 200], "{said}");
    daemon.text(&["access", "tokens", "revoke", "main", "--subject", "alice"]);
    assert_eq!(statuses(&daemon), [401, 401, 200]);
    let later = key.token(&with(with(claims(now()), "sub", json!("alice")), "iat", json!(now() + 20)));
    assert_eq!(status(&daemon, &later), 200, "a token that was issued since");

    let bobs = daemon.text(&["access", "tokens", "id", "main", "bob"]);
    let blocked = daemon.json(&["access", "block", bobs.trim(), "--format", "json"]);
    assert_eq!(statuses(&daemon), [401, 401, 401]);
    let entries = daemon.text(&["audit", "search", "--reason", "principal-blocked", "--format", "json"]);
    assert!(entries.contains(bobs.trim()), "{entries}");
    let incidents = daemon.text(&["incident", "list", "--format", "json"]);
    assert!(incidents.contains("revoked"), "a revoked token in use is an incident: {incidents}");

    let daemon = daemon.stop().up(&[]);
    assert_eq!(statuses(&daemon), [401, 401, 401]);
    daemon.text(&["access", "lift", blocked["restriction"].as_str().unwrap()]);
    assert_eq!(statuses(&daemon), [401, 401, 200]);
    for refused in [
        vec!["access", "block", "nobody"],
        vec!["access", "block", "main:x"],
        vec!["access", "tokens", "id", "unknown", "bob"],
        vec!["access", "tokens", "revoke", "unknown", "--token", "1"],
    ] {
        assert_eq!(daemon.run(&refused).status.code(), Some(1), "{refused:?}");
    }
}

#[test]
fn limits_and_budget_are_those_of_the_principal_whatever_token_it_shows() {
    let key = Key::new("k1", "ES256");
    let server = KeyServer::start(&key_set(&[&key]));
    let world = World::new();
    world.configure(&format!(
        "[gateway]\ninformation_bits_per_day = 500\n{}",
        section("main", ISSUER, "ES256", &server.url())
    ));
    let daemon = world.up(&["--enforce"]);
    let ask = |subject: &str, jti: &str| {
        status(&daemon, &key.token(&with(with(claims(now()), "sub", json!(subject)), "jti", json!(jti))))
    };
    assert_eq!([ask("alice", "1"), ask("alice", "2"), ask("alice", "3")], [200, 200, 429]);
    assert_eq!(ask("bob", "4"), 200);
}

#[test]
fn a_key_server_that_never_answers_delays_neither_start_nor_keys_for_long() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let started = Instant::now();
    let url = format!("http://{}/keys", silent.local_addr().unwrap());
    let daemon = trusting("ES256", &url, "refetch_seconds = 1\n");
    assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
    assert!(daemon.announced["issuers"][0]["failure"].as_str().is_none_or(|failure| failure.contains("5 s")));
    // Tokens wait for the fetch, up to a bound; API keys do not.
    let token = Key::new("k1", "ES256").token(&claims(now()));
    std::thread::scope(|scope| {
        let waiting: Vec<_> = (0..100).map(|_| scope.spawn(|| status(&daemon, &token))).collect();
        let asked = Instant::now();
        assert_eq!(status(&daemon, daemon.key()), 200);
        assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
        assert!(waiting.into_iter().all(|waiting| waiting.join().unwrap() == 401));
    });
}

#[test]
fn a_stolen_token_is_contained_as_a_stolen_key_is_and_its_principal_lives_on() {
    let key = Key::new("k1", "ES256");
    let server = KeyServer::start(&key_set(&[&key]));
    let world = World::new();
    world.configure(&section("main", ISSUER, "ES256", &server.url()));
    let daemon = world.up(&["--enforce"]);
    let token = |jti: &str| key.token(&with(claims(now()), "jti", json!(jti)));
    let stolen = token("stolen");
    let ask = |agent: &str| {
        let authorization = format!("Bearer {stolen}");
        let headers = [("authorization", authorization.as_str()), ("user-agent", agent)];
        let body = seven().to_string();
        send(daemon.endpoint(), "POST", "/v2/models/digits/infer", &headers, body.as_bytes()).status
    };
    assert_eq!(ask("owner"), 200);
    eventually("containment", || {
        let places = [ask("owner"), ask("thief")];
        places.contains(&401).then_some(())
    });
    let entries = daemon.text(&["audit", "search", "--reason", "token-revoked", "--format", "json"]);
    assert!(entries.contains("request.refusal"), "{entries}");
    assert_eq!(status(&daemon, &token("fresh")), 200, "the next token opens again");
}
