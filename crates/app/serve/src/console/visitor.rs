//! Who visits the console, and whether a form that arrives was made by one of its pages.

use std::sync::Arc;

use axum::Form;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::response::{IntoResponse, Redirect, Response};
use hyper::HeaderMap;
use hyper::header::{COOKIE, HeaderValue};
use hyper::http::request::Parts;

use super::failure::Failure;
use crate::actor::Actor;
use crate::house::House;

/// Name of the session cookie. `__Host-` would need TLS, which loopback has not.
const COOKIE_NAME: &str = "bartizan_session";

/// The session cookie of a request.
pub(crate) fn cookie(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get(COOKIE)?.to_str().ok()?;
    cookies
        .split(';')
        .filter_map(|cookie| cookie.trim().split_once('='))
        .find(|(name, _)| *name == COOKIE_NAME)
        .map(|(_, value)| value)
}

/// The header that sets the session cookie; an empty value ends it.
pub(super) fn set_cookie(value: &str) -> Option<HeaderValue> {
    let age = if value.is_empty() { "; Max-Age=0" } else { "" };
    HeaderValue::from_str(&format!("{COOKIE_NAME}={value}; Path=/; HttpOnly; SameSite=Strict{age}")).ok()
}

/// Somebody who is logged in.
#[derive(Clone, Debug)]
pub(super) struct Visitor {
    pub(super) actor: Actor,
    /// What every form must repeat.
    pub(super) csrf: String,
    /// Whether nothing but a new password may be set.
    pub(super) must_change_password: bool,
}

impl Visitor {
    fn find(house: &House, headers: &HeaderMap) -> Option<Self> {
        let now = house.clock.now();
        let session = house.sessions.find(cookie(headers)?, now)?;
        if !house.directory.is_active(&session.principal, now) {
            return None;
        }
        let principal = house.directory.principal(&session.principal)?;
        Some(Self {
            actor: Actor::principal(&principal),
            csrf: session.csrf,
            must_change_password: session.must_change_password,
        })
    }

    /// The visitor, or where somebody who may not be here is sent.
    fn admit(house: &House, headers: &HeaderMap, path: &str) -> Result<Self, Redirect> {
        let visitor = Self::find(house, headers).ok_or_else(|| Redirect::to("/login"))?;
        if visitor.must_change_password && !matches!(path, "/password" | "/logout") {
            return Err(Redirect::to("/password"));
        }
        Ok(visitor)
    }
}

impl FromRequestParts<Arc<House>> for Visitor {
    type Rejection = Redirect;

    async fn from_request_parts(parts: &mut Parts, house: &Arc<House>) -> Result<Self, Redirect> {
        Self::admit(house, &parts.headers, parts.uri.path())
    }
}

/// The fields of a form, in order; a name may come several times.
#[derive(Debug, Default)]
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    /// The first field of that name; empty when there is none.
    pub(super) fn text(&self, name: &str) -> &str {
        self.0.iter().find(|(field, _)| field == name).map_or("", |(_, value)| value.as_str())
    }

    /// Every field of that name.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(field, _)| field == name).map(|(_, value)| value.as_str())
    }
}

impl FromRequest<Arc<House>> for Fields {
    type Rejection = Response;

    /// Refuses what another site sent. Browsers say so by themselves (Fetch Metadata).
    async fn from_request(request: Request, house: &Arc<House>) -> Result<Self, Response> {
        let site = request.headers().get("sec-fetch-site").map(HeaderValue::as_bytes);
        if site.is_some_and(|site| site != b"same-origin" && site != b"none") {
            return Err(Failure::forbidden("This form was not sent by a page of the console.").into_response());
        }
        let Form(fields) = Form::<Vec<(String, String)>>::from_request(request, house).await.map_err(|_| {
            Failure::new(hyper::StatusCode::BAD_REQUEST, "Not understood", "This is not a form of the console.")
                .into_response()
        })?;
        Ok(Self(fields))
    }
}

/// A form that a page of this visitor's session sent.
pub(super) struct Submission {
    pub(super) visitor: Visitor,
    pub(super) fields: Fields,
}

impl FromRequest<Arc<House>> for Submission {
    type Rejection = Response;

    async fn from_request(request: Request, house: &Arc<House>) -> Result<Self, Response> {
        let visitor =
            Visitor::admit(house, request.headers(), request.uri().path()).map_err(IntoResponse::into_response)?;
        let fields = Fields::from_request(request, house).await?;
        if !bartizan_signing::constant_time_equal(fields.text("csrf").as_bytes(), visitor.csrf.as_bytes()) {
            let message =
                "This form is from another session, so nothing was done. Go back, reload the page and try again.";
            return Err(Failure::forbidden(message).into_response());
        }
        Ok(Self { visitor, fields })
    }
}
