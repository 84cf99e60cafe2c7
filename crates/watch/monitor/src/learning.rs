//! A reference for models that came without one: what their clients send.

use std::collections::BTreeMap;

use crate::profile::{Profile, thin};
use crate::settings::Settings;

/// A principal gives at most so large a part of the reference.
const PART: usize = 8;

/// Distinct rows that clients sent, none of them more than an eighth.
#[derive(Default)]
pub(crate) struct Learner {
    width: usize,
    /// Thinned, so that wide rows take no more room than they are looked at.
    rows: Vec<Vec<f32>>,
    given: BTreeMap<String, usize>,
}

impl Learner {
    /// Takes in a row of a principal; the profile, once there are enough. The rows are let go then.
    pub(crate) fn observe(&mut self, principal: &str, row: &[f32], settings: &Settings) -> Option<Profile> {
        if self.width != row.len() {
            *self = Self { width: row.len(), ..Self::default() };
        }
        if !row.iter().all(|value| value.is_finite()) {
            return None;
        }
        let row = thin(row);
        if self.rows.contains(&row) {
            return None;
        }
        let given = self.given.entry(principal.to_owned()).or_default();
        if *given >= settings.learnt_rows.div_ceil(PART) {
            return None;
        }
        *given += 1;
        self.rows.push(row);
        if self.rows.len() < settings.learnt_rows {
            return None;
        }
        let learnt = std::mem::take(self);
        Profile::learnt(&learnt.rows, learnt.width, settings)
    }
}
