//! Queries that circle around points.
//!
//! Membership inference asks about one record again and again with changes too small to matter to a
//! customer: to find how sure the model is around it (Choquette-Choo et al., "Label-only membership
//! inference attacks", 2021), or to average over augmentations of it. Rows that follow one another in
//! small steps, as video frames do, leave their first point behind; these come back to it.

use std::collections::VecDeque;

use bartizan_statistics::squared_distance;

/// Points that are remembered; the one not come back to for longest is forgotten.
const CENTRES: usize = 16;

/// Returns to a point from which on they are probes: what only passes by has left it by then.
const SETTLED: u32 = 8;

/// Points that queries came back to, and which of the last 64 distinct queries were probes.
#[derive(Default)]
pub(crate) struct Centres {
    /// Each with the number of returns.
    points: VecDeque<(Vec<f32>, u32)>,
    probes: u64,
}

impl Centres {
    /// Whether the row is nearly the same as a point before it; otherwise it is a point itself.
    pub(crate) fn observe(&mut self, sketch: &[f32], near: f32) -> bool {
        let place = self.points.iter().position(|(point, _)| squared_distance(point, sketch) < near);
        let known = place.and_then(|place| self.points.remove(place));
        let (point, returns) =
            known.map_or_else(|| (sketch.to_vec(), 0), |(point, returns)| (point, returns.saturating_add(1)));
        if self.points.len() == CENTRES {
            self.points.pop_front();
        }
        self.points.push_back((point, returns));
        self.probes = self.probes << 1 | u64::from(returns > SETTLED);
        place.is_some()
    }

    /// How many of the last 64 rows came back to a point once more after many.
    pub(crate) const fn probes(&self) -> u32 {
        self.probes.count_ones()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_around_a_point_count_and_a_slow_walk_away_from_it_does_not() {
        let mut centres = Centres::default();
        for n in 0..100_u16 {
            centres.observe(&[if n % 7 == 0 { 0.0 } else { 0.1 }, f32::from(n) * 1e-3], 1.0);
        }
        assert_eq!(centres.probes(), 64);
        let mut centres = Centres::default();
        for n in 0..100 {
            centres.observe(&[n as f32 * 0.9, 0.0], 1.0);
        }
        assert_eq!(centres.probes(), 0);
    }
}
