//! Whether two samples of numbers come from one distribution.

/// A test's result.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Test {
    /// The statistic; what it measures is the test's own.
    pub statistic: f64,
    /// Chance of a statistic at least as large when both samples come from one distribution.
    pub p_value: f64,
}

/// The two-sample Kolmogorov-Smirnov test: the largest difference of the two empirical distribution
/// functions. The p-value is Kolmogorov's limit with Stephens' (1970) correction for small samples
/// (as in Press et al., "Numerical recipes", 3rd edition, 14.3.3), good from four values on. Samples
/// are finite numbers; an empty one says nothing (statistic 0, p-value 1).
pub fn kolmogorov_smirnov(a: &[f64], b: &[f64]) -> Test {
    if a.is_empty() || b.is_empty() {
        return Test { statistic: 0.0, p_value: 1.0 };
    }
    let sorted = |values: &[f64]| {
        let mut values = values.to_vec();
        values.sort_by(f64::total_cmp);
        values
    };
    let (a, b) = (sorted(a), sorted(b));
    let share =
        |sample: &[f64], value: f64| sample.partition_point(|other| *other <= value) as f64 / sample.len() as f64;
    let statistic = a.iter().chain(&b).map(|value| (share(&a, *value) - share(&b, *value)).abs()).fold(0.0, f64::max);
    let size = (a.len() as f64 * b.len() as f64 / (a.len() + b.len()) as f64).sqrt();
    Test { statistic, p_value: kolmogorov((size + 0.12 + 0.11 / size) * statistic) }
}

/// Chance that Kolmogorov's statistic is at least `x`: 2 Σ (-1)^(j-1) exp(-2 j² x²).
fn kolmogorov(x: f64) -> f64 {
    if x < 0.2 {
        return 1.0;
    }
    let term = |j: i32| (if j % 2 == 0 { -2.0 } else { 2.0 }) * (-2.0 * f64::from(j * j) * x * x).exp();
    (1..=100).map(term).sum::<f64>().clamp(0.0, 1.0)
}

/// The population stability index, Σ (s - r) ln(s / r) over `bins` bins that hold equally many
/// values of the reference; a share of 0 counts as half a value. It has no universal threshold: its
/// expected value without any drift is about (bins - 1) (1/n + 1/m) (Yurdakul 2018).
pub fn population_stability(reference: &[f64], sample: &[f64], bins: usize) -> f64 {
    if reference.is_empty() || sample.is_empty() || bins < 2 {
        return 0.0;
    }
    let mut sorted = reference.to_vec();
    sorted.sort_by(f64::total_cmp);
    let mut edges: Vec<f64> = (1..bins).filter_map(|bin| sorted.get(bin * sorted.len() / bins).copied()).collect();
    edges.dedup();
    let shares = |values: &[f64]| -> Vec<f64> {
        let mut counts = vec![0.0_f64; edges.len() + 1];
        for value in values {
            if let Some(count) = counts.get_mut(edges.partition_point(|edge| edge <= value)) {
                *count += 1.0;
            }
        }
        counts.iter().map(|count| count.max(0.5) / values.len() as f64).collect()
    };
    shares(reference).iter().zip(shares(sample)).map(|(r, s)| (s - r) * (s / r).ln()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Numbers;

    fn uniform(seed: u64, count: usize, shift: f64) -> Vec<f64> {
        let mut numbers = Numbers::new(seed);
        (0..count).map(|_| numbers.unit() + shift).collect()
    }

    #[test]
    fn kolmogorovs_distribution_has_its_published_quantiles() {
        // Smirnov (1948): 1.2238, 1.3581 and 1.6276 for 10 %, 5 % and 1 %.
        for (x, p) in [(1.2238, 0.10), (1.3581, 0.05), (1.6276, 0.01)] {
            assert!((kolmogorov(x) - p).abs() < 1e-4);
        }
    }

    #[test]
    fn the_test_keeps_its_false_alarm_rate_and_finds_a_shift() {
        let alarms = (0..1000)
            .filter(|seed| kolmogorov_smirnov(&uniform(*seed, 80, 0.0), &uniform(seed + 5000, 60, 0.0)).p_value < 0.05);
        let rate = crate::wilson(alarms.count() as u64, 1000, 3.0);
        assert!(rate.low < 0.05, "{rate:?}");
        assert!(kolmogorov_smirnov(&uniform(1, 80, 0.0), &uniform(2, 60, 0.4)).p_value < 1e-3);
    }

    #[test]
    fn stability_is_small_without_a_shift_and_large_with_one() {
        let reference = uniform(1, 2000, 0.0);
        assert!(population_stability(&reference, &uniform(2, 2000, 0.0), 10) < 0.03);
        assert!(population_stability(&reference, &uniform(3, 2000, 0.3), 10) > 0.5);
        assert_eq!(population_stability(&[], &[1.0], 10), 0.0);
    }
}
