//! Features of different units on one scale.

/// How many standard deviations a feature counts at most: one broken sensor is not a different world.
const FURTHEST: f32 = 5.0;

/// Centre and spread of each feature, learnt from rows.
#[derive(Clone, Debug)]
pub struct Scale {
    /// For each feature: its mean, and one over its standard deviation.
    features: Vec<(f32, f32)>,
}

impl Scale {
    /// The scale of equally wide rows. A feature that never changes is measured by the spread that a
    /// feature has in the middle (the median), so that a change of it counts without deciding alone.
    /// `None` when no feature changes, or a value is not finite.
    pub fn new(rows: &[Vec<f32>]) -> Option<Self> {
        let width = rows.first()?.len();
        let count = rows.len() as f64;
        let (mut sums, mut squares) = (vec![0.0_f64; width], vec![0.0_f64; width]);
        for row in rows {
            if row.len() != width || !row.iter().all(|value| value.is_finite()) {
                return None;
            }
            for ((sum, square), value) in sums.iter_mut().zip(&mut squares).zip(row) {
                *sum += f64::from(*value);
                *square += f64::from(*value) * f64::from(*value);
            }
        }
        let moments = sums.iter().zip(&squares).map(|(sum, square)| {
            let mean = sum / count;
            let variance = (square / count - mean * mean).max(0.0);
            // Below the precision of the sums, a spread is none.
            (mean, if variance <= 1e-9 * (mean * mean + 1e-30) { 0.0 } else { variance.sqrt() })
        });
        let moments: Vec<(f64, f64)> = moments.collect();
        let mut spreads: Vec<f64> = moments.iter().map(|(_, spread)| *spread).filter(|spread| *spread > 0.0).collect();
        spreads.sort_by(f64::total_cmp);
        let middle = *spreads.get(spreads.len() / 2)?;
        let features = moments.into_iter().map(|(mean, spread)| {
            let spread = if spread > 0.0 { spread } else { middle };
            (mean as f32, (1.0 / spread) as f32)
        });
        Some(Self { features: features.collect() })
    }

    /// The row in standard deviations from the mean, each at most five.
    pub fn apply(&self, row: &[f32]) -> Vec<f32> {
        let scaled = row.iter().zip(&self.features).map(|(value, (mean, factor))| (value - mean) * factor);
        scaled.map(|value| value.clamp(-FURTHEST, FURTHEST)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_of_any_unit_count_alike_and_none_counts_without_end() {
        let rows: Vec<Vec<f32>> = (0..100).map(|n| vec![(n % 2) as f32, (n % 2) as f32 * 1000.0, 7.0]).collect();
        let scale = Scale::new(&rows).unwrap();
        let scaled = scale.apply(&[1.0, 1000.0, 7.0]);
        assert!((scaled[0] - 1.0).abs() < 1e-4 && (scaled[1] - 1.0).abs() < 1e-4 && scaled[2] == 0.0, "{scaled:?}");
        assert_eq!(scale.apply(&[1e9, -1e9, 1e9]), [5.0, -5.0, 5.0]);
    }

    #[test]
    fn rows_that_say_nothing_give_no_scale() {
        assert!(Scale::new(&[]).is_none());
        assert!(Scale::new(&vec![vec![1.0, 2.0]; 10]).is_none());
        assert!(Scale::new(&[vec![1.0], vec![f32::NAN]]).is_none());
    }
}
