//! A circuit breaker: an upstream that failed several times in a row is left alone for a while, then tried with one
//! request (Nygard, *Release It!*, 2nd edition, section 5.2).

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Most doublings of the while.
const DOUBLINGS: u32 = 4;

/// Whether an upstream may be asked.
#[derive(Debug)]
pub(crate) struct Breaker {
    failures: u32,
    pause: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    in_a_row: u32,
    /// How often it opened since it last closed.
    opened: u32,
    until: Option<Instant>,
    is_probed: bool,
}

/// A request that an upstream is being asked with. Dropped without a verdict, it counts as neither.
#[derive(Debug)]
pub(crate) struct Attempt {
    breaker: Arc<Breaker>,
    is_probe: bool,
    is_settled: bool,
}

impl Breaker {
    /// Opens after `failures` in a row, first for `pause`.
    pub(crate) fn new(failures: u32, pause: Duration) -> Arc<Self> {
        Arc::new(Self { failures: failures.max(1), pause, state: Mutex::default() })
    }

    /// Leave to ask, unless it is open.
    pub(crate) fn attempt(self: &Arc<Self>, now: Instant) -> Option<Attempt> {
        let mut state = self.state();
        let is_probe = match state.until {
            None => false,
            Some(until) if now >= until && !state.is_probed => {
                state.is_probed = true;
                true
            }
            Some(_) => return None,
        };
        drop(state);
        Some(Attempt { breaker: self.clone(), is_probe, is_settled: false })
    }

    /// How long it stays open, where it is.
    pub(crate) fn open_for(&self, now: Instant) -> Option<Duration> {
        self.state().until.map(|until| until.saturating_duration_since(now))
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Attempt {
    /// The upstream answered as one that is well.
    pub(crate) fn succeeded(mut self) {
        self.is_settled = true;
        *self.breaker.state() = State::default();
    }

    /// It did not.
    pub(crate) fn failed(mut self, now: Instant) {
        self.is_settled = true;
        let mut state = self.breaker.state();
        state.in_a_row = state.in_a_row.saturating_add(1);
        if self.is_probe || (state.until.is_none() && state.in_a_row >= self.breaker.failures) {
            let doublings = state.opened.min(DOUBLINGS);
            state.until = Some(now + self.breaker.pause * 2_u32.pow(doublings));
            state.opened = state.opened.saturating_add(1);
            state.is_probed = false;
        }
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if self.is_probe && !self.is_settled {
            self.breaker.state().is_probed = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn it_opens_after_failures_in_a_row_and_closes_after_one_success() {
        let (breaker, start) = (Breaker::new(3, SECOND), Instant::now());
        for _ in 0..2 {
            breaker.attempt(start).unwrap().failed(start);
        }
        breaker.attempt(start).unwrap().succeeded();
        for _ in 0..3 {
            breaker.attempt(start).unwrap().failed(start);
        }
        assert!(breaker.attempt(start).is_none(), "open");
        assert_eq!(breaker.open_for(start), Some(SECOND));
        let later = start + SECOND;
        let probe = breaker.attempt(later).unwrap();
        assert!(breaker.attempt(later).is_none(), "one probe at a time");
        probe.failed(later);
        assert_eq!(breaker.open_for(later), Some(2 * SECOND), "longer each time");
        let later = later + 2 * SECOND;
        drop(breaker.attempt(later).unwrap());
        breaker.attempt(later).expect("a probe that was given up is no verdict").succeeded();
        assert!(breaker.open_for(later).is_none());
    }

    #[test]
    fn a_late_failure_does_not_extend_what_is_open_already() {
        let (breaker, start) = (Breaker::new(1, SECOND), Instant::now());
        let (first, second) = (breaker.attempt(start).unwrap(), breaker.attempt(start).unwrap());
        first.failed(start);
        second.failed(start + SECOND / 2);
        assert_eq!(breaker.open_for(start), Some(SECOND));
    }
}
