//! The copy that a model extractor trains on what a model answers.

/// Steps of gradient descent.
const STEPS: usize = 400;
/// Step width, and how much of the last step goes on (Polyak 1964).
const RATE: f32 = 0.5;
const MOMENTUM: f32 = 0.9;
/// Pulls weights towards zero, so that few rows don't make them grow without end.
const DECAY: f32 = 1e-4;

/// Softmax regression, fitted by full-batch gradient descent with momentum on the cross entropy
/// with the targets; the plainest model that an extractor would train (Tramèr et al., "Stealing
/// machine learning models via prediction APIs", 2016). Deterministic.
#[derive(Clone, Debug)]
pub struct Surrogate {
    width: usize,
    /// Class by class: one weight a feature, then the bias.
    weights: Vec<f32>,
}

impl Surrogate {
    /// Fits rows of `width` features (of a size around 1) to rows of `classes` probabilities. Rows
    /// that are not complete are left out; without any row, every prediction is class 0.
    pub fn train(inputs: &[f32], width: usize, targets: &[f32], classes: usize) -> Self {
        let stride = width + 1;
        let mut model = Self { width, weights: vec![0.0; classes * stride] };
        if width == 0 || classes == 0 {
            return model;
        }
        let rows: Vec<(&[f32], &[f32])> = inputs.chunks_exact(width).zip(targets.chunks_exact(classes)).collect();
        if rows.is_empty() {
            return model;
        }
        let scale = 1.0 / rows.len() as f32;
        let mut velocity = vec![0.0_f32; model.weights.len()];
        let mut gradient = vec![0.0_f32; model.weights.len()];
        let mut scores = vec![0.0_f32; classes];
        for _ in 0..STEPS {
            gradient.fill(0.0);
            for (row, target) in &rows {
                model.probabilities(row, &mut scores);
                for ((slope, score), wanted) in gradient.chunks_exact_mut(stride).zip(&scores).zip(*target) {
                    let error = (score - wanted) * scale;
                    if let Some((bias, slopes)) = slope.split_last_mut() {
                        slopes.iter_mut().zip(*row).for_each(|(slope, value)| *slope += error * value);
                        *bias += error;
                    }
                }
            }
            for ((weight, speed), slope) in model.weights.iter_mut().zip(&mut velocity).zip(&gradient) {
                *speed = MOMENTUM * *speed - RATE * (slope + DECAY * *weight);
                *weight += *speed;
            }
        }
        model
    }

    /// The class that the copy puts first; 0 for a row of another width.
    pub fn predict(&self, row: &[f32]) -> usize {
        if row.len() != self.width {
            return 0;
        }
        let mut best = (0, f32::NEG_INFINITY);
        for (class, weights) in self.weights.chunks_exact(self.width + 1).enumerate() {
            let score = score(weights, row);
            if score > best.1 {
                best = (class, score);
            }
        }
        best.0
    }

    fn probabilities(&self, row: &[f32], scores: &mut [f32]) {
        for (value, weights) in scores.iter_mut().zip(self.weights.chunks_exact(self.width + 1)) {
            *value = score(weights, row);
        }
        let largest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let mut sum = 0.0;
        for value in scores.iter_mut() {
            *value = (*value - largest).exp();
            sum += *value;
        }
        scores.iter_mut().for_each(|value| *value /= sum);
    }
}

fn score(weights: &[f32], row: &[f32]) -> f32 {
    match weights.split_last() {
        Some((bias, weights)) => bias + weights.iter().zip(row).map(|(weight, value)| weight * value).sum::<f32>(),
        None => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Numbers;

    #[test]
    fn a_copy_agrees_with_what_it_was_trained_on() {
        let mut numbers = Numbers::new(5);
        let inputs: Vec<f32> = (0..600).map(|_| numbers.unit() as f32).collect();
        let label = |row: &[f32]| (0..3).max_by(|a, b| row[*a].total_cmp(&row[*b])).unwrap();
        let one_hot = |label: usize| (0..3).map(move |class| f32::from(u8::from(class == label)));
        let targets: Vec<f32> = inputs.chunks(3).flat_map(|row| one_hot(label(row))).collect();
        let copy = Surrogate::train(&inputs, 3, &targets, 3);
        let agree = inputs.chunks(3).filter(|row| copy.predict(row) == label(row)).count();
        assert!(agree > 185, "{agree} of 200");
    }

    #[test]
    fn nothing_learnt_is_class_zero_and_no_panic() {
        assert_eq!(Surrogate::train(&[], 4, &[], 3).predict(&[1.0; 4]), 0);
        assert_eq!(Surrogate::train(&[1.0; 4], 4, &[0.0, 1.0, 0.0], 3).predict(&[1.0; 7]), 0);
        assert_eq!(Surrogate::train(&[], 0, &[], 0).predict(&[]), 0);
    }
}
