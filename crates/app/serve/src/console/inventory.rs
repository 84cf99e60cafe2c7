//! The inventory: what each project is made of, what is wrong with it, and which models an advisory reaches.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use bartizan_access::Operation;
use bartizan_catalog::{Affected, Snapshot, Summary};
use bartizan_core::{Basis, Component, ComponentKind, Severity, printable};
use serde::Deserialize;

use super::failure::{Failure, blocking, html};
use super::frame::Frame;
use super::visitor::Visitor;
use super::words::{self, Tag};
use crate::administration::AdminError;
use crate::house::House;

/// Rows of each table; the worst findings come first, and the page says how many there are.
const ROWS: usize = 300;
/// Longest advisory id that is looked for.
const LONGEST: usize = 200;

#[derive(Deserialize)]
pub(super) struct Search {
    #[serde(default)]
    advisory: String,
}

struct Project {
    name: String,
    recorded: String,
    models: String,
    packages: String,
    findings: Vec<(Tag, String)>,
    complete: bool,
}

/// An affected package in a list.
struct Reached {
    project: String,
    severity: Tag,
    package: String,
    path: String,
    fixed: String,
    models: Vec<(String, String)>,
}

#[derive(Template)]
#[template(path = "inventory.html")]
struct List {
    frame: Frame,
    projects: Vec<Project>,
    asked: String,
    reached: Vec<Reached>,
}

struct Model {
    name: String,
    digest: String,
    facts: Vec<(String, String, bool)>,
}

struct Package {
    name: String,
    version: String,
    places: String,
}

struct Weak {
    severity: Tag,
    rule: String,
    path: String,
    message: String,
}

#[derive(Template)]
#[template(path = "project.html")]
struct Detail {
    frame: Frame,
    name: String,
    recorded: String,
    complete: bool,
    models: Vec<Model>,
    all_models: usize,
    packages: Vec<Package>,
    all_packages: usize,
    weaknesses: Vec<Weak>,
    all_weaknesses: usize,
}

pub(super) async fn list(
    State(house): State<Arc<House>>,
    visitor: Visitor,
    Query(search): Query<Search>,
) -> Result<Response, Failure> {
    house.allow(&visitor.actor, Operation::ReadInventory).await?;
    let asked: String = search.advisory.trim().chars().take(LONGEST).collect();
    let (catalog, wanted) = (house.catalog.clone(), asked.clone());
    let (summaries, affected) = blocking(move || {
        let affected = if wanted.is_empty() { Vec::new() } else { catalog.affected(&[wanted])? };
        Ok::<_, AdminError>((catalog.summaries()?, affected))
    })
    .await?;
    let projects = summaries.iter().map(project).collect();
    let reached = affected.iter().take(ROWS).map(reached).collect();
    let frame = Frame::new(&house, &visitor, "Inventory", "/inventory");
    Ok(html(&List { frame, projects, asked: printable(&asked), reached }))
}

fn project(summary: &Summary) -> Project {
    let count = |number: usize| words::count(number as u64);
    let findings = Severity::ALL.iter().zip(summary.findings).rev().filter(|(_, number)| *number > 0);
    Project {
        name: summary.project.clone(),
        recorded: summary.recorded.map_or_else(|| "unknown".to_owned(), words::moment),
        models: count(summary.models),
        packages: count(summary.packages),
        findings: findings.map(|(severity, number)| (words::severity(*severity), count(number))).collect(),
        complete: summary.complete,
    }
}

fn reached(affected: &Affected) -> Reached {
    Reached {
        project: affected.project.clone(),
        severity: words::severity(affected.severity),
        package: printable(&affected.package),
        path: printable(&affected.path),
        fixed: if affected.fixed.is_empty() { "none yet".to_owned() } else { printable(&affected.fixed.join(", ")) },
        models: affected
            .models
            .iter()
            .take(ROWS)
            .map(|hit| (printable(&hit.model), printable(&hit.through.join(" → "))))
            .collect(),
    }
}

pub(super) async fn show(
    State(house): State<Arc<House>>,
    visitor: Visitor,
    Path(name): Path<String>,
) -> Result<Response, Failure> {
    house.allow(&visitor.actor, Operation::ReadInventory).await?;
    let catalog = house.catalog.clone();
    let known = catalog.projects().map_err(AdminError::from)?;
    if !known.contains(&name) {
        return Err(Failure::missing("There is no such project. The inventory lists those that were recorded."));
    }
    let snapshot = blocking(move || catalog.project(&name).map_err(AdminError::from)).await?;
    let frame = Frame::new(&house, &visitor, snapshot.project.clone(), "/inventory");
    Ok(html(&detail(frame, &snapshot)))
}

fn detail(frame: Frame, snapshot: &Snapshot) -> Detail {
    let of = |kind: ComponentKind| snapshot.components.iter().filter(move |part| part.kind == kind);
    let mut packages: BTreeMap<(&str, &str), BTreeSet<&str>> = BTreeMap::new();
    for part in of(ComponentKind::Library) {
        let key = (part.name.as_str(), part.version.as_deref().unwrap_or("not fixed"));
        packages.entry(key).or_default().insert(&part.location.path);
    }
    let mut weaknesses: Vec<_> = snapshot.weaknesses.iter().collect();
    weaknesses.sort_by(|a, b| b.severity.cmp(&a.severity).then_with(|| (&a.path, &a.rule).cmp(&(&b.path, &b.rule))));
    Detail {
        frame,
        name: snapshot.project.clone(),
        recorded: snapshot.recorded.map_or_else(|| "unknown".to_owned(), words::moment),
        complete: snapshot.complete,
        all_models: of(ComponentKind::Model).count(),
        models: of(ComponentKind::Model).take(ROWS).map(model).collect(),
        all_packages: packages.len(),
        packages: packages
            .iter()
            .take(ROWS)
            .map(|((name, version), places)| Package {
                name: printable(name),
                version: printable(version),
                places: printable(&places.iter().copied().collect::<Vec<_>>().join(", ")),
            })
            .collect(),
        all_weaknesses: weaknesses.len(),
        weaknesses: weaknesses
            .iter()
            .take(ROWS)
            .map(|weakness| Weak {
                severity: words::severity(weakness.severity),
                rule: printable(&weakness.rule),
                path: printable(&weakness.path),
                message: printable(&weakness.message),
            })
            .collect(),
    }
}

fn model(part: &Component) -> Model {
    let facts = part.properties.iter().filter(|(name, _)| !name.starts_with("metadata:"));
    Model {
        name: printable(&part.name),
        digest: part.digest.map_or_else(|| "not read whole".to_owned(), |digest| digest.to_string()),
        facts: facts
            .map(|(name, property)| (printable(name), printable(&property.value), property.basis == Basis::Claimed))
            .collect(),
    }
}
