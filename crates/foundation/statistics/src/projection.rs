//! Short sketches of long rows that keep distances.

use crate::numbers::Numbers;

/// A random projection onto few dimensions whose entries are plus or minus one (Achlioptas,
/// "Database-friendly random projections", 2003): squared distances keep their expectation, with a
/// standard deviation of √(2 / dimensions). Rows that are not longer than that stay as they are.
#[derive(Clone, Debug)]
pub struct Projection {
    /// One row of signs, scaled, for each dimension; empty when rows stay as they are.
    signs: Vec<f32>,
    width: usize,
    dimensions: usize,
}

impl Projection {
    /// The projection of rows of `width` values onto at most `dimensions`, drawn from `seed`.
    pub fn new(width: usize, dimensions: usize, seed: u64) -> Self {
        if width <= dimensions {
            return Self { signs: Vec::new(), width, dimensions: width };
        }
        let mut numbers = Numbers::new(seed);
        let scale = (1.0 / dimensions as f32).sqrt();
        let signs = (0..width * dimensions).map(|_| if numbers.bits() >> 63 == 0 { scale } else { -scale }).collect();
        Self { signs, width, dimensions }
    }

    /// Values of a sketch.
    pub const fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// The sketch of a row.
    pub fn sketch(&self, row: &[f32]) -> Vec<f32> {
        if self.signs.is_empty() {
            return row.to_vec();
        }
        self.signs.chunks_exact(self.width).map(|signs| dot(signs, row)).collect()
    }
}

/// Sums in eight lanes, so that the compiler can use vector registers.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0_f32; 8];
    let (mut left, mut right) = (a.chunks_exact(8), b.chunks_exact(8));
    for (x, y) in left.by_ref().zip(right.by_ref()) {
        for ((lane, x), y) in lanes.iter_mut().zip(x).zip(y) {
            *lane += x * y;
        }
    }
    let rest: f32 = left.remainder().iter().zip(right.remainder()).map(|(x, y)| x * y).sum();
    lanes.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::squared_distance;

    #[test]
    fn distances_are_kept_on_average_and_equal_rows_stay_equal() {
        let projection = Projection::new(200, 32, 1);
        let mut numbers = Numbers::new(2);
        let mut row = || (0..200).map(|_| numbers.unit() as f32).collect::<Vec<f32>>();
        let mut ratio = 0.0;
        for _ in 0..200 {
            let (a, b) = (row(), row());
            let sketched = squared_distance(&projection.sketch(&a), &projection.sketch(&b));
            ratio += f64::from(sketched / squared_distance(&a, &b)) / 200.0;
            assert_eq!(projection.sketch(&a), projection.sketch(&a.clone()));
        }
        assert!((ratio - 1.0).abs() < 0.05, "{ratio}");
    }

    #[test]
    fn short_rows_stay_as_they_are() {
        let projection = Projection::new(3, 32, 1);
        assert_eq!((projection.sketch(&[1.0, 2.0, 3.0]), projection.dimensions()), (vec![1.0, 2.0, 3.0], 3));
    }
}
