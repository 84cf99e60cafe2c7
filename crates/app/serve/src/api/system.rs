//! The daemon itself: overview, traffic, drills, reload, backup, health and metrics.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError};

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use bartizan_access::Operation;
use bartizan_gateway::BackendKind;
use hyper::StatusCode;
use hyper::header::CONTENT_TYPE;
use serde::Deserialize;
use serde_json::{Value, json};

use super::access::issued;
use super::problem::Problem;
use crate::actor::Actor;
use crate::house::House;

type Answer = Result<Json<Value>, Problem>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewDrill {
    /// One word for each participant.
    participants: Vec<String>,
    seconds: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EndedDrill {
    principals: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewBackup {
    /// File on the daemon's machine.
    path: PathBuf,
    /// File on the daemon's machine that holds the backup key.
    key: PathBuf,
}

pub(super) async fn overview(State(house): State<Arc<House>>, Extension(actor): Extension<Actor>) -> Answer {
    house.allow(&actor, Operation::ReadOverview).await?;
    let config = house.config.load();
    let gateway = house.gateway.get();
    let guarded = gateway.map(|gateway| {
        json!({
            "asset": gateway.backend().asset().urn(),
            "kind": match gateway.backend().kind() { BackendKind::Embedded => "embedded", BackendKind::Upstream => "upstream" },
            "guards": gateway.guards(),
        })
    });
    let statistics = house.ledger.statistics();
    let serving = house.serving.get();
    let example = serving.and_then(|serving| serving.example.as_ref()).map(|(input, width)| {
        json!({ "model": gateway.map(|gateway| gateway.backend().asset().name()), "input": input, "width": width })
    });
    Ok(Json(json!({
        "listen": serving.map(|serving| serving.gateway),
        "example": example,
        "version": env!("CARGO_PKG_VERSION"),
        "guarded": guarded,
        "mode": config.gateway.mode,
        "durability": config.gateway.durability,
        "respond_mode": config.respond.mode,
        "hardening": config.gateway.hardening,
        "information_bits_per_day": config.gateway.information_bits_per_day,
        "policies": { "count": house.policies.load().count(), "digest": house.policies.load().digest() },
        "issuers": house.tokens.standings().iter().map(|issuer| {
            json!({ "name": issuer.name, "keys": issuer.keys, "failure": issuer.failure })
        }).collect::<Vec<_>>(),
        "rules": house.rules.lock().unwrap_or_else(PoisonError::into_inner).rules().len(),
        "incidents": house.responder.incidents().len(),
        "ledger": {
            "size": house.ledger.size(), "verifier": house.ledger.verifier_key(), "healthy": house.ledger.is_healthy(),
            "commits": statistics.commits,
            "fdatasync_p99_microseconds": u64::try_from(statistics.syncs.quantile(0.99).as_micros()).unwrap_or(u64::MAX),
        },
        "watch_dropped": house.watch.bus().dropped(),
    })))
}

pub(super) async fn traffic(State(house): State<Arc<House>>, Extension(actor): Extension<Actor>) -> Answer {
    house.allow(&actor, Operation::ReadTraffic).await?;
    let seconds: Vec<Value> = house
        .traffic
        .last(300, house.clock.now())
        .iter()
        .map(|second| json!({ "second": second.second, "allowed": second.allowed, "refused": second.refused, "failed": second.failed }))
        .collect();
    Ok(Json(json!({ "seconds": seconds })))
}

pub(super) async fn begin_drill(
    State(house): State<Arc<House>>,
    Extension(actor): Extension<Actor>,
    Json(new): Json<NewDrill>,
) -> Answer {
    if new.participants.is_empty() || new.participants.len() > 16 {
        return Err(Problem::new(StatusCode::BAD_REQUEST, "invalid", "a drill has 1 to 16 participants"));
    }
    let mut rows = Vec::new();
    for name in &new.participants {
        let (principal, key) = house.drill_participant(&actor, name, new.seconds).await?;
        let mut row = issued(&key);
        if let Some(row) = row.as_object_mut() {
            row.insert("principal".to_owned(), principal.id.clone().into());
        }
        rows.push(row);
    }
    Ok(Json(json!({ "participants": rows })))
}

pub(super) async fn end_drill(
    State(house): State<Arc<House>>,
    Extension(actor): Extension<Actor>,
    Json(ended): Json<EndedDrill>,
) -> Answer {
    house.end_drill(&actor, &ended.principals).await?;
    Ok(Json(json!({ "ended": true })))
}

pub(super) async fn reload(State(house): State<Arc<House>>, Extension(actor): Extension<Actor>) -> Answer {
    house.reload(&actor).await?;
    Ok(Json(json!({ "reloaded": true })))
}

pub(super) async fn backup(
    State(house): State<Arc<House>>,
    Extension(actor): Extension<Actor>,
    Json(new): Json<NewBackup>,
) -> Answer {
    let files = house.backup(&actor, &new.path, &new.key).await?;
    Ok(Json(json!({ "path": new.path, "files": files })))
}

pub(super) async fn health() -> Json<Value> {
    Json(json!({ "live": true }))
}

pub(super) async fn ready(State(house): State<Arc<House>>) -> Response {
    let ready = house.ledger.is_healthy() && house.gateway.get().is_some();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({ "ready": ready }))).into_response()
}

/// Prometheus text. The port is loopback, and no label holds a name, a key or content.
pub(super) async fn metrics(State(house): State<Arc<House>>) -> Response {
    let mut text = String::new();
    let registry = house.registry.lock().unwrap_or_else(PoisonError::into_inner);
    if prometheus_client::encoding::text::encode(&mut text, &registry).is_err() {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    drop(registry);
    let statistics = house.ledger.statistics();
    let own = [
        ("bartizan_ledger_entries", "Entries in the ledger", house.ledger.size()),
        ("bartizan_ledger_commits", "Group commits since start", statistics.commits),
        (
            "bartizan_ledger_fdatasync_p99_microseconds",
            "Slowest of a hundred syncs since start",
            u64::try_from(statistics.syncs.quantile(0.99).as_micros()).unwrap_or(u64::MAX),
        ),
        ("bartizan_watch_dropped", "Messages that found no room on the bus", house.watch.bus().dropped()),
        ("bartizan_incidents", "Incidents of all states", house.responder.incidents().len() as u64),
    ];
    let end = text.rfind("# EOF").unwrap_or(text.len());
    text.truncate(end);
    for (name, help, value) in own {
        text.push_str(&format!("# HELP {name} {help}.\n# TYPE {name} gauge\n{name} {value}\n"));
    }
    text.push_str("# EOF\n");
    ([(CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text).into_response()
}
