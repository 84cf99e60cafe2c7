//! What an extractor gets for its queries: how often a copy trained on the answers agrees with the model.

use bartizan_core::Digest;
use bartizan_inference::{Model, Tensor};
use bartizan_statistics::Surrogate;
use serde::Serialize;

use super::attack::Served;
use super::request::Attacker;
use super::rows::natural;
use crate::config::ModelSettings;
use crate::error::ServeError;
use crate::model::{ModelSource, load_model};

/// What the extractor got.
#[derive(Clone, Debug, Serialize)]
pub struct Extraction {
    /// How the queries were chosen.
    pub attacker: Attacker,
    /// Queries that were answered.
    pub answered: usize,
    /// How often the copy agrees with the model on held-out rows.
    pub fidelity: f64,
    /// The same for a copy that had all answers to the whole budget, without the guard.
    pub fidelity_unguarded: f64,
    /// The same for the answered queries, had the answers been labels only.
    pub fidelity_label_only: f64,
    /// Bits of output that were drawn.
    pub bits: u64,
    /// The model that was copied.
    pub model: Digest,
}

/// Scale of the inputs: a pixel goes from 0 to 16.
const SCALE: f32 = 1.0 / 16.0;
const CLASSES: usize = 10;

/// Trains copies on what was answered and compares them with the shipped model on rows that nobody
/// queried.
pub(super) fn measure(served: &Served, attacker: Attacker) -> Result<Extraction, ServeError> {
    let (embedded, _) = load_model(&ModelSource::Shipped, &ModelSettings::default())?;
    let model = &embedded.model;
    let evaluation = natural("evaluation", 64);
    let truth: Vec<usize> = evaluation.iter().map(|row| argmax(&ask(model, row))).collect();
    let answered: Vec<&(Vec<f32>, Vec<f32>)> =
        served.queries.iter().filter(|(_, scores)| scores.len() == CLASSES).collect();
    let fidelity = |pairs: &[(Vec<f32>, Vec<f32>)]| {
        if pairs.is_empty() {
            // A copy without any answer can only guess one class.
            return truth.iter().filter(|label| **label == 0).count() as f64 / truth.len().max(1) as f64;
        }
        let inputs: Vec<f32> = pairs.iter().flat_map(|(row, _)| row.iter().map(|value| value * SCALE)).collect();
        let targets: Vec<f32> = pairs.iter().flat_map(|(_, scores)| scores.iter().copied()).collect();
        let copy = Surrogate::train(&inputs, 64, &targets, CLASSES);
        let scaled = |row: &Vec<f32>| row.iter().map(|value| value * SCALE).collect::<Vec<_>>();
        let agree = evaluation.iter().zip(&truth).filter(|(row, label)| copy.predict(&scaled(row)) == **label).count();
        agree as f64 / truth.len().max(1) as f64
    };
    let got: Vec<(Vec<f32>, Vec<f32>)> = answered.iter().map(|pair| (**pair).clone()).collect();
    let labels: Vec<_> = got.iter().map(|(row, scores)| (row.clone(), one_hot(argmax(scores)))).collect();
    let all: Vec<_> = served.sent_rows.iter().map(|row| (row.clone(), ask(model, row))).collect();
    Ok(Extraction {
        attacker,
        answered: got.len(),
        fidelity: fidelity(&got),
        fidelity_unguarded: fidelity(&all),
        fidelity_label_only: fidelity(&labels),
        bits: got.iter().map(|(_, scores)| 23 * scores.len() as u64).sum(),
        model: embedded.digest,
    })
}

fn ask(model: &Model, row: &[f32]) -> Vec<f32> {
    let outputs = model.run(vec![Tensor::floats("image", vec![1, row.len()], row.to_vec())]);
    outputs.ok().and_then(|outputs| outputs.first().map(|output| output.data.to_floats())).unwrap_or_default()
}

fn argmax(scores: &[f32]) -> usize {
    (0..scores.len())
        .max_by(|a, b| scores.get(*a).partial_cmp(&scores.get(*b)).unwrap_or(std::cmp::Ordering::Equal))
        .unwrap_or_default()
}

fn one_hot(label: usize) -> Vec<f32> {
    (0..CLASSES).map(|class| f32::from(u8::from(class == label))).collect()
}
