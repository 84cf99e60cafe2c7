//! Inputs for drills: held-out rows of the shipped model's data, and rows that nobody would send.

/// Held-out rows: `split label pixels`, a pixel being one base-17 digit.
const DIGITS: &str = include_str!("../../../../../models/digits/digits.rows");

/// Rows of one split of the shipped data, where the model takes rows of that width; otherwise a few
/// plain rows that any model of that width takes.
pub(super) fn natural(split: &str, width: usize) -> Vec<Vec<f32>> {
    let rows: Vec<Vec<f32>> = DIGITS
        .lines()
        .filter_map(|line| {
            let mut parts = line.split(' ');
            let matches = parts.next() == Some(split);
            let pixels = parts.nth(1)?;
            matches.then(|| pixels.chars().filter_map(|c| c.to_digit(17)).map(|pixel| pixel as f32).collect())
        })
        .filter(|row: &Vec<f32>| row.len() == width)
        .collect();
    if rows.is_empty() { (0..8).map(|value| vec![value as f32 / 8.0; width]).collect() } else { rows }
}

/// A small, fast, repeatable source of numbers (SplitMix64; Steele, Lea and Flood 2014).
pub(super) struct Numbers(u64);

impl Numbers {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number from 0 (included) to 1 (excluded).
    pub(super) fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 40) as f32 / (1_u64 << 24) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_rows_are_whole() {
        for split in ["honest", "attacker", "evaluation"] {
            assert_eq!(natural(split, 64).len(), 300, "{split}");
        }
        assert_eq!(natural("honest", 7).len(), 8);
    }
}
