//! What is inside model files, and whether it is hostile.
//!
//! Each format has an inspector ([`bartizan_inspect::Inspect`]) whose work is bounded by the budget
//! of the source, and whose rules are rows in the same file as the check.

pub mod boosted_trees;
pub mod gguf;
mod hdf5;
pub mod hdf5_file;
mod jinja;
mod json;
pub mod keras;
pub mod not_inspected;
pub mod npy;
pub mod onnx;
mod opcodes;
pub mod pickle;
mod protobuf;
pub mod repository;
pub mod safetensors;
pub mod saved_model;
mod template;
pub mod tflite;
pub mod torch;
pub mod weights;

use bartizan_core::Rule;
use bartizan_inspect::Inspect;

/// Every inspector of this crate.
pub const INSPECTORS: &[&dyn Inspect] = &[
    &torch::TensorStorage,
    &pickle::Pickle,
    &npy::Npy,
    &safetensors::Safetensors,
    &onnx::Onnx,
    &gguf::Gguf,
    &hdf5_file::Hdf5,
    &keras::KerasConfiguration,
    &saved_model::SavedModel,
    &tflite::TensorFlowLite,
    &repository::Repository,
    &boosted_trees::BoostedTrees,
    &not_inspected::NotInspected,
];

/// The rules of this crate, by format.
pub const RULES: &[&[&Rule]] = &[
    pickle::RULES,
    npy::RULES,
    safetensors::RULES,
    onnx::RULES,
    gguf::RULES,
    hdf5_file::RULES,
    keras::RULES,
    saved_model::RULES,
    tflite::RULES,
    repository::RULES,
    boosted_trees::RULES,
];
