//! What is inside model files, and whether it is hostile.
//!
//! Each format has an inspector ([`bartizan_inspect::Inspect`]) whose work is bounded by the budget
//! of the source, and whose rules are rows in the same file as the check.

pub mod pickle;
pub mod torch;

use bartizan_core::Rule;
use bartizan_inspect::Inspect;

/// Every inspector of this crate.
pub const INSPECTORS: &[&dyn Inspect] = &[&torch::TensorStorage, &pickle::Pickle];

/// The rules of this crate, by format.
pub const RULES: &[&[&Rule]] = &[pickle::RULES];
