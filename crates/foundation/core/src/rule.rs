//! What is looked for, and what the field calls it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How bad a weakness or incident is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Worth mending some day.
    Low,
    /// Worth mending soon.
    Medium,
    /// Mend before use.
    High,
    /// Being hit, or trivially hit.
    Critical,
}

impl Severity {
    /// All, from the mildest.
    pub const ALL: [Self; 5] = [Self::Info, Self::Low, Self::Medium, Self::High, Self::Critical];

    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|severity| severity.as_str() == word)
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How sure a check is of what it says.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// A hint.
    Low,
    /// Likely.
    Medium,
    /// Follows from the bytes.
    High,
}

/// A place in a catalogue of the field that a rule belongs to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Link {
    /// A MITRE ATLAS technique, such as `AML.T0010.003`.
    Atlas(&'static str),
    /// An OWASP LLM or ML top-ten entry, such as `LLM03:2025`.
    Owasp(&'static str),
    /// A CWE number.
    Cwe(u32),
    /// A published advisory, such as `CVE-2025-32434`.
    Advisory(&'static str),
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Atlas(id) => write!(f, "ATLAS {id}"),
            Self::Owasp(id) => write!(f, "OWASP {id}"),
            Self::Cwe(number) => write!(f, "CWE-{number}"),
            Self::Advisory(id) => f.write_str(id),
        }
    }
}

/// One thing that is looked for. Ids are `BZ-<AREA>-<NNN>` and stable for ever.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rule {
    /// `BZ-<AREA>-<NNN>`.
    pub id: &'static str,
    /// What is wrong, in one line.
    pub title: &'static str,
    /// How bad it is unless the finding says otherwise.
    pub severity: Severity,
    /// What it means and how an attacker uses it, for `bartizan explain`.
    pub explanation: &'static str,
    /// What to do about it.
    pub remedy: &'static str,
    /// Where the field's catalogues file it.
    pub links: &'static [Link],
}
