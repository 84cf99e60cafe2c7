//! The admin API: JSON over the console's port and over `admin.sock`, described by
//! `/api/v1/openapi.json`.
//!
//! By socket the caller is the owner of the state folder (the peer's user id is checked); by port
//! it is whoever's API key or console session is shown. Either way the same policies decide.

mod access;
mod incidents;
mod inventory;
mod ledger;
mod openapi;
mod problem;
mod stream;
mod system;
mod tokens;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{delete, get, patch, post};
use hyper::StatusCode;

use crate::actor::Actor;
use crate::console;
use crate::house::House;

pub(crate) use problem::Problem;

/// The API without authentication; callers lay one of the two ways over it.
fn routes() -> Router<Arc<House>> {
    Router::new()
        .route("/api/v1/overview", get(system::overview))
        .route("/api/v1/traffic", get(system::traffic))
        .route("/api/v1/principals", get(access::principals).post(access::add_principal))
        .route("/api/v1/principals/{id}", patch(access::change_principal).delete(access::remove_principal))
        .route("/api/v1/principals/{id}/password", post(access::reset_password))
        .route("/api/v1/principals/{id}/block", post(tokens::block))
        .route("/api/v1/issuers/{issuer}/principals/{subject}", get(tokens::principal))
        .route("/api/v1/issuers/{issuer}/revocations", post(tokens::revoke))
        .route("/api/v1/keys", get(access::keys).post(access::issue_key))
        .route("/api/v1/keys/{prefix}", delete(access::revoke_key))
        .route("/api/v1/keys/{prefix}/rotate", post(access::rotate_key))
        .route("/api/v1/restrictions", get(access::restrictions))
        .route("/api/v1/restrictions/{id}", delete(access::lift_restriction))
        .route("/api/v1/incidents", get(incidents::list))
        .route("/api/v1/incidents/{id}", get(incidents::show))
        .route("/api/v1/incidents/{id}/{verb}", post(incidents::respond))
        .route("/api/v1/inventory", get(inventory::list))
        .route(
            "/api/v1/inventory/{project}",
            get(inventory::show)
                .put(inventory::record)
                .delete(inventory::forget)
                .layer(axum::extract::DefaultBodyLimit::max(inventory::LARGEST)),
        )
        .route("/api/v1/affected/{advisory}", get(inventory::affected))
        .route("/api/v1/rules", get(incidents::rules))
        .route("/api/v1/ledger/entries", get(ledger::entries))
        .route("/api/v1/ledger/entries/{index}/proof", get(ledger::proof))
        .route("/api/v1/ledger/checkpoint", get(ledger::checkpoint))
        .route("/api/v1/drills", post(system::begin_drill).delete(system::end_drill))
        .route("/api/v1/system/reload", post(system::reload))
        .route("/api/v1/system/backup", post(system::backup))
        .route("/api/v1/events", get(stream::events))
        .route("/api/v1/openapi.json", get(openapi::document))
}

/// The API as the socket serves it: the caller is the owner.
pub(crate) fn by_socket(house: Arc<House>, user: u32) -> Router {
    let actor = Actor::owner(user);
    routes()
        .layer(axum::middleware::from_fn(move |mut request: Request, next: Next| {
            let actor = actor.clone();
            async move {
                request.extensions_mut().insert(actor);
                next.run(request).await
            }
        }))
        .with_state(house)
}

/// API, console, metrics and health as the console's port serves them.
pub(crate) fn by_port(house: Arc<House>) -> Router {
    let api = routes().layer(axum::middleware::from_fn_with_state(house.clone(), authenticate));
    Router::new()
        .merge(api)
        .merge(console::routes(&house))
        .route("/healthz", get(system::health))
        .route("/readyz", get(system::ready))
        .route("/metrics", get(system::metrics))
        .layer(axum::middleware::from_fn(console::security_headers))
        .with_state(house)
}

/// Finds out who asks: an API key, or a console session (whose token a changing request repeats).
async fn authenticate(State(house): State<Arc<House>>, mut request: Request, next: Next) -> Response {
    match actor_of(&house, &request) {
        Some(actor) => {
            request.extensions_mut().insert(actor);
            next.run(request).await
        }
        None => Problem::new(
            StatusCode::UNAUTHORIZED,
            "unauthenticated",
            "log in at the console, or send an API key of a principal with a role that may administer",
        )
        .into_response(),
    }
}

/// The actor behind a request by port, where there is one.
fn actor_of(house: &House, request: &Request) -> Option<Actor> {
    let now = house.clock.now();
    let headers = request.headers();
    if let Some(value) = headers.get(hyper::header::AUTHORIZATION) {
        let key = value.to_str().ok()?.strip_prefix("Bearer ")?;
        let caller = house.directory.authenticate(key.trim(), now).ok()?;
        return Some(Actor::principal(&caller.principal));
    }
    let session = house.sessions.find(console::cookie(headers)?, now)?;
    let changes = !request.method().is_safe();
    let token = headers.get("x-csrf-token").map(hyper::header::HeaderValue::as_bytes).unwrap_or_default();
    if changes && !bartizan_signing::constant_time_equal(token, session.csrf.as_bytes()) {
        return None;
    }
    if session.must_change_password || !house.directory.is_active(&session.principal, now) {
        return None;
    }
    house.directory.principal(&session.principal).map(|principal| Actor::principal(&principal))
}
