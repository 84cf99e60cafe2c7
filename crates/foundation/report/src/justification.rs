//! Why a product is not affected by a vulnerability, in the words of VEX.

use serde::{Deserialize, Serialize};

/// The justifications that OpenVEX knows (specification 0.2.0, "Status Justifications").
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Justification {
    /// The vulnerable component is not part of the product.
    ComponentNotPresent,
    /// The component is there, its vulnerable code is not.
    VulnerableCodeNotPresent,
    /// The vulnerable code is there and never runs.
    VulnerableCodeNotInExecutePath,
    /// The vulnerable code runs, but never on what an adversary controls.
    VulnerableCodeCannotBeControlledByAdversary,
    /// The product itself keeps the vulnerability from being used.
    InlineMitigationsAlreadyExist,
}

impl Justification {
    /// Every justification.
    pub const ALL: [Self; 5] = [
        Self::ComponentNotPresent,
        Self::VulnerableCodeNotPresent,
        Self::VulnerableCodeNotInExecutePath,
        Self::VulnerableCodeCannotBeControlledByAdversary,
        Self::InlineMitigationsAlreadyExist,
    ];

    /// The word that documents use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ComponentNotPresent => "component_not_present",
            Self::VulnerableCodeNotPresent => "vulnerable_code_not_present",
            Self::VulnerableCodeNotInExecutePath => "vulnerable_code_not_in_execute_path",
            Self::VulnerableCodeCannotBeControlledByAdversary => "vulnerable_code_cannot_be_controlled_by_adversary",
            Self::InlineMitigationsAlreadyExist => "inline_mitigations_already_exist",
        }
    }

    /// The justification of that word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == word)
    }
}
