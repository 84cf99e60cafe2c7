//! The inventory of a report as a CycloneDX bill of materials (ECMA-424), with models as
//! machine-learning components and known weaknesses of packages.

use std::collections::BTreeSet;

use bartizan_core::{Basis, Component, ComponentKind, Position};
use serde_json::{Map, Value, json as object};
use uuid::Uuid;

use crate::Report;
use crate::inventory::{Inventory, kind};

/// Which version of the specification to follow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Specification {
    /// CycloneDX 1.6.
    V1_6,
    /// CycloneDX 1.7.
    V1_7,
}

impl Specification {
    const fn number(self) -> &'static str {
        match self {
            Self::V1_6 => "1.6",
            Self::V1_7 => "1.7",
        }
    }
}

/// Pretty-printed CycloneDX JSON with a final line feed. The serial number follows from the content; a
/// timestamp appears only where the report has a date.
pub fn cyclonedx(report: &Report, specification: Specification, version: &str) -> String {
    let inventory = Inventory::of(report);
    let components: Vec<Value> = inventory.parts().map(|(reference, group)| component(reference, group)).collect();
    let dependencies: Vec<Value> = inventory
        .parts()
        .map(|(reference, _)| object!({ "ref": reference, "dependsOn": inventory.required(reference) }))
        .collect();
    let mut metadata = Map::new();
    if let Some(date) = report.date() {
        metadata.insert("timestamp".to_owned(), format!("{date}T00:00:00Z").into());
    }
    metadata.insert(
        "tools".to_owned(),
        object!({ "components": [{ "type": "application", "name": "bartizan", "version": version }] }),
    );
    let mut document = object!({
        "$schema": format!("http://cyclonedx.org/schema/bom-{}.schema.json", specification.number()),
        "bomFormat": "CycloneDX",
        "specVersion": specification.number(),
        "version": 1,
        "metadata": metadata,
        "components": components,
        "dependencies": dependencies,
        "vulnerabilities": vulnerabilities(report, &inventory),
    });
    let serial = Uuid::new_v5(&Uuid::NAMESPACE_OID, document.to_string().as_bytes());
    if let Some(document) = document.as_object_mut() {
        document.insert("serialNumber".to_owned(), format!("urn:uuid:{serial}").into());
    }
    format!("{document:#}\n")
}

fn component(reference: &str, group: &[&Component]) -> Value {
    let Some(first) = group.first() else { return Value::Null };
    let mut value = Map::new();
    value.insert("type".to_owned(), kind(first.kind).into());
    value.insert("bom-ref".to_owned(), reference.into());
    value.insert("name".to_owned(), first.name.clone().into());
    if let Some(version) = &first.version {
        value.insert("version".to_owned(), version.clone().into());
    }
    if let Some(purl) = &first.purl {
        value.insert("purl".to_owned(), purl.clone().into());
    }
    let hashes: BTreeSet<String> = group.iter().filter_map(|part| part.digest.map(|digest| digest.hex())).collect();
    if !hashes.is_empty() {
        let hashes: Vec<Value> =
            hashes.iter().map(|content| object!({ "alg": "SHA-256", "content": content })).collect();
        value.insert("hashes".to_owned(), hashes.into());
    }
    let licences: BTreeSet<&str> = group
        .iter()
        .filter_map(|part| part.properties.get("licence"))
        .map(|property| property.value.as_str())
        .collect();
    if !licences.is_empty() {
        let licences: Vec<Value> = licences.iter().map(|name| object!({ "license": { "name": name } })).collect();
        value.insert("licenses".to_owned(), licences.into());
    }
    if first.kind == ComponentKind::Model {
        value.insert("modelCard".to_owned(), model_card(first));
    }
    let mut properties = BTreeSet::new();
    for part in group {
        for (name, property) in &part.properties {
            let basis = match property.basis {
                Basis::Derived => "derived",
                Basis::Claimed => "claimed",
            };
            properties.insert((format!("bartizan:{basis}:{name}"), property.value.clone()));
        }
    }
    let properties: Vec<Value> =
        properties.into_iter().map(|(name, value)| object!({ "name": name, "value": value })).collect();
    if !properties.is_empty() {
        value.insert("properties".to_owned(), properties.into());
    }
    let places: BTreeSet<(String, Option<u64>)> = group
        .iter()
        .map(|part| match part.location.position {
            Position::Line(line) => (part.location.path.clone(), Some(line)),
            _ => (part.location.path.clone(), None),
        })
        .collect();
    let occurrences: Vec<Value> = places
        .into_iter()
        .map(|(location, line)| match line {
            Some(line) => object!({ "location": location, "line": line }),
            None => object!({ "location": location }),
        })
        .collect();
    value.insert("evidence".to_owned(), object!({ "occurrences": occurrences }));
    value.into()
}

/// What is known of a model beyond its name. Only what follows from the bytes is stated as a parameter;
/// claims stand among the properties, marked as such.
fn model_card(component: &Component) -> Value {
    let derived = |name: &str| {
        component
            .properties
            .get(name)
            .filter(|property| property.basis == Basis::Derived)
            .map(|property| &property.value)
    };
    let mut parameters = Map::new();
    if let Some(architecture) = derived("architecture") {
        parameters.insert("modelArchitecture".to_owned(), architecture.clone().into());
    }
    if let Some(family) = derived("family") {
        parameters.insert("architectureFamily".to_owned(), family.clone().into());
    }
    for (name, key) in [("inputs", "inputs"), ("outputs", "outputs")] {
        if let Some(format) = derived(name) {
            parameters.insert(key.to_owned(), object!([{ "format": format }]));
        }
    }
    object!({ "modelParameters": parameters })
}

/// Findings about packages, one entry an advisory.
fn vulnerabilities(report: &Report, inventory: &Inventory<'_>) -> Vec<Value> {
    let weaknesses = inventory.weaknesses(report);
    weaknesses
        .iter()
        .map(|(id, weakness)| {
            let references: Vec<Value> = weakness
                .aliases
                .iter()
                .filter(|alias| *alias != id)
                .map(|alias| object!({ "id": alias, "source": { "name": source(alias) } }))
                .collect();
            let affects: Vec<Value> = weakness.packages.iter().map(|package| object!({ "ref": package })).collect();
            object!({
                "id": id,
                "source": { "name": source(id) },
                "references": references,
                "ratings": [{ "severity": weakness.severity() }],
                "description": weakness.message(),
                "affects": affects,
            })
        })
        .collect()
}

/// Who gives out such ids.
fn source(id: &str) -> &'static str {
    match id.split('-').next() {
        Some("CVE") => "CVE",
        Some("GHSA") => "GitHub",
        Some("PYSEC") => "PyPA",
        Some("RUSTSEC") => "RustSec",
        Some("MAL") => "OpenSSF",
        _ => "OSV",
    }
}
