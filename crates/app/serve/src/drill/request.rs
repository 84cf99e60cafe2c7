//! What is to be rehearsed.

use serde::Serialize;

/// What is rehearsed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DrillKind {
    /// Somebody else uses a customer's key, beside the customer.
    StolenKey,
    /// One key asks far more than anybody needs.
    Flood,
    /// One key sends what no client of the model would send.
    Malformed,
    /// One key copies the model.
    Extraction,
}

/// A drill to run.
#[derive(Clone, Debug)]
pub struct DrillRequest {
    /// What is rehearsed.
    pub kind: DrillKind,
    /// How the extractor chooses its queries.
    pub attacker: Attacker,
    /// Hostile requests at most; the kind's default when absent.
    pub budget: Option<u32>,
}

/// How the extractor chooses its queries.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Attacker {
    /// Noise.
    Random,
    /// A few real inputs, pushed about.
    Synthetic,
    /// Real inputs, as customers send.
    Natural,
}
