//! Shares of something that there is only so much of: one party never holds more than its share at once.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// How much each party holds.
pub(crate) struct Shares<P> {
    held: Mutex<HashMap<P, usize>>,
}

impl<P> Default for Shares<P> {
    fn default() -> Self {
        Self { held: Mutex::default() }
    }
}

impl<P: Hash + Eq + Clone> Shares<P> {
    /// One more for `party`, unless it holds `most` already; given back when the share is dropped.
    pub(crate) fn take(self: &Arc<Self>, party: P, most: usize) -> Option<Share<P>> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let count = held.entry(party.clone()).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        drop(held);
        Some(Share { shares: self.clone(), party })
    }
}

/// One that a party holds.
pub(crate) struct Share<P: Hash + Eq> {
    shares: Arc<Shares<P>>,
    party: P,
}

impl<P: Hash + Eq> Drop for Share<P> {
    fn drop(&mut self) {
        let mut held = self.shares.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = held.get_mut(&self.party) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.party);
            }
        }
    }
}

/// Whom an address stands for: itself, and in IPv6 its network of 64 bits, which one host may use whole
/// (RFC 4291, section 2.5.1; RFC 6177).
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_party_never_holds_more_than_its_share_and_what_it_drops_is_there_again() {
        let shares = Arc::new(Shares::default());
        let first = shares.take("a", 2);
        let second = shares.take("a", 2);
        assert!(first.is_some() && second.is_some() && shares.take("a", 2).is_none());
        assert!(shares.take("b", 2).is_some());
        drop(first);
        assert!(shares.take("a", 2).is_some());
        drop(second);
        assert!(shares.held.lock().unwrap().is_empty(), "parties that hold nothing take no memory");
    }

    #[test]
    fn addresses_of_one_network_are_one_party() {
        let network = |text: &str| network(text.parse().unwrap());
        assert_eq!(network("2001:db8::1"), network("2001:db8::ffff:2"));
        assert_ne!(network("2001:db8:0:1::1"), network("2001:db8::1"));
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
    }
}
