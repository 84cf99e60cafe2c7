//! Distances between rows.

/// Squared Euclidean distance. Sums in eight lanes, so that the compiler can use vector registers.
pub fn squared_distance(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0_f32; 8];
    let (mut left, mut right) = (a.chunks_exact(8), b.chunks_exact(8));
    for (x, y) in left.by_ref().zip(right.by_ref()) {
        for ((lane, x), y) in lanes.iter_mut().zip(x).zip(y) {
            let difference = x - y;
            *lane += difference * difference;
        }
    }
    let rest: f32 = left.remainder().iter().zip(right.remainder()).map(|(x, y)| (x - y) * (x - y)).sum();
    lanes.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_counts_every_place() {
        let a: Vec<f32> = (0..19).map(|value| value as f32).collect();
        assert_eq!(squared_distance(&a, &[0.0; 19]), (0..19).map(|value| (value * value) as f32).sum());
    }
}
