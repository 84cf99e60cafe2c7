//! Principals that come with access tokens: their ids, and what is held against them.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::{Extension, Json};
use hyper::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::problem::Problem;
use crate::actor::Actor;
use crate::house::House;
use crate::revocation::Revoked;

type Answer = Result<Json<Value>, Problem>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Revocation {
    #[serde(default)]
    token: Option<String>,
    #[serde(default)]
    subject: Option<String>,
}

pub(super) async fn block(
    State(house): State<Arc<House>>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<String>,
) -> Answer {
    Ok(Json(json!({ "restriction": house.block_principal(&actor, &id).await? })))
}

pub(super) async fn principal(
    State(house): State<Arc<House>>,
    Extension(actor): Extension<Actor>,
    Path((issuer, subject)): Path<(String, String)>,
) -> Answer {
    Ok(Json(json!({ "id": house.token_principal(&actor, &issuer, &subject).await? })))
}

pub(super) async fn revoke(
    State(house): State<Arc<House>>,
    Extension(actor): Extension<Actor>,
    Path(issuer): Path<String>,
    Json(revocation): Json<Revocation>,
) -> Answer {
    let revoked = match (revocation.token, revocation.subject) {
        (Some(token), None) => Revoked::Token(token),
        (None, Some(subject)) => Revoked::Subject(subject),
        _ => {
            let message = "name either a `token` by its `jti` or a `subject`";
            return Err(Problem::new(StatusCode::BAD_REQUEST, "invalid", message));
        }
    };
    Ok(Json(json!({ "restriction": house.revoke_tokens(&actor, &issuer, &revoked).await? })))
}
