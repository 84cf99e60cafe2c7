//! The bounded queue between those who append and the one thread that writes.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::batch::{Batch, Ticket};
use crate::error::LedgerError;
use crate::segment::Leaf;

/// Most entries that may wait, and so the most in one commit.
const MAX_ENTRIES: usize = 8192;
/// Most bytes that may wait.
const MAX_BYTES: usize = 16 * 1024 * 1024;

/// When an entry must be durable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Urgency {
    /// A commit starts at once (or as soon as the running one is done).
    Now,
    /// The entry may wait this long for company.
    Within(Duration),
}

#[derive(Default)]
struct State {
    leaves: Vec<Leaf>,
    bytes: usize,
    batch: Arc<Batch>,
    /// When the earliest entry must be on its way.
    deadline: Option<Instant>,
    /// The writer sleeps until so many entries wait or the deadline passes.
    wanted: usize,
    closed: bool,
    failed: Option<Arc<str>>,
}

/// The queue.
#[derive(Default)]
pub(crate) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

/// What the writer takes out at once.
pub(crate) struct Taken {
    pub(crate) leaves: Vec<Leaf>,
    pub(crate) batch: Arc<Batch>,
}

impl Drop for Taken {
    /// Nobody waits for ever for a writer that died.
    fn drop(&mut self) {
        self.batch.finish(Err(LedgerError::Failed(Arc::from("the writer died"))));
    }
}

impl Queue {
    /// Puts an entry in.
    pub(crate) fn push(&self, leaf: Leaf, urgency: Urgency) -> Result<Ticket, LedgerError> {
        let mut state = self.lock();
        if let Some(reason) = &state.failed {
            return Err(LedgerError::Failed(Arc::clone(reason)));
        }
        if state.closed {
            return Err(LedgerError::Closed);
        }
        if state.leaves.len() >= MAX_ENTRIES || state.bytes + leaf.bytes.len() > MAX_BYTES {
            return Err(LedgerError::Full);
        }
        let now = Instant::now();
        let due = match urgency {
            Urgency::Now => now,
            Urgency::Within(wait) => now + wait,
        };
        let earlier = state.deadline.is_none_or(|deadline| due < deadline);
        if earlier {
            state.deadline = Some(due);
        }
        let ticket = Ticket::new(Arc::clone(&state.batch), state.leaves.len() as u64);
        state.bytes += leaf.bytes.len();
        state.leaves.push(leaf);
        if (earlier && state.wanted <= 1) || state.leaves.len() == state.wanted {
            self.changed.notify_one();
        }
        Ok(ticket)
    }

    /// Waits for work. Once some is due, waits up to `patience` longer for `company` entries, as
    /// many as came together last time: those who were just told come back at once. `None` when
    /// the queue is closed and empty; `Some` with nothing in it when `idle` has passed.
    pub(crate) fn take(&self, company: usize, patience: Duration, idle: Duration) -> Option<Taken> {
        let mut state = self.lock();
        state.wanted = 1;
        let give_up = Instant::now() + idle;
        loop {
            if state.closed && state.leaves.is_empty() {
                return None;
            }
            let now = Instant::now();
            let due = state.deadline.unwrap_or(give_up);
            if state.closed || due <= now || state.leaves.len() >= MAX_ENTRIES / 2 {
                break;
            }
            state = self.wait(state, due - now);
        }
        let give_up = Instant::now() + patience;
        while !state.closed && !state.leaves.is_empty() && state.leaves.len() < company {
            let now = Instant::now();
            if give_up <= now {
                break;
            }
            state.wanted = company;
            state = self.wait(state, give_up - now);
        }
        state.bytes = 0;
        state.deadline = None;
        Some(Taken { leaves: std::mem::take(&mut state.leaves), batch: std::mem::take(&mut state.batch) })
    }

    /// Nothing more is accepted; what waits is still written.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_one();
    }

    /// Nothing more is accepted, and what waits is refused.
    pub(crate) fn fail(&self, reason: &str) {
        let mut state = self.lock();
        let reason: Arc<str> = Arc::from(reason);
        state.failed.get_or_insert_with(|| Arc::clone(&reason));
        state.leaves.clear();
        let batch = std::mem::take(&mut state.batch);
        drop(state);
        batch.finish(Err(LedgerError::Failed(reason)));
        self.changed.notify_one();
    }

    /// Why nothing is accepted any more.
    pub(crate) fn failure(&self) -> Option<LedgerError> {
        self.lock().failed.clone().map(LedgerError::Failed)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>, time: Duration) -> MutexGuard<'a, State> {
        self.changed.wait_timeout(state, time).unwrap_or_else(PoisonError::into_inner).0
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
