//! Each rule of the default pack fires on what it is for, and ordinary traffic fires none.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed set-up is a failed test")]

use std::collections::BTreeSet;

use bartizan_core::{Asset, AssetKind, Event, Outcome, Severity, Tenant, Timestamp};
use bartizan_detect::{Alert, DetectError, RuleEngine, Sigma};

fn at(kind: &str, milliseconds: i64) -> Event {
    let model = Asset::new(Tenant::default(), AssetKind::Model, "digits");
    let time = Timestamp::from_nanoseconds(1_790_000_000_000_000_000 + milliseconds * 1_000_000);
    Event::new(kind, format!("e{milliseconds}"), time, "Infer", model, Outcome::Deny)
        .by("shop")
        .with("key", "bk_1")
        .with("source", "aa")
}

fn fired(rules: &mut Sigma, events: impl IntoIterator<Item = Event>) -> Vec<Alert> {
    events.into_iter().flat_map(|event| rules.evaluate(&event)).collect()
}

fn names(alerts: &[Alert]) -> Vec<&str> {
    alerts.iter().map(|alert| alert.rule.as_str()).collect()
}

#[test]
fn every_rule_of_the_pack_fires_on_what_it_is_for() {
    let mut rules = Sigma::load(&[]).unwrap();
    let mut seen = BTreeSet::new();
    let signals = [
        "key-shared",
        "request-flood",
        "malformed-inputs",
        "unauthorized-probing",
        "input-drift",
        "extraction",
        "extraction-pool",
        "membership-probing",
    ];
    let refusals = [
        "key-revoked",
        "token-revoked",
        "principal-blocked",
        "model-blocked",
        "information-budget",
        "ledger-unavailable",
        "guard-failed",
        "key-canary",
    ];
    let one = signals.iter().map(|reason| at("monitor.signal", 0).because(reason));
    let one = one.chain(refusals.iter().map(|reason| at("request.refusal", 0).because(reason)));
    let mut made = at("admin.change", 0).with("target", "client+admin");
    made.action = "CreatePrincipal".to_owned();
    let mut reloaded = at("admin.change", 0);
    reloaded.action = "Reload".to_owned();
    for event in one.chain([made, reloaded]) {
        let alerts = rules.evaluate(&event);
        assert_eq!(alerts.len(), 1, "{event:?}: {alerts:?}");
        seen.extend(alerts.into_iter().map(|alert| alert.rule));
    }
    let many = [
        ("request.refusal", "tensor-shape"),
        ("request.refusal", "key-unknown"),
        ("request.refusal", "prompt-injection"),
        ("admin.refusal", "no-policy-permits"),
    ];
    for (kind, reason) in many {
        let alerts = fired(&mut rules, (0..30).map(|number| at(kind, number * 100).because(reason)));
        assert_eq!(alerts.len(), 1, "{reason}: {:?}", names(&alerts));
        seen.extend(alerts.into_iter().map(|alert| alert.rule));
    }
    let all: BTreeSet<String> = rules.rules().into_iter().map(|rule| rule.id).collect();
    assert_eq!(seen, all);
}

#[test]
fn refused_tokens_count_as_refused_keys_do_unless_the_failure_is_ours() {
    for (reason, expected) in [("token-signature", 1), ("token-expired", 1), ("token-keys-unavailable", 0)] {
        let mut rules = Sigma::load(&[]).unwrap();
        let events = (0..30).map(|number| at("request.refusal", number * 100).because(reason));
        assert_eq!(fired(&mut rules, events).len(), expected, "{reason}");
    }
}

#[test]
fn ordinary_traffic_fires_no_rule() {
    let mut rules = Sigma::load(&[]).unwrap();
    let traffic = (0..5000).flat_map(|number| {
        let mut admission = at("request.admission", number * 20);
        admission.outcome = Outcome::Allow;
        let mut completion = at("request.completion", number * 20 + 1).with("status", 200).with("bits", 230);
        completion.outcome = Outcome::Allow;
        [admission, completion]
    });
    assert!(fired(&mut rules, traffic).is_empty());
    // One slip every ten seconds is no campaign.
    let slips = (0..200).map(|number| at("request.refusal", 200_000 + number * 10_000).because("tensor-shape"));
    assert!(fired(&mut rules, slips).is_empty());
}

