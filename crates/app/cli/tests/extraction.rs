//! Extraction split over ten keys, and membership probing: found, named, contained, and nobody else.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a failed set-up is a failed test"
)]

mod daemon;

use std::collections::BTreeSet;

use daemon::{Daemon, World, eventually, tensor};
use serde_json::{Value, json};

const DIGITS: &str = include_str!("../../../../models/digits/digits.rows");

/// A principal and its key.
struct Client {
    id: String,
    key: String,
}

#[test]
fn an_extraction_split_over_ten_keys_is_one_incident_that_contains_them_and_nobody_else() {
    // Ten of fifteen principals are more than a playbook may contain by itself.
    let daemon = up("[respond.blast_radius]\nprincipals_percent = 100\n", &["--enforce"]);
    let split: Vec<Client> = (0..10).map(|number| client(&daemon, &format!("split-{number}"))).collect();
    let honest: Vec<Client> = (0..3).map(|number| client(&daemon, &format!("honest-{number}"))).collect();
    let (digits, mut noise) = (digits(), Noise(7));
    for turn in 0..90 {
        ask(&daemon, &split[turn % 10], &noise.row());
        ask(&daemon, &honest[turn % 3], &digits[turn]);
    }
    let ids: BTreeSet<&str> = split.iter().map(|client| client.id.as_str()).collect();
    let incident = eventually("an incident that names all ten", || {
        let incident = incidents(&daemon, "bartizan-extraction-pool").into_iter().next()?;
        (texts(&incident["members"]) == ids.iter().map(ToString::to_string).collect()).then_some(incident)
    });
    assert_eq!(incidents(&daemon, "bartizan-extraction-pool").len(), 1);
    assert!(incidents(&daemon, "bartizan-extraction").is_empty(), "the members are not told of twice");
    let tightened: Vec<&Value> =
        incident["actions"].as_array().unwrap().iter().filter(|action| action["kind"] == "tighten-limit").collect();
    assert_eq!(tightened.len(), 10, "{incident:#}");
    let id = incident["id"].as_str().unwrap();
    let shown = daemon.text(&["incident", "show", id]);
    assert!(split.iter().all(|client| shown.contains(&client.id)), "{shown}");
    let refused = |client: &Client| (0..6).any(|turn| ask(&daemon, client, &digits[100 + turn]) == 429);
    assert!(split.iter().all(refused), "each of the ten is slowed down");
    assert!(!honest.iter().any(refused), "nobody beside them is");
}

#[test]
fn an_extraction_split_over_ten_keys_is_only_written_down_in_shadow() {
    let daemon = up("", &[]);
    let split: Vec<Client> = (0..10).map(|number| client(&daemon, &format!("split-{number}"))).collect();
    let mut noise = Noise(8);
    for turn in 0..60 {
        ask(&daemon, &split[turn % 10], &noise.row());
    }
    let incident = eventually("an incident", || incidents(&daemon, "bartizan-extraction-pool").into_iter().next());
    assert_eq!(incident["state"], "shadowed", "{incident:#}");
    let digits = digits();
    assert!((0..6).all(|turn| ask(&daemon, &split[0], &digits[turn]) == 200));
}

#[test]
fn membership_probing_is_an_incident_of_its_own() {
    let daemon = up("", &["--enforce"]);
    let (prober, honest) = (client(&daemon, "prober"), client(&daemon, "honest"));
    let digits = digits();
    for turn in 0..60_usize {
        // Two pixels in the middle of one picture, by less than one: the same record again and again.
        let mut row = digits[0].clone();
        for place in [turn % 8, turn / 8] {
            let pixel = &mut row[[19, 20, 27, 28, 35, 36, 43, 44][place]];
            *pixel += (0.3 + 0.01 * turn as f32) * if *pixel < 8.0 { 1.0 } else { -1.0 };
        }
        ask(&daemon, &prober, &row);
        ask(&daemon, &honest, &digits[turn + 1]);
    }
    let incident = eventually("an incident", || incidents(&daemon, "bartizan-membership-probing").into_iter().next());
    assert_eq!(incident["principal"], prober.id.as_str(), "{incident:#}");
    assert!(incident["techniques"].to_string().contains("AML.T0024.000"), "{incident:#}");
    assert!(incidents(&daemon, "bartizan-extraction").is_empty());
    assert_eq!(incidents(&daemon, "bartizan-membership-probing").len(), 1, "the honest client is left alone");
}

fn up(more: &str, arguments: &[&str]) -> Daemon {
    let world = World::new();
    world.configure(more);
    world.up(arguments)
}

fn client(daemon: &Daemon, name: &str) -> Client {
    let added = daemon.json(&["access", "add", name, "--role", "client", "--format", "json"]);
    let issued = daemon.json(&["access", "keys", "issue", name, "--format", "json"]);
    Client {
        id: added["id"].as_str().expect("an id").to_owned(),
        key: issued["key"].as_str().expect("a key").to_owned(),
    }
}

/// The status of the answer to one row.
fn ask(daemon: &Daemon, client: &Client, row: &[f32]) -> u16 {
    daemon.infer(&client.key, &tensor(&json!([1, 64]), "FP32", &json!(row))).status
}

fn incidents(daemon: &Daemon, rule: &str) -> Vec<Value> {
    let listed = daemon.json(&["incident", "list", "--format", "json"]);
    let listed = listed["incidents"].as_array().unwrap().iter();
    listed.filter(|incident| texts(&incident["rules"]).contains(rule)).cloned().collect()
}

fn texts(list: &Value) -> BTreeSet<String> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Rows of the shipped digits that no profile holds.
fn digits() -> Vec<Vec<f32>> {
    let pixels = DIGITS.lines().filter_map(|line| line.split(' ').nth(2));
    pixels.map(|pixels| pixels.chars().filter_map(|c| c.to_digit(17)).map(|pixel| pixel as f32).collect()).collect()
}

/// Numbers by a linear congruential generator (Knuth's MMIX), the upper bits of which are good enough here.
struct Noise(u64);

impl Noise {
    fn row(&mut self) -> Vec<f32> {
        (0..64)
            .map(|_| {
                self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (self.0 >> 60) as f32
            })
            .collect()
    }
}
