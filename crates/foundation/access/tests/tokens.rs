//! What is demanded of an access token, and that nothing less opens the door.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed set-up is a failed test")]

mod minter;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bartizan_access::token::{
    Audience, Issuer, IssuerSettings, KeySet, KeySetError, Pseudonyms, Token, fuzz_key_set, fuzz_token,
};
use bartizan_access::{Caller, Denied, Directory, Restriction, RestrictionKind, Role};
use bartizan_core::{Secret, Tenant, Timestamp};
use bartizan_inspect::mutations;
use bartizan_storage::Storage;
use bartizan_storage::fault::Faulty;
use minter::{ALGORITHMS, AUDIENCE, ISSUER, Key, claims, hostile, hostile_key_set, key_set, with};
use serde_json::{Value, json};

const SECONDS: i64 = 1_790_000_000;
const NOW: Timestamp = Timestamp::from_seconds(SECONDS);

/// An issuer with its keys, and the directory that its principals are held against.
struct Door {
    issuer: Issuer,
    keys: KeySet,
    directory: Directory,
}

impl Door {
    fn new(algorithm: &str, keys: &str, change: impl FnOnce(&mut IssuerSettings)) -> Self {
        let mut settings: IssuerSettings = serde_json::from_value(json!({
            "issuer": ISSUER, "audience": AUDIENCE, "algorithm": algorithm, "jwks": "file:keys.json",
            "groups_claim": "groups", "roles": { "ml-users": "client", "ml-operators": "operator" },
        }))
        .unwrap();
        change(&mut settings);
        settings.check("main").unwrap();
        let keys = KeySet::parse(keys.as_bytes(), settings.algorithm).unwrap();
        let storage: Arc<dyn Storage> = Arc::new(Faulty::new());
        let directory = Directory::open(storage, Path::new("state/access")).unwrap();
        Self { issuer: Issuer::new("main", settings, Pseudonyms::new(Secret::new([7; 32]))), keys, directory }
    }

    fn ask_at(&self, token: &str, now: Timestamp) -> Result<Caller, Denied> {
        let token = Token::parse(token).map_err(|fault| Denied::nobody(fault.reason()))?;
        self.issuer.authenticate(&token, Some(&self.keys), &self.directory, now)
    }

    fn ask(&self, token: &str) -> Result<Caller, Denied> {
        self.ask_at(token, NOW)
    }

    fn reason(&self, token: &str) -> &'static str {
        self.ask(token).map_or_else(|denied| denied.reason, |_| "accepted")
    }
}

#[test]
fn each_algorithm_is_accepted_where_it_is_pinned_and_nowhere_else() {
    let keys: Vec<Key> = ALGORITHMS.into_iter().map(|algorithm| Key::new("k1", algorithm)).collect();
    for pinned in &keys {
        let door = Door::new(pinned.algorithm, &key_set(&[pinned]), |_| {});
        for key in &keys {
            let expected = if key.algorithm == pinned.algorithm { "accepted" } else { "token-algorithm" };
            assert_eq!(
                door.reason(&key.token(&claims(SECONDS))),
                expected,
                "{} at {}",
                key.algorithm,
                pinned.algorithm
            );
        }
    }
}

#[test]
fn nothing_in_the_negative_matrix_is_accepted() {
    let (key, ec) = (Key::new("k1", "RS256"), Key::new("ec", "ES256"));
    let other = Key::attackers("other-1", "RS256");
    let door = Door::new("RS256", &hostile_key_set(&key, &ec), |_| {});
    assert!(door.ask(&key.token(&claims(SECONDS))).is_ok());
    assert_eq!(door.keys.count(), 1, "{:?}", door.keys);
    let all = hostile(&key, &ec, &other, SECONDS);
    for case in &all {
        assert_eq!(door.reason(&case.token), case.reason, "{}", case.name);
    }
    assert!(all.len() > 150, "{}", all.len());
    println!("{} hostile tokens, none accepted", all.len());
}