#[test]
fn an_alert_names_who_what_and_which_technique() {
    let mut rules = Sigma::load(&[]).unwrap();
    let event = at("monitor.signal", 0)
        .because("extraction")
        .with("drill", true)
        .with("score_ppm", 750_000)
        .with("threshold_ppm", 500_000);
    let alert = rules.evaluate(&event).remove(0);
    assert_eq!((alert.rule.as_str(), alert.severity), ("bartizan-extraction", Severity::High));
    assert_eq!(alert.techniques, ["AML.T0024.002", "AML.T0005.001"]);
    assert_eq!(
        (alert.principal.as_str(), alert.key.as_str(), alert.drill, alert.event.as_str()),
        ("shop", "bk_1", true, "e0")
    );
    assert!(alert.message.contains("0.75"), "{}", alert.message);
}

#[test]
fn an_alert_about_several_names_them() {
    let mut rules = Sigma::load(&[]).unwrap();
    let members = vec!["p_1".to_owned(), "p_2".to_owned()];
    let event = at("monitor.signal", 0).by("").because("extraction-pool").with("members", members.clone());
    let alert = rules.evaluate(&event).remove(0);
    assert_eq!((alert.principal.as_str(), alert.members), ("", members));
}

#[test]
fn correlations_keep_principals_apart_follow_event_time_and_stay_quiet_after_firing() {
    let mut rules = Sigma::load(&[]).unwrap();
    let apart =
        (0..200).map(|number| at("request.refusal", number).because("tensor-shape").by(&format!("p{}", number % 10)));
    assert!(fired(&mut rules, apart).is_empty());
    let slowly = (0..200).map(|number| at("request.refusal", number * 3000).because("tensor-shape").by("slow"));
    assert!(fired(&mut rules, slowly).is_empty());
    let campaign =
        (0..300).map(|number| at("request.refusal", 700_000 + number * 10).because("tensor-shape").by("fast"));
    assert_eq!(names(&fired(&mut rules, campaign)), ["bartizan-repeated-malformed"]);
}

#[test]
fn every_technique_is_one_of_atlas() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../../shared/corpora/intel/ATLAS.yaml");
    let Ok(atlas) = std::fs::read_to_string(path) else {
        println!("skipped: no ATLAS.yaml beside the workspace");
        return;
    };
    for rule in Sigma::load(&[]).unwrap().rules() {
        for technique in rule.techniques {
            assert!(atlas.contains(&format!("id: {technique}\n")), "{}: {technique}", rule.id);
        }
    }
}

#[test]
fn a_users_rule_fires_beside_the_pack() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("ours")).unwrap();
    let rule = "title: Night work\nid: 11111111-2222-4333-8444-555555555555\nlogsource:\n  product: bartizan\ndetection:\n  \
                request:\n    type: request.admission\n    principal: payroll\n  condition: request\nlevel: high\n";
    std::fs::write(folder.path().join("ours/night.yml"), rule).unwrap();
    let mut rules = Sigma::load(&[folder.path().to_owned()]).unwrap();
    let alerts = rules.evaluate(&at("request.admission", 0).by("payroll"));
    assert_eq!(names(&alerts), ["11111111-2222-4333-8444-555555555555"]);
    assert!(rules.rules().iter().any(|rule| rule.title == "Night work"));
}

#[test]
fn a_file_that_is_no_rule_is_named_and_nothing_is_skipped() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("broken.yml");
    for text in [
        "title: x\n",
        "{{{",
        "",
        "title: x\nlogsource:\n  product: y\ndetection:\n  a:\n    f|nonsense: 1\n  condition: a\n",
    ] {
        std::fs::write(&path, text).unwrap();
        let error = Sigma::load(&[folder.path().to_owned()]).err().unwrap().to_string();
        assert!(error.contains("broken.yml"), "{text:?}: {error}");
    }
    let missing = Sigma::load(&[folder.path().join("absent")]).err().unwrap();
    assert!(matches!(missing, DetectError::Read { .. }), "{missing}");
}

#[test]
fn two_rules_of_one_id_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (_, text) = bartizan_detect::defaults()[0];
    std::fs::write(folder.path().join("again.yml"), text).unwrap();
    assert!(
        Sigma::load(&[folder.path().to_owned()]).err().unwrap().to_string().contains("two rules have the id or name")
    );
}
