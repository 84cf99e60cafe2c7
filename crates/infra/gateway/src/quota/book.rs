//! The buckets of all quotas, and what is reserved in them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bartizan_core::{Event, Timestamp};

use crate::quota::amounts::{Amounts, Unit};
use crate::quota::rule::{Quota, Subject};

/// Buckets that are kept before those of past windows are dropped.
const BUCKETS: usize = 65_536;

/// All buckets of a list of quotas.
pub struct QuotaBook {
    quotas: Vec<Quota>,
    buckets: Mutex<HashMap<Key, Bucket>>,
}

/// The quota's place in the list, and whose bucket of it.
type Key = (usize, String);

#[derive(Clone, Copy, Default)]
struct Bucket {
    window: i64,
    used: Amounts,
    reserved: Amounts,
    open: u32,
}

impl Bucket {
    /// A new window begins with nothing used; what is still open stays open. A clock that was set back
    /// gives nothing anew.
    fn turn(&mut self, window: i64) {
        if window > self.window {
            *self = Self { window, open: self.open, ..Self::default() };
        }
    }

    fn taken(&self) -> Amounts {
        self.used.plus(self.reserved)
    }

    fn is_idle(&self, window: i64) -> bool {
        self.open == 0 && (self.window < window || self.taken() == Amounts::default())
    }
}

/// Why a request does not fit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Exhausted {
    /// The quota by name, such as `principal-tokens-minute`.
    pub(crate) quota: String,
    /// Seconds until it may fit; `None` when it never will, because it asks for more than there ever is.
    pub(crate) retry_after: Option<u64>,
}

/// How a quota stands, for the `RateLimit` header fields.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Standing {
    pub(crate) quota: String,
    pub(crate) unit: Unit,
    pub(crate) limit: u64,
    pub(crate) rest: u64,
    /// Length of the window in seconds.
    pub(crate) window: i64,
    /// Seconds until the next one.
    pub(crate) reset: u64,
}

impl QuotaBook {
    /// Nothing used yet.
    pub fn new(quotas: Vec<Quota>) -> Self {
        Self { quotas, buckets: Mutex::default() }
    }

    /// Other quotas; what was used under quotas that count the same for the same owners is kept.
    pub(crate) fn with(&self, quotas: Vec<Quota>) -> Self {
        let same = |one: &Quota, other: &Quota| (one.each, &one.only, one.per) == (other.each, &other.only, other.per);
        let old = self.lock();
        let mut buckets = HashMap::new();
        for (place, quota) in quotas.iter().enumerate() {
            let Some(before) = self.quotas.iter().position(|old| same(old, quota)) else { continue };
            let kept = old.iter().filter(|((place, _), _)| *place == before);
            // What is still reserved is settled in the old book; here it counts as used.
            buckets.extend(kept.map(|((_, owner), bucket)| {
                let used = bucket.taken();
                ((place, owner.clone()), Bucket { used, window: bucket.window, ..Bucket::default() })
            }));
        }
        drop(old);
        Self { quotas, buckets: Mutex::new(buckets) }
    }

    pub(crate) fn quotas(&self) -> &[Quota] {
        &self.quotas
    }

    /// Enters a completion that the ledger holds, of a principal with that name, where its window lasts.
    pub fn enter(&self, event: &Event, name: &str, now: Timestamp) {
        let Some(usage) = event.data.get("usage") else { return };
        let number = |field: &str| usage.get(field).and_then(serde_json::Value::as_u64).unwrap_or_default();
        let model = usage.get("model").and_then(serde_json::Value::as_str).unwrap_or_default();
        let subject = Subject { tenant: event.tenant.as_str(), principal: &event.principal, name, model };
        let used = Amounts {
            requests: 1,
            tokens: number("prompt_tokens").saturating_add(number("answer_tokens")),
            bytes: number("bytes"),
            cost: number("cost"),
        };
        self.charge(&subject, used, event.time, now);
    }

