//! `[gateway.redaction]` of `bartizan.toml`.

use bartizan_sensitive::{kinds, personal_kinds};
use serde::{Deserialize, Serialize};

/// What is masked in answers of an upstream. Every field has a default; unknown fields are refused.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct RedactionSettings {
    /// `off`; `shadow`: count what would have been masked; `enforce`: mask it.
    pub mode: RedactionMode,
    /// Whether personal data are masked: e-mail addresses, payment cards, bank accounts, social security and phone numbers.
    pub personal_data: bool,
    /// Whether secrets are masked: keys, tokens, passwords.
    pub secrets: bool,
    /// Ids of kinds that are left alone, such as `phone`.
    pub except: Vec<String>,
    /// Largest whole answer, and largest event of a streamed one, in bytes.
    pub answer_bytes: usize,
}

/// Whether answers are changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RedactionMode {
    /// Answers are not looked at.
    Off,
    /// Count only.
    Shadow,
    /// Mask.
    Enforce,
}

impl Default for RedactionSettings {
    fn default() -> Self {
        Self {
            mode: RedactionMode::Shadow,
            personal_data: true,
            secrets: true,
            except: Vec::new(),
            answer_bytes: 8 << 20,
        }
    }
}

impl RedactionSettings {
    /// The first key within `[gateway]` that can't be used, and why.
    pub(crate) fn check(&self) -> Result<(), (&'static str, String)> {
        let is_known =
            |id: &String| kinds().iter().any(|kind| kind.id == id) || personal_kinds().iter().any(|kind| kind.id == id);
        if let Some(unknown) = self.except.iter().find(|id| !is_known(id)) {
            let unknown = bartizan_core::printable(unknown);
            return Err((
                "redaction.except",
                format!("names `{unknown}`, which is no kind; leave it out, or see docs/guards.md for their ids"),
            ));
        }
        if self.answer_bytes == 0 || self.answer_bytes > 1 << 30 {
            return Err(("redaction.answer_bytes", "must be between 1 and 1073741824".to_owned()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_that_do_not_exist_and_bounds_that_bound_nothing_are_refused() {
        let with = |except: &[&str], answer_bytes| RedactionSettings {
            except: except.iter().map(|id| (*id).to_owned()).collect(),
            answer_bytes,
            ..RedactionSettings::default()
        };
        assert_eq!(with(&["email", "generic-password"], 1).check(), Ok(()));
        assert_eq!(with(&["e-mail"], 1).check().map_err(|(key, _)| key), Err("redaction.except"));
        assert_eq!(with(&[], 0).check().map_err(|(key, _)| key), Err("redaction.answer_bytes"));
    }
}
