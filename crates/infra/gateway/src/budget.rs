//! How much a principal may learn of a model in a day: queries times the bits of each answer.
//!
//! An extractor that asks what customers ask can't be told from a customer; what it learns can be
//! bounded. The book is rebuilt at start from the day's completion entries of the ledger, so that a
//! restart forgives nothing.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use bartizan_core::Timestamp;

/// Principals that are kept apart in a day. Whoever comes with a token is not limited to those whom
/// an administrator added; beyond this many, nobody new draws where there is a budget.
const PRINCIPALS: usize = 1 << 18;

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
        if page.is_full_for(principal) {
            return if limit > 0 { Err(limit) } else { Ok(bits) };
        }
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
        if time.day() == page.day && !page.is_full_for(principal) {
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
    fn is_full_for(&self, principal: &str) -> bool {
        self.drawn.len() >= PRINCIPALS && !self.drawn.contains_key(principal)
    }

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

    #[test]
    fn more_principals_than_are_kept_apart_draw_nothing_and_take_no_memory() {
        let book = BudgetBook::default();
        let now = Timestamp::from_seconds(1_790_000_000);
        for number in 0..PRINCIPALS {
            assert_eq!(book.draw(&number.to_string(), 1, 100, now), Ok(1));
        }
        assert_eq!(book.draw("new", 1, 100, now), Err(100));
        assert_eq!(book.draw("new", 1, 0, now), Ok(1));
        assert_eq!(book.draw("7", 1, 100, now), Ok(2));
        assert_eq!(book.pages.lock().unwrap().drawn.len(), PRINCIPALS);
    }
}
