//! How much a principal asks, and how much of it is refused.

use std::collections::VecDeque;

use bartizan_core::Timestamp;

use crate::settings::Settings;

/// Seconds over which requests are counted.
pub(crate) const WINDOW_SECONDS: i64 = 10;
/// Weight of the last window in a principal's custom: about two minutes of memory.
const CUSTOM_WEIGHT: f64 = 0.08;

/// One second's counts.
#[derive(Clone, Copy, Default)]
struct Second {
    second: i64,
    requests: u32,
    limited: u32,
}

/// A principal's requests.
#[derive(Default)]
pub(crate) struct Activity {
    pub(crate) requests: u64,
    pub(crate) refusals: u64,
    seconds: VecDeque<Second>,
    /// Requests that the principal usually makes in a window, before the present one.
    custom: f64,
    /// The window that was last added to `custom`.
    window: i64,
    in_window: u32,
    /// Whether each of the last 64 requests was refused for its form, as bits.
    malformed: u64,
}

/// What [`Activity::observe`] has counted.
pub(crate) struct Counts {
    /// Requests in the last ten seconds.
    pub(crate) requests: u32,
    /// Those among them that the rate limit refused.
    pub(crate) limited: u32,
    /// From how many requests on it is a flood.
    pub(crate) flood: f64,
    /// Requests among the last 64 that were refused for their form.
    pub(crate) malformed: u32,
}

impl Activity {
    pub(crate) fn observe(&mut self, now: Timestamp, status: u16, reason: &str, settings: &Settings) -> Counts {
        self.requests += 1;
        self.refusals += u64::from(status >= 400);
        let second = now.seconds();
        while self.seconds.front().is_some_and(|first| second - first.second >= WINDOW_SECONDS) {
            self.seconds.pop_front();
        }
        let limited = u32::from(reason == "rate-limited");
        match self.seconds.back_mut() {
            // A clock that went back counts into the latest second.
            Some(last) if last.second >= second => {
                last.requests += 1;
                last.limited += limited;
            }
            _ => self.seconds.push_back(Second { second, requests: 1, limited }),
        }
        self.note_custom(second);
        self.malformed = self.malformed << 1 | u64::from(is_malformed(reason));
        let requests = self.seconds.iter().map(|second| second.requests).sum();
        Counts {
            requests,
            limited: self.seconds.iter().map(|second| second.limited).sum(),
            flood: f64::from(settings.flood_requests).max(self.custom * settings.flood_factor),
            malformed: self.malformed.count_ones(),
        }
    }

    /// Requests a second over the last window.
    pub(crate) fn rate(&self) -> f64 {
        f64::from(self.seconds.iter().map(|second| second.requests).sum::<u32>()) / WINDOW_SECONDS as f64
    }

    fn note_custom(&mut self, second: i64) {
        let window = second.div_euclid(WINDOW_SECONDS);
        if window > self.window {
            if self.window > 0 {
                self.custom += CUSTOM_WEIGHT * (f64::from(self.in_window) - self.custom);
                let empty = i32::try_from(window - self.window - 1).unwrap_or(i32::MAX);
                self.custom *= (1.0 - CUSTOM_WEIGHT).powi(empty);
            }
            self.window = window;
            self.in_window = 0;
        }
        self.in_window += 1;
    }
}

/// Reasons of refusal that speak of a request's form, as the gateway names them.
fn is_malformed(reason: &str) -> bool {
    ["tensor-", "body-", "json-", "content-"].iter().any(|prefix| reason.starts_with(prefix))
}

/// Reasons of refusal that speak of a missing right, as access and gateway name them.
pub(crate) fn is_unauthorized(reason: &str) -> bool {
    // Keys that can't be had are our own failure, and a revoked token has a rule of its own.
    let of_token = reason.starts_with("token-") && !matches!(reason, "token-keys-unavailable" | "token-revoked");
    of_token
        || matches!(
            reason,
            "key-missing"
                | "key-unknown"
                | "key-malformed"
                | "key-expired"
                | "principal-unknown"
                | "no-policy-permits"
                | "certificate-unknown"
                | "certificate-ambiguous"
                | "certificate-expired"
                | "route-closed"
        )
}

/// How often one source was refused for want of a right within a minute.
#[derive(Default)]
pub(crate) struct Probing {
    minute: i64,
    last: u32,
    count: u32,
}

impl Probing {
    /// The count over the last minute: this minute's, and the last one's share of what is left of it.
    pub(crate) fn observe(&mut self, now: Timestamp) -> u32 {
        let minute = now.seconds().div_euclid(60);
        if minute != self.minute {
            self.last = if minute == self.minute + 1 { self.count } else { 0 };
            self.count = 0;
            self.minute = minute;
        }
        self.count += 1;
        let left = 60 - now.seconds().rem_euclid(60);
        self.count + self.last * u32::try_from(left).unwrap_or_default() / 60
    }
}