    /// Reserves `ask` in every bucket of the subject, or in none. Limits are divided by `divisor`.
    ///
    /// # Errors
    /// The first quota in which it does not fit.
    pub(crate) fn reserve(
        self: &Arc<Self>,
        subject: &Subject<'_>,
        ask: Amounts,
        divisor: u32,
        now: Timestamp,
    ) -> Result<Reservation, Exhausted> {
        let divisor = u64::from(divisor.max(1));
        let keys: Vec<Key> =
            self.quotas.iter().enumerate().filter_map(|(place, quota)| Some((place, quota.bucket(subject)?))).collect();
        let mut buckets = self.lock();
        if buckets.len() >= BUCKETS {
            buckets.retain(|(place, _), bucket| {
                !self.quotas.get(*place).is_none_or(|quota| bucket.is_idle(quota.per.at(now)))
            });
        }
        for key in &keys {
            let Some(quota) = self.quotas.get(key.0) else { continue };
            if buckets.len() >= BUCKETS && !buckets.contains_key(key) {
                return Err(Exhausted { quota: "quota-book-full".to_owned(), retry_after: Some(60) });
            }
            let bucket = buckets.entry(key.clone()).or_default();
            bucket.turn(quota.per.at(now));
            fits(quota, bucket, ask, divisor, now)?;
            if quota.open > 0 && u64::from(bucket.open) >= (u64::from(quota.open) / divisor).max(1) {
                return Err(Exhausted { quota: format!("{}-open", quota.each), retry_after: Some(1) });
            }
        }
        let mut held = Vec::with_capacity(keys.len());
        for key in keys {
            if let Some(bucket) = buckets.get_mut(&key) {
                bucket.reserved = bucket.reserved.plus(ask);
                bucket.open += 1;
                held.push(Held { key, window: bucket.window, reserved: ask });
            }
        }
        drop(buckets);
        Ok(Reservation { book: self.clone(), held, divisor, asked: ask, used: Amounts::default() })
    }

    fn charge(&self, subject: &Subject<'_>, used: Amounts, time: Timestamp, now: Timestamp) {
        let mut buckets = self.lock();
        for (place, quota) in self.quotas.iter().enumerate() {
            if quota.per.at(time) != quota.per.at(now) {
                continue;
            }
            let Some(owner) = quota.bucket(subject) else { continue };
            let key = (place, owner);
            if buckets.len() >= BUCKETS && !buckets.contains_key(&key) {
                continue;
            }
            let bucket = buckets.entry(key).or_default();
            bucket.turn(quota.per.at(now));
            bucket.used = bucket.used.plus(used);
        }
    }

