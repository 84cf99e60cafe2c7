//! Principals, roles and keys. What must be shown once is shown on the page that answers the form.

use std::collections::BTreeSet;
use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use bartizan_access::{Operation, Restriction, RestrictionKind, Role};

use super::failure::{Failure, html};
use super::frame::{Frame, may, name_of};
use super::visitor::{Fields, Submission, Visitor};
use super::words;
use crate::administration::AdminError;
use crate::administration::Marks;
use crate::house::House;

#[derive(Template)]
#[template(path = "access.html")]
struct Page {
    frame: Frame,
    notice: Option<Notice>,
    principals: Vec<PrincipalRow>,
    keys: Vec<KeyRow>,
    held: Vec<HeldRow>,
    roles: [&'static str; 5],
    manage: bool,
}

/// What became of the form that was sent.
struct Notice {
    good: bool,
    text: String,
    /// What it is and the secret itself: shown once.
    secret: Option<(&'static str, String)>,
}

impl Notice {
    fn done(text: impl Into<String>) -> Self {
        Self { good: true, text: text.into(), secret: None }
    }

    fn with(mut self, what: &'static str, secret: &str) -> Self {
        self.secret = Some((what, secret.to_owned()));
        self
    }
}

struct PrincipalRow {
    id: String,
    name: String,
    roles: String,
    choices: Vec<(&'static str, bool)>,
    keys: usize,
    active: bool,
    protected: bool,
    drill: bool,
    created: String,
    oneself: bool,
}

struct KeyRow {
    prefix: String,
    who: String,
    created: String,
    expires: String,
    state: words::Tag,
    usable: bool,
}

struct HeldRow {
    id: String,
    what: String,
    target: String,
    since: String,
    until: String,
    in_force: bool,
}

/// The answer to a form: the page with what became of it, or with why nothing did.
async fn answer(house: &Arc<House>, visitor: &Visitor, done: Result<Notice, AdminError>) -> Result<Response, Failure> {
    match done {
        Ok(notice) => Ok(html(&view(house, visitor, Some(notice)))),
        Err(AdminError::Forbidden) => Err(AdminError::Forbidden.into()),
        Err(error) => {
            let failure = Failure::from(error);
            house.allow(&visitor.actor, Operation::ReadAccess).await?;
            let notice = Notice { good: false, text: failure.message().to_owned(), secret: None };
            Ok((failure.status(), html(&view(house, visitor, Some(notice)))).into_response())
        }
    }
}

pub(super) async fn page(State(house): State<Arc<House>>, visitor: Visitor) -> Result<Response, Failure> {
    house.allow(&visitor.actor, Operation::ReadAccess).await?;
    Ok(html(&view(&house, &visitor, None)))
}

fn view(house: &House, visitor: &Visitor, notice: Option<Notice>) -> Page {
    let now = house.clock.now();
    let (restrictions, keys) = (house.directory.restrictions(), house.directory.keys());
    let principals = house
        .directory
        .principals()
        .iter()
        .map(|principal| PrincipalRow {
            id: principal.id.clone(),
            name: bartizan_core::printable(&principal.name),
            roles: principal.roles.iter().map(|role| role.as_str()).collect::<Vec<_>>().join(", "),
            choices: Role::ALL.iter().map(|role| (role.as_str(), principal.roles.contains(role))).collect(),
            keys: keys.iter().filter(|key| key.principal == principal.id).count(),
            active: house.directory.is_active(&principal.id, now),
            protected: principal.protected,
            drill: principal.drill,
            created: words::moment(principal.created),
            oneself: principal.id == visitor.actor.id(),
        })
        .collect();
    let keys = keys
        .iter()
        .map(|key| {
            let revoked = restrictions.iter().any(|held| {
                held.kind == RestrictionKind::RevokedKey && held.target == key.prefix && held.is_in_force(now)
            });
            let ended = key.expires.is_some_and(|expires| expires <= now);
            let (mark, word, tone) = match (revoked, ended) {
                (true, _) => ("✕", "revoked", "bad"),
                (false, true) => ("–", "expired", ""),
                (false, false) => ("✓", "usable", "good"),
            };
            KeyRow {
                prefix: key.prefix.clone(),
                who: name_of(house, &key.principal),
                created: words::moment(key.created),
                expires: key.expires.map_or_else(|| "never".to_owned(), words::moment),
                state: words::Tag { mark, word, tone },
                usable: !revoked && !ended,
            }
        })
        .collect();
    let held = restrictions
        .iter()
        .map(|held| HeldRow {
            id: held.id.clone(),
            what: restriction(held),
            target: name_of(house, &held.target),
            since: words::moment(held.since),
            until: held.until.map_or_else(|| "lifted".to_owned(), words::moment),
            in_force: held.is_in_force(now),
        })
        .collect();
    Page {
        frame: Frame::new(house, visitor, "Access", "/access"),
        notice,
        principals,
        keys,
        held,
        roles: Role::ALL.map(Role::as_str),
        manage: may(house, &visitor.actor, Operation::ManageAccess),
    }
}

fn restriction(held: &Restriction) -> String {
    match held.kind {
        RestrictionKind::RevokedKey => "key revoked".to_owned(),
        RestrictionKind::RevokedTokens => "tokens issued until then revoked".to_owned(),
        RestrictionKind::BlockedPrincipal => "principal blocked".to_owned(),
        RestrictionKind::BlockedModel => "model blocked".to_owned(),
        RestrictionKind::TightenedLimit => format!("limits divided by {}", held.divisor),
    }
}

pub(super) async fn add_principal(
    State(house): State<Arc<House>>,
    submission: Submission,
) -> Result<Response, Failure> {
    let Submission { visitor, fields } = submission;
    let done = async {
        let protected = fields.text("protected") == "yes";
        let tenant = visitor.actor.principal.tenant.clone();
        let added = house
            .add_principal(
                &visitor.actor,
                tenant,
                fields.text("name").trim(),
                roles(&fields)?,
                Marks { protected, canary: false },
            )
            .await?;
        let notice = Notice::done(format!("{} was added.", bartizan_core::printable(&added.name)));
        if fields.text("log-in") != "yes" {
            return Ok(notice);
        }
        let password = house.reset_password(&visitor.actor, &added.id).await?;
        Ok(notice.with("One-time password for the console", password.expose()))
    };
    let done = done.await;
    answer(&house, &visitor, done).await
}

pub(super) async fn change_roles(
    State(house): State<Arc<House>>,
    Path(id): Path<String>,
    submission: Submission,
) -> Result<Response, Failure> {
    let Submission { visitor, fields } = submission;
    let done = async {
        let roles = roles(&fields)?;
        let protected = fields.text("protected") == "yes";
        house.change_principal(&visitor.actor, &id, Some(roles), Some(protected)).await?;
        Ok(Notice::done(format!("{} was changed.", name_of(&house, &id))))
    };
    let done = done.await;
    answer(&house, &visitor, done).await
}

pub(super) async fn remove_principal(
    State(house): State<Arc<House>>,
    Path(id): Path<String>,
    submission: Submission,
) -> Result<Response, Failure> {
    let name = name_of(&house, &id);
    let done = house.remove_principal(&submission.visitor.actor, &id).await;
    let done = done.map(|()| Notice::done(format!("{name} was removed, with all keys.")));
    answer(&house, &submission.visitor, done).await
}

pub(super) async fn reset_password(
    State(house): State<Arc<House>>,
    Path(id): Path<String>,
    submission: Submission,
) -> Result<Response, Failure> {
    let done = house.reset_password(&submission.visitor.actor, &id).await.map(|password| {
        Notice::done(format!("{} must log in anew with this password, and change it then.", name_of(&house, &id)))
            .with("One-time password for the console", password.expose())
    });
    answer(&house, &submission.visitor, done).await
}

pub(super) async fn issue_key(State(house): State<Arc<House>>, submission: Submission) -> Result<Response, Failure> {
    let Submission { visitor, fields } = submission;
    let done = async {
        let days = whole(fields.text("days"), "days until the key ends")?;
        let issued = house.issue_key(&visitor.actor, fields.text("principal"), days).await?;
        let text = format!("Key {} was made for {}.", issued.key.prefix, name_of(&house, &issued.key.principal));
        Ok(Notice::done(text).with("API key", issued.secret.expose()))
    };
    let done = done.await;
    answer(&house, &visitor, done).await
}

pub(super) async fn rotate_key(
    State(house): State<Arc<House>>,
    Path(prefix): Path<String>,
    submission: Submission,
) -> Result<Response, Failure> {
    let Submission { visitor, fields } = submission;
    let done = async {
        let hours = whole(fields.text("hours"), "hours of overlap")?.unwrap_or(0);
        let issued = house.rotate_key(&visitor.actor, &prefix, hours).await?;
        let prefix = bartizan_core::printable(&prefix);
        let text = match hours {
            0 => format!("Key {} takes the place of {prefix}, which is refused from now on.", issued.key.prefix),
            hours => format!(
                "Key {} takes the place of {prefix}, which is good for another {hours} hours.",
                issued.key.prefix
            ),
        };
        Ok(Notice::done(text).with("API key", issued.secret.expose()))
    };
    let done = done.await;
    answer(&house, &visitor, done).await
}

pub(super) async fn revoke_key(
    State(house): State<Arc<House>>,
    Path(prefix): Path<String>,
    submission: Submission,
) -> Result<Response, Failure> {
    let done = house.revoke_key(&submission.visitor.actor, &prefix).await;
    let done = done.map(|()| Notice::done(format!("Key {prefix} is refused from the next request on.")));
    answer(&house, &submission.visitor, done).await
}

pub(super) async fn lift_restriction(
    State(house): State<Arc<House>>,
    submission: Submission,
) -> Result<Response, Failure> {
    let Submission { visitor, fields } = submission;
    let done = house.lift_restriction(&visitor.actor, fields.text("id")).await.map(|lifted| {
        Notice::done(if lifted { "The restriction was lifted." } else { "The restriction was lifted already." })
    });
    answer(&house, &visitor, done).await
}

fn roles(fields: &Fields) -> Result<BTreeSet<Role>, AdminError> {
    let roles: Result<BTreeSet<Role>, _> = fields
        .all("roles")
        .map(|word| {
            Role::parse(word)
                .ok_or_else(|| AdminError::Invalid(format!("`{}` is not a role", bartizan_core::printable(word))))
        })
        .collect();
    roles.and_then(|roles| {
        let none = || AdminError::Invalid("choose at least one role".to_owned());
        if roles.is_empty() { Err(none()) } else { Ok(roles) }
    })
}

/// A whole number from a field; `None` when it was left empty.
fn whole(text: &str, what: &str) -> Result<Option<u32>, AdminError> {
    match text.trim() {
        "" => Ok(None),
        text => match text.parse() {
            Ok(number) if number <= 36_500 => Ok(Some(number)),
            _ => Err(AdminError::Invalid(format!("{what}: write a whole number up to 36500, or leave it empty"))),
        },
    }
}
