//! What a project is made of: the rows of a bill of materials.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Digest, Location};

/// What kind of part it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ComponentKind {
    /// A trained model, by its weights.
    Model,
    /// A package that the project depends on.
    Library,
    /// A collection of data.
    Dataset,
    /// Any other file.
    File,
}

/// Where a statement about a component comes from.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    /// Follows from the bytes that were read.
    Derived,
    /// Somebody wrote it down, in a model card or a manifest; nobody checked.
    Claimed,
}

/// One statement about a component.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Property {
    /// The value, such as `12.3M` or `apache-2.0`.
    pub value: String,
    /// Where it comes from.
    pub basis: Basis,
}

/// A part of the project, and what is known of it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Component {
    /// What kind of part it is.
    pub kind: ComponentKind,
    /// Its name: of a package in its ecosystem's canonical spelling, of a model its path.
    pub name: String,
    /// Its exact version, where one is fixed.
    pub version: Option<String>,
    /// Package URL (ECMA-427), of packages.
    pub purl: Option<String>,
    /// Where it was seen: the line of a lockfile, or the file itself.
    pub location: Location,
    /// SHA-256 of its bytes, where they were read or a lockfile fixes them.
    pub digest: Option<Digest>,
    /// Package URLs of what it directly requires, or names where no version is known.
    pub requires: Vec<String>,
    /// Everything else, by name: `format`, `parameters`, `framework`, `licence`, …
    pub properties: BTreeMap<String, Property>,
}

impl Component {
    /// A component of which nothing else is known yet.
    pub fn new(kind: ComponentKind, name: &str, location: Location) -> Self {
        Self {
            kind,
            name: name.to_owned(),
            version: None,
            purl: None,
            location,
            digest: None,
            requires: Vec::new(),
            properties: BTreeMap::new(),
        }
    }

    /// The same component with a statement that follows from the bytes.
    #[must_use]
    pub fn derived(mut self, name: &str, value: impl Into<String>) -> Self {
        self.properties.insert(name.to_owned(), Property { value: value.into(), basis: Basis::Derived });
        self
    }

    /// The same component with a statement that somebody made; it never replaces a derived one.
    #[must_use]
    pub fn claimed(mut self, name: &str, value: impl Into<String>) -> Self {
        let property = Property { value: value.into(), basis: Basis::Claimed };
        self.properties.entry(name.to_owned()).or_insert(property);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Position;

    #[test]
    fn what_is_claimed_never_replaces_what_the_bytes_say() {
        let place = Location { path: "model.onnx".to_owned(), position: Position::Whole };
        let component = Component::new(ComponentKind::Model, "model.onnx", place)
            .derived("parameters", "10")
            .claimed("parameters", "7000000000");
        assert_eq!(
            component.properties.get("parameters"),
            Some(&Property { value: "10".to_owned(), basis: Basis::Derived })
        );
    }
}