#[test]
fn no_token_with_one_character_changed_is_accepted() {
    let long = std::env::var_os("BARTIZAN_LONG").is_some();
    let mut tried = 0_u32;
    for algorithm in ["RS256", "PS256", "ES256", "EdDSA"] {
        let key = Key::new("k1", algorithm);
        let door = Door::new(algorithm, &key_set(&[&key]), |_| {});
        let token = key.token(&claims(SECONDS));
        assert!(door.ask(&token).is_ok());
        for place in 0..token.len() {
            // Each bit of each byte; in the long run each value of each byte.
            let values: Vec<u8> = if long {
                (0..=255).collect()
            } else {
                (0..8).map(|bit| token.as_bytes()[place] ^ (1 << bit)).collect()
            };
            for value in values.into_iter().filter(|value| *value != token.as_bytes()[place]) {
                let mut bytes = token.clone().into_bytes();
                bytes[place] = value;
                // What is not text does not come out of a header.
                let Ok(changed) = String::from_utf8(bytes) else { continue };
                tried += 1;
                assert!(door.ask(&changed).is_err(), "{algorithm}: byte {place} is {value}");
            }
            assert!(
                door.ask(&format!("{}{}", &token[..place], &token[place + 1..])).is_err(),
                "{algorithm}: no {place}"
            );
            assert!(door.ask(&token[..place]).is_err(), "{algorithm}: cut at {place}");
        }
    }
    println!("{tried} changed tokens, none accepted");
}

#[test]
fn a_token_is_good_from_its_first_to_its_last_second_and_the_leeway_around_them() {
    let key = Key::new("k1", "ES256");
    let door = Door::new("ES256", &key_set(&[&key]), |settings| settings.max_age_seconds = 600);
    let at = |claims: &Value, offset: i64| {
        let asked = door.ask_at(&key.token(claims), NOW.plus_seconds(offset));
        asked.map_or_else(|denied| denied.reason, |_| "accepted")
    };
    let lasting = json!({
        "iss": ISSUER, "aud": [AUDIENCE, "account"], "sub": "s", "iat": SECONDS, "nbf": SECONDS, "exp": SECONDS + 300,
    });
    assert_eq!(at(&lasting, -31), "token-not-yet-valid");
    assert_eq!(at(&lasting, -30), "accepted");
    assert_eq!(at(&lasting, 329), "accepted");
    assert_eq!(at(&lasting, 330), "token-expired");
    let without = with(lasting.clone(), "nbf", Value::Null);
    assert_eq!(at(&without, -31), "token-not-yet-valid");
    let endless = with(lasting.clone(), "exp", json!(SECONDS + 1_000_000));
    assert_eq!(at(&endless, 630), "accepted");
    assert_eq!(at(&endless, 631), "token-too-old");
    assert_eq!(at(&with(lasting.clone(), "iat", Value::Null), 0), "token-too-old");
    assert_eq!(at(&with(lasting, "exp", json!(SECONDS as f64 + 300.5)), 329), "accepted");
}

#[test]
fn header_parameters_that_providers_add_are_passed_over() {
    let key = Key::new("k1", "RS256");
    let mut jwk = key.jwk();
    // As Entra ID publishes keys: without `alg`, with a certificate.
    jwk["x5t"] = json!("a3QN0BZS7s4nN-BdrjbF0Y_LdMM");
    jwk["x5c"] = json!(["MIIC/TCCAeWgAwIBAgII"]);
    jwk.as_object_mut().unwrap().remove("alg");
    let door = Door::new("RS256", &json!({ "keys": [jwk] }).to_string(), |_| {});
    for kind in [json!("JWT"), json!("jwt"), json!("at+jwt"), json!("application/at+JWT"), Value::Null] {
        let mut header = with(key.header(), "typ", kind.clone());
        header["x5t"] = json!("a3QN0BZS7s4nN-BdrjbF0Y_LdMM");
        header["nonce"] = json!("n-0S6_WzA2Mj");
        let token = key.token_with(&header.to_string(), &claims(SECONDS).to_string());
        assert_eq!(door.reason(&token), "accepted", "{kind}");
    }
}

