//! What the responder promises about incidents, playbooks and people.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed set-up is a failed test")]

mod world;

use bartizan_core::{ActionKind, IncidentState, Severity};
use bartizan_detect::Alert;
use bartizan_respond::{Drills, Mode, RespondError};
use world::World;

#[test]
fn a_stolen_key_is_revoked_and_everything_is_in_the_ledger_before_and_after() {
    let world = World::new(Mode::Automatic);
    let responder = world.open().unwrap();
    let incident = responder.alert(&world.alert("key-shared", "shop")).unwrap().unwrap();
    assert_eq!(incident.state, IncidentState::Contained);
    assert_eq!(world.in_force(), [(ActionKind::RevokeKey, "bk_shop".to_owned())]);
    assert_eq!(world.kinds(), ["incident.opened", "action.intended", "action.applied"]);
    assert!(world.log.events.lock().unwrap().iter().all(|event| event.correlation == incident.id));
    assert!(incident.actions[0].expires.unwrap() > incident.opened);
}

#[test]
fn alerts_about_the_same_principal_and_asset_are_one_incident() {
    let world = World::new(Mode::Automatic);
    let responder = world.open().unwrap();
    for _ in 0..50 {
        responder.alert(&world.alert("key-shared", "shop")).unwrap();
        responder.alert(&world.alert("revoked-key", "shop")).unwrap();
    }
    responder.alert(&world.alert("key-shared", "other")).unwrap();
    let incidents = responder.incidents();
    assert_eq!(incidents.len(), 2);
    let shop = incidents.iter().find(|incident| incident.principal == "shop").unwrap();
    assert_eq!(shop.alerts, 100);
    assert_eq!(shop.rules, ["bartizan-key-shared", "bartizan-revoked-key"]);
    assert_eq!(shop.techniques, ["AML.T0012"]);
    assert_eq!(world.access.calls.lock().unwrap().len(), 2, "each key is revoked once");
}

#[test]
fn a_mild_alert_opens_no_incident() {
    let world = World::new(Mode::Automatic);
    let responder = world.open().unwrap();
    let mut alert = world.alert("input-drift", "shop");
    alert.severity = Severity::Low;
    assert_eq!(responder.alert(&alert).unwrap(), None);
    assert!(responder.incidents().is_empty());
}

#[test]
fn in_shadow_nothing_is_done_until_a_person_contains_and_release_takes_it_back() {
    let world = World::new(Mode::Shadow);
    let responder = world.open().unwrap();
    let incident = responder.alert(&world.alert("key-shared", "shop")).unwrap().unwrap();
    assert_eq!(incident.state, IncidentState::Shadowed);
    assert!(world.in_force().is_empty());
    assert!(incident.timeline.iter().any(|entry| entry.what.contains("would revoke-key bk_shop")));
    assert!(matches!(responder.approve(&incident.id, "alice"), Err(RespondError::State { .. })));
    let contained = responder.contain(&incident.id, "alice").unwrap();
    assert_eq!(contained.state, IncidentState::Contained);
    assert_eq!(world.in_force().len(), 1);
    assert_eq!(responder.contain(&incident.id, "alice").unwrap().state, IncidentState::Contained, "twice is once");
    let released = responder.release(&incident.id, "alice").unwrap();
    assert_eq!(released.state, IncidentState::Released);
    assert!(world.in_force().is_empty());
    assert_eq!(responder.release(&incident.id, "alice").unwrap(), released, "twice is once");
}

#[test]
fn what_a_person_released_is_not_contained_again_by_the_same_alerts() {
    let world = World::new(Mode::Automatic);
    let responder = world.open().unwrap();
    let id = responder.alert(&world.alert("key-shared", "shop")).unwrap().unwrap().id;
    responder.release(&id, "alice").unwrap();
    for _ in 0..5 {
        responder.alert(&world.alert("key-shared", "shop")).unwrap();
    }
    assert!(world.in_force().is_empty());
    assert_eq!(responder.incidents().len(), 1);
    // Something else about the same principal is news.
    responder.alert(&world.alert("extraction", "shop")).unwrap();
    assert_eq!(responder.incidents().len(), 2);
    world.clock.advance_seconds(3601);
    responder.alert(&world.alert("key-shared", "shop")).unwrap();
    assert!(world.in_force().contains(&(ActionKind::RevokeKey, "bk_shop".to_owned())));
}

