//! Hardening of one row of scores. Whatever is taken away, the best class stays the best.

use crate::settings::Hardening;

/// What stands for the score of a class that is not told where scores may be negative (logits): after a
/// softmax it is nothing. Where no score is negative, 0 stands for it.
const MASKED: f32 = -1e9;
/// How far from one the sum of probabilities may be.
const ROUNDING: f32 = 1e-3;

/// What the numbers of a tensor mean.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Scores {
    /// Rows of so many scores, one a class.
    Rows(usize),
    /// One score a row: the probability of the one class there is, a logit, or a quantity.
    Single,
}

/// How scores of that shape are read: the classes lie along the last axis. A tensor of rank 1 is one row
/// when it sums to one, as probabilities do; otherwise it is one score for each row that was asked about.
pub(crate) fn scores(shape: &[usize], values: &[f32]) -> Scores {
    match shape {
        [_, .., width] if *width > 1 => Scores::Rows(*width),
        [width] if *width > 1 && are_probabilities(values) => Scores::Rows(*width),
        _ => Scores::Single,
    }
}

/// Takes out of the values what `hardening` says.
pub(crate) fn harden_values(shape: &[usize], values: &mut [f32], hardening: Hardening) {
    match scores(shape, values) {
        Scores::Rows(width) => values.chunks_exact_mut(width).for_each(|row| harden_row(row, hardening)),
        Scores::Single => harden_singles(values, hardening),
    }
}

/// The place of the largest score, the first of equals; not-a-number counts as largest.
pub(crate) fn best(row: &[f32]) -> Option<usize> {
    row.iter().enumerate().max_by(|(i, a), (j, b)| a.total_cmp(b).then(j.cmp(i))).map(|(index, _)| index)
}

/// Whether the values are between 0 and 1, as far as probabilities in floating point are.
pub(crate) fn are_shares(values: &[f32]) -> bool {
    values.iter().all(|value| (-ROUNDING..=1.0 + ROUNDING).contains(value))
}

fn are_probabilities(values: &[f32]) -> bool {
    are_shares(values) && (values.iter().sum::<f32>() - 1.0).abs() <= ROUNDING
}

fn harden_row(row: &mut [f32], hardening: Hardening) {
    let Some(best) = best(row) else { return };
    if hardening.label_only {
        for (index, score) in row.iter_mut().enumerate() {
            *score = f32::from(u8::from(index == best));
        }
        return;
    }
    let masked = mask(row, hardening.top_k);
    if hardening.decimals > 0 {
        round_row(row, best, &masked, hardening.decimals);
    }
}

/// Hides all but the largest scores; which those are that are hidden.
fn mask(row: &mut [f32], kept: usize) -> Vec<bool> {
    let mut masked = vec![false; row.len()];
    if kept == 0 || kept >= row.len() {
        return masked;
    }
    let mut order: Vec<usize> = (0..row.len()).collect();
    // Stable, so that of equal scores the first is kept.
    order.sort_by(|a, b| at(row, *b).total_cmp(&at(row, *a)));
    let lowest = order.get(kept - 1).map_or(0.0, |index| at(row, *index));
    let nothing = if row.iter().all(|score| *score >= 0.0) { 0.0 } else { MASKED.min(lowest * 2.0) };
    for index in order.into_iter().skip(kept) {
        if let (Some(score), Some(is_masked)) = (row.get_mut(index), masked.get_mut(index)) {
            (*score, *is_masked) = (nothing, true);
        }
    }
    masked
}

fn round_row(row: &mut [f32], best: usize, masked: &[bool], decimals: u32) {
    let step = step(decimals);
    for (score, _) in row.iter_mut().zip(masked).filter(|(_, is_masked)| !**is_masked) {
        *score = round(*score, decimals);
    }
    // Rounding can make one before the best equal to it; the best stays ahead by a step.
    let top = at(row, best);
    let is_tied = |row: &[f32]| row.iter().take(best).any(|score| *score >= top);
    if !is_tied(row) {
        return;
    }
    if top > 0.0 || row.iter().any(|score| *score < 0.0) {
        for score in row.iter_mut().take(best).filter(|score| **score >= top) {
            *score = below(top, step);
        }
    } else if let Some(score) = row.get_mut(best) {
        *score = step;
    }
}

/// One score a row: its rounding never passes what divides yes from no, which is one half for
/// probabilities and 0 for logits.
fn harden_singles(values: &mut [f32], hardening: Hardening) {
    let divide = if are_shares(values) { 0.5 } else { 0.0 };
    if hardening.label_only && divide > 0.0 {
        values.iter_mut().for_each(|value| *value = f32::from(u8::from(*value >= divide)));
        return;
    }
    // A label is not to be had of a logit or a quantity: it is rounded as far as can be said.
    let decimals = if hardening.label_only { hardening.decimals.max(1) } else { hardening.decimals };
    if decimals == 0 {
        return;
    }
    let step = step(decimals);
    for value in values {
        let rounded = round(*value, decimals);
        *value = if *value < divide && rounded >= divide {
            divide - step
        } else if *value > divide && rounded <= divide {
            divide + step
        } else {
            rounded
        };
    }
}

