//! How sure a share is, given how often it was tried.

/// A range that holds the true value with the confidence it was asked for.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// The score interval of Wilson (1927) for a proportion: `hits` of `trials`, `z` standard deviations
/// (1.96 for 95 %). It holds for small numbers and for 0 hits, where the usual formula gives an
/// interval of no width. Without trials: from 0 to 1.
pub fn wilson(hits: u64, trials: u64, z: f64) -> Interval {
    if trials == 0 {
        return Interval { low: 0.0, high: 1.0 };
    }
    let n = trials as f64;
    let p = hits.min(trials) as f64 / n;
    let z2 = z * z;
    let centre = p + z2 / (2.0 * n);
    let margin = z * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
    let scale = 1.0 + z2 / n;
    let low = if hits == 0 { 0.0 } else { ((centre - margin) / scale).max(0.0) };
    let high = if hits >= trials { 1.0 } else { ((centre + margin) / scale).min(1.0) };
    Interval { low, high }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_the_published_one() {
        // Newcombe (1998), table I: 81 of 263, 15 of 148, 0 of 20.
        for (hits, trials, low, high) in [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611)] {
            let interval = wilson(hits, trials, 1.959_964);
            assert!((interval.low - low).abs() < 1e-4 && (interval.high - high).abs() < 1e-4, "{interval:?}");
        }
    }

    #[test]
    fn no_trials_say_nothing() {
        assert_eq!(wilson(0, 0, 1.96), Interval { low: 0.0, high: 1.0 });
    }
}
