//! What is guarded, what happened, what is weak.

use std::sync::{Arc, PoisonError};

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use bartizan_access::Operation;
use bartizan_gateway::{BackendKind, Durability, Mode};

use super::chart::{Latency, Requests};
use super::failure::{Failure, html};
use super::frame::{Frame, may};
use super::incidents::{Row, rows};
use super::ledger::{Line, last_lines};
use super::visitor::Visitor;
use super::weakness::{Weakness, weaknesses};
use super::words;
use crate::house::House;

/// Entries of the ledger that are shown.
const LINES: u64 = 8;
/// Incidents that are shown.
const INCIDENTS: usize = 5;

#[derive(Template)]
#[template(path = "overview.html")]
struct Page {
    frame: Frame,
    guarded: Option<Guarded>,
    mode: &'static str,
    enforces: bool,
    durability: &'static str,
    response: &'static str,
    requests: Requests,
    latency: Latency,
    incidents: Option<Vec<Row>>,
    unfinished: usize,
    lines: Option<Vec<Line>>,
    weaknesses: Vec<Weakness>,
    entries: String,
    sync: String,
    rules: usize,
    policies: usize,
}

struct Guarded {
    name: String,
    urn: String,
    kind: &'static str,
    endpoint: String,
    guards: Vec<&'static str>,
}

pub(super) async fn page(State(house): State<Arc<House>>, visitor: Visitor) -> Result<Response, Failure> {
    house.allow(&visitor.actor, Operation::ReadOverview).await?;
    let config = house.config.load_full();
    let seconds = house.traffic.last(300, house.clock.now());
    let incidents = may(&house, &visitor.actor, Operation::ReadIncidents).then(|| rows(&house));
    let unfinished = incidents.iter().flatten().filter(|row| row.unfinished).count();
    let lines =
        if may(&house, &visitor.actor, Operation::ReadLedger) { Some(last_lines(&house, LINES).await?) } else { None };
    let statistics = house.ledger.statistics();
    let page = Page {
        frame: Frame::new(&house, &visitor, "Overview", "/overview"),
        guarded: guarded(&house),
        mode: match config.gateway.mode {
            Mode::Shadow => "Shadow: guards that can be wrong record what they would have refused, and refuse nothing",
            Mode::Enforce => "Enforce: every guard refuses",
        },
        enforces: config.gateway.mode == Mode::Enforce,
        durability: match config.gateway.durability {
            Durability::Strict => "Strict: a decision is on disk before the model sees the request",
            Durability::Overlap => "Overlap: a decision is on disk before the first byte of the answer",
            Durability::Batched => "Batched: answers do not wait; a power cut may lose the last milliseconds",
        },
        response: match config.respond.mode {
            bartizan_respond::Mode::Shadow => "Shadow: playbooks record what they would have done",
            bartizan_respond::Mode::Approval => "Approval: playbooks wait for a person",
            bartizan_respond::Mode::Automatic => "Automatic: playbooks contain by themselves, within their limits",
        },
        requests: Requests::new(&seconds),
        latency: Latency::new(&seconds),
        incidents: incidents.map(|rows| rows.into_iter().take(INCIDENTS).collect()),
        unfinished,
        lines,
        weaknesses: weaknesses(&house),
        entries: words::count(house.ledger.size()),
        sync: words::milliseconds(u64::try_from(statistics.syncs.quantile(0.99).as_micros()).unwrap_or(u64::MAX)),
        rules: house.rules.lock().unwrap_or_else(PoisonError::into_inner).rules().len(),
        policies: house.policies.load().count(),
    };
    Ok(html(&page))
}

fn guarded(house: &House) -> Option<Guarded> {
    let gateway = house.gateway.get()?;
    let asset = gateway.backend().asset();
    Some(Guarded {
        name: asset.name().to_owned(),
        urn: asset.urn(),
        kind: match gateway.backend().kind() {
            BackendKind::Embedded => "a model in this process",
            BackendKind::Upstream => "a server behind this one",
        },
        endpoint: house
            .serving
            .get()
            .map(|serving| crate::daemon::endpoint(serving.gateway, house.tls.get().is_some()))
            .unwrap_or_default(),
        guards: gateway.guards(),
    })
}
