//! Entries of the ledger, and proofs that they are in it.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::{Extension, Json};
use bartizan_access::Operation;
use bartizan_ledger::{LedgerError, LedgerReader, prove};
use hyper::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::problem::Problem;
use crate::actor::Actor;
use crate::house::House;

type Answer = Result<Json<Value>, Problem>;

/// Entries of one answer at most.
const PAGE: u64 = 500;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Range {
    /// First index after the last one that is wanted; the end of the log when absent.
    before: Option<u64>,
    #[serde(default = "fifty")]
    count: u64,
}

fn fifty() -> u64 {
    50
}

pub(super) async fn entries(
    State(house): State<Arc<House>>,
    Extension(actor): Extension<Actor>,
    Query(range): Query<Range>,
) -> Answer {
    house.allow(&actor, Operation::ReadLedger).await?;
    let folder = house.ledger_folder();
    let read = move || -> Result<Value, LedgerError> {
        let reader = LedgerReader::open(&folder)?;
        let end = range.before.unwrap_or(u64::MAX).min(reader.size());
        let start = end.saturating_sub(range.count.min(PAGE));
        let entries = reader.entries(start, end).collect::<Result<Vec<_>, _>>()?;
        let rows: Vec<Value> =
            entries.iter().rev().map(|entry| json!({ "index": entry.index, "entry": entry.fields })).collect();
        Ok(json!({ "size": reader.size(), "entries": rows }))
    };
    Ok(Json(blocking(read).await?))
}

pub(super) async fn proof(
    State(house): State<Arc<House>>,
    Extension(actor): Extension<Actor>,
    Path(index): Path<u64>,
) -> Answer {
    house.allow(&actor, Operation::ReadLedger).await?;
    let folder = house.ledger_folder();
    let verifier = house.ledger.verifier_key().to_owned();
    let read = move || -> Result<Value, LedgerError> {
        let reader = LedgerReader::open(&folder)?;
        Ok(json!({ "proof": prove(&reader, index)?, "verifier": verifier }))
    };
    Ok(Json(blocking(read).await?))
}

pub(super) async fn checkpoint(State(house): State<Arc<House>>, Extension(actor): Extension<Actor>) -> Answer {
    house.allow(&actor, Operation::ReadLedger).await?;
    Ok(Json(json!({
        "checkpoint": house.ledger.checkpoint(),
        "verifier": house.ledger.verifier_key(),
        "size": house.ledger.size(),
    })))
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, LedgerError> + Send + 'static,
) -> Result<T, Problem> {
    let failed = |message: String| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "failed", message);
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error @ LedgerError::OutOfRange { .. })) => {
            Err(Problem::new(StatusCode::NOT_FOUND, "missing", error.to_string()))
        }
        Ok(Err(error)) => Err(failed(error.to_string())),
        Err(error) => Err(failed(error.to_string())),
    }
}
