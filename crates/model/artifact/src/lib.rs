//! What is inside model files, and whether it is hostile.
//!
//! Each format has an inspector ([`bartizan_inspect::Inspect`]) whose work is bounded by the budget
//! of the source, and whose rules are rows in the same file as the check.

pub mod gguf;
pub mod npy;
pub mod onnx;
pub mod pickle;
pub mod safetensors;
mod template;
pub mod torch;

use bartizan_core::Rule;
use bartizan_inspect::Inspect;

/// Every inspector of this crate.
pub const INSPECTORS: &[&dyn Inspect] =
    &[&torch::TensorStorage, &pickle::Pickle, &npy::Npy, &safetensors::Safetensors, &onnx::Onnx, &gguf::Gguf];

/// The rules of this crate, by format.
pub const RULES: &[&[&Rule]] = &[pickle::RULES, safetensors::RULES, onnx::RULES, gguf::RULES];
