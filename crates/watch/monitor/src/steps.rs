//! Queries that are one step away from queries before them, always the same step.
//!
//! Augmentation along a copy's slopes (Papernot et al. 2017) moves each row by the same length, so that
//! distances to the nearest query before pile up at one value, which PRADA (Juuti et al. 2019) sees as
//! a distribution that is not normal. Here, a distance that others equal is what counts.

use std::collections::VecDeque;

/// Distances that one is compared with.
const DISTANCES: usize = 32;
/// Equal ones among them from which on the step is no coincidence.
const EQUAL: usize = 4;
/// Part by which equal distances differ at most.
const TOLERANCE: f32 = 0.005;

/// The last distances to the nearest query before.
#[derive(Default)]
pub(crate) struct Steps(VecDeque<f32>);

impl Steps {
    /// Whether the distance is one that came again and again.
    pub(crate) fn observe(&mut self, distance: f32) -> bool {
        if !distance.is_finite() {
            return false;
        }
        let equal = self.0.iter().filter(|other| (*other - distance).abs() <= distance * TOLERANCE).count();
        if self.0.len() == DISTANCES {
            self.0.pop_front();
        }
        self.0.push_back(distance);
        equal >= EQUAL
    }
}

#[cfg(test)]
mod tests {
    use bartizan_statistics::Numbers;

    use super::*;

    #[test]
    fn equal_steps_are_seen_among_others_and_chance_is_not() {
        let (mut steps, mut numbers) = (Steps::default(), Numbers::new(1));
        let chance = (0..10_000).filter(|_| steps.observe(2.0 + 3.0 * numbers.unit() as f32)).count();
        assert!(chance < 20, "{chance} of 10,000");
        let seen =
            (0..20).filter(|n| steps.observe(if n % 2 == 0 { 1.5 } else { 2.0 + numbers.unit() as f32 })).count();
        assert!(seen >= 5, "{seen} of 10");
    }
}
