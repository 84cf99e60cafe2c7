//! What a scan knows of advisories as an OpenVEX document (specification 0.2.0).
//!
//! A version that an advisory covers is `affected` until somebody says otherwise. That a project's code does
//! not import a package is told and never taken for "not affected": others import it, and programs run it.

use std::collections::{BTreeMap, BTreeSet};

use bartizan_core::{Finding, Severity};
use serde_json::{Map, Value, json as object};
use uuid::Uuid;

use crate::Report;
use crate::advisory::{Advised, action};
use crate::suppression::Suppression;

/// Pretty-printed OpenVEX with a final line feed: one statement for each advisory and package. None when no
/// finding is about an advisory, because a document must have a statement.
pub fn openvex(report: &Report, version: &str) -> Option<String> {
    let mut cases: BTreeMap<(&str, &str), Case<'_>> = BTreeMap::new();
    let counted = report.findings().iter().map(|finding| (finding, None));
    let suppressed = report.suppressed().iter().map(|suppressed| (&suppressed.finding, Some(&suppressed.by)));
    for (finding, by) in counted.chain(suppressed) {
        if let Some(advised) = Advised::of(finding) {
            let case = cases.entry((advised.id, advised.package)).or_default();
            case.aliases.extend(advised.aliases);
            case.members.push((finding, by));
        }
    }
    if cases.is_empty() {
        return None;
    }
    let statements: Vec<Value> = cases.iter().map(|((id, package), case)| statement(id, package, case)).collect();
    let (timestamp, tooling) = match report.date() {
        Some(date) => (format!("{date}T00:00:00Z"), format!("bartizan {version}")),
        // The same input gives the same bytes, and the format has no other place for a remark.
        None => (
            "1970-01-01T00:00:00Z".to_owned(),
            format!("bartizan {version}; no date was named, so the timestamp is no moment (--as-of names one)"),
        ),
    };
    let mut document = object!({
        "@context": "https://openvex.dev/ns/v0.2.0",
        "author": "bartizan",
        "role": "scanner",
        "timestamp": timestamp,
        "tooling": tooling,
        "version": 1,
        "statements": statements,
    });
    let id = Uuid::new_v5(&Uuid::NAMESPACE_OID, document.to_string().as_bytes());
    if let Some(document) = document.as_object_mut() {
        document.insert("@id".to_owned(), format!("urn:uuid:{id}").into());
    }
    Some(format!("{document:#}\n"))
}

/// An advisory about a package, wherever the package is mentioned.
#[derive(Default)]
struct Case<'a> {
    aliases: BTreeSet<&'a str>,
    members: Vec<(&'a Finding, Option<&'a Suppression>)>,
}

impl<'a> Case<'a> {
    /// The mention that decides: one that still counts, then one that was only there before, then the worst.
    fn deciding(&self) -> Option<(&'a Finding, Option<&'a Suppression>)> {
        let order = |(finding, by): &(&Finding, Option<&Suppression>)| -> (u8, Severity) {
            let claim = match by {
                None => 4,
                Some(Suppression::Baseline) => 3,
                Some(Suppression::Ignored { justification: None, .. }) => 2,
                Some(Suppression::Ignored { .. }) => 1,
                Some(Suppression::Vex { .. }) => 0,
            };
            (claim, finding.severity)
        };
        self.members.iter().copied().max_by_key(order)
    }
}

fn statement(id: &str, package: &str, case: &Case<'_>) -> Value {
    let Some((finding, by)) = case.deciding() else { return Value::Null };
    let mut statement = Map::new();
    let mut say = |key: &str, value: Value| {
        statement.insert(key.to_owned(), value);
    };
    say("vulnerability", object!({ "name": id, "aliases": case.aliases }));
    let part = object!({ "@id": package, "identifiers": { "purl": package } });
    let product = match by {
        // What was said of the package within a product is not said of the package.
        Some(Suppression::Vex { product: Some(product), .. }) => object!({ "@id": product, "subcomponents": [part] }),
        _ => part,
    };
    say("products", object!([product]));
    let mut notes = vec![finding.message.clone()];
    if finding.evidence.get("imported") == Some(&Value::Bool(false)) {
        notes.push(
            "the project's code does not import the package, which alone does not show that it is not affected"
                .to_owned(),
        );
    }
    match by {
        None | Some(Suppression::Baseline) => {
            say("status", "affected".into());
            say("action_statement", action(finding).into());
        }
        Some(by @ Suppression::Ignored { justification: None, .. }) => {
            say("status", "under_investigation".into());
            notes.push(format!("{by}; accepting a finding does not claim that the product is not affected"));
        }
        Some(by @ Suppression::Ignored { reason, justification: Some(justification), .. }) => {
            say("status", "not_affected".into());
            say("justification", justification.as_str().into());
            say("impact_statement", reason.clone().into());
            notes.push(by.to_string());
        }
        Some(by @ Suppression::Vex { status, justification, impact, .. }) => {
            say("status", (*status).into());
            if let Some(justification) = justification {
                say("justification", justification.as_str().into());
            }
            if let Some(impact) = impact {
                say("impact_statement", impact.clone().into());
            }
            notes.push(by.to_string());
        }
    }
    say("status_notes", notes.join("; ").into());
    statement.into()
}
