//! Whether one key is in two hands.

use std::collections::VecDeque;

use bartizan_core::Timestamp;

use crate::settings::Settings;

/// Places that are remembered for each key.
const PLACES: usize = 8;
/// Returns that are remembered for each key.
const RETURNS: usize = 32;

/// Where a key was used lately. Somebody who moves leaves the old place for good; two holders of one
/// key take turns, so that places that were left come back. Returns are what is counted.
#[derive(Default)]
pub(crate) struct KeyUse {
    current: String,
    left: VecDeque<(String, Timestamp)>,
    returns: VecDeque<Timestamp>,
}

impl KeyUse {
    /// The number of returns within the window, this use included.
    pub(crate) fn observe(&mut self, source: &str, now: Timestamp, settings: &Settings) -> usize {
        let window = f64::from(settings.key_shared_seconds);
        while self.returns.front().is_some_and(|time| now.seconds_since(*time) > window) {
            self.returns.pop_front();
        }
        if self.current != source {
            let left = std::mem::replace(&mut self.current, source.to_owned());
            if let Some(place) = self.left.iter().position(|(place, _)| place == source)
                && let Some((_, time)) = self.left.remove(place)
                && now.seconds_since(time) <= window
            {
                self.returns.push_back(now);
                if self.returns.len() > RETURNS {
                    self.returns.pop_front();
                }
            }
            if !left.is_empty() {
                self.left.push_back((left, now));
                if self.left.len() > PLACES {
                    self.left.pop_front();
                }
            }
        }
        self.returns.len()
    }

    /// Places that were seen, the present one included.
    pub(crate) fn places(&self) -> usize {
        self.left.len() + usize::from(!self.current.is_empty())
    }
}
