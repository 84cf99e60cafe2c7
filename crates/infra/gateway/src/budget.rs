//! How much a principal may learn of a model in a day: queries times the bits of each answer.
//!
//! An extractor that asks what customers ask can't be told from a customer; what it learns can be
//! bounded. The book is rebuilt at start from the day's completion entries of the ledger, so that a
//! restart forgives nothing.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use bartizan_core::Timestamp;

/// Bits drawn today, by principal.
#[derive(Debug, Default)]
pub struct BudgetBook {
    pages: Mutex<Page>,
}

#[derive(Debug, Default)]
struct Page {
    day: i64,
    drawn: HashMap<String, u64>,
}

impl BudgetBook {
    /// Draws `bits` for `principal` unless that would pass `limit` (0: none). Returns what is drawn
    /// now, or what was drawn before when it does not fit.
    ///
    /// # Errors
    /// The bits drawn so far, when the budget is exhausted.
    pub fn draw(&self, principal: &str, bits: u64, limit: u64, now: Timestamp) -> Result<u64, u64> {
        let mut page = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        page.turn(now);
        let drawn = page.drawn.entry(principal.to_owned()).or_default();
        let after = drawn.saturating_add(bits);
        if limit > 0 && after > limit {
            return Err(*drawn);
        }
        *drawn = after;
        Ok(after)
    }

    /// Enters what a ledger entry of `time` says was drawn; entries of other days count nothing.
    pub fn enter(&self, principal: &str, bits: u64, time: Timestamp, now: Timestamp) {
        let mut page = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        page.turn(now);
        if time.day() == page.day {
            let drawn = page.drawn.entry(principal.to_owned()).or_default();
            *drawn = drawn.saturating_add(bits);
        }
    }

    /// Bits drawn today.
    pub fn drawn(&self, principal: &str, now: Timestamp) -> u64 {
        let mut page = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        page.turn(now);
        page.drawn.get(principal).copied().unwrap_or_default()
    }
}

impl Page {
    fn turn(&mut self, now: Timestamp) {
        if now.day() != self.day {
            self.day = now.day();
            self.drawn.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_lasts_a_day_and_is_never_overdrawn() {
        let book = BudgetBook::default();
        let noon = Timestamp::from_seconds(1_790_000_000);
        assert_eq!(book.draw("a", 60, 100, noon), Ok(60));
        assert_eq!(book.draw("a", 60, 100, noon), Err(60));
        assert_eq!(book.draw("a", 40, 100, noon), Ok(100));
        assert_eq!(book.draw("b", 100, 100, noon), Ok(100));
        let tomorrow = noon.plus_seconds(86_400);
        book.enter("a", 90, noon, tomorrow);
        assert_eq!(book.draw("a", 100, 100, tomorrow), Ok(100));
        assert_eq!(book.draw("c", u64::MAX, 0, tomorrow), Ok(u64::MAX));
    }
}
