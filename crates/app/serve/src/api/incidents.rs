//! Incidents and the rules that open them.

use std::sync::{Arc, PoisonError};

use axum::extract::{Path, State};
use axum::{Extension, Json};
use bartizan_access::Operation;
use hyper::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::problem::Problem;
use crate::actor::Actor;
use crate::administration::IncidentVerb;
use crate::house::House;

type Answer = Result<Json<Value>, Problem>;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Note {
    #[serde(default)]
    note: String,
}

pub(super) async fn list(State(house): State<Arc<House>>, Extension(actor): Extension<Actor>) -> Answer {
    house.allow(&actor, Operation::ReadIncidents).await?;
    Ok(Json(json!({ "incidents": house.responder.incidents() })))
}

pub(super) async fn show(
    State(house): State<Arc<House>>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<String>,
) -> Answer {
    house.allow(&actor, Operation::ReadIncidents).await?;
    let incident = house.responder.incident(&id).ok_or_else(|| {
        Problem::new(
            StatusCode::NOT_FOUND,
            "missing",
            format!("there is no incident `{}`", bartizan_core::printable(&id)),
        )
    })?;
    Ok(Json(json!(incident)))
}

pub(super) async fn respond(
    State(house): State<Arc<House>>,
    Extension(actor): Extension<Actor>,
    Path((id, verb)): Path<(String, String)>,
    body: Option<Json<Note>>,
) -> Answer {
    let verb = IncidentVerb::parse(&verb).ok_or_else(|| {
        Problem::new(StatusCode::NOT_FOUND, "missing", "an incident can be approved, contained, released or closed")
    })?;
    let note = body.map(|Json(note)| note.note).unwrap_or_default();
    Ok(Json(json!(house.respond(&actor, &id, verb, &note).await?)))
}

pub(super) async fn rules(State(house): State<Arc<House>>, Extension(actor): Extension<Actor>) -> Answer {
    house.allow(&actor, Operation::ReadIncidents).await?;
    let rules = house.rules.lock().unwrap_or_else(PoisonError::into_inner).rules();
    let rows: Vec<Value> = rules
        .iter()
        .map(|rule| json!({ "id": rule.id, "title": rule.title, "severity": rule.severity, "techniques": rule.techniques }))
        .collect();
    Ok(Json(json!({ "rules": rows })))
}
