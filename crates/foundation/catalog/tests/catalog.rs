//! What the catalog keeps, and what an advisory reaches in it.

#![allow(clippy::unwrap_used, reason = "a test that cannot prepare its world has failed")]

use std::sync::Arc;

use bartizan_catalog::{Catalog, CatalogError, Snapshot, SnapshotError, affected};
use bartizan_core::{Component, ComponentKind, Finding, Link, Location, Position, Rule, Severity, Timestamp};
use bartizan_report::Report;
use bartizan_storage::Disk;
use serde_json::json;

const ADVISORY: Rule = Rule {
    id: "BZ-ADV-001",
    title: "A package has an advisory",
    severity: Severity::High,
    explanation: "x",
    remedy: "x",
    links: &[Link::Cwe(1395)],
};

fn place(path: &str) -> Location {
    Location { path: path.to_owned(), position: Position::Whole }
}

fn package(name: &str, version: &str, requires: &[&str]) -> Component {
    let mut part = Component::new(ComponentKind::Library, name, place("uv.lock"));
    part.version = Some(version.to_owned());
    part.purl = Some(format!("pkg:pypi/{name}@{version}"));
    part.requires = requires.iter().map(|name| (*name).to_owned()).collect();
    part
}

fn model(name: &str, framework: &str) -> Component {
    Component::new(ComponentKind::Model, name, place(name)).derived("format", "pickle").derived("framework", framework)
}

fn report() -> Report {
    let finding = Finding::new(&ADVISORY, place("uv.lock"), "numpy 1.0 is affected")
        .with_evidence("package", json!("pkg:pypi/numpy@1.0"))
        .with_evidence("advisory", json!("PYSEC-2024-1"))
        .with_evidence("aliases", json!(["CVE-2024-0001", "GHSA-aaaa-bbbb-cccc"]))
        .with_evidence("fixed", json!(["1.1"]));
    Report::new(Vec::new(), vec![finding]).with_components(vec![
        package("torch", "2.0", &["sympy"]),
        package("scikit-learn", "1.5", &["joblib", "pkg:pypi/scipy@1.9"]),
        package("scipy", "1.9", &["numpy"]),
        package("numpy", "1.0", &["scipy"]),
        package("joblib", "1.4", &[]),
        package("sympy", "1.0", &[]),
        model("iris.joblib", "scikit-learn"),
        model("bert.bin", "torch"),
        Component::new(ComponentKind::Model, "w.npy", place("w.npy")).derived("format", "npy"),
    ])
}

fn snapshot(project: &str) -> Snapshot {
    Snapshot::of(project, &report()).unwrap()
}

#[test]
fn an_advisory_reaches_the_models_whose_loader_requires_the_package() {
    for asked in ["CVE-2024-0001", "pysec-2024-1", "GHSA-aaaa-bbbb-cccc"] {
        let hits = affected(&snapshot("shop"), &[asked.to_owned()]);
        let [hit] = hits.as_slice() else { panic!("{asked}: {hits:?}") };
        assert_eq!((hit.package.as_str(), hit.fixed.as_slice()), ("pkg:pypi/numpy@1.0", &["1.1".to_owned()][..]));
        let models: Vec<(&str, usize)> = hit.models.iter().map(|hit| (hit.model.as_str(), hit.through.len())).collect();
        assert_eq!(models, [("iris.joblib", 3), ("w.npy", 1)], "torch does not require numpy here");
        assert_eq!(hit.models[0].through, ["pkg:pypi/scikit-learn@1.5", "pkg:pypi/scipy@1.9", "pkg:pypi/numpy@1.0"]);
    }
    assert!(affected(&snapshot("shop"), &["CVE-2024-9999".to_owned()]).is_empty());
}

#[test]
fn the_last_scan_of_each_project_is_kept_and_answers_for_all() {
    let folder = tempfile::tempdir().unwrap();
    let catalog = Catalog::new(Arc::new(Disk), &folder.path().join("catalog"));
    assert!(catalog.summaries().unwrap().is_empty());
    let now = Timestamp::from_seconds(1_800_000_000);
    for project in ["shop", "lab", "shop"] {
        let summary = catalog.record(snapshot(project), now).unwrap();
        assert_eq!((summary.models, summary.packages, summary.findings), (3, 6, [0, 0, 0, 1, 0]));
    }
    let again = Catalog::new(Arc::new(Disk), &folder.path().join("catalog"));
    let projects: Vec<String> = again.summaries().unwrap().into_iter().map(|summary| summary.project).collect();
    assert_eq!(projects, ["lab", "shop"]);
    assert_eq!(again.affected(&["CVE-2024-0001".to_owned()]).unwrap().len(), 2);
    assert_eq!(again.project("shop").unwrap().recorded, Some(now));
    again.forget("lab").unwrap();
    assert!(matches!(again.project("lab"), Err(CatalogError::Missing(_))));
}

#[test]
fn a_damaged_project_is_named_and_never_left_out_of_an_answer() {
    let folder = tempfile::tempdir().unwrap();
    let catalog = Catalog::new(Arc::new(Disk), folder.path());
    catalog.record(snapshot("shop"), Timestamp::default()).unwrap();
    std::fs::write(folder.path().join("lab.json"), "{\"magic\":\"bartizan-inventory\",\"version\":1").unwrap();
    let error = catalog.affected(&["CVE-2024-0001".to_owned()]).unwrap_err().to_string();
    assert!(error.contains("lab.json") && error.contains("--record"), "{error}");
    std::fs::write(folder.path().join("lab.json"), "{\"magic\":\"bartizan-inventory\",\"version\":2}").unwrap();
    let error = catalog.summaries().unwrap_err().to_string();
    assert!(error.contains("update Bartizan"), "{error}");
}

#[test]
fn a_project_that_is_no_file_name_is_refused() {
    for name in ["", "../x", "a/b", ".hidden", "a b", "\u{202e}x", &"x".repeat(101)] {
        assert!(matches!(Snapshot::of(name, &Report::default()), Err(SnapshotError::Name(_))), "{name}");
    }
    assert!(Snapshot::of("shop-1.0_x", &Report::default()).is_ok());
}
