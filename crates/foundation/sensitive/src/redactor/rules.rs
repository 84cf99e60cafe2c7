//! What is masked and what is left alone.

use std::collections::BTreeSet;

/// What is masked.
#[derive(Clone, Debug)]
pub struct Redaction {
    /// Whether [`crate::personal_kinds`] are.
    pub personal_data: bool,
    /// Whether [`crate::kinds`] are.
    pub secrets: bool,
    /// Ids of kinds that are left alone.
    pub except: BTreeSet<String>,
}

impl Default for Redaction {
    fn default() -> Self {
        Self { personal_data: true, secrets: true, except: BTreeSet::new() }
    }
}
