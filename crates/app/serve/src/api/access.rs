//! Principals, keys and restrictions.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::{Extension, Json};
use bartizan_access::{IssuedKey, Operation, Role};
use bartizan_core::Tenant;
use hyper::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::problem::Problem;
use crate::actor::Actor;
use crate::administration::Marks;
use crate::house::House;

type Answer = Result<Json<Value>, Problem>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPrincipal {
    #[serde(default)]
    tenant: Tenant,
    name: String,
    roles: Vec<String>,
    #[serde(default)]
    protected: bool,
    #[serde(default)]
    canary: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangedPrincipal {
    roles: Option<Vec<String>>,
    protected: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewKey {
    principal: String,
    #[serde(default)]
    days: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rotation {
    #[serde(default)]
    overlap_hours: u32,
}

pub(super) async fn principals(State(house): State<Arc<House>>, Extension(actor): Extension<Actor>) -> Answer {
    house.allow(&actor, Operation::ReadAccess).await?;
    let now = house.clock.now();
    let rows: Vec<Value> = house
        .directory
        .principals()
        .iter()
        .map(|principal| {
            json!({
                "id": principal.id, "tenant": principal.tenant, "name": principal.name, "roles": principal.roles,
                "created": principal.created, "expires": principal.expires, "drill": principal.drill,
                "protected": principal.protected, "canary": principal.canary, "active": house.directory.is_active(&principal.id, now),
            })
        })
        .collect();
    Ok(Json(json!({ "principals": rows })))
}

pub(super) async fn add_principal(
    State(house): State<Arc<House>>,
    Extension(actor): Extension<Actor>,
    Json(new): Json<NewPrincipal>,
) -> Answer {
    let marks = Marks { protected: new.protected, canary: new.canary };
    let principal = house.add_principal(&actor, new.tenant, &new.name, roles(&new.roles)?, marks).await?;
    Ok(Json(json!({ "id": principal.id, "name": principal.name })))
}

pub(super) async fn change_principal(
    State(house): State<Arc<House>>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<String>,
    Json(changed): Json<ChangedPrincipal>,
) -> Answer {
    let changed_roles = changed.roles.as_deref().map(roles).transpose()?;
    house.change_principal(&actor, &id, changed_roles, changed.protected).await?;
    Ok(Json(json!({ "changed": true })))
}

pub(super) async fn remove_principal(
    State(house): State<Arc<House>>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<String>,
) -> Answer {
    house.remove_principal(&actor, &id).await?;
    Ok(Json(json!({ "removed": true })))
}

pub(super) async fn reset_password(
    State(house): State<Arc<House>>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<String>,
) -> Answer {
    let password = house.reset_password(&actor, &id).await?;
    Ok(Json(json!({ "one_time_password": password.expose() })))
}

pub(super) async fn keys(State(house): State<Arc<House>>, Extension(actor): Extension<Actor>) -> Answer {
    house.allow(&actor, Operation::ReadAccess).await?;
    let now = house.clock.now();
    let restrictions = house.directory.restrictions();
    let rows: Vec<Value> = house
        .directory
        .keys()
        .iter()
        .map(|key| {
            let revoked = restrictions.iter().any(|r| r.target == key.prefix && r.is_in_force(now));
            json!({
                "prefix": key.prefix, "principal": key.principal, "created": key.created, "expires": key.expires,
                "revoked": revoked,
            })
        })
        .collect();
    Ok(Json(json!({ "keys": rows })))
}

pub(super) async fn issue_key(
    State(house): State<Arc<House>>,
    Extension(actor): Extension<Actor>,
    Json(new): Json<NewKey>,
) -> Answer {
    Ok(Json(issued(&house.issue_key(&actor, &new.principal, new.days).await?)))
}

pub(super) async fn rotate_key(
    State(house): State<Arc<House>>,
    Extension(actor): Extension<Actor>,
    Path(prefix): Path<String>,
    Json(rotation): Json<Rotation>,
) -> Answer {
    Ok(Json(issued(&house.rotate_key(&actor, &prefix, rotation.overlap_hours).await?)))
}

pub(super) async fn revoke_key(
    State(house): State<Arc<House>>,
    Extension(actor): Extension<Actor>,
    Path(prefix): Path<String>,
) -> Answer {
    house.revoke_key(&actor, &prefix).await?;
    Ok(Json(json!({ "revoked": true })))
}

pub(super) async fn restrictions(State(house): State<Arc<House>>, Extension(actor): Extension<Actor>) -> Answer {
    house.allow(&actor, Operation::ReadAccess).await?;
    let now = house.clock.now();
    let rows: Vec<Value> = house
        .directory
        .restrictions()
        .iter()
        .map(|restriction| {
            let mut row = json!(restriction);
            if let Some(row) = row.as_object_mut() {
                row.insert("in_force".to_owned(), restriction.is_in_force(now).into());
            }
            row
        })
        .collect();
    Ok(Json(json!({ "restrictions": rows })))
}

pub(super) async fn lift_restriction(
    State(house): State<Arc<House>>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<String>,
) -> Answer {
    let lifted = house.lift_restriction(&actor, &id).await?;
    Ok(Json(json!({ "lifted": lifted })))
}

/// A key as it is shown, once.
pub(super) fn issued(issued: &IssuedKey) -> Value {
    json!({ "prefix": issued.key.prefix, "key": issued.secret.expose(), "expires": issued.key.expires })
}

pub(super) fn roles(words: &[String]) -> Result<BTreeSet<Role>, Problem> {
    words
        .iter()
        .map(|word| {
            Role::parse(word).ok_or_else(|| {
                let known = Role::ALL.map(Role::as_str).join(", ");
                let message = format!("`{}` is not a role; use one of {known}", bartizan_core::printable(word));
                Problem::new(StatusCode::BAD_REQUEST, "invalid", message)
            })
        })
        .collect()
}
