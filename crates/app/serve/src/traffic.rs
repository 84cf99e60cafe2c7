//! Traffic of the last minutes, second by second, for the console's charts.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use bartizan_core::{Exchange, Outcome, Timestamp};

/// Seconds that are kept.
const SECONDS: usize = 600;
/// Latencies that are kept of one second.
const SAMPLES: usize = 64;

/// One second of traffic.
#[derive(Clone, Debug, Default)]
pub(crate) struct Second {
    /// Seconds since the Unix epoch.
    pub(crate) second: i64,
    /// Requests that were let through.
    pub(crate) allowed: u64,
    /// Requests that were refused.
    pub(crate) refused: u64,
    /// Requests that failed.
    pub(crate) failed: u64,
    /// Microseconds of some of them.
    pub(crate) microseconds: Vec<u64>,
}

/// The last ten minutes.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    seconds: Mutex<VecDeque<Second>>,
}

impl Traffic {
    pub(crate) fn count(&self, exchange: &Exchange) {
        let second = exchange.time.seconds();
        let mut seconds = self.seconds.lock().unwrap_or_else(PoisonError::into_inner);
        if seconds.back().is_none_or(|last| last.second < second) {
            seconds.push_back(Second { second, ..Second::default() });
            if seconds.len() > SECONDS {
                seconds.pop_front();
            }
        }
        let Some(last) = seconds.back_mut() else { return };
        match exchange.outcome {
            Outcome::Deny => last.refused += 1,
            Outcome::Error => last.failed += 1,
            Outcome::Allow | Outcome::Transform | Outcome::Observe => last.allowed += 1,
        }
        if last.microseconds.len() < SAMPLES {
            last.microseconds.push(exchange.microseconds);
        }
    }

    /// Every second of the last `length`, empty ones included, oldest first.
    pub(crate) fn last(&self, length: usize, now: Timestamp) -> Vec<Second> {
        let seconds = self.seconds.lock().unwrap_or_else(PoisonError::into_inner);
        let first = now.seconds() - i64::try_from(length.min(SECONDS)).unwrap_or(0) + 1;
        let mut window: Vec<Second> =
            (first..=now.seconds()).map(|second| Second { second, ..Second::default() }).collect();
        for second in seconds.iter().filter(|second| second.second >= first) {
            if let Some(slot) = usize::try_from(second.second - first).ok().and_then(|index| window.get_mut(index)) {
                slot.clone_from(second);
            }
        }
        window
    }
}
