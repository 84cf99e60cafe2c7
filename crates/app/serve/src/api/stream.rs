//! Server-sent events: what happens, as it happens.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::response::sse::{Event as Sent, KeepAlive, Sse};
use bartizan_access::Operation;
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;

use super::problem::Problem;
use crate::actor::Actor;
use crate::house::House;
use crate::live::Live;

pub(super) async fn events(
    State(house): State<Arc<House>>,
    Extension(actor): Extension<Actor>,
) -> Result<impl IntoResponse, Problem> {
    house.allow(&actor, Operation::ReadIncidents).await?;
    let receiver = house.live.subscribe();
    let stream = futures_util::stream::unfold(receiver, |mut receiver| async move {
        let message = match receiver.recv().await {
            Ok(message) => message,
            Err(RecvError::Lagged(_)) => return Some((sent("reload", &json!({})), receiver)),
            Err(RecvError::Closed) => return None,
        };
        let event = match message {
            Live::Event(event) => sent(
                "event",
                &json!({
                    "type": event.kind, "time": event.time, "outcome": event.outcome, "reason": event.reason,
                    "principal": event.principal, "action": event.action,
                }),
            ),
            Live::Incident(incident) => sent(
                "incident",
                &json!({
                    "id": incident.id, "title": incident.title, "severity": incident.severity, "state": incident.state,
                    "updated": incident.updated,
                }),
            ),
        };
        Some((event, receiver))
    });
    Ok(Sse::new(stream).keep_alive(KeepAlive::default()))
}

fn sent(name: &str, data: &Value) -> Result<Sent, Infallible> {
    Ok(Sent::default().event(name).data(data.to_string()))
}
