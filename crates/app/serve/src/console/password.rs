//! A new password of one's own. With a one-time password there is no way round this page.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use bartizan_core::{Secret, Tenant};
use hyper::StatusCode;

use super::failure::{Failure, html};
use super::frame::Frame;
use super::login::enter;
use super::visitor::{Submission, Visitor};
use crate::house::House;

#[derive(Template)]
#[template(path = "password.html")]
struct Page {
    frame: Frame,
    must: bool,
    problem: String,
}

fn page(house: &House, visitor: &Visitor, problem: impl Into<String>) -> Page {
    Page {
        frame: Frame::new(house, visitor, "Set your password", "/password"),
        must: visitor.must_change_password,
        problem: problem.into(),
    }
}

pub(super) async fn form(State(house): State<Arc<House>>, visitor: Visitor) -> Response {
    html(&page(&house, &visitor, ""))
}

pub(super) async fn change(State(house): State<Arc<House>>, submission: Submission) -> Result<Response, Failure> {
    let Submission { visitor, fields } = submission;
    let again = |status, problem: &str| Ok((status, html(&page(&house, &visitor, problem))).into_response());
    let new = Secret::new(fields.text("new").to_owned());
    if fields.text("new") != fields.text("repeated") {
        return again(StatusCode::BAD_REQUEST, "The two new passwords differ.");
    }
    let principal = visitor.actor.principal.clone();
    let now = house.clock.now();
    if !house.sessions.may_try(&principal.name, now) {
        return again(StatusCode::TOO_MANY_REQUESTS, "Too many failed attempts. Wait 30 seconds and try again.");
    }
    let current = Secret::new(fields.text("current").to_owned());
    let (directory, name, is_new, must) =
        (house.directory.clone(), principal.name.clone(), new.clone(), visitor.must_change_password);
    let check = move || {
        let opens = |password| directory.log_in(&Tenant::default(), &name, password, now).is_some();
        (must || opens(&current), opens(&is_new))
    };
    let (good, same) =
        tokio::task::spawn_blocking(check).await.map_err(|error| Failure::internal(error.to_string()))?;
    house.sessions.tried(&principal.name, good, now);
    if !good {
        return again(StatusCode::FORBIDDEN, "The current password is wrong.");
    }
    if same {
        return again(StatusCode::BAD_REQUEST, "The new password must differ from the current one.");
    }
    if let Err(error) = house.set_own_password(&visitor.actor, &new).await {
        let failure = Failure::from(error);
        return again(failure.status(), failure.message());
    }
    // Whoever else is logged in as this principal may be why the password is changed.
    house.sessions.close_all(&principal.id);
    enter(&house, &principal.id, false, "/overview")
}
