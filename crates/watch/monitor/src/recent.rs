//! A map that remembers what was used last, and never more than so much.

use std::collections::HashMap;

/// Forgets an eighth, the least recently used, when it is full: each use costs O(1) on average.
pub(crate) struct Recent<T> {
    entries: HashMap<String, (u64, T)>,
    capacity: usize,
    tick: u64,
}

impl<T> Recent<T> {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { entries: HashMap::new(), capacity: capacity.max(8), tick: 0 }
    }

    /// The entry of that name, made when absent.
    pub(crate) fn entry(&mut self, name: &str, make: impl FnOnce() -> T) -> &mut T {
        self.tick += 1;
        if self.entries.len() >= self.capacity && !self.entries.contains_key(name) {
            self.forget();
        }
        let entry = self.entries.entry(name.to_owned()).or_insert_with(|| (0, make()));
        entry.0 = self.tick;
        &mut entry.1
    }

    /// The entry of that name, without using it.
    pub(crate) fn get(&self, name: &str) -> Option<&T> {
        self.entries.get(name).map(|(_, value)| value)
    }

    /// The entry of that name to change, without using it.
    pub(crate) fn get_mut(&mut self, name: &str) -> Option<&mut T> {
        self.entries.get_mut(name).map(|(_, value)| value)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&String, &T)> {
        self.entries.iter().map(|(name, (_, value))| (name, value))
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    fn forget(&mut self) {
        let mut ticks: Vec<u64> = self.entries.values().map(|(tick, _)| *tick).collect();
        let count = (self.capacity / 8).max(1).min(ticks.len().saturating_sub(1));
        let (_, oldest, _) = ticks.select_nth_unstable(count);
        let oldest = *oldest;
        self.entries.retain(|_, (tick, _)| *tick >= oldest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_more_than_the_capacity_is_remembered_and_the_latest_stays() {
        let mut recent = Recent::new(64);
        for number in 0..10_000 {
            *recent.entry("always", || 0) += 1;
            recent.entry(&number.to_string(), || 0);
            assert!(recent.len() <= 64);
        }
        assert_eq!(*recent.entry("always", || 0), 10_000);
    }
}
