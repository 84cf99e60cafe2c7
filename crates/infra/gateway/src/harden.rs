//! Answers that tell less about the model: top-k, rounding, label only.

use bartizan_inference::{Tensor, TensorData};

use crate::settings::Hardening;

/// Bits of one score that is not rounded: the mantissa of a 32-bit float.
const SCORE_BITS: u64 = 23;

/// Takes out of `outputs` what `hardening` says. Scores are rows of floats of rank 2; everything
/// else is left as it is. The best class of a row never changes.
pub(crate) fn harden(outputs: &mut [Tensor], hardening: Hardening) {
    if hardening == Hardening::default() {
        return;
    }
    for output in outputs {
        let Some(width) = score_width(output) else { continue };
        let TensorData::Float(values) = &mut output.data else { continue };
        for row in values.chunks_exact_mut(width) {
            harden_row(row, hardening);
        }
    }
}

fn harden_row(row: &mut [f32], hardening: Hardening) {
    let Some(best) = best(row) else { return };
    if hardening.label_only {
        for (index, score) in row.iter_mut().enumerate() {
            *score = f32::from(u8::from(index == best));
        }
        return;
    }
    if hardening.top_k > 0 && hardening.top_k < row.len() {
        let mut order: Vec<usize> = (0..row.len()).collect();
        order.sort_by(|a, b| score_at(row, *b).total_cmp(&score_at(row, *a)));
        for index in order.into_iter().skip(hardening.top_k) {
            if let Some(score) = row.get_mut(index) {
                *score = 0.0;
            }
        }
    }
    if hardening.decimals > 0 {
        let scale = 10_f32.powi(i32::try_from(hardening.decimals).unwrap_or(6));
        let top = score_at(row, best);
        for score in row.iter_mut() {
            *score = (*score * scale).round() / scale;
        }
        // Rounding can make the runner-up equal to the best; the best stays ahead by one step.
        let rounded = score_at(row, best);
        let tied = row.iter().enumerate().any(|(index, score)| index < best && *score >= rounded);
        if tied && let Some(score) = row.get_mut(best) {
            *score = rounded.max((top * scale).round() / scale) + 1.0 / scale;
        }
    }
}

/// An upper bound on the bits that an answer of these tensors carries under this hardening.
pub(crate) fn bits(outputs: &[Tensor], hardening: Hardening) -> u64 {
    outputs
        .iter()
        .map(|output| {
            let values = output.data.len() as u64;
            let Some(width) = score_width(output) else { return values * 32 };
            let rows = values / width.max(1) as u64;
            rows * row_bits(width as u64, hardening)
        })
        .sum()
}

fn row_bits(width: u64, hardening: Hardening) -> u64 {
    let label = u64::from(u64::BITS - width.saturating_sub(1).leading_zeros());
    if hardening.label_only {
        return label;
    }
    let kept = if hardening.top_k == 0 { width } else { width.min(hardening.top_k as u64) };
    // log2(10) bits a decimal place, rounded up to 4 tenths of a bit less than 3.4.
    let score = if hardening.decimals == 0 { SCORE_BITS } else { (u64::from(hardening.decimals) * 34).div_ceil(10) };
    let positions = if kept < width { kept * label } else { 0 };
    kept * score.min(SCORE_BITS) + positions
}

/// The class that each row of the first score tensor puts first.
pub(crate) fn labels(outputs: &[Tensor]) -> Vec<u32> {
    let Some((output, width)) = outputs.iter().find_map(|output| Some((output, score_width(output)?))) else {
        return Vec::new();
    };
    let TensorData::Float(values) = &output.data else { return Vec::new() };
    values.chunks_exact(width).filter_map(|row| best(row).and_then(|index| u32::try_from(index).ok())).collect()
}

fn score_width(output: &Tensor) -> Option<usize> {
    match (&output.data, output.shape.as_slice()) {
        (TensorData::Float(_), [_, width]) if *width > 1 => Some(*width),
        _ => None,
    }
}

fn best(row: &[f32]) -> Option<usize> {
    row.iter().enumerate().max_by(|(i, a), (j, b)| a.total_cmp(b).then(j.cmp(i))).map(|(index, _)| index)
}

fn score_at(row: &[f32], index: usize) -> f32 {
    row.get(index).copied().unwrap_or_default()
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
