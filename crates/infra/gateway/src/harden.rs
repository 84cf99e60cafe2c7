//! Answers that tell less about the model: top-k, rounding, label only.
//!
//! [`row`] says what is taken out of scores; this file does it to the tensors of the embedded model,
//! [`answer`] to answers of the Open Inference Protocol that an upstream gave, and [`logprobs`] takes the
//! probabilities of tokens out of answers of language models.

mod answer;
mod logprobs;
mod row;

use bartizan_inference::{Tensor, TensorData};

pub use answer::{Unhardened, harden_binary, harden_json};
pub use logprobs::strip_logprobs;

use crate::settings::Hardening;
use row::{Scores, are_shares, best, scores};

/// Bits of one score that is not rounded: the mantissa of a 32-bit float.
const SCORE_BITS: u64 = 23;

/// Takes out of `outputs` what `hardening` says. Classes lie along the last axis of floating-point
/// outputs; whole numbers are left as they are. The best class of a row never changes.
pub(crate) fn harden(outputs: &mut [Tensor], hardening: Hardening) {
    if hardening == Hardening::default() {
        return;
    }
    for output in outputs {
        if let TensorData::Float(values) = &mut output.data {
            row::harden_values(&output.shape, values, hardening);
        }
    }
}

/// An upper bound on the bits that an answer of these tensors carries under this hardening.
pub(crate) fn bits(outputs: &[Tensor], hardening: Hardening) -> u64 {
    outputs
        .iter()
        .map(|output| {
            let values = output.data.len() as u64;
            let TensorData::Float(scores_of) = &output.data else { return values * 32 };
            match scores(&output.shape, scores_of) {
                Scores::Rows(width) => values / width.max(1) as u64 * row_bits(width as u64, hardening),
                Scores::Single if are_shares(scores_of) => values * single_bits(hardening),
                Scores::Single => values * 32,
            }
        })
        .sum()
}

fn row_bits(width: u64, hardening: Hardening) -> u64 {
    let label = u64::from(u64::BITS - width.saturating_sub(1).leading_zeros());
    if hardening.label_only {
        return label;
    }
    let kept = if hardening.top_k == 0 { width } else { width.min(hardening.top_k as u64) };
    let positions = if kept < width { kept * label } else { 0 };
    kept * score_bits(hardening) + positions
}

fn single_bits(hardening: Hardening) -> u64 {
    if hardening.label_only { 1 } else { score_bits(hardening) }
}

fn score_bits(hardening: Hardening) -> u64 {
    // log2(10) bits a decimal place, rounded up to 4 tenths of a bit less than 3.4.
    let score = if hardening.decimals == 0 { SCORE_BITS } else { (u64::from(hardening.decimals) * 34).div_ceil(10) };
    score.min(SCORE_BITS)
}

/// The class that each row of the first score tensor puts first.
pub(crate) fn labels(outputs: &[Tensor]) -> Vec<u32> {
    let rows = outputs.iter().find_map(|output| match &output.data {
        TensorData::Float(values) => match scores(&output.shape, values) {
            Scores::Rows(width) => Some((values, width)),
            Scores::Single => None,
        },
        _ => None,
    });
    let Some((values, width)) = rows else { return Vec::new() };
    values.chunks_exact(width).filter_map(|row| best(row).and_then(|index| u32::try_from(index).ok())).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn answer(row: Vec<f32>) -> Vec<Tensor> {
        vec![Tensor::floats("p", vec![1, row.len()], row)]
    }

    fn hardened(row: Vec<f32>, hardening: Hardening) -> Vec<f32> {
        let mut outputs = answer(row);
        harden(&mut outputs, hardening);
        outputs[0].data.to_floats()
    }

    #[test]
    fn each_way_of_hardening_does_what_it_says() {
        let row = vec![0.123, 0.654, 0.223];
        assert_eq!(hardened(row.clone(), Hardening { top_k: 1, ..Hardening::default() }), [0.0, 0.654, 0.0]);
        assert_eq!(hardened(row.clone(), Hardening { decimals: 1, ..Hardening::default() }), [0.1, 0.7, 0.2]);
        assert_eq!(hardened(row, Hardening { label_only: true, ..Hardening::default() }), [0.0, 1.0, 0.0]);
    }

    #[test]
    fn each_output_is_hardened_and_labels_are_left() {
        let mut label = Tensor::floats("label", vec![1], vec![]);
        label.data = TensorData::Integer(vec![1]);
        let mut outputs = vec![label.clone(), answer(vec![0.1, 0.9]).remove(0), answer(vec![-2.0, 3.0]).remove(0)];
        harden(&mut outputs, Hardening { top_k: 1, ..Hardening::default() });
        assert_eq!(outputs[0], label);
        assert_eq!(outputs[1].data.to_floats(), [0.0, 0.9]);
        assert_eq!(outputs[2].data.to_floats(), [-1e9, 3.0]);
        assert_eq!(labels(&outputs), [1]);
    }

    #[test]
    fn a_harder_answer_carries_fewer_bits() {
        let bits = |hardening| bits(&answer(vec![0.1; 10]), hardening);
        assert_eq!(bits(Hardening::default()), 230);
        assert_eq!(bits(Hardening { decimals: 2, ..Hardening::default() }), 70);
        assert_eq!(bits(Hardening { top_k: 1, decimals: 2, label_only: false }), 11);
        assert_eq!(bits(Hardening { label_only: true, ..Hardening::default() }), 4);
    }

    proptest! {
        #[test]
        fn the_best_class_never_changes(row in prop::collection::vec(0.0_f32..1.0, 2..12), top_k in 0..4_usize, decimals in 0..4_u32, label_only: bool) {
            let before = best(&row);
            let after = hardened(row, Hardening { top_k, decimals, label_only });
            prop_assert_eq!(before, best(&after));
        }
    }
}