    /// How the subject's quotas stand, in the order of the list.
    pub(crate) fn standing(&self, subject: &Subject<'_>, now: Timestamp) -> Vec<Standing> {
        let buckets = self.lock();
        let mut standing = Vec::new();
        for (place, quota) in self.quotas.iter().enumerate() {
            let Some(owner) = quota.bucket(subject) else { continue };
            let mut bucket = buckets.get(&(place, owner)).copied().unwrap_or_default();
            bucket.turn(quota.per.at(now));
            for unit in Unit::ALL {
                let limit = quota.limits().of(unit);
                if limit > 0 {
                    standing.push(Standing {
                        quota: quota.name(unit),
                        unit,
                        limit,
                        rest: limit.saturating_sub(bucket.taken().of(unit)),
                        window: quota.per.seconds(),
                        reset: quota.per.rest(now),
                    });
                }
            }
        }
        standing
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Bucket>> {
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether `ask` fits in the bucket beside all that is used and reserved.
fn fits(quota: &Quota, bucket: &Bucket, ask: Amounts, divisor: u64, now: Timestamp) -> Result<(), Exhausted> {
    for unit in Unit::ALL {
        let whole = quota.limits().of(unit);
        if whole == 0 || ask.of(unit) == 0 {
            continue;
        }
        let limit = (whole / divisor).max(1);
        if bucket.taken().of(unit).saturating_add(ask.of(unit)) > limit {
            let ever = ask.of(unit) <= limit;
            return Err(Exhausted { quota: quota.name(unit), retry_after: ever.then(|| quota.per.rest(now)) });
        }
    }
    Ok(())
}

struct Held {
    key: Key,
    window: i64,
    reserved: Amounts,
}

/// What a request holds in its buckets. When it is dropped, what was used is charged and the rest is given
/// back: no way out of a request keeps a reservation.
pub(crate) struct Reservation {
    book: Arc<QuotaBook>,
    held: Vec<Held>,
    divisor: u64,
    asked: Amounts,
    used: Amounts,
}

impl Reservation {
    /// What is reserved in all.
    pub(crate) fn reserved(&self) -> Amounts {
        self.asked
    }

    /// States what was used so far; more than was reserved is charged all the same.
    pub(crate) fn used(&mut self, used: Amounts) {
        self.used = used;
    }

    /// Asks for more, in every bucket or in none. In a bucket whose window has passed, what was reserved
    /// there counts as used there, and the rest of the request is held in the new window.
    ///
    /// # Errors
    /// The first quota in which it does not fit.
    pub(crate) fn extend(&mut self, more: Amounts, now: Timestamp) -> Result<(), Exhausted> {
        let book = self.book.clone();
        let mut buckets = book.lock();
        for held in &self.held {
            let Some(quota) = book.quotas.get(held.key.0) else { continue };
            let bucket = buckets.entry(held.key.clone()).or_default();
            bucket.turn(quota.per.at(now));
            fits(quota, bucket, more, self.divisor, now)?;
        }
        for held in &mut self.held {
            let Some(bucket) = buckets.get_mut(&held.key) else { continue };
            if held.window != bucket.window {
                held.window = bucket.window;
                held.reserved = Amounts::default();
            }
            held.reserved = held.reserved.plus(more);
            bucket.reserved = bucket.reserved.plus(more);
        }
        self.asked = self.asked.plus(more);
        Ok(())
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut buckets = self.book.lock();
        for held in &self.held {
            let Some(bucket) = buckets.get_mut(&held.key) else { continue };
            bucket.open = bucket.open.saturating_sub(1);
            if held.window != bucket.window {
                continue;
            }
            bucket.reserved = bucket.reserved.minus(held.reserved);
            // What earlier windows carried is theirs: only the part beyond it falls into this one.
            let earlier = self.asked.minus(held.reserved);
            bucket.used = bucket.used.plus(self.used.minus(earlier));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use proptest::prelude::*;

    use super::*;
    use crate::quota::rule::{Each, Window};

    const NOON: Timestamp = Timestamp::from_seconds(1_790_000_040);

    fn quota(each: Each, tokens: u64, open: u32) -> Quota {
        Quota { each, only: String::new(), per: Window::Minute, requests: 0, tokens, bytes: 0, cost: 0, open }
    }

    fn subject(principal: &'static str) -> Subject<'static> {
        Subject { tenant: "default", principal, name: principal, model: "m" }
    }

    fn tokens(tokens: u64) -> Amounts {
        Amounts { requests: 1, tokens, ..Amounts::default() }
    }

    fn rest(book: &QuotaBook, principal: &'static str, now: Timestamp) -> u64 {
        book.standing(&subject(principal), now)[0].rest
    }

    #[test]
    fn what_is_not_used_is_given_back_and_what_is_used_is_charged() {
        let book = Arc::new(QuotaBook::new(vec![quota(Each::Principal, 100, 0)]));
        let mut one = book.reserve(&subject("a"), tokens(60), 1, NOON).unwrap();
        let refused = book.reserve(&subject("a"), tokens(60), 1, NOON).map(|_| ()).unwrap_err();
        assert_eq!(refused.quota, "principal-tokens-minute");
        assert!(refused.retry_after.is_some_and(|seconds| (1..=60).contains(&seconds)));
        assert!(book.reserve(&subject("b"), tokens(100), 1, NOON).is_ok(), "others have buckets of their own");
        one.used(tokens(10));
        drop(one);
        assert_eq!(rest(&book, "a", NOON), 90);
        assert_eq!(book.reserve(&subject("a"), tokens(101), 1, NOON).map(|_| ()).unwrap_err().retry_after, None);
    }

    #[test]
    fn a_request_that_does_not_fit_everywhere_is_reserved_nowhere() {
        let book = Arc::new(QuotaBook::new(vec![quota(Each::Principal, 100, 0), quota(Each::Tenant, 50, 0)]));
        assert!(book.reserve(&subject("a"), tokens(60), 1, NOON).is_err());
        assert_eq!(rest(&book, "a", NOON), 100);
        let held = book.reserve(&subject("a"), tokens(50), 1, NOON).unwrap();
        assert_eq!(
            book.reserve(&subject("b"), tokens(1), 1, NOON).map(|_| ()).unwrap_err().quota,
            "tenant-tokens-minute"
        );
        drop(held);
    }

    #[test]
    fn a_window_begins_anew_and_a_clock_that_is_set_back_gives_nothing() {
        let book = Arc::new(QuotaBook::new(vec![quota(Each::Principal, 100, 0)]));
        let mut first = book.reserve(&subject("a"), tokens(100), 1, NOON).unwrap();
        let later = NOON.plus_seconds(60);
        let second = book.reserve(&subject("a"), tokens(100), 1, later).unwrap();
        first.used(tokens(100));
        drop(first);
        assert_eq!(rest(&book, "a", later), 0, "what was used in the last window is not charged to this one");
        assert!(book.reserve(&subject("a"), tokens(1), 1, NOON).is_err());
        drop(second);
        assert_eq!(rest(&book, "a", later), 100);
    }

    #[test]
    fn a_stream_over_the_end_of_a_window_is_charged_to_each_for_its_part() {
        let book = Arc::new(QuotaBook::new(vec![quota(Each::Principal, 100, 0)]));
        let mut stream = book.reserve(&subject("a"), tokens(40), 1, NOON).unwrap();
        let later = NOON.plus_seconds(60);
        stream.extend(tokens(30), later).unwrap();
        assert_eq!(rest(&book, "a", later), 70);
        assert!(stream.extend(tokens(71), later).is_err());
        assert_eq!(stream.reserved().tokens, 70);
        stream.used(tokens(55));
        drop(stream);
        assert_eq!(rest(&book, "a", later), 85);
    }

    #[test]
    fn open_requests_are_bounded_and_tightened_principals_get_a_share() {
        let book = Arc::new(QuotaBook::new(vec![quota(Each::Principal, 100, 2)]));
        let held: Vec<_> = (0..2).map(|_| book.reserve(&subject("a"), tokens(1), 1, NOON).unwrap()).collect();
        assert_eq!(book.reserve(&subject("a"), tokens(1), 1, NOON).map(|_| ()).unwrap_err().quota, "principal-open");
        drop(held);
        assert!(book.reserve(&subject("a"), tokens(11), 10, NOON).is_err());
        assert!(book.reserve(&subject("a"), tokens(10), 10, NOON).is_ok());
    }

    #[test]
    fn a_thousand_streams_at_once_never_pass_one_budget() {
        const BUDGET: u64 = 50_000;
        let book = Arc::new(QuotaBook::new(vec![quota(Each::Tenant, BUDGET, 0), quota(Each::Principal, BUDGET, 0)]));
        let (spent, admitted) = (AtomicU64::new(0), AtomicU64::new(0));
        std::thread::scope(|scope| {
            for stream in 0..1000_u64 {
                let (book, spent, admitted) = (&book, &spent, &admitted);
                scope.spawn(move || {
                    let Ok(mut reservation) = book.reserve(&subject("a"), tokens(40 + stream % 7), 1, NOON) else {
                        return;
                    };
                    admitted.fetch_add(1, Ordering::SeqCst);
                    let mut sent = 0;
                    // Each token goes out only when it is covered.
                    for _ in 0..90 {
                        if sent == reservation.reserved().tokens && reservation.extend(tokens(16), NOON).is_err() {
                            break;
                        }
                        sent += 1;
                        if sent % 10 == 0 {
                            std::thread::yield_now();
                        }
                    }
                    spent.fetch_add(sent, Ordering::SeqCst);
                    reservation.used(tokens(sent));
                });
            }
        });
        let (spent, admitted) = (spent.into_inner(), admitted.into_inner());
        assert!(spent <= BUDGET, "{spent} of {BUDGET} by {admitted}");
        assert!(admitted > 500 && spent > BUDGET * 9 / 10, "{spent} of {BUDGET} by {admitted}");
        assert_eq!(rest(&book, "a", NOON), BUDGET - spent);
        assert!(book.lock().values().all(|bucket| bucket.open == 0 && bucket.reserved == Amounts::default()));
    }

    proptest! {
        /// Whatever is reserved, extended, used and dropped in whatever order: nothing is overdrawn, and when
        /// all is done exactly what was used is charged.
        #[test]
        fn no_order_of_events_overdraws_or_leaks(steps in prop::collection::vec((0..4_u8, 0..40_u64, 0..8_usize), 1..80)) {
            let book = Arc::new(QuotaBook::new(vec![quota(Each::Principal, 100, 0)]));
            let mut open: Vec<(Reservation, u64)> = Vec::new();
            let mut charged = 0;
            for (what, amount, which) in steps {
                match what {
                    0 => open.extend(book.reserve(&subject("a"), tokens(amount), 1, NOON).ok().map(|held| (held, 0))),
                    1 => {
                        let place = which % open.len().max(1);
                        if let Some((held, _)) = open.get_mut(place) {
                            let _ = held.extend(tokens(amount), NOON);
                        }
                    }
                    2 => {
                        let place = which % open.len().max(1);
                        if let Some((held, used)) = open.get_mut(place) {
                            *used = amount.min(held.reserved().tokens);
                            let now = *used;
                            held.used(tokens(now));
                        }
                    }
                    _ => {
                        if !open.is_empty() {
                            charged += open.remove(which % open.len()).1;
                        }
                    }
                }
                let bucket = book.lock().values().next().copied().unwrap_or_default();
                prop_assert!(bucket.taken().tokens <= 100);
            }
            charged += open.drain(..).map(|(_, used)| used).sum::<u64>();
            prop_assert_eq!(rest(&book, "a", NOON), 100 - charged);
        }
    }
}
