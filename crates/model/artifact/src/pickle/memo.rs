//! The memo: values that a pickle keeps by number.

use std::collections::BTreeMap;

use super::value::Value;

/// Most entries that are followed.
const DENSE: usize = 1 << 22;
/// Most entries far beyond the dense part.
const SPARSE: usize = 1 << 16;

/// Values by number. Picklers number from zero without gaps; whoever doesn't pays with a tree.
#[derive(Debug, Default)]
pub(super) struct Memo {
    dense: Vec<Option<Value>>,
    sparse: BTreeMap<u64, Value>,
    entries: u64,
}

impl Memo {
    /// The number that MEMOIZE uses: how many entries there are.
    pub(super) fn next(&self) -> i64 {
        i64::try_from(self.entries).unwrap_or(i64::MAX)
    }

    pub(super) fn recall(&self, index: i64) -> Option<Value> {
        let index = u64::try_from(index).ok()?;
        let dense = usize::try_from(index).ok().and_then(|index| self.dense.get(index).copied().flatten());
        dense.or_else(|| self.sparse.get(&index).copied())
    }

    pub(super) fn remember(&mut self, index: i64, value: Value) -> Result<(), String> {
        let number = u64::try_from(index).map_err(|_| "a memo index is negative".to_owned())?;
        if self.recall(index).is_none() {
            self.entries += 1;
        }
        let dense =
            usize::try_from(number).ok().filter(|place| *place < DENSE && *place <= 2 * self.dense.len() + 1024);
        match dense {
            Some(place) => {
                if place >= self.dense.len() {
                    self.dense.resize(place + 1, None);
                }
                if let Some(entry) = self.dense.get_mut(place) {
                    *entry = Some(value);
                }
                self.sparse.remove(&number);
            }
            None if self.sparse.len() < SPARSE => drop(self.sparse.insert(number, value)),
            None => return Err("the memo is too large to follow".to_owned()),
        }
        Ok(())
    }
}
