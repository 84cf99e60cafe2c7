//! Runs an ONNX model in process.
//!
//! [`Model::load`] refuses a model that does not fit its [`Budget`]; [`Model::signature`] says what
//! it takes and gives; [`Signature::check`] holds a request against that before anything runs. The
//! wire form of tensors, in the words of the Open Inference Protocol v2, is in [`protocol`].
//!
//! The engine behind it (rten) never shows in this crate's types.

mod model;
mod profile;
pub mod protocol;
mod signature;
mod tensor;

pub use bartizan_core::refuse_duplicate_keys;
pub use model::{Budget, InferenceError, Model};
pub use profile::{Profile, ProfileError};
pub use signature::{Refusal, Signature, TensorSpec};
pub use tensor::{DataType, Tensor, TensorData};
