//! The inventory: what recorded scans saw, and what an advisory hits.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::{Extension, Json};
use bartizan_access::Operation;
use bartizan_catalog::Snapshot;
use hyper::StatusCode;
use serde_json::{Value, json};

use super::problem::Problem;
use crate::actor::Actor;
use crate::administration::AdminError;
use crate::house::House;

type Answer = Result<Json<Value>, Problem>;

/// Bytes of the largest project that is taken in.
pub(super) const LARGEST: usize = 64 << 20;

pub(super) async fn list(State(house): State<Arc<House>>, Extension(actor): Extension<Actor>) -> Answer {
    house.allow(&actor, Operation::ReadInventory).await?;
    let projects = house.catalog.summaries().map_err(AdminError::from)?;
    Ok(Json(json!({ "projects": projects })))
}

pub(super) async fn show(
    State(house): State<Arc<House>>,
    Extension(actor): Extension<Actor>,
    Path(project): Path<String>,
) -> Answer {
    house.allow(&actor, Operation::ReadInventory).await?;
    Ok(Json(house.catalog.project(&project).map_err(AdminError::from)?.to_json()))
}

pub(super) async fn record(
    State(house): State<Arc<House>>,
    Extension(actor): Extension<Actor>,
    Path(project): Path<String>,
    body: Bytes,
) -> Answer {
    // Whoever may not record makes us read nothing.
    house.allow(&actor, Operation::RecordInventory).await?;
    let invalid = |what: String| Problem::new(StatusCode::BAD_REQUEST, "invalid", what);
    let snapshot = Snapshot::parse(&body).map_err(|error| invalid(error.to_string()))?;
    if snapshot.project != project {
        return Err(invalid("the inventory is of another project than the address".to_owned()));
    }
    Ok(Json(json!(house.record_inventory(&actor, snapshot).await?)))
}

pub(super) async fn forget(
    State(house): State<Arc<House>>,
    Extension(actor): Extension<Actor>,
    Path(project): Path<String>,
) -> Answer {
    house.forget_project(&actor, &project).await?;
    Ok(Json(json!({ "forgotten": project })))
}

pub(super) async fn affected(
    State(house): State<Arc<House>>,
    Extension(actor): Extension<Actor>,
    Path(advisory): Path<String>,
) -> Answer {
    house.allow(&actor, Operation::ReadInventory).await?;
    let advisories: Vec<String> = advisory.split(',').map(ToOwned::to_owned).collect();
    let affected = house.catalog.affected(&advisories).map_err(AdminError::from)?;
    Ok(Json(json!({ "affected": affected, "projects": house.catalog.projects().map_err(AdminError::from)?.len() })))
}
