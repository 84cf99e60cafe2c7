//! The console: pages for people, on the port of the admin API.

mod access;
mod asset_files;
mod chart;
mod failure;
mod frame;
mod incidents;
mod inventory;
mod ledger;
mod login;
mod overview;
mod password;
mod proof;
mod traffic;
mod visitor;
mod weakness;
mod words;

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{Redirect, Response};
use axum::routing::{get, post};
use hyper::header::{HeaderName, HeaderValue};

use crate::house::House;

pub(crate) use visitor::cookie;

/// What a browser is told with every answer: no script but our files, no frame, nothing from elsewhere.
const HEADERS: [(&str, &str); 6] = [
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cache-control", "no-store"),
];

/// The console's pages.
pub(crate) fn routes(_house: &Arc<House>) -> Router<Arc<House>> {
    Router::new()
        .route("/", get(|| async { Redirect::to("/overview") }))
        .route("/assets/{name}", get(asset_files::serve))
        .route("/login", get(login::form).post(login::log_in))
        .route("/logout", post(login::log_out))
        .route("/password", get(password::form).post(password::change))
        .route("/overview", get(overview::page))
        .route("/traffic", get(traffic::page))
        .route("/incidents", get(incidents::list))
        .route("/incidents/{id}", get(incidents::show))
        .route("/incidents/{id}/{verb}", post(incidents::respond))
        .route("/inventory", get(inventory::list))
        .route("/inventory/{project}", get(inventory::show))
        .route("/ledger", get(ledger::list))
        .route("/ledger/{index}", get(ledger::show))
        .route("/ledger/{index}/proof", get(ledger::proof_file))
        .route("/access", get(access::page))
        .route("/access/principals", post(access::add_principal))
        .route("/access/principals/{id}/remove", post(access::remove_principal))
        .route("/access/principals/{id}/roles", post(access::change_roles))
        .route("/access/principals/{id}/password", post(access::reset_password))
        .route("/access/keys", post(access::issue_key))
        .route("/access/keys/{prefix}/rotate", post(access::rotate_key))
        .route("/access/keys/{prefix}/revoke", post(access::revoke_key))
        .route("/access/restrictions/lift", post(access::lift_restriction))
        .fallback(|| async { failure::Failure::missing("There is no such page") })
}

/// Lays the security headers over every answer.
pub(crate) async fn security_headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    for (name, value) in HEADERS {
        response.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response
}
