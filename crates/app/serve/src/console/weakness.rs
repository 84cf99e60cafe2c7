//! What is weak as things stand, computed from configuration and state each time it is shown.

use bartizan_access::RestrictionKind;
use bartizan_gateway::Mode;

use super::words::count;
use crate::house::House;

/// One weakness, and what to do about it.
pub(super) struct Weakness {
    pub(super) title: String,
    pub(super) remedy: &'static str,
    pub(super) grave: bool,
}

/// All of them, gravest first.
pub(super) fn weaknesses(house: &House) -> Vec<Weakness> {
    let mut found = Vec::new();
    let mut weak = |grave: bool, title: String, remedy: &'static str| found.push(Weakness { title, remedy, grave });
    let config = house.config.load();
    if !house.ledger.is_healthy() {
        weak(
            true,
            "The ledger can't be written: requests are refused".to_owned(),
            "Look at the disk and the log, and start Bartizan again.",
        );
    }
    if config.gateway.mode == Mode::Shadow {
        weak(
            true,
            "Shadow mode: guards that can be wrong only record".to_owned(),
            "Read what they would have refused, then start with --enforce.",
        );
    }
    match config.respond.mode {
        bartizan_respond::Mode::Shadow => {
            weak(
                true,
                "Playbooks are in shadow: incidents are not contained".to_owned(),
                "Set respond.mode to approval or automatic.",
            );
        }
        bartizan_respond::Mode::Approval => {
            weak(
                false,
                "Containment waits for a person's approval".to_owned(),
                "Set respond.mode to automatic once you trust the playbooks.",
            );
        }
        bartizan_respond::Mode::Automatic => {}
    }
    if house.rules.lock().unwrap_or_else(std::sync::PoisonError::into_inner).rules().is_empty() {
        weak(
            true,
            "No detection rule is loaded: nothing opens an incident".to_owned(),
            "Look at detect.rules in bartizan.toml.",
        );
    }
    let dropped = house.watch.bus().dropped();
    if dropped > 0 {
        let title = format!("The watch bus dropped {} messages: detection may have missed something", count(dropped));
        weak(true, title, "Lower the load, or give this machine more processors.");
    }
    if house.anchor_folder().is_none() {
        weak(
            true,
            "The ledger is not anchored at all".to_owned(),
            "Set ledger.anchor to a folder outside the state folder.",
        );
    } else {
        let title = "The ledger is anchored on this machine only".to_owned();
        weak(false, title, "Keep a checkpoint elsewhere and verify with: bartizan audit verify --against FILE.");
    }
    let endless = endless_keys(house);
    if endless > 0 {
        let title = if endless == 1 {
            "1 key never expires".to_owned()
        } else {
            format!("{} keys never expire", count(endless))
        };
        weak(false, title, "Make one with an end under Access, then revoke this one.");
    }
    if config.gateway.information_bits_per_day == 0 {
        weak(
            false,
            "No information budget: a caller may copy the model bit by bit".to_owned(),
            "Set gateway.information_bits_per_day.",
        );
    }
    let hardening = config.gateway.hardening;
    if hardening.top_k == 0 && hardening.decimals == 0 && !hardening.label_only {
        weak(
            false,
            "Answers are not hardened: scores leave in full precision".to_owned(),
            "Set gateway.hardening (top_k, decimals or label_only).",
        );
    }
    if config.respond.webhooks.is_empty() {
        weak(
            false,
            "No webhook: nobody is told of an incident who does not look here".to_owned(),
            "Add [[respond.webhooks]] to bartizan.toml.",
        );
    }
    weak(
        false,
        "The root key is a file in the state folder".to_owned(),
        "Keep the folder on an encrypted disk, readable for one user.",
    );
    found.sort_by_key(|weakness| !weakness.grave);
    found
}

/// Keys without an end that still open the door.
fn endless_keys(house: &House) -> u64 {
    let now = house.clock.now();
    let restrictions = house.directory.restrictions();
    let is_revoked = |prefix: &str| {
        restrictions
            .iter()
            .any(|held| held.kind == RestrictionKind::RevokedKey && held.target == prefix && held.is_in_force(now))
    };
    house.directory.keys().iter().filter(|key| key.expires.is_none() && !is_revoked(&key.prefix)).count() as u64
}
