//! The owner of everything.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Owner of principals, assets, findings and entries; part of every key and URN.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Tenant(String);

/// A tenant's name is 1 to 63 of `a-z`, `0-9` and `-`, starting with a letter or digit.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("tenant `{0}` is not a name; use 1 to 63 of a-z, 0-9 and `-`, starting with a letter or digit")]
pub struct TenantParseError(String);

impl Tenant {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Tenant {
    fn default() -> Self {
        Self("default".to_owned())
    }
}

impl fmt::Display for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Tenant {
    type Err = TenantParseError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let well_formed = (1..=63).contains(&name.len())
            && !name.starts_with('-')
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if well_formed { Ok(Self(name.to_owned())) } else { Err(TenantParseError(crate::printable(name))) }
    }
}

impl TryFrom<String> for Tenant {
    type Error = TenantParseError;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        name.parse()
    }
}

impl From<Tenant> for String {
    fn from(tenant: Tenant) -> Self {
        tenant.0
    }
}
