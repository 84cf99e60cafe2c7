//! A budget of retries: asking again must not double the load on upstreams that fail because of load
//! (Google SRE Book, chapter 22, *Addressing Cascading Failures*).

use std::sync::atomic::{AtomicI64, Ordering};

/// What one retry costs, in hundredths.
const RETRY: i64 = 100;
/// Retries that may be saved up.
const MOST: i64 = 100 * RETRY;
/// Retries that a start begins with.
const FIRST: i64 = 10 * RETRY;

/// How many retries may still be made.
#[derive(Debug)]
pub(crate) struct RetryBudget {
    percent: i64,
    balance: AtomicI64,
}

impl RetryBudget {
    /// In the long run, `percent` retries for a hundred requests.
    pub(crate) fn new(percent: u32) -> Self {
        Self { percent: i64::from(percent), balance: AtomicI64::new(if percent == 0 { 0 } else { FIRST }) }
    }

    /// A request came.
    pub(crate) fn deposit(&self) {
        if self.balance.load(Ordering::Relaxed) < MOST {
            self.balance.fetch_add(self.percent, Ordering::Relaxed);
        }
    }

    /// Whether one retry more may be made.
    pub(crate) fn withdraw(&self) -> bool {
        let less = |balance: i64| (balance >= RETRY).then_some(balance - RETRY);
        self.balance.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_stay_a_share_of_the_requests() {
        let budget = RetryBudget::new(20);
        let retries = (0..10_000)
            .filter(|_| {
                budget.deposit();
                budget.withdraw()
            })
            .count();
        assert!((2000..=2010).contains(&retries), "{retries}");
        assert!(!RetryBudget::new(0).withdraw());
    }
}
