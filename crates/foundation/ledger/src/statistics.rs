//! How long durable writes take.

use std::time::Duration;

/// Buckets grow by a quarter of an octave from one microsecond: the last starts at about an hour.
const BUCKETS: usize = 128;
const PER_OCTAVE: f64 = 4.0;

/// A histogram of durations; a quantile is right to within 19 %.
#[derive(Clone, Debug)]
pub struct Durations {
    buckets: [u64; BUCKETS],
    count: u64,
}

impl Default for Durations {
    fn default() -> Self {
        Self { buckets: [0; BUCKETS], count: 0 }
    }
}

impl Durations {
    pub(crate) fn record(&mut self, duration: Duration) {
        let microseconds = duration.as_secs_f64() * 1e6;
        let bucket = (microseconds.max(1.0).log2() * PER_OCTAVE) as usize;
        if let Some(bucket) = self.buckets.get_mut(bucket.min(BUCKETS - 1)) {
            *bucket += 1;
        }
        self.count += 1;
    }

    /// How many were recorded.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The duration that a share `quantile` (0 to 1) of all did not exceed; zero when none was
    /// recorded.
    pub fn quantile(&self, quantile: f64) -> Duration {
        let wanted = (quantile.clamp(0.0, 1.0) * self.count as f64).ceil() as u64;
        let mut seen = 0;
        for (bucket, count) in (1..).zip(&self.buckets) {
            seen += count;
            if seen >= wanted.max(1) {
                return Duration::from_secs_f64((f64::from(bucket) / PER_OCTAVE).exp2() / 1e6);
            }
        }
        Duration::ZERO
    }
}

/// What the writer did since it was opened.
#[derive(Clone, Debug, Default)]
pub struct Statistics {
    /// Group commits.
    pub commits: u64,
    /// Entries in them.
    pub entries: u64,
    /// Duration of each append and `fdatasync`.
    pub syncs: Durations,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_within_a_fifth_of_the_truth() {
        let mut durations = Durations::default();
        (1..=1000).for_each(|ms| durations.record(Duration::from_millis(ms)));
        let p99 = durations.quantile(0.99).as_secs_f64();
        assert!((0.99..0.99 * 1.19).contains(&p99), "{p99}");
        assert_eq!(Durations::default().quantile(0.5), Duration::ZERO);
    }
}