#[test]
fn approval_waits_for_a_person_and_then_acts() {
    let world = World::new(Mode::Approval);
    let responder = world.open().unwrap();
    let incident = responder.alert(&world.alert("key-shared", "shop")).unwrap().unwrap();
    assert_eq!(incident.state, IncidentState::AwaitingApproval);
    assert!(world.in_force().is_empty());
    let approved = responder.approve(&incident.id, "alice").unwrap();
    assert_eq!(approved.state, IncidentState::Contained);
    assert!(approved.timeline.iter().any(|entry| entry.who == "alice"));
}

#[test]
fn an_extractor_is_slowed_down_and_blocked_only_on_approval() {
    let world = World::new(Mode::Automatic);
    let responder = world.open().unwrap();
    let incident = responder.alert(&world.alert("extraction", "copy")).unwrap().unwrap();
    assert_eq!(incident.state, IncidentState::AwaitingApproval);
    assert_eq!(world.in_force(), [(ActionKind::TightenLimit, "copy".to_owned())]);
    assert_eq!(world.access.in_force.lock().unwrap().values().next().unwrap().parameters["divisor"], 50);
    assert_eq!(responder.approve(&incident.id, "alice").unwrap().state, IncidentState::Contained);
    assert_eq!(world.in_force().len(), 2);
}

#[test]
fn a_flood_that_goes_on_is_blocked() {
    let world = World::new(Mode::Automatic);
    let responder = world.open().unwrap();
    for alerts in 1..=4 {
        responder.alert(&world.alert("request-flood", "noisy")).unwrap();
        assert_eq!(world.in_force().len(), if alerts < 4 { 1 } else { 2 }, "after {alerts}");
    }
    assert!(world.in_force().contains(&(ActionKind::BlockPrincipal, "noisy".to_owned())));
}

#[test]
fn what_is_protected_is_never_contained_automatically() {
    let mut world = World::new(Mode::Automatic);
    world.settings.protected = vec!["payments".to_owned()];
    let responder = world.open().unwrap();
    for principal in ["root", "payments"] {
        let incident = responder.alert(&world.alert("key-shared", principal)).unwrap().unwrap();
        assert_eq!(incident.state, IncidentState::AwaitingApproval, "{principal}");
    }
    assert!(world.in_force().is_empty());
}

#[test]
fn beyond_the_blast_radius_a_person_decides() {
    let mut world = World::new(Mode::Automatic);
    world.settings.blast_radius.actions_per_hour = 3;
    let responder = world.open().unwrap();
    for number in 0..6 {
        responder.alert(&world.alert("key-shared", &format!("p{number}"))).unwrap();
    }
    assert_eq!(world.in_force().len(), 3);
    world.clock.advance_seconds(3601);
    responder.alert(&world.alert("key-shared", "later")).unwrap();
    assert_eq!(world.in_force().len(), 4);
}

#[test]
fn a_pool_of_principals_is_one_incident_that_contains_each_of_them_as_far_as_it_may() {
    let world = World::new(Mode::Automatic);
    let responder = world.open().unwrap();
    let pool = |members: &[&str]| Alert {
        members: members.iter().map(|member| (*member).to_owned()).collect(),
        key: String::new(),
        ..world.alert("extraction-pool", "")
    };
    let first = responder.alert(&pool(&["a", "b", "c"])).unwrap().unwrap();
    let grown = responder.alert(&pool(&["b", "d"])).unwrap().unwrap();
    assert_eq!((&grown.id, grown.members.join(" ")), (&first.id, "a b c d".to_owned()));
    let tightened: Vec<String> = world.in_force().into_iter().map(|(_, target)| target).collect();
    assert_eq!(tightened, ["a", "b", "c", "d"]);
    let other = responder.alert(&pool(&["x", "y"])).unwrap().unwrap();
    assert_ne!(other.id, first.id);
    responder.release(&first.id, "p_admin").unwrap();
    assert_eq!(world.in_force().len(), 2);
    // 8 principals: of a pool of four, two are contained without a person.
    let world = World::new(Mode::Automatic);
    *world.access.principals.lock().unwrap() = Some(8);
    let responder = world.open().unwrap();
    let incident = responder.alert(&pool(&["a", "b", "c", "d"])).unwrap().unwrap();
    assert_eq!((world.in_force().len(), incident.state), (2, IncidentState::AwaitingApproval));
}

