//! A sample of what rows should look like, and how far other rows are from it.

use crate::distance::squared_distance;
use crate::numbers::Numbers;

/// Fewest rows of a reference.
const ROWS: usize = 64;

/// Rows that stand for the distribution that a model was made for.
#[derive(Clone, Debug)]
pub struct Reference {
    rows: Vec<f32>,
    width: usize,
    count: usize,
    /// 1 / (2 σ²) of the kernel.
    gamma: f32,
    /// Mean kernel between different rows of the reference.
    within: f64,
}

/// One row, seen from a reference.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Look {
    /// Distance to the nearest row of the reference.
    pub nearest: f32,
    /// Mean kernel with the rows of the reference.
    pub kernel: f64,
}

impl Reference {
    /// The reference that these rows are; `None` when they are fewer than 64, not equally wide, not
    /// finite, or all the same.
    ///
    /// The kernel is the Gaussian one, k(x, y) = exp(-|x - y|² / 2σ²), with the median distance
    /// between rows as σ (Gretton et al., "A kernel two-sample test", 2012, section 8).
    pub fn new(rows: &[Vec<f32>]) -> Option<Self> {
        let width = rows.first()?.len();
        let sound = |row: &Vec<f32>| row.len() == width && row.iter().all(|value| value.is_finite());
        if rows.len() < ROWS || width == 0 || !rows.iter().all(sound) {
            return None;
        }
        let mut reference = Self { rows: rows.concat(), width, count: rows.len(), gamma: 0.0, within: 0.0 };
        let mut distances: Vec<f32> = reference.pairs().map(|(_, _, distance)| distance).collect();
        let middle = distances.len() / 2;
        let median = *distances.select_nth_unstable_by(middle, f32::total_cmp).1;
        if median <= 0.0 || !median.is_finite() {
            return None;
        }
        reference.gamma = 0.5 / median;
        let pairs = distances.len() as f64;
        reference.within = distances.iter().map(|distance| f64::from(reference.kernel(*distance))).sum::<f64>() / pairs;
        Some(reference)
    }

    /// Values in a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Looks at a row; costs as many distances as the reference has rows.
    pub fn look(&self, row: &[f32]) -> Look {
        let (mut nearest, mut sum) = (f32::INFINITY, 0.0_f32);
        for other in self.rows.chunks_exact(self.width) {
            let distance = squared_distance(row, other);
            nearest = nearest.min(distance);
            sum += self.kernel(distance);
        }
        Look { nearest: nearest.sqrt(), kernel: f64::from(sum) / self.count as f64 }
    }

    /// The unbiased squared maximum mean discrepancy (Gretton et al. 2012, equation 3) between the
    /// reference and a window of rows with their looks. Around 0 for rows of the same distribution.
    pub fn discrepancy(&self, window: &[(&[f32], Look)]) -> f64 {
        let n = window.len() as f64;
        if n < 2.0 {
            return 0.0;
        }
        let mut among = 0.0;
        for (place, (row, _)) in window.iter().enumerate() {
            for (other, _) in window.iter().skip(place + 1) {
                among += f64::from(self.kernel(squared_distance(row, other)));
            }
        }
        let between: f64 = window.iter().map(|(_, look)| look.kernel).sum::<f64>() / n;
        2.0 * among / (n * (n - 1.0)) + self.within - 2.0 * between
    }

    /// The discrepancy that a window of so many rows of the same distribution exceeds with chance
    /// `rate`: the quantile over `rounds` random splits of the reference into a window and the rest.
    pub fn discrepancy_threshold(&self, window: usize, rate: f64, rounds: usize, seed: u64) -> f64 {
        let count = self.count;
        let window = window.clamp(2, count / 2);
        let mut kernels = vec![0.0_f32; count * count];
        for (i, j, distance) in self.pairs() {
            let kernel = self.kernel(distance);
            for place in [i * count + j, j * count + i] {
                if let Some(entry) = kernels.get_mut(place) {
                    *entry = kernel;
                }
            }
        }
        let row = |i: usize| kernels.get(i * count..(i + 1) * count).unwrap_or_default();
        let sums: Vec<f64> = (0..count).map(|i| row(i).iter().copied().map(f64::from).sum()).collect();
        let total: f64 = sums.iter().sum();
        let mut numbers = Numbers::new(seed);
        let mut places: Vec<usize> = (0..count).collect();
        let (n, m) = (window as f64, (count - window) as f64);
        let mut found: Vec<f64> = (0..rounds.max(1))
            .map(|_| {
                numbers.shuffle(&mut places, window);
                let chosen = places.get(..window).unwrap_or_default();
                let (mut among, mut touched) = (0.0, 0.0);
                for i in chosen {
                    let row = row(*i);
                    among += f64::from(chosen.iter().filter_map(|j| row.get(*j)).sum::<f32>());
                    touched += sums.get(*i).copied().unwrap_or_default();
                }
                let between = touched - among;
                let rest = total - 2.0 * between - among;
                among / (n * (n - 1.0)) + rest / (m * (m - 1.0)) - 2.0 * between / (n * m)
            })
            .collect();
        quantile(&mut found, 1.0 - rate)
    }

    /// The distance that so large a share of the reference's rows have at most to their nearest other
    /// row: what lies further out is unlike the reference.
    pub fn nearest_quantile(&self, share: f64) -> f32 {
        let mut nearest = vec![f64::INFINITY; self.count];
        for (i, j, distance) in self.pairs() {
            for place in [i, j] {
                if let Some(entry) = nearest.get_mut(place) {
                    *entry = entry.min(f64::from(distance));
                }
            }
        }
        quantile(&mut nearest, share).sqrt() as f32
    }

