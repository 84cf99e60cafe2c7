//! Playbooks: the default ones hold to CACAO, and what is not understood is refused with a reason.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed set-up is a failed test")]

mod world;

use bartizan_core::IncidentState;
use bartizan_respond::{Mode, Settings, check, defaults};
use serde_json::{Value, json};
use world::World;

fn stolen_key() -> Value {
    let (_, text) = defaults().iter().find(|(name, _)| *name == "stolen-key.json").unwrap();
    serde_json::from_str(text).unwrap()
}

fn refusal(change: impl FnOnce(&mut Value)) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut playbook = stolen_key();
    change(&mut playbook);
    std::fs::write(folder.path().join("mine.json"), playbook.to_string()).unwrap();
    let settings = Settings { playbooks: vec![folder.path().to_owned()], ..Settings::default() };
    let error = check(&settings).err().map(|error| error.to_string()).unwrap_or_default();
    assert!(error.is_empty() || error.contains("mine.json"), "{error}");
    error
}

/// The first step of that type.
fn step<'a>(playbook: &'a mut Value, kind: &str) -> &'a mut Value {
    let steps = playbook["workflow"].as_object_mut().unwrap();
    steps.values_mut().find(|step| step["type"] == kind).unwrap()
}

#[test]
fn the_default_playbooks_are_usable_and_have_what_cacao_demands() {
    check(&Settings::default()).unwrap();
    for (name, text) in defaults() {
        let playbook: Value = serde_json::from_str(text).unwrap();
        for field in
            ["type", "spec_version", "id", "name", "created_by", "created", "modified", "workflow_start", "workflow"]
        {
            assert!(!playbook[field].is_null(), "{name}: {field}");
        }
        for (id, step) in playbook["workflow"].as_object().unwrap() {
            let (kind, uuid) = id.split_once("--").unwrap();
            assert_eq!((kind, uuid.len()), (step["type"].as_str().unwrap(), 36), "{name}: {id}");
            if kind == "action" {
                assert!(playbook["agent_definitions"].get(step["agent"].as_str().unwrap()).is_some(), "{name}: {id}");
            }
        }
    }
}

#[test]
fn every_rule_that_a_default_playbook_reacts_to_exists() {
    use bartizan_detect::RuleEngine as _;
    let rules = bartizan_detect::Sigma::load(&[]).unwrap().rules();
    for (name, text) in defaults() {
        let playbook: Value = serde_json::from_str(text).unwrap();
        let policy = playbook["playbook_extensions"].as_object().unwrap().values().next().unwrap();
        for wanted in policy["rules"].as_array().unwrap() {
            assert!(rules.iter().any(|rule| rule.id == wanted.as_str().unwrap()), "{name}: {wanted}");
        }
    }
}

#[test]
fn what_is_not_understood_is_refused_with_place_and_reason() {
    assert_eq!(refusal(|_| ()), "");
    let cases: [(&str, String); 10] = [
        ("cacao-2.0", refusal(|playbook| playbook["spec_version"] = json!("cacao-3.0"))),
        (
            "unknown command `launch-missiles`",
            refusal(|playbook| step(playbook, "action")["commands"][0]["command"] = json!("launch-missiles")),
        ),
        (
            "needs `divisor=",
            refusal(|playbook| step(playbook, "action")["commands"][0]["command"] = json!("tighten-limit")),
        ),
        (
            "commands of type `bash`",
            refusal(|playbook| step(playbook, "action")["commands"][0]["type"] = json!("bash")),
        ),
        ("not in `workflow`", refusal(|playbook| step(playbook, "start")["on_completion"] = json!("action--nowhere"))),
        ("`on_failure`", refusal(|playbook| step(playbook, "action")["on_failure"] = json!("end--x"))),
        (
            "reacts to nothing",
            refusal(|playbook| {
                *playbook["playbook_extensions"].as_object_mut().unwrap().values_mut().next().unwrap() = json!({});
            }),
        ),
        ("says not what it reacts to", refusal(|playbook| playbook["playbook_extensions"] = json!({}))),
        (
            "unknown field",
            refusal(|playbook| {
                playbook["playbook_extensions"].as_object_mut().unwrap().values_mut().next().unwrap()["moed"] =
                    json!("shadow");
            }),
        ),
        (
            "never reached",
            refusal(|playbook| {
                playbook["workflow"]["end--11111111-2222-4333-8444-555555555555"] = json!({ "type": "end" });
            }),
        ),
    ];
    for (wanted, error) in cases {
        assert!(error.contains(wanted), "{wanted}: {error}");
    }
}

#[test]
fn a_playbook_that_goes_round_in_circles_is_refused() {
    let error = refusal(|playbook| {
        let start = step(playbook, "start")["on_completion"].clone();
        for step in playbook["workflow"].as_object_mut().unwrap().values_mut().filter(|step| step["type"] == "action") {
            step["on_completion"] = start.clone();
        }
    });
    assert!(error.contains("leads back to itself"), "{error}");
}

#[test]
fn a_users_playbook_with_the_id_of_a_default_one_takes_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let mut playbook = stolen_key();
    playbook["playbook_extensions"].as_object_mut().unwrap().values_mut().next().unwrap()["mode"] = json!("approval");
    std::fs::write(folder.path().join("mine.json"), playbook.to_string()).unwrap();
    let mut world = World::new(Mode::Automatic);
    world.settings.playbooks = vec![folder.path().to_owned()];
    let incident = world.open().unwrap().alert(&world.alert("key-shared", "shop")).unwrap().unwrap();
    assert_eq!(incident.state, IncidentState::AwaitingApproval);
    assert!(world.in_force().is_empty());
}

#[test]
fn a_webhook_that_a_playbook_names_must_be_configured() {
    let error = refusal(|playbook| {
        let mut steps = playbook["workflow"].as_object_mut().unwrap().values_mut();
        let notify = steps.find(|step| step["commands"][0]["command"] == "notify").unwrap();
        notify["commands"][0]["command"] = json!("notify webhook=nobody");
    });
    assert!(error.contains("`nobody`") && error.contains("respond.webhooks"), "{error}");
}