#[test]
fn groups_give_roles_and_subjects_give_opaque_ids() {
    let key = Key::new("k1", "ES256");
    let roles = |change: fn(&mut IssuerSettings), claim: &str, value: Value| {
        let door = Door::new("ES256", &key_set(&[&key]), change);
        door.ask(&key.token(&with(claims(SECONDS), claim, value))).unwrap().principal.roles.clone()
    };
    let (client, operator) = (BTreeSet::from([Role::Client]), BTreeSet::from([Role::Operator]));
    assert_eq!(roles(|_| {}, "groups", json!(["ml-users", 7, "strangers"])), client);
    assert_eq!(roles(|_| {}, "groups", json!("openid ml-operators")), operator);
    assert_eq!(roles(|_| {}, "groups", json!(["ML-USERS", "ml-users2", ""])), BTreeSet::new());
    assert_eq!(roles(|_| {}, "groups", json!({ "ml-users": true })), BTreeSet::new());
    assert_eq!(roles(|_| {}, "groups", Value::Null), BTreeSet::new());
    assert_eq!(roles(|settings| settings.default_role = Some(Role::Client), "groups", Value::Null), client);
    let nested = |settings: &mut IssuerSettings| settings.groups_claim = "/realm_access/roles".to_owned();
    assert_eq!(roles(nested, "realm_access", json!({ "roles": ["ml-operators"] })), operator);

    let door = Door::new("ES256", &key_set(&[&key]), |_| {});
    let ask = |subject: &str, id: Value| {
        door.ask(&key.token(&with(with(claims(SECONDS), "sub", json!(subject)), "jti", id))).unwrap()
    };
    let (alice, again, bob) = (ask("alice", json!("1")), ask("alice", json!("2")), ask("bob", json!("1")));
    assert_eq!(alice.principal.id, again.principal.id);
    assert_ne!(alice.principal.id, bob.principal.id);
    assert_eq!(alice.principal.id, door.issuer.principal("alice"));
    assert!(alice.principal.id.starts_with("main:") && !format!("{alice:?}").contains("alice"), "{alice:?}");
    assert_eq!((&*alice.key, &*bob.key), (door.issuer.token("1").as_str(), door.issuer.token("1").as_str()));
    assert_ne!(alice.key, again.key);
    // A token without a name of its own is named by what is signed.
    for id in [Value::Null, json!("")] {
        let nameless =
            |subject: &str| key.token(&with(with(claims(SECONDS), "sub", json!(subject)), "jti", id.clone()));
        let (one, other) = (nameless("alice"), nameless("bob"));
        assert_eq!(door.ask(&one).unwrap().key, door.ask(&one).unwrap().key);
        assert_ne!(door.ask(&one).unwrap().key, door.ask(&other).unwrap().key);
    }
    assert!(door.directory.principals().is_empty(), "who comes with a token is not stored");
}

#[test]
fn what_is_held_against_a_principal_or_token_is_in_force_at_the_next_request() {
    let key = Key::new("k1", "ES256");
    let door = Door::new("ES256", &key_set(&[&key]), |_| {});
    let token = key.token(&claims(SECONDS));
    let other = key.token(&with(claims(SECONDS), "jti", json!("token-2")));
    let caller = door.ask(&token).unwrap();
    let hold = |kind, target: &str, divisor| {
        let restriction = Restriction {
            id: "r".to_owned(),
            kind,
            tenant: Tenant::default(),
            target: target.to_owned(),
            since: NOW,
            until: None,
            divisor,
        };
        door.directory.restrict(restriction).unwrap();
    };
    hold(RestrictionKind::RevokedKey, &caller.key, 1);
    let denied = door.ask(&token).unwrap_err();
    assert_eq!(denied.reason, "token-revoked");
    assert_eq!((denied.principal.as_str(), denied.key.as_str()), (caller.principal.id.as_str(), &*caller.key));
    assert!(door.ask(&other).is_ok(), "another token of the same principal");
    door.directory.lift("r").unwrap();

    hold(RestrictionKind::BlockedPrincipal, &caller.principal.id, 1);
    assert_eq!((door.reason(&token), door.reason(&other)), ("principal-blocked", "principal-blocked"));
    door.directory.lift("r").unwrap();

    hold(RestrictionKind::RevokedTokens, &caller.principal.id, 1);
    assert_eq!(door.reason(&token), "token-revoked");
    assert_eq!(door.reason(&key.token(&with(claims(SECONDS), "iat", Value::Null))), "token-revoked");
    assert_eq!(door.reason(&key.token(&with(claims(SECONDS), "iat", json!(SECONDS + 1)))), "accepted");
    assert_eq!(door.reason(&key.token(&with(claims(SECONDS), "sub", json!("bob")))), "accepted");
    door.directory.lift("r").unwrap();

    hold(RestrictionKind::TightenedLimit, &caller.principal.id, 8);
    assert_eq!(door.ask(&token).unwrap().divisor, 8);
}