/// Rounded to so many decimal places; what is too large to have any stays as it is.
fn round(value: f32, decimals: u32) -> f32 {
    let scale = 10_f64.powi(places(decimals));
    let rounded = ((f64::from(value) * scale).round() / scale) as f32;
    if rounded.is_finite() { rounded } else { value }
}

/// A step below, or the next number below where a step is too small to count.
fn below(value: f32, step: f32) -> f32 {
    let lower = value - step;
    if lower < value { lower } else { value.next_down() }
}

/// The smallest difference that is told.
fn step(decimals: u32) -> f32 {
    10_f64.powi(-places(decimals)) as f32
}

fn places(decimals: u32) -> i32 {
    i32::try_from(decimals.min(6)).unwrap_or(6)
}

fn at(row: &[f32], index: usize) -> f32 {
    row.get(index).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hardened(shape: &[usize], values: &[f32], hardening: Hardening) -> Vec<f32> {
        let mut values = values.to_vec();
        harden_values(shape, &mut values, hardening);
        values
    }

    const TOP: Hardening = Hardening { top_k: 1, decimals: 2, label_only: false };
    const LABEL: Hardening = Hardening { top_k: 0, decimals: 0, label_only: true };

    #[test]
    fn logits_that_are_not_told_are_masked_and_not_zero() {
        assert_eq!(hardened(&[1, 3], &[-3.0, -0.512, -7.0], TOP), [MASKED, -0.51, MASKED]);
        assert_eq!(hardened(&[1, 3], &[-2e9, -4e9, -3e9], TOP), [-2e9, -4e9, -4e9]);
    }

    #[test]
    fn classes_lie_along_the_last_axis_whatever_the_rank() {
        let row = [0.204, 0.703, 0.093];
        let twice = [row, row].concat();
        for (shape, count) in [(&[3][..], 1), (&[1, 3], 1), (&[2, 3], 2), (&[1, 2, 3], 2)] {
            let values = twice.get(..3 * count).unwrap();
            assert_eq!(hardened(shape, values, TOP), [0.0, 0.7, 0.0].repeat(count), "{shape:?}");
        }
    }

    #[test]
    fn a_single_probability_is_rounded_on_its_side_of_one_half() {
        for shape in [&[4][..], &[4, 1], &[2, 2, 1]] {
            let values = [0.123, 0.4999, 0.5001, 0.5];
            assert_eq!(hardened(shape, &values, TOP), [0.12, 0.49, 0.51, 0.5], "{shape:?}");
            assert_eq!(hardened(shape, &values, LABEL), [0.0, 0.0, 1.0, 1.0], "{shape:?}");
        }
        assert_eq!(hardened(&[3], &[-0.001, 0.001, 7.126], TOP), [-0.01, 0.01, 7.13]);
    }

    #[test]
    fn what_has_no_decimal_places_stays() {
        let values = [f32::INFINITY, 3e38, -3e38, f32::NAN];
        let after = hardened(&[1, 4], &values, Hardening { decimals: 2, ..Hardening::default() });
        assert!(after[0].is_infinite() && after[1] == 3e38 && after[2] == -3e38 && after[3].is_nan(), "{after:?}");
    }

    fn any_row() -> impl Strategy<Value = Vec<f32>> {
        prop_oneof![
            prop::collection::vec(0.0_f32..1.0, 2..12),
            prop::collection::vec(0.0_f32..0.01, 2..12),
            prop::collection::vec(-20.0_f32..20.0, 2..12),
            prop::collection::vec(-0.02_f32..0.02, 2..12),
            prop::collection::vec(-1e9_f32..1e9, 2..12),
            prop::collection::vec(prop::num::f32::NORMAL, 2..12),
        ]
    }

    proptest! {
        #[test]
        fn the_best_class_of_logits_and_probabilities_of_any_size_never_changes(
            row in any_row(), top_k in 0..4_usize, decimals in 0..=6_u32, label_only: bool,
        ) {
            let after = hardened(&[1, row.len()], &row, Hardening { top_k, decimals, label_only });
            prop_assert_eq!(best(&row), best(&after), "{:?}", after);
        }

        #[test]
        fn a_single_score_never_passes_what_divides_yes_from_no(
            values in prop::collection::vec(-3.0_f32..3.0, 1..8), decimals in 0..=6_u32, label_only: bool,
        ) {
            let divide = if are_shares(&values) { 0.5 } else { 0.0 };
            let after = hardened(&[values.len(), 1], &values, Hardening { top_k: 1, decimals, label_only });
            for (before, after) in values.iter().zip(&after) {
                prop_assert_eq!(*before >= divide, *after >= divide);
            }
        }
    }
}
