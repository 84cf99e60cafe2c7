//! Logging in and out.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use bartizan_core::{Event, Outcome, Secret, Tenant, event_id};
use hyper::header::SET_COOKIE;
use hyper::{HeaderMap, StatusCode};
use tokio::sync::Semaphore;

use super::failure::{Failure, html};
use super::visitor::{Fields, Submission, cookie, set_cookie};
use crate::house::House;

/// Log-ins that are tried at the same time: a password hash costs memory and time on purpose, and
/// guesses must not overtake the count of failed ones.
static TRIALS: Semaphore = Semaphore::const_new(2);

#[derive(Template)]
#[template(path = "login.html")]
struct Page<'a> {
    problem: &'a str,
}

pub(super) async fn form() -> Response {
    html(&Page { problem: "" })
}

pub(super) async fn log_in(State(house): State<Arc<House>>, fields: Fields) -> Result<Response, Failure> {
    let name = fields.text("name").trim().to_owned();
    let password = Secret::new(fields.text("password").to_owned());
    let _turn = TRIALS.acquire().await.map_err(|error| Failure::internal(error.to_string()))?;
    let now = house.clock.now();
    if !house.sessions.may_try(&name, now) {
        let problem = "Too many failed attempts under this name. Wait 30 seconds and try again.";
        return Ok((StatusCode::TOO_MANY_REQUESTS, html(&Page { problem })).into_response());
    }
    let (directory, typed) = (house.directory.clone(), name.clone());
    let found = tokio::task::spawn_blocking(move || directory.log_in(&Tenant::default(), &typed, &password, now))
        .await
        .map_err(|error| Failure::internal(error.to_string()))?;
    house.sessions.tried(&name, found.is_some(), now);
    let Some((principal, must_change_password)) = found else {
        // The name typed may be a password in the wrong field: only the id of somebody who exists is kept.
        let known = house.directory.principal(&name).filter(|principal| principal.name == name);
        let id = known.map(|principal| principal.id.clone()).unwrap_or_default();
        let event = Event::new("admin.login-refused", event_id(now), now, "LogIn", house.system(), Outcome::Deny)
            .by(&id)
            .because("wrong-password");
        house.record(event).await?;
        let problem = "Name and password do not belong together.";
        return Ok((StatusCode::UNAUTHORIZED, html(&Page { problem })).into_response());
    };
    let event =
        Event::new("admin.login", event_id(now), now, "LogIn", house.system(), Outcome::Allow).by(&principal.id);
    house.record(event).await?;
    let next = if must_change_password { "/password" } else { "/overview" };
    enter(&house, &principal.id, must_change_password, next)
}

/// Opens a session and goes on to a page.
pub(super) fn enter(
    house: &House,
    principal: &str,
    must_change_password: bool,
    next: &str,
) -> Result<Response, Failure> {
    let minutes = house.config.load().console.session_minutes;
    let opened = house.sessions.open(principal, must_change_password, house.clock.now(), minutes);
    let header = opened.as_deref().and_then(set_cookie);
    let header =
        header.ok_or_else(|| Failure::internal("The system gives no randomness, so no session was opened."))?;
    Ok(([(SET_COOKIE, header)], Redirect::to(next)).into_response())
}

pub(super) async fn log_out(State(house): State<Arc<House>>, headers: HeaderMap, _submission: Submission) -> Response {
    if let Some(cookie) = cookie(&headers) {
        house.sessions.close(cookie);
    }
    let mut response = Redirect::to("/login").into_response();
    if let Some(header) = set_cookie("") {
        response.headers_mut().insert(SET_COOKIE, header);
    }
    response
}
