//! Anything worth protecting.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{Digest, Tenant};

/// What kind of thing an asset is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AssetKind {
    /// A collection of data.
    Dataset,
    /// A model, or one version of it when a digest is given.
    Model,
    /// A library that the system is built with.
    Dependency,
    /// A container image.
    Image,
    /// A deployment manifest.
    Manifest,
    /// An address that answers requests.
    Endpoint,
    /// A program that acts for a person or for itself.
    Agent,
    /// A machine.
    Host,
    /// Bartizan itself: its configuration, policies and state.
    System,
}

impl AssetKind {
    const ALL: [(Self, &str); 9] = [
        (Self::Dataset, "dataset"),
        (Self::Model, "model"),
        (Self::Dependency, "dependency"),
        (Self::Image, "image"),
        (Self::Manifest, "manifest"),
        (Self::Endpoint, "endpoint"),
        (Self::Agent, "agent"),
        (Self::Host, "host"),
        (Self::System, "system"),
    ];

    /// The word that stands in a URN.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(kind, _)| *kind == self).map_or("system", |(_, word)| word)
    }
}

/// A thing with an owner and a name, written `urn:bartizan:<tenant>:<kind>:<name>[@sha256:…]`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Asset {
    tenant: Tenant,
    kind: AssetKind,
    name: String,
    digest: Option<Digest>,
}

/// The text is not an asset's URN.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("`{0}` is not an asset; expected `urn:bartizan:<tenant>:<kind>:<name>[@sha256:…]`")]
pub struct AssetParseError(String);

impl Asset {
    /// The asset of that kind and name; characters that would break the URN become `_`.
    pub fn new(tenant: Tenant, kind: AssetKind, name: &str) -> Self {
        let name = name.chars().map(|c| if is_name_character(c) { c } else { '_' }).collect();
        Self { tenant, kind, name, digest: None }
    }

    /// The same asset, pinned to exact bytes.
    #[must_use]
    pub fn with_digest(mut self, digest: Digest) -> Self {
        self.digest = Some(digest);
        self
    }

    /// The owner.
    pub fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    /// The kind.
    pub fn kind(&self) -> AssetKind {
        self.kind
    }

    /// The name within tenant and kind.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The exact bytes that are meant, where one version is meant.
    pub fn digest(&self) -> Option<Digest> {
        self.digest
    }

    /// The URN.
    pub fn urn(&self) -> String {
        self.to_string()
    }
}

/// Names are printable ASCII without the characters that delimit a URN or a shell word.
fn is_name_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | '+')
}

impl fmt::Display for Asset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "urn:bartizan:{}:{}:{}", self.tenant, self.kind.as_str(), self.name)?;
        match &self.digest {
            Some(digest) => write!(f, "@{digest}"),
            None => Ok(()),
        }
    }
}

impl FromStr for Asset {
    type Err = AssetParseError;

    fn from_str(urn: &str) -> Result<Self, Self::Err> {
        let refuse = || AssetParseError(crate::printable(urn));
        let rest = urn.strip_prefix("urn:bartizan:").ok_or_else(refuse)?;
        let (rest, digest) = match rest.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest.parse().map_err(|_| refuse())?)),
            None => (rest, None),
        };
        let mut parts = rest.splitn(3, ':');
        let (Some(tenant), Some(kind), Some(name)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(refuse());
        };
        let tenant = tenant.parse().map_err(|_| refuse())?;
        let kind = AssetKind::ALL.iter().find(|(_, word)| *word == kind).ok_or_else(refuse)?.0;
        if name.is_empty() || !name.chars().all(is_name_character) {
            return Err(refuse());
        }
        Ok(Self { tenant, kind, name: name.to_owned(), digest })
    }
}

impl TryFrom<String> for Asset {
    type Error = AssetParseError;

    fn try_from(urn: String) -> Result<Self, Self::Error> {
        urn.parse()
    }
}

impl From<Asset> for String {
    fn from(asset: Asset) -> Self {
        asset.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_asset_survives_being_written_and_read() {
        let asset = Asset::new(Tenant::default(), AssetKind::Model, "vision/digits:v1")
            .with_digest(Digest::from_bytes([7; 32]));
        assert_eq!(asset.urn().parse(), Ok(asset));
    }

    #[test]
    fn a_urn_with_an_unknown_kind_is_refused() {
        assert!("urn:bartizan:default:toaster:x".parse::<Asset>().is_err());
    }
}