    /// The distance that, in so small a share of cases, a row of the reference has at most to the
    /// nearest of `window` others drawn at random: what lies closer to its predecessors is crowded, as
    /// queries made by changing a few seeds are (Juuti et al., "PRADA", 2019, section 4, looks at the
    /// distribution of these distances; a quantile needs no assumption of normality).
    pub fn crowding_quantile(&self, window: usize, share: f64, rounds: usize, seed: u64) -> f32 {
        let mut numbers = Numbers::new(seed);
        let mut places: Vec<usize> = (0..self.count).collect();
        let window = window.clamp(1, self.count - 1);
        let mut found: Vec<f64> = (0..rounds.max(1))
            .filter_map(|_| {
                numbers.shuffle(&mut places, window + 1);
                let (first, others) = places.get(..=window)?.split_first()?;
                let row = self.row(*first);
                let nearest =
                    others.iter().map(|other| squared_distance(row, self.row(*other))).fold(f32::INFINITY, f32::min);
                Some(f64::from(nearest))
            })
            .collect();
        quantile(&mut found, share).sqrt() as f32
    }

    fn row(&self, place: usize) -> &[f32] {
        self.rows.get(place * self.width..(place + 1) * self.width).unwrap_or_default()
    }

    /// Each pair of different rows once, with its squared distance.
    fn pairs(&self) -> impl Iterator<Item = (usize, usize, f32)> {
        (0..self.count)
            .flat_map(move |i| ((i + 1)..self.count).map(move |j| (i, j, squared_distance(self.row(i), self.row(j)))))
    }

    fn kernel(&self, squared_distance: f32) -> f32 {
        (-self.gamma * squared_distance).exp()
    }
}

/// The smallest value that at least `share` of the values don't exceed; 0 without values.
fn quantile(values: &mut [f64], share: f64) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    let place = (share * values.len() as f64).ceil() as usize;
    let place = place.saturating_sub(1).min(values.len() - 1);
    *values.select_nth_unstable_by(place, f64::total_cmp).1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(seed: u64, count: usize, shift: f32) -> Vec<Vec<f32>> {
        let mut numbers = Numbers::new(seed);
        (0..count).map(|_| (0..12).map(|_| numbers.unit() as f32 + shift).collect()).collect()
    }

    fn discrepancy(reference: &Reference, rows: &[Vec<f32>]) -> f64 {
        let window: Vec<(&[f32], Look)> = rows.iter().map(|row| (row.as_slice(), reference.look(row))).collect();
        reference.discrepancy(&window)
    }

    #[test]
    fn the_discrepancy_is_the_one_of_its_definition() {
        let (all, other) = (rows(1, 70, 0.0), rows(2, 5, 0.2));
        let reference = Reference::new(&all).unwrap();
        let kernel = |a: &[f32], b: &[f32]| f64::from(reference.kernel(squared_distance(a, b)));
        let mean = |a: &[Vec<f32>], b: &[Vec<f32>]| {
            let terms: Vec<f64> = a
                .iter()
                .flat_map(|x| b.iter().filter(move |y| x != *y).map(move |y| (x, y)))
                .map(|(x, y)| kernel(x, y))
                .collect();
            terms.iter().sum::<f64>() / terms.len() as f64
        };
        let expected = mean(&other, &other) + mean(&all, &all) - 2.0 * mean(&other, &all);
        assert!((discrepancy(&reference, &other) - expected).abs() < 1e-5);
    }

    #[test]
    fn the_threshold_keeps_the_false_alarm_rate_and_finds_a_shift() {
        let (mut alarms, mut found) = (0, 0);
        for world in 0..10 {
            let reference = Reference::new(&rows(world, 128, 0.0)).unwrap();
            let threshold = reference.discrepancy_threshold(32, 0.05, 2000, 1);
            alarms += (0..40)
                .filter(|run| discrepancy(&reference, &rows(1000 + 100 * world + run, 32, 0.0)) > threshold)
                .count();
            found += (0..10)
                .filter(|run| discrepancy(&reference, &rows(9000 + 100 * world + run, 32, 0.2)) > threshold)
                .count();
        }
        assert!(crate::wilson(alarms as u64, 400, 3.0).low <= 0.05, "{alarms} of 400");
        assert!(found > 95, "{found} of 100");
    }

    #[test]
    fn the_same_seed_gives_the_same_threshold() {
        let reference = Reference::new(&rows(3, 100, 0.0)).unwrap();
        assert_eq!(
            reference.discrepancy_threshold(32, 0.01, 500, 9),
            reference.discrepancy_threshold(32, 0.01, 500, 9)
        );
    }

    #[test]
    fn rows_that_say_nothing_are_no_reference() {
        assert!(Reference::new(&rows(1, 63, 0.0)).is_none());
        assert!(Reference::new(&vec![vec![1.0; 4]; 100]).is_none());
        assert!(Reference::new(&vec![vec![f32::NAN; 4]; 100]).is_none());
        let mut ragged = rows(1, 100, 0.0);
        ragged[50].pop();
        assert!(Reference::new(&ragged).is_none());
    }

    #[test]
    fn far_and_crowded_rows_are_told_from_ordinary_ones() {
        let reference = Reference::new(&rows(1, 200, 0.0)).unwrap();
        let far = reference.nearest_quantile(0.99);
        let crowded = reference.crowding_quantile(32, 0.005, 2000, 1);
        let strangers = rows(2, 50, 3.0);
        assert!(strangers.iter().all(|row| reference.look(row).nearest > far));
        let natural = rows(3, 200, 0.0);
        assert!(natural.iter().filter(|row| reference.look(row).nearest > far).count() < 12);
        assert!(crowded > 0.0 && crowded < far);
    }
}
