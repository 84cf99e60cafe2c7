//! The elements of an SPDX document: their names, and what every one of them carries.

use std::collections::BTreeSet;

use serde_json::{Value, json as object};
use uuid::Uuid;

use crate::Report;

/// A blank node: every element was made in the same scan.
const CREATION: &str = "_:creation";

/// Elements in the order in which they were added, each once.
pub(super) struct Elements {
    namespace: Uuid,
    graph: Vec<Value>,
    ids: BTreeSet<String>,
}

impl Elements {
    /// The elements that every document has: how, when and by what it was made.
    pub(super) fn new(report: &Report, version: &str) -> Self {
        let evidence: Vec<&bartizan_core::JsonMap> =
            report.findings().iter().map(|finding| &finding.evidence).collect();
        let messages: Vec<&str> = report.findings().iter().map(|finding| finding.message.as_str()).collect();
        let content = object!([version, report.date(), report.components(), messages, evidence]);
        let namespace = Uuid::new_v5(&Uuid::NAMESPACE_OID, content.to_string().as_bytes());
        let mut elements = Self { namespace, graph: Vec::new(), ids: BTreeSet::new() };
        let agent = elements.add("SoftwareAgent", "agent", object!({ "name": "bartizan" }));
        let tool = elements.add("Tool", "tool", object!({ "name": format!("bartizan {version}") }));
        let mut creation = object!({
            "type": "CreationInfo",
            "@id": CREATION,
            "specVersion": "3.0.1",
            "createdBy": [agent],
            "createdUsing": [tool],
        });
        let (created, comment) = match report.date() {
            Some(date) => (format!("{date}T00:00:00Z"), None),
            None => (
                "1970-01-01T00:00:00Z".to_owned(),
                Some("No date was named, so `created` is no moment: the same input gives the same bytes."),
            ),
        };
        if let Some(creation) = creation.as_object_mut() {
            creation.insert("created".to_owned(), created.into());
            creation.extend(comment.map(|comment| ("comment".to_owned(), comment.into())));
        }
        elements.graph.insert(0, creation);
        elements
    }

    /// Adds an element, unless one of this class and key is there; its id.
    pub(super) fn add(&mut self, class: &str, key: &str, mut element: Value) -> String {
        let id = format!("urn:uuid:{}", Uuid::new_v5(&self.namespace, format!("{class}\0{key}").as_bytes()));
        if self.ids.insert(id.clone()) {
            if let Some(element) = element.as_object_mut() {
                element.insert("type".to_owned(), class.into());
                element.insert("spdxId".to_owned(), id.clone().into());
                element.insert("creationInfo".to_owned(), CREATION.into());
            }
            self.graph.push(element);
        }
        id
    }

    /// Adds a relationship, unless it would lead nowhere.
    pub(super) fn relate<'a>(
        &mut self,
        kind: &str,
        from: &str,
        to: impl IntoIterator<Item = &'a String>,
        comment: Option<String>,
    ) {
        let to: BTreeSet<&String> = to.into_iter().collect();
        if to.is_empty() {
            return;
        }
        let key = format!("{kind} {from} {to:?}");
        let mut relationship = object!({ "relationshipType": kind, "from": from, "to": to });
        if let (Some(relationship), Some(comment)) = (relationship.as_object_mut(), comment) {
            relationship.insert("comment".to_owned(), comment.into());
        }
        self.add("Relationship", &key, relationship);
    }

    /// The document over all elements, whose subject is `root`.
    pub(super) fn document(mut self, root: &str, profiles: &[&str]) -> String {
        let members = self.ids.clone();
        let bill = self.add(
            "software_Sbom",
            "bill",
            object!({
                "rootElement": [root],
                "element": members,
                "profileConformance": profiles,
                "software_sbomType": ["analyzed"],
            }),
        );
        let all = self.ids.clone();
        self.add(
            "SpdxDocument",
            "document",
            object!({
                "rootElement": [bill],
                "element": all,
                "profileConformance": profiles,
                "comment": "Supplier, release time and download location of models and data do not follow from bytes \
                    and are left out, although the AI and Dataset profiles ask for them.",
            }),
        );
        let document = object!({
            "@context": "https://spdx.org/rdf/3.0.1/spdx-context.jsonld",
            "@graph": self.graph,
        });
        format!("{document:#}\n")
    }
}
