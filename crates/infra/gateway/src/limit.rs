//! Rate limits by GCRA (a leaky bucket as a meter; ITU-T I.371), per principal and per address.

use std::net::IpAddr;
use std::num::NonZeroU32;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

/// Keys that are kept before idle ones are dropped.
const KEYS: usize = 65_536;

/// How long to wait before the next request fits, in whole seconds.
pub(crate) type RetryAfter = u64;

/// One limiter for principals and one for addresses that are being refused.
pub(crate) struct Limits {
    principals: DefaultKeyedRateLimiter<String>,
    refusals: DefaultKeyedRateLimiter<IpAddr>,
    clock: DefaultClock,
}

impl Limits {
    pub(crate) fn new(requests_per_second: u32, burst: u32, refusals_per_second: u32) -> Self {
        let positive = |value: u32| NonZeroU32::new(value).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_second(positive(requests_per_second)).allow_burst(positive(burst));
        Self {
            principals: RateLimiter::keyed(quota),
            refusals: RateLimiter::keyed(Quota::per_second(positive(refusals_per_second))),
            clock: DefaultClock::default(),
        }
    }

    /// Takes one request of a principal, which costs `divisor` times as much as usual.
    pub(crate) fn take(&self, principal: &str, divisor: u32) -> Result<(), RetryAfter> {
        let cells = NonZeroU32::new(divisor).unwrap_or(NonZeroU32::MIN);
        if self.principals.len() > KEYS {
            self.principals.retain_recent();
        }
        match self.principals.check_key_n(&principal.to_owned(), cells) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(until)) => Err(until.wait_time_from(self.clock.now()).as_secs() + 1),
            Err(_more_than_a_burst) => Err(60),
        }
    }

    /// Whether a refusal of this address is still recorded on its own.
    pub(crate) fn records_refusal(&self, address: IpAddr) -> bool {
        if self.refusals.len() > KEYS {
            self.refusals.retain_recent();
        }
        self.refusals.check_key(&address).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tightened_principal_gets_a_share_of_the_burst() {
        let limits = Limits::new(1, 100, 1);
        let passed = (0..200).filter(|_| limits.take("a", 1).is_ok()).count();
        let tightened = (0..200).filter(|_| limits.take("b", 10).is_ok()).count();
        assert!((100..=101).contains(&passed), "{passed}");
        assert!((10..=11).contains(&tightened), "{tightened}");
        assert!(limits.take("c", 1000).is_err());
    }
}
