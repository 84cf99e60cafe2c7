//! Incidents: what happened, what is held against whom, and what a person can do about it.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use bartizan_access::Operation;
use bartizan_core::{Action, Incident, IncidentState};

use super::failure::{Failure, html};
use super::frame::{Frame, is_unfinished, may, name_of};
use super::visitor::{Submission, Visitor};
use super::words::{self, Tag};
use crate::administration::IncidentVerb;
use crate::house::House;

/// Most incidents on one page; the newest are shown.
const ROWS: usize = 200;
/// Members of a pool of principals that are named where it is shown; the actions name all.
const NAMES: usize = 10;

/// An incident in a list.
pub(super) struct Row {
    pub(super) id: String,
    pub(super) title: String,
    pub(super) severity: Tag,
    pub(super) state: Tag,
    pub(super) unfinished: bool,
    pub(super) techniques: String,
    pub(super) who: String,
    pub(super) asset: String,
    pub(super) alerts: String,
    pub(super) drill: bool,
    pub(super) opened: String,
    pub(super) updated: String,
}

#[derive(Template)]
#[template(path = "incidents.html")]
struct List {
    frame: Frame,
    rows: Vec<Row>,
    all: usize,
}

#[derive(Template)]
#[template(path = "incident.html")]
struct Detail {
    frame: Frame,
    row: Row,
    rules: String,
    key: String,
    urn: String,
    timeline: Vec<Line>,
    actions: Vec<Step>,
    can: Option<Verbs>,
}

struct Line {
    time: String,
    what: String,
    who: String,
}

struct Step {
    kind: &'static str,
    target: String,
    until: String,
    in_force: bool,
    reversible: bool,
}

/// What may be done in the state that the incident is in.
struct Verbs {
    approve: bool,
    contain: bool,
    release: bool,
    close: bool,
}

/// All incidents, those that want attention first, newest first.
pub(super) fn rows(house: &House) -> Vec<Row> {
    let mut incidents = house.responder.incidents();
    incidents.sort_by(|a, b| {
        let rank = |incident: &Incident| (is_unfinished(incident.state), incident.updated);
        rank(b).cmp(&rank(a)).then_with(|| a.id.cmp(&b.id))
    });
    incidents.iter().map(|incident| row(house, incident)).collect()
}

fn row(house: &House, incident: &Incident) -> Row {
    let shown = bartizan_core::printable;
    Row {
        id: incident.id.clone(),
        title: shown(&incident.title),
        severity: words::severity(incident.severity),
        state: words::state(incident.state),
        unfinished: is_unfinished(incident.state),
        techniques: incident.techniques.iter().map(|technique| shown(technique)).collect::<Vec<_>>().join(", "),
        who: who(house, incident),
        asset: incident.asset.name().to_owned(),
        alerts: words::count(incident.alerts),
        drill: incident.drill,
        opened: words::moment(incident.opened),
        updated: words::moment(incident.updated),
    }
}

fn who(house: &House, incident: &Incident) -> String {
    match incident.members.as_slice() {
        [] if incident.principal.is_empty() => "nobody identified".to_owned(),
        [] => name_of(house, &incident.principal),
        members => {
            let mut names: Vec<String> = members.iter().take(NAMES).map(|member| name_of(house, member)).collect();
            if members.len() > NAMES {
                names.push(format!("{} more", members.len() - NAMES));
            }
            names.join(", ")
        }
    }
}

pub(super) async fn list(State(house): State<Arc<House>>, visitor: Visitor) -> Result<Response, Failure> {
    house.allow(&visitor.actor, Operation::ReadIncidents).await?;
    let mut rows = rows(&house);
    let all = rows.len();
    rows.truncate(ROWS);
    Ok(html(&List { frame: Frame::new(&house, &visitor, "Incidents", "/incidents"), rows, all }))
}

pub(super) async fn show(
    State(house): State<Arc<House>>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    house.allow(&visitor.actor, Operation::ReadIncidents).await?;
    let incident = house
        .responder
        .incident(&id)
        .ok_or_else(|| Failure::missing("There is no such incident. It may belong to another state folder."))?;
    let row = row(&house, &incident);
    let timeline = incident
        .timeline
        .iter()
        .map(|entry| Line {
            time: words::moment(entry.time),
            what: bartizan_core::printable(&entry.what),
            who: name_of(&house, &entry.who),
        })
        .collect();
    let actions: Vec<Step> = incident.actions.iter().map(|action| step(&house, action)).collect();
    let can = may(&house, &visitor.actor, Operation::RespondToIncident).then(|| verbs(incident.state, &actions));
    Ok(html(&Detail {
        frame: Frame::new(&house, &visitor, row.title.clone(), "/incidents"),
        rules: incident.rules.iter().map(|rule| bartizan_core::printable(rule)).collect::<Vec<_>>().join(", "),
        key: bartizan_core::printable(&incident.key),
        urn: incident.asset.urn(),
        timeline,
        actions,
        row,
        can,
    }))
}

fn verbs(state: IncidentState, actions: &[Step]) -> Verbs {
    use IncidentState::{AwaitingApproval, Closed, Contained, ContainmentFailed, Open, Shadowed};
    let in_force = actions.iter().any(|action| action.in_force);
    Verbs {
        approve: state == AwaitingApproval,
        contain: matches!(state, Open | Shadowed | ContainmentFailed) && !actions.is_empty(),
        release: matches!(state, Contained | ContainmentFailed) || in_force,
        close: state != Closed,
    }
}

fn step(house: &House, action: &Action) -> Step {
    let now = house.clock.now();
    let in_force = house.directory.restrictions().iter().any(|held| held.id == action.id && held.is_in_force(now));
    let target = match house.directory.principal(&action.target) {
        Some(principal) if principal.id == action.target => {
            format!("{} ({})", bartizan_core::printable(&principal.name), principal.id)
        }
        _ => bartizan_core::printable(&action.target),
    };
    Step {
        kind: words::action(action.kind),
        target,
        until: action.expires.map_or_else(|| "no end".to_owned(), words::moment),
        in_force,
        reversible: action.kind.is_reversible(),
    }
}

pub(super) async fn respond(
    State(house): State<Arc<House>>,
    Path((id, verb)): Path<(String, String)>,
    submission: Submission,
) -> Result<Response, Failure> {
    let Submission { visitor, fields } = submission;
    let verb = IncidentVerb::parse(&verb)
        .ok_or_else(|| Failure::missing("An incident can be approved, contained, released or closed."))?;
    let incident = house.respond(&visitor.actor, &id, verb, fields.text("note").trim()).await?;
    Ok(Redirect::to(&format!("/incidents/{}", incident.id)).into_response())
}
