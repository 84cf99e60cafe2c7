//! One group commit, and those who wait for it.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::error::LedgerError;

/// Where an acknowledged entry stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Receipt {
    /// Its place in the log.
    pub index: u64,
    /// A size of the log at which it is certainly included; a checkpoint of that size is durable.
    pub size: u64,
}

#[derive(Default)]
struct State {
    /// First index and size after the commit.
    outcome: Option<Result<(u64, u64), LedgerError>>,
    wakers: Vec<Waker>,
}

/// Entries that become durable together.
#[derive(Default)]
pub(crate) struct Batch {
    state: Mutex<State>,
    done: Condvar,
}

impl Batch {
    /// Tells everyone who waits; only the first outcome counts.
    pub(crate) fn finish(&self, outcome: Result<(u64, u64), LedgerError>) {
        let mut state = self.lock();
        if state.outcome.is_some() {
            return;
        }
        state.outcome = Some(outcome);
        let wakers = std::mem::take(&mut state.wakers);
        drop(state);
        self.done.notify_all();
        wakers.into_iter().for_each(Waker::wake);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits for an entry to be durable: as a future with any executor, or blocking. Dropping it does
/// not take the entry back.
#[must_use = "the entry is durable only when the ticket says so"]
pub struct Ticket {
    batch: Arc<Batch>,
    position: u64,
    waker: Option<usize>,
}

impl Ticket {
    pub(crate) fn new(batch: Arc<Batch>, position: u64) -> Self {
        Self { batch, position, waker: None }
    }

    /// Blocks until the entry is durable or the writer failed.
    pub fn wait(self) -> Result<Receipt, LedgerError> {
        let mut state = self.batch.lock();
        loop {
            if let Some(outcome) = &state.outcome {
                return self.receipt(outcome);
            }
            state = self.batch.done.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn receipt(&self, outcome: &Result<(u64, u64), LedgerError>) -> Result<Receipt, LedgerError> {
        outcome.clone().map(|(first, size)| Receipt { index: first + self.position, size })
    }
}

impl Future for Ticket {
    type Output = Result<Receipt, LedgerError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let batch = Arc::clone(&this.batch);
        let mut state = batch.lock();
        if let Some(outcome) = &state.outcome {
            return Poll::Ready(this.receipt(outcome));
        }
        match this.waker.and_then(|place| state.wakers.get_mut(place)) {
            Some(waker) => waker.clone_from(context.waker()),
            None => {
                this.waker = Some(state.wakers.len());
                state.wakers.push(context.waker().clone());
            }
        }
        Poll::Pending
    }
}