#[test]
fn an_old_key_is_refused_once_the_new_set_is_without_it() {
    let (old, new) = (Key::new("2026-01", "ES256"), Key::new("2026-02", "ES256"));
    let tokens = [old.token(&claims(SECONDS)), new.token(&claims(SECONDS))];
    for (keys, expected) in [
        (vec![&old], ["accepted", "token-key-unknown"]),
        (vec![&old, &new], ["accepted", "accepted"]),
        (vec![&new], ["token-key-unknown", "accepted"]),
    ] {
        let door = Door::new("ES256", &key_set(&keys), |_| {});
        assert_eq!([door.reason(&tokens[0]), door.reason(&tokens[1])], expected);
    }
}

#[test]
fn only_keys_that_fit_the_pinned_algorithm_are_used() {
    let count = |jwk: Value, algorithm: &str| {
        let algorithm = serde_json::from_value(json!(algorithm)).unwrap();
        KeySet::parse(json!({ "keys": [jwk] }).to_string().as_bytes(), algorithm).map(|set| set.count())
    };
    let none = Err(KeySetError::Empty);
    let (rsa, ec, ed) = (Key::new("k", "RS256").jwk(), Key::new("k", "ES256").jwk(), Key::new("k", "EdDSA").jwk());
    assert_eq!([count(rsa.clone(), "RS256"), count(ec.clone(), "ES256"), count(ed.clone(), "EdDSA")], [Ok(1); 3]);
    assert_eq!(count(with(rsa.clone(), "alg", Value::Null), "PS512"), Ok(1));
    assert_eq!(count(with(rsa.clone(), "use", Value::Null), "RS256"), Ok(1));
    assert_eq!(count(with(rsa.clone(), "key_ops", json!(["verify"])), "RS256"), Ok(1));
    let modulus = Key::new("k", "RS256").modulus();
    let shorter = |bytes: usize, first: u8| {
        let mut shorter = modulus[..bytes].to_vec();
        shorter[0] = first;
        *shorter.last_mut().unwrap() |= 1;
        minter::encode(&shorter)
    };
    for (field, value) in [
        ("alg", json!("RS512")),
        ("alg", json!(1)),
        ("use", json!("enc")),
        ("key_ops", json!(["encrypt"])),
        ("key_ops", json!("verify")),
        ("kid", Value::Null),
        ("kid", json!("")),
        ("kid", json!("k".repeat(257))),
        ("kty", json!("EC")),
        ("d", json!("AQAB")),
        // With exponent 1 every padded message would be its own signature.
        ("e", json!("AQ")),
        ("e", json!("Aw")),
        ("e", json!("AQAA")),
        ("e", json!("AAEAAQ")),
        ("e", Value::Null),
        ("n", json!(shorter(128, 0xff))),
        ("n", json!(shorter(255, 0xff))),
        ("n", json!(shorter(256, 0x7f))),
        ("n", json!(shorter(256, 0))),
        ("n", json!("")),
        ("n", json!("not base64 !")),
        ("n", json!([1])),
    ] {
        assert_eq!(count(with(rsa.clone(), field, value.clone()), "RS256"), none, "{field}: {value}");
    }
    for (field, value) in
        [("crv", json!("P-384")), ("crv", json!("secp256k1")), ("x", ed["x"].clone()), ("y", json!("AA"))]
    {
        assert_eq!(count(with(ec.clone(), field, value.clone()), "ES256"), none, "{field}: {value}");
    }
    for (field, value) in [("crv", json!("X25519")), ("x", json!("AA"))] {
        assert_eq!(count(with(ed.clone(), field, value.clone()), "EdDSA"), none, "{field}: {value}");
    }
    let parse =
        |text: &str| KeySet::parse(text.as_bytes(), serde_json::from_value(json!("RS256")).unwrap()).unwrap_err();
    for text in ["", "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":[],"keys":[]}"#, "<html>", r#"{"keys":[]}x"#] {
        assert_eq!(
            parse(text),
            if text == r#"{"keys":[]}"# { KeySetError::Empty } else { KeySetError::Malformed },
            "{text}"
        );
    }
    let twice = rsa.to_string().replacen('{', r#"{"kid":"z","#, 1);
    assert_eq!(parse(&format!(r#"{{"keys":[{twice}]}}"#)), KeySetError::Malformed);
    assert_eq!(parse(&json!({ "keys": vec![rsa; 65] }).to_string()), KeySetError::TooMany);
}

#[test]
fn settings_that_can_not_be_meant_are_refused_with_their_key() {
    let good: IssuerSettings = serde_json::from_value(json!({
        "issuer": ISSUER, "audience": [AUDIENCE, "other"], "algorithm": "RS256", "jwks": "file:x", "default_role": "client",
    }))
    .unwrap();
    assert_eq!(good.check("main"), Ok(()));
    let wrong = |change: fn(&mut IssuerSettings)| {
        let mut settings = good.clone();
        change(&mut settings);
        settings.check("main").unwrap_err().to_string()
    };
    assert!(wrong(|s| s.issuer = " x".to_owned()).starts_with("access.issuers.main.issuer:"));
    assert!(wrong(|s| s.audience = Audience(Vec::new())).starts_with("access.issuers.main.audience:"));
    assert!(wrong(|s| s.default_role = None).contains("nobody a role"));
    assert!(wrong(|s| s.groups_claim = "groups".to_owned()).contains("need each other"));
    assert!(wrong(|s| s.leeway_seconds = 3600).contains("leeway_seconds"));
    assert!(wrong(|s| s.stale_seconds = 1).contains("stale_seconds"));
    assert!(wrong(|s| s.refetch_seconds = 0).contains("refetch_seconds"));
    for name in ["", "Main", "a/b", "a:b", "ä"] {
        assert!(good.check(name).is_err(), "{name}");
    }
    for algorithm in ["HS256", "none", "None", "rs256", "ES512", ""] {
        let settings = json!({ "issuer": ISSUER, "audience": "x", "algorithm": algorithm, "jwks": "file:x" });
        assert!(serde_json::from_value::<IssuerSettings>(settings).is_err(), "{algorithm}");
    }
}

#[test]
fn damaged_tokens_and_key_sets_neither_panic_nor_run_away() {
    let keys = [Key::new("k1", "RS256"), Key::new("k2", "ES256"), Key::new("k3", "EdDSA")];
    let mut seeds: Vec<Vec<u8>> = keys.iter().map(|key| key.token(&claims(SECONDS)).into_bytes()).collect();
    seeds.push(key_set(&[&keys[0], &keys[1], &keys[2]]).into_bytes());
    seeds.push(b"eyJhbGciOiJub25lIn0.e30.".to_vec());
    let time = if std::env::var_os("BARTIZAN_LONG").is_some() { 100 } else { 2 };
    let end = Instant::now() + Duration::from_secs(time);
    for (count, bytes) in mutations(&seeds, 0x5eed).enumerate() {
        let start = Instant::now();
        fuzz_token(&bytes);
        fuzz_key_set(&bytes);
        assert!(start.elapsed() < Duration::from_secs(1), "input {count} runs away: {bytes:02x?}");
        if Instant::now() > end {
            println!("{count} damaged inputs");
            return;
        }
    }
}
