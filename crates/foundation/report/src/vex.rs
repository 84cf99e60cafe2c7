//! What others say about vulnerabilities: OpenVEX documents (specification 0.2.0) that were given to a scan.
//!
//! A statement is heeded for a finding when it names the weakness (by id or alias) and the package. Where
//! several do, the newest counts; of equally new ones that which suppresses nothing. A statement about another
//! product that contains the package is held apart from statements about other products: all of them must agree.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use bartizan_core::{Finding, Timestamp, printable};
use serde::Deserialize;
use thiserror::Error;

use crate::Justification;
use crate::advisory::Advised;
use crate::purl::PackageUrl;
use crate::suppression::Suppression;

/// A document can't be used.
#[derive(Debug, Error)]
pub enum VexError {
    /// It is not JSON of the shape of OpenVEX.
    #[error("this is no OpenVEX document: {0}")]
    Malformed(#[from] serde_json::Error),
    /// It says that it is something else.
    #[error("this is no OpenVEX document: `@context` is `{0}`, not `https://openvex.dev/ns/v0.2.0`")]
    Context(String),
    /// Something that it must say is missing or impossible.
    #[error("{0}")]
    Document(String),
    /// A statement is impossible.
    #[error("statement {number}: {problem}")]
    Statement {
        /// Which, from 1.
        number: usize,
        /// What is wrong with it.
        problem: String,
    },
}

#[derive(Deserialize)]
struct Document {
    #[serde(rename = "@context")]
    context: String,
    #[serde(rename = "@id")]
    id: String,
    author: String,
    timestamp: String,
    statements: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    vulnerability: Vulnerability,
    #[serde(default)]
    products: Vec<Product>,
    status: String,
    timestamp: Option<String>,
    last_updated: Option<String>,
    justification: Option<String>,
    impact_statement: Option<String>,
}

#[derive(Deserialize)]
struct Vulnerability {
    name: String,
    #[serde(default)]
    aliases: Vec<String>,
}

#[derive(Deserialize)]
struct Product {
    #[serde(rename = "@id")]
    id: Option<String>,
    identifiers: Option<Identifiers>,
    #[serde(default)]
    subcomponents: Vec<Subcomponent>,
}

#[derive(Deserialize)]
struct Subcomponent {
    #[serde(rename = "@id")]
    id: Option<String>,
    identifiers: Option<Identifiers>,
}

#[derive(Deserialize)]
struct Identifiers {
    purl: Option<String>,
    cpe23: Option<String>,
    cpe22: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Status {
    NotAffected,
    Fixed,
    Affected,
    UnderInvestigation,
}

impl Status {
    const ALL: [Self; 4] = [Self::NotAffected, Self::Fixed, Self::Affected, Self::UnderInvestigation];

    const fn as_str(self) -> &'static str {
        match self {
            Self::NotAffected => "not_affected",
            Self::Fixed => "fixed",
            Self::Affected => "affected",
            Self::UnderInvestigation => "under_investigation",
        }
    }

    const fn suppresses(self) -> bool {
        matches!(self, Self::NotAffected | Self::Fixed)
    }
}

#[derive(Debug)]
struct Statement {
    names: BTreeSet<String>,
    subjects: Vec<Subject>,
    status: Status,
    moment: Timestamp,
    suppression: Suppression,
}

/// What a statement is about: a package, alone or within a product.
#[derive(Debug)]
struct Subject {
    package: PackageUrl,
    within: Option<String>,
}

/// The statements of every document that was given.
#[derive(Debug, Default)]
pub struct Vex {
    statements: Vec<Statement>,
    by_name: BTreeMap<String, Vec<usize>>,
    not_heeded: Vec<String>,
}

impl Vex {
    /// Adds a document; `file` is what to call it in [`Vex::not_heeded`].
    ///
    /// # Errors
    /// The text is no OpenVEX document, or says something impossible.
    pub fn add(&mut self, text: &str, file: &str) -> Result<(), VexError> {
        let document: Document = serde_json::from_str(text)?;
        if !document.context.starts_with("https://openvex.dev/ns") {
            return Err(VexError::Context(printable(&document.context)));
        }
        for (field, value) in [("@id", &document.id), ("author", &document.author)] {
            if value.trim().is_empty() {
                return Err(VexError::Document(format!("`{field}` must say something")));
            }
        }
        let issued = Timestamp::parse(&document.timestamp).ok_or_else(|| {
            VexError::Document(format!("`timestamp` `{}` is no RFC 3339 time", printable(&document.timestamp)))
        })?;
        for (index, entry) in document.statements.iter().enumerate() {
            let number = index + 1;
            let statement =
                statement(&document, entry, issued).map_err(|problem| VexError::Statement { number, problem })?;
            match statement {
                Some(statement) => {
                    for name in &statement.names {
                        self.by_name.entry(name.clone()).or_default().push(self.statements.len());
                    }
                    self.statements.push(statement);
                }
                None => self.not_heeded.push(format!(
                    "statement {number} of {} is not heeded: it says that {} does not affect a product, and \
                     neither `justification` nor `impact_statement` says why",
                    printable(file),
                    printable(&entry.vulnerability.name)
                )),
            }
        }
        Ok(())
    }

    /// A line for each statement that claims `not_affected` and gives no reason, which OpenVEX demands.
    pub fn not_heeded(&self) -> &[String] {
        &self.not_heeded
    }

