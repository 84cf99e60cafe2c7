//! The inventory of a report as SPDX 3.0.1 in JSON-LD: models by the AI profile, data by the Dataset profile,
//! packages by the Software profile, and advisories by the Security profile.
//!
//! The names of all elements follow from the content of the document, so that two documents share a name only
//! when they say the same. What follows from the bytes stands in the profile's own fields; everything else that
//! is known is an annotation that is marked as derived or as claimed.

mod elements;

use std::collections::{BTreeMap, BTreeSet};

use bartizan_core::{Basis, Component, ComponentKind, Position};
use serde_json::{Value, json as object};

use crate::Report;
use crate::advisory::action;
use crate::inventory::Inventory;
use elements::Elements;

/// Claims of a model's own metadata that name the data it was trained on.
const TRAINING_DATA: &[&str] = &["metadata:dataset", "metadata:datasets", "metadata:training_dataset"];

const PROFILES: &[&str] = &["core", "software", "ai", "dataset", "security"];

/// Pretty-printed SPDX 3.0.1 JSON-LD with a final line feed. Where the report has no date, `created`, which the
/// standard demands, is the beginning of 1970, and says so.
pub fn spdx(report: &Report, version: &str) -> String {
    let mut elements = Elements::new(report, version);
    let project = elements.add(
        "software_File",
        "project",
        object!({
            "name": ".",
            "comment": "What was scanned; the names of files are relative to it.",
            "software_fileKind": "directory",
        }),
    );
    let inventory = Inventory::of(report);
    let files = files(&inventory, &mut elements);
    let parts: BTreeMap<&str, String> = inventory
        .parts()
        .filter_map(|(reference, group)| Some((reference, part(reference, group, &files, &mut elements)?)))
        .collect();
    let mut held: BTreeSet<&String> = files.values().collect();
    held.extend(inventory.parts().filter_map(|(reference, group)| {
        let is_here = group.first().is_some_and(|first| first.kind != ComponentKind::Library);
        parts.get(reference).filter(|_| is_here)
    }));
    elements.relate("contains", &project, held, None);
    for (reference, id) in &parts {
        let required: Vec<&String> = inventory.required(reference).iter().filter_map(|on| parts.get(on)).collect();
        elements.relate("dependsOn", id, required, None);
    }
    vulnerabilities(report, &inventory, &parts, &mut elements);
    elements.document(&project, PROFILES)
}

/// Every file that holds a part, by its path; a member of an archive stands in its archive.
fn files(inventory: &Inventory<'_>, elements: &mut Elements) -> BTreeMap<String, String> {
    let mut digests: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for component in inventory.parts().flat_map(|(_, group)| group) {
        let digests = digests.entry(outer(&component.location.path)).or_default();
        // What a lockfile fixes is the digest of the package and not of the lockfile.
        if component.kind != ComponentKind::Library && !component.location.path.contains('!') {
            digests.extend(component.digest.map(|digest| digest.hex()));
        }
        let container = component.properties.get(CONTAINER_DIGEST).filter(|property| property.basis == Basis::Derived);
        digests.extend(container.map(|property| property.value.clone()));
    }
    let file = |(path, digests): (&str, BTreeSet<String>)| {
        let mut value = object!({ "name": path, "software_fileKind": "file" });
        hashes(&mut value, digests, "SHA-256 of every byte of the file.");
        (path.to_owned(), elements.add("software_File", &format!("file {path}"), value))
    };
    digests.into_iter().map(file).collect()
}

/// The property in which a part within an archive carries the SHA-256 of the archive.
const CONTAINER_DIGEST: &str = "container-sha-256";

fn outer(path: &str) -> &str {
    path.split_once('!').map_or(path, |(file, _)| file)
}

fn part(
    reference: &str,
    group: &[&Component],
    files: &BTreeMap<String, String>,
    elements: &mut Elements,
) -> Option<String> {
    let first = group.first()?;
    let (class, purpose) = match first.kind {
        ComponentKind::Model => ("ai_AIPackage", "model"),
        ComponentKind::Library => ("software_Package", "library"),
        ComponentKind::Dataset => ("dataset_DatasetPackage", "data"),
        // Files stand in the document already.
        ComponentKind::File => return files.get(outer(&first.location.path)).cloned(),
    };
    let mut value = object!({ "name": first.name, "software_primaryPurpose": purpose });
    let mut say = |key: &str, said: Value| {
        if let Some(value) = value.as_object_mut() {
            value.insert(key.to_owned(), said);
        }
    };
    if let Some(version) = &first.version {
        say("software_packageVersion", version.clone().into());
    }
    if let Some(purl) = &first.purl {
        say("software_packageUrl", purl.clone().into());
        let identifier =
            object!({ "type": "ExternalIdentifier", "externalIdentifierType": "packageUrl", "identifier": purl });
        say("externalIdentifier", object!([identifier]));
    }
    if first.kind == ComponentKind::Dataset {
        say("dataset_datasetType", object!(["noAssertion"]));
    }
    if first.kind == ComponentKind::Model {
        let derived: BTreeSet<&str> =
            ["architecture", "family"].iter().filter_map(|name| derived(first, name)).collect();
        if !derived.is_empty() {
            say("ai_typeOfModel", object!(derived));
        }
    }
    let digests = group.iter().filter_map(|part| part.digest.map(|digest| digest.hex())).collect();
    let source = if first.kind == ComponentKind::Library {
        "As a lockfile fixes it; the package itself was not read."
    } else {
        "SHA-256 of every byte of the file."
    };
    hashes(&mut value, digests, source);
    let id = elements.add(class, reference, value);
    annotate(reference, &id, group, elements);
    let relation = if first.kind == ComponentKind::Library { "hasEvidence" } else { "contains" };
    for (path, places) in places(group) {
        elements.relate(relation, &id, files.get(path), Some(places).filter(|places| !places.is_empty()));
    }
    if first.kind == ComponentKind::Model {
        training_data(&id, group, elements);
    }
    Some(id)
}