#[test]
fn no_more_than_a_share_of_the_principals_is_contained_automatically() {
    let world = World::new(Mode::Automatic);
    *world.access.principals.lock().unwrap() = Some(8);
    let responder = world.open().unwrap();
    for number in 0..6 {
        responder.alert(&world.alert("key-shared", &format!("p{number}"))).unwrap();
    }
    assert_eq!(world.in_force().len(), 2, "25 % of 8");
    let waiting =
        responder.incidents().into_iter().filter(|incident| incident.state == IncidentState::AwaitingApproval);
    assert_eq!(waiting.count(), 4);
}

#[test]
fn actions_expire_and_a_new_alert_opens_a_new_incident() {
    let world = World::new(Mode::Automatic);
    let responder = world.open().unwrap();
    let first = responder.alert(&world.alert("malformed-inputs", "shop")).unwrap().unwrap();
    world.clock.advance_seconds(899);
    assert!(responder.expire().unwrap().is_empty());
    world.clock.advance_seconds(2);
    let expired = responder.expire().unwrap();
    assert_eq!((expired[0].id.as_str(), expired[0].state), (first.id.as_str(), IncidentState::Released));
    assert!(world.in_force().is_empty());
    assert!(world.kinds().contains(&"action.reverted".to_owned()));
    let second = responder.alert(&world.alert("malformed-inputs", "shop")).unwrap().unwrap();
    assert_ne!(first.id, second.id);
    assert_eq!(second.state, IncidentState::Contained);
}

#[test]
fn a_drill_is_answered_automatically_even_in_shadow_unless_told_otherwise() {
    let mut world = World::new(Mode::Shadow);
    let mut alert = world.alert("extraction", "attacker");
    alert.drill = true;
    let responder = world.open().unwrap();
    let incident = responder.alert(&alert).unwrap().unwrap();
    assert_eq!(incident.state, IncidentState::Contained);
    assert_eq!(world.in_force().len(), 2);
    assert!(incident.timeline.iter().any(|entry| entry.what.contains("this is a drill")));
    world.settings.drills = Drills::AsConfigured;
    responder.reload(world.settings.clone()).unwrap();
    alert.principal = "other".to_owned();
    assert_eq!(responder.alert(&alert).unwrap().unwrap().state, IncidentState::Shadowed);
}

#[test]
fn a_failing_action_is_tried_again_and_its_failure_is_shown() {
    let world = World::new(Mode::Automatic);
    let responder = world.open().unwrap();
    *world.access.fails.lock().unwrap() = 2;
    let incident = responder.alert(&world.alert("key-shared", "shop")).unwrap().unwrap();
    assert_eq!(incident.state, IncidentState::ContainmentFailed);
    for _ in 0..10 {
        world.clock.advance_seconds(1);
        responder.expire().unwrap();
    }
    assert_eq!(responder.incident(&incident.id).unwrap().state, IncidentState::Contained);
    assert!(world.kinds().contains(&"action.failed".to_owned()));
    *world.access.fails.lock().unwrap() = 1;
    assert!(matches!(responder.release(&incident.id, "alice"), Err(RespondError::Revert { .. })));
    assert_eq!(world.in_force().len(), 1);
    responder.expire().unwrap();
    assert!(world.in_force().is_empty(), "taking back is tried again");
}

#[test]
fn without_the_ledger_nothing_is_done_and_it_is_done_once_the_ledger_is_back() {
    let world = World::new(Mode::Automatic);
    let responder = world.open().unwrap();
    *world.log.down.lock().unwrap() = true;
    assert!(matches!(responder.alert(&world.alert("key-shared", "shop")), Err(RespondError::Record(_))));
    assert!(world.in_force().is_empty());
    *world.log.down.lock().unwrap() = false;
    responder.expire().unwrap();
    assert_eq!(world.in_force().len(), 1);
    assert_eq!(world.kinds(), ["incident.opened", "action.intended", "action.applied"]);
}