    /// Whether the newest statements say that the finding's package is not, or no longer, affected.
    pub fn accepts(&self, finding: &Finding) -> Option<Suppression> {
        let advised = Advised::of(finding)?;
        let package = PackageUrl::parse(advised.package)?;
        let names: BTreeSet<String> = advised.names().map(str::to_ascii_lowercase).collect();
        let about: BTreeSet<usize> =
            names.iter().filter_map(|name| self.by_name.get(name)).flatten().copied().collect();
        let mut newest: BTreeMap<Option<&str>, &Statement> = BTreeMap::new();
        for statement in about.into_iter().filter_map(|index| self.statements.get(index)) {
            if !statement.is_about_all_of(&names) {
                continue;
            }
            for subject in statement.subjects.iter().filter(|subject| subject.package.covers(&package)) {
                let known = newest.entry(subject.within.as_deref()).or_insert(statement);
                if statement.weight() > known.weight() {
                    *known = statement;
                }
            }
        }
        if newest.values().any(|statement| !statement.status.suppresses()) {
            return None;
        }
        let (within, statement) = newest.into_iter().next()?;
        let mut suppression = statement.suppression.clone();
        if let Suppression::Vex { product, .. } = &mut suppression {
            *product = within.map(printable);
        }
        Some(suppression)
    }
}

impl Statement {
    /// Newer first; among equally new ones that which suppresses nothing.
    fn weight(&self) -> (Timestamp, Reverse<bool>) {
        (self.moment, Reverse(self.status.suppresses()))
    }

    /// An advisory can join several CVEs under one id: a statement about one of them says nothing about
    /// the others. Statements that only warn are heeded for any of them.
    fn is_about_all_of(&self, names: &BTreeSet<String>) -> bool {
        let is_cve = |name: &&String| name.starts_with("cve-");
        !self.status.suppresses()
            || names.intersection(&self.names).any(|name| !is_cve(&name))
            || names.iter().filter(is_cve).all(|name| self.names.contains(name))
    }
}

/// One statement; none where `not_affected` is claimed without a reason.
fn statement(document: &Document, entry: &Entry, issued: Timestamp) -> Result<Option<Statement>, String> {
    let moment = |field: &str, text: &Option<String>| match text {
        Some(text) => Timestamp::parse(text)
            .map(Some)
            .ok_or_else(|| format!("`{field}` `{}` is no RFC 3339 time", printable(text))),
        None => Ok(None),
    };
    let stated = moment("timestamp", &entry.timestamp)?;
    let updated = moment("last_updated", &entry.last_updated)?;
    let status = Status::ALL.into_iter().find(|status| status.as_str() == entry.status).ok_or_else(|| {
        let known = Status::ALL.map(Status::as_str).join(", ");
        format!("`status` is `{}`, not one of {known}", printable(&entry.status))
    })?;
    if entry.vulnerability.name.trim().is_empty() {
        return Err("`vulnerability.name` must say something".to_owned());
    }
    if entry.products.iter().any(|product| product.id.is_none() && product.identifiers.is_none()) {
        return Err("a product has neither `@id` nor `identifiers`".to_owned());
    }
    let justification = match &entry.justification {
        Some(word) => Some(Justification::parse(word).ok_or_else(|| {
            let known = Justification::ALL.map(Justification::as_str).join(", ");
            format!("`justification` is `{}`, not one of {known}", printable(word))
        })?),
        None => None,
    };
    let impact = entry.impact_statement.as_deref().map(str::trim).filter(|text| !text.is_empty());
    if status == Status::NotAffected && justification.is_none() && impact.is_none() {
        return Ok(None);
    }
    let names = std::iter::once(&entry.vulnerability.name).chain(&entry.vulnerability.aliases);
    Ok(Some(Statement {
        names: names.map(|name| name.trim().to_ascii_lowercase()).filter(|name| !name.is_empty()).collect(),
        subjects: entry.products.iter().flat_map(subjects).collect(),
        status,
        moment: updated.max(stated).unwrap_or(issued),
        suppression: Suppression::Vex {
            author: printable(&document.author),
            document: printable(&document.id),
            status: status.as_str(),
            justification,
            impact: impact.map(printable),
            product: None,
        },
    }))
}

/// A product that names subcomponents is spoken of only as far as they reach.
fn subjects(product: &Product) -> Vec<Subject> {
    let identifiers = product.identifiers.as_ref();
    if product.subcomponents.is_empty() {
        let own = package(product.id.as_deref(), identifiers);
        return own.map(|package| Subject { package, within: None }).into_iter().collect();
    }
    let other = identifiers.and_then(|known| known.purl.as_ref().or(known.cpe23.as_ref()).or(known.cpe22.as_ref()));
    let name = product.id.as_ref().or(other).cloned().unwrap_or_default();
    let parts = product.subcomponents.iter().filter_map(|part| package(part.id.as_deref(), part.identifiers.as_ref()));
    parts.map(|package| Subject { package, within: Some(name.clone()) }).collect()
}

/// The package; of two names the identifier is the more exact one.
fn package(id: Option<&str>, identifiers: Option<&Identifiers>) -> Option<PackageUrl> {
    let purl = identifiers.and_then(|identifiers| identifiers.purl.as_deref());
    [purl, id].into_iter().flatten().find_map(PackageUrl::parse)
}