fn derived<'a>(component: &'a Component, name: &str) -> Option<&'a str> {
    let property = component.properties.get(name).filter(|property| property.basis == Basis::Derived)?;
    Some(property.value.as_str())
}

fn hashes(value: &mut Value, digests: BTreeSet<String>, comment: &str) {
    let hash =
        |digest: String| object!({ "type": "Hash", "algorithm": "sha256", "hashValue": digest, "comment": comment });
    let hashes: Vec<Value> = digests.into_iter().map(hash).collect();
    if let (Some(value), false) = (value.as_object_mut(), hashes.is_empty()) {
        value.insert("verifiedUsing".to_owned(), hashes.into());
    }
}

/// One annotation for what follows from bytes, one for what somebody wrote down.
fn annotate(reference: &str, id: &str, group: &[&Component], elements: &mut Elements) {
    for (basis, word, comment) in [
        (Basis::Derived, "derived", "Follows from the bytes that were read."),
        (Basis::Claimed, "claimed", "Somebody wrote it down, in metadata or a manifest; nobody checked."),
    ] {
        let mut statements: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (name, property) in group.iter().flat_map(|part| &part.properties) {
            if property.basis == basis {
                statements.entry(name).or_default().insert(&property.value);
            }
        }
        if !statements.is_empty() {
            elements.add(
                "Annotation",
                &format!("{word} {reference}"),
                object!({
                    "annotationType": "other",
                    "subject": id,
                    "contentType": "application/json",
                    "statement": object!({ word: statements }).to_string(),
                    "comment": comment,
                }),
            );
        }
    }
}

/// The files that mention a part, and where in them.
fn places<'a>(group: &[&'a Component]) -> BTreeMap<&'a str, String> {
    let mut places: BTreeMap<&str, BTreeSet<(&str, u64)>> = BTreeMap::new();
    for part in group {
        let path = part.location.path.as_str();
        let known = places.entry(outer(path)).or_default();
        match part.location.position {
            Position::Line(line) => drop(known.insert((path, line))),
            _ if path.contains('!') => drop(known.insert((path, 0))),
            _ => {}
        }
    }
    let words = |(path, line): &(&str, u64)| if *line == 0 { (*path).to_owned() } else { format!("{path}:{line}") };
    places.into_iter().map(|(path, at)| (path, at.iter().map(words).collect::<Vec<_>>().join(", "))).collect()
}

fn training_data(model: &str, group: &[&Component], elements: &mut Elements) {
    let claims = group.iter().flat_map(|part| TRAINING_DATA.iter().filter_map(|name| part.properties.get(*name)));
    let names: BTreeSet<&str> =
        claims.map(|property| property.value.as_str()).filter(|name| !name.is_empty()).collect();
    const CLAIMED: &str = "Claimed in the model's metadata; nobody checked, and the data were not seen.";
    for name in names {
        let data = elements.add(
            "dataset_DatasetPackage",
            &format!("training data {name}"),
            object!({
                "name": name,
                "comment": CLAIMED,
                "software_primaryPurpose": "data",
                "dataset_datasetType": ["noAssertion"],
            }),
        );
        elements.relate("trainedOn", model, [&data], Some(CLAIMED.to_owned()));
    }
}

fn vulnerabilities(
    report: &Report,
    inventory: &Inventory<'_>,
    parts: &BTreeMap<&str, String>,
    elements: &mut Elements,
) {
    for (id, weakness) in inventory.weaknesses(report) {
        let names = std::iter::once(id).chain(weakness.aliases.iter().copied().filter(|alias| *alias != id));
        let identifiers: Vec<Value> = names
            .map(|name| {
                let kind = if name.starts_with("CVE-") { "cve" } else { "securityOther" };
                object!({ "type": "ExternalIdentifier", "externalIdentifierType": kind, "identifier": name })
            })
            .collect();
        let vulnerability = elements.add(
            "security_Vulnerability",
            &format!("vulnerability {id}"),
            object!({
                "name": id,
                "description": weakness.message(),
                "comment": format!("severity: {}", weakness.severity()),
                "externalIdentifier": identifiers,
            }),
        );
        for (package, subject) in weakness.packages.iter().filter_map(|package| parts.get_key_value(package)) {
            elements.relate("hasAssociatedVulnerability", subject, [&vulnerability], None);
            let mut of_package = weakness
                .findings
                .iter()
                .filter(|finding| finding.evidence.get("package").and_then(Value::as_str) == Some(package));
            let Some(finding) = of_package.next() else { continue };
            elements.add(
                "security_VexAffectedVulnAssessmentRelationship",
                &format!("affects {id} {package}"),
                object!({
                    "relationshipType": "affects",
                    "from": vulnerability,
                    "to": [subject],
                    "security_actionStatement": action(finding),
                }),
            );
        }
    }
}
