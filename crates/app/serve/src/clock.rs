//! The system's clock.

use std::time::{SystemTime, UNIX_EPOCH};

use bartizan_core::{Clock, Timestamp};

/// The system's clock, which people can set: order comes from the ledger, never from here.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_nanoseconds(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
    }
}
