//! How often what was masked in one answer, and whether the answer could be read.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Counts by id of the kind.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct Counts(BTreeMap<&'static str, u64>);

impl Counts {
    pub(super) fn add(&mut self, counts: &[(&'static str, u64)]) {
        for (kind, count) in counts {
            *self.0.entry(kind).or_default() += count;
        }
    }

    pub(super) fn merge(&mut self, other: Self) {
        for (kind, count) in other.0 {
            *self.0.entry(kind).or_default() += count;
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        self.0.iter().map(|(kind, count)| (*kind, *count))
    }
}

/// What is known of an answer when it ends; shared by what reads it and what records it.
#[derive(Clone, Default)]
pub(crate) struct Tally(Arc<Mutex<Result>>);

/// What became of an answer.
#[derive(Clone, Default)]
pub(crate) struct Result {
    pub(crate) counts: Counts,
    /// Why it was not read to its end, as a stable word.
    pub(crate) unread: Option<&'static str>,
}

impl Tally {
    pub(super) fn add(&self, counts: Counts) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).counts.merge(counts);
    }

    pub(super) fn give_up(&self, why: &'static str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).unread = Some(why);
    }

    pub(crate) fn result(&self) -> Result {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