#[test]
fn closing_leaves_what_is_in_force_and_drops_what_waits() {
    let world = World::new(Mode::Automatic);
    let responder = world.open().unwrap();
    let id = responder.alert(&world.alert("extraction", "copy")).unwrap().unwrap().id;
    let closed = responder.close(&id, "alice", "known\u{1b}[2J customer").unwrap();
    assert_eq!(closed.state, IncidentState::Closed);
    assert!(!closed.timeline.iter().any(|entry| entry.what.contains('\u{1b}')));
    assert_eq!(world.in_force().len(), 1);
    assert!(matches!(responder.approve(&id, "alice"), Err(RespondError::State { .. })));
    world.clock.advance_seconds(3601);
    responder.expire().unwrap();
    assert!(world.in_force().is_empty());
    assert_eq!(responder.incident(&id).unwrap().state, IncidentState::Closed);
    assert!(matches!(responder.close("nope", "alice", ""), Err(RespondError::Unknown(_))));
}

#[test]
fn a_notification_keeps_its_id_waits_longer_each_time_and_is_given_up_with_a_word() {
    let world = World::new(Mode::Shadow).with_webhook();
    let responder = world.open().unwrap();
    let incident = responder.alert(&world.alert("key-shared", "shop")).unwrap().unwrap();
    let first = responder.outbox().remove(0);
    let body: serde_json::Value = serde_json::from_str(&first.body).unwrap();
    assert_eq!(
        (body["data"]["id"].as_str(), body["data"]["state"].as_str()),
        (Some(incident.id.as_str()), Some("shadowed"))
    );
    let mut pauses = Vec::new();
    while let Some(notification) = responder.outbox().into_iter().next() {
        assert_eq!(notification.id, first.id);
        responder.failed(&first.id, "HTTP 500").unwrap();
        pauses.extend(responder.outbox().first().map(|next| next.not_before));
        world.clock.advance_seconds(3600);
    }
    assert_eq!(pauses.len(), 11);
    let story = responder.incident(&incident.id).unwrap().timeline;
    assert!(story.iter().any(|entry| entry.what.contains("given up after 12 attempts: HTTP 500")), "{story:?}");
    assert!(world.kinds().contains(&"notification.failed".to_owned()));
}

#[test]
fn a_delivered_notification_is_gone_and_may_be_reported_twice() {
    let world = World::new(Mode::Automatic).with_webhook();
    let responder = world.open().unwrap();
    responder.alert(&world.alert("key-shared", "shop")).unwrap();
    let id = responder.outbox().remove(0).id;
    responder.delivered(&id).unwrap();
    responder.delivered(&id).unwrap();
    assert!(responder.outbox().is_empty());
    assert!(world.open().unwrap().outbox().is_empty(), "also after a restart");
    assert_eq!(world.kinds().iter().filter(|kind| *kind == "notification.delivered").count(), 1);
}

#[test]
fn incidents_survive_a_restart_newest_first() {
    let world = World::new(Mode::Automatic);
    let responder = world.open().unwrap();
    for principal in ["first", "second", "third"] {
        responder.alert(&world.alert("key-shared", principal)).unwrap();
        world.clock.advance_seconds(1);
    }
    let before = responder.incidents();
    drop(responder);
    assert_eq!(world.open().unwrap().incidents(), before);
    assert_eq!(before[0].principal, "third");
}

#[test]
fn finished_incidents_are_forgotten_beyond_the_limit_and_open_ones_never() {
    let mut world = World::new(Mode::Automatic);
    world.settings.incidents = 10;
    world.settings.blast_radius.actions_per_hour = 1_000_000;
    let responder = world.open().unwrap();
    let keep = responder.alert(&world.alert("key-shared", "keep")).unwrap().unwrap().id;
    for number in 0..1500 {
        let id = responder.alert(&world.alert("key-shared", &format!("p{number}"))).unwrap().unwrap().id;
        responder.release(&id, "alice").unwrap();
    }
    assert!(responder.incidents().len() < 1000, "{}", responder.incidents().len());
    assert_eq!(responder.incident(&keep).unwrap().state, IncidentState::Contained);
    assert!(world.open().unwrap().incident(&keep).is_some());
}
