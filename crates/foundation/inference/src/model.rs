//! Loading and running, behind our own types.

use std::sync::Arc;

use rten::{Dimension, ModelOptions, RunOptions, ThreadPool, Value, ValueType};
use rten_tensor::prelude::*;
use thiserror::Error;

use crate::signature::{Signature, TensorSpec};
use crate::tensor::{DataType, Tensor, TensorData};

/// What a model may cost.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// Largest model file in bytes.
    pub file_bytes: usize,
    /// Largest number of parameters.
    pub parameters: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { file_bytes: 512 << 20, parameters: 256 << 20 }
    }
}

/// Why a model can't be used.
#[derive(Debug, Error)]
pub enum InferenceError {
    /// The file or its parameters are over budget.
    #[error(
        "the model has {actual} {what}, more than the {limit} that the budget allows; raise `model.{key}` if you trust it"
    )]
    OverBudget {
        /// What was counted.
        what: &'static str,
        /// How many there are.
        actual: usize,
        /// How many may be.
        limit: usize,
        /// The configuration key that raises the limit.
        key: &'static str,
    },
    /// The engine can't read it.
    #[error("the model can't be loaded: {0}; check it with `bartizan scan`, or export it again as ONNX")]
    Unreadable(String),
    /// An input or output has a type that is not supported.
    #[error("the model's {what} `{name}` has a type that can't be served; export it with float or integer tensors")]
    Unsupported {
        /// `input` or `output`.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// The engine failed while running.
    #[error("the model failed while running: {0}")]
    Failed(String),
}

/// A loaded model. Cheap to clone.
#[derive(Clone)]
pub struct Model {
    engine: Arc<rten::Model>,
    threads: Arc<ThreadPool>,
    signature: Arc<Signature>,
}

impl Model {
    /// Loads an ONNX model from its bytes.
    ///
    /// # Errors
    /// Over budget, unreadable, or with inputs or outputs that can't be served.
    pub fn load(bytes: Vec<u8>, budget: Budget) -> Result<Self, InferenceError> {
        if bytes.len() > budget.file_bytes {
            return Err(InferenceError::OverBudget {
                what: "bytes",
                actual: bytes.len(),
                limit: budget.file_bytes,
                key: "file_bytes",
            });
        }
        let engine = ModelOptions::with_all_ops()
            .load(bytes)
            .map_err(|error| InferenceError::Unreadable(bartizan_core::printable(&error.to_string())))?;
        if engine.total_params() > budget.parameters {
            return Err(InferenceError::OverBudget {
                what: "parameters",
                actual: engine.total_params(),
                limit: budget.parameters,
                key: "parameters",
            });
        }
        let signature = Signature {
            inputs: specs(&engine, engine.input_ids(), "input")?,
            outputs: specs(&engine, engine.output_ids(), "output")?,
        };
        // One thread: requests are the unit of parallelism, and a small model gains nothing from more.
        let threads = Arc::new(ThreadPool::with_num_threads(1));
        Ok(Self { engine: Arc::new(engine), threads, signature: Arc::new(signature) })
    }

    /// What the model takes and gives.
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// Runs the model on inputs that [`Signature::check`] has accepted.
    ///
    /// # Errors
    /// [`InferenceError::Failed`] when the engine gives up.
    pub fn run(&self, inputs: Vec<Tensor>) -> Result<Vec<Tensor>, InferenceError> {
        let failed =
            |error: &dyn std::fmt::Display| InferenceError::Failed(bartizan_core::printable(&error.to_string()));
        let mut values = Vec::with_capacity(inputs.len());
        for input in inputs {
            let node = self.engine.node_id(&input.name).map_err(|error| failed(&error))?;
            values.push((node, to_value(input).map_err(|error| failed(&error))?.into()));
        }
        let options = RunOptions::default().with_thread_pool(Some(self.threads.clone()));
        let outputs =
            self.engine.run(values, self.engine.output_ids(), Some(options)).map_err(|error| failed(&error))?;
        self.signature.outputs.iter().zip(outputs).map(|(spec, value)| from_value(spec, value)).collect()
    }
}

fn specs(engine: &rten::Model, ids: &[rten::NodeId], what: &'static str) -> Result<Vec<TensorSpec>, InferenceError> {
    ids.iter()
        .map(|id| {
            let info = engine.node_info(*id);
            let name = info.as_ref().and_then(rten::NodeInfo::name).unwrap_or_default().to_owned();
            let unsupported = || InferenceError::Unsupported { what, name: bartizan_core::printable(&name) };
            let info = info.as_ref().ok_or_else(unsupported)?;
            let data_type = match info.dtype() {
                Some(ValueType::Tensor(rten::DataType::Float)) => Some(DataType::Fp32),
                Some(ValueType::Tensor(rten::DataType::Int32)) => Some(DataType::Int32),
                Some(ValueType::Tensor(rten::DataType::Int8)) => Some(DataType::Int8),
                Some(ValueType::Tensor(rten::DataType::UInt8)) => Some(DataType::Uint8),
                None if what == "output" => None,
                _ => return Err(unsupported()),
            };
            let shape = info.shape().map(|shape| {
                shape
                    .iter()
                    .map(|dimension| match dimension {
                        Dimension::Fixed(size) => Some(*size),
                        Dimension::Symbolic(_) => None,
                    })
                    .collect()
            });
            Ok(TensorSpec { name, data_type, shape, range: None })
        })
        .collect()
}

fn to_value(input: Tensor) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
    Ok(match input.data {
        TensorData::Float(values) => Value::from_shape(&input.shape, values)?,
        TensorData::Integer(values) => Value::from_shape(&input.shape, values)?,
        TensorData::Signed(values) => Value::from_shape(&input.shape, values)?,
        TensorData::Unsigned(values) => Value::from_shape(&input.shape, values)?,
    })
}

fn from_value(spec: &TensorSpec, value: Value) -> Result<Tensor, InferenceError> {
    let (data_type, shape, data) = match value {
        Value::FloatTensor(t) => (DataType::Fp32, t.shape().to_vec(), TensorData::Float(t.into_data())),
        Value::Int32Tensor(t) => (DataType::Int32, t.shape().to_vec(), TensorData::Integer(t.into_data())),
        Value::Int8Tensor(t) => (DataType::Int8, t.shape().to_vec(), TensorData::Signed(t.into_data())),
        Value::UInt8Tensor(t) => (DataType::Uint8, t.shape().to_vec(), TensorData::Unsigned(t.into_data())),
        Value::Sequence(_) => {
            return Err(InferenceError::Failed(format!(
                "output `{}` is a sequence",
                bartizan_core::printable(&spec.name)
            )));
        }
        _ => return Err(InferenceError::Failed("output of an unknown kind".to_owned())),
    };
    Ok(Tensor { name: spec.name.clone(), data_type, shape, data })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digits() -> Model {
        let bytes = include_bytes!("../../../../models/digits/digits.onnx");
        Model::load(bytes.to_vec(), Budget::default()).unwrap()
    }

    #[test]
    fn the_shipped_model_reaches_the_accuracy_of_its_card() {
        let model = digits();
        let rows = include_str!("../../../../models/digits/digits.rows");
        let (mut right, mut all) = (0_u32, 0_u32);
        for line in rows.lines() {
            let mut parts = line.split(' ').skip(1);
            let label: usize = parts.next().unwrap().parse().unwrap();
            let pixels = parts.next().unwrap().chars().map(|c| c.to_digit(17).unwrap() as f32).collect();
            let outputs = model.run(vec![Tensor::floats("image", vec![1, 64], pixels)]).unwrap();
            let scores = outputs[0].data.to_floats();
            let best = (0..10).max_by(|a, b| scores[*a].total_cmp(&scores[*b])).unwrap();
            right += u32::from(best == label);
            all += 1;
        }
        assert_eq!(all, 900);
        assert!((f64::from(right) / 900.0 - 0.97).abs() < 0.002, "{right} of {all}");
    }

    #[test]
    fn a_model_over_budget_is_refused() {
        let bytes = include_bytes!("../../../../models/digits/digits.onnx").to_vec();
        let error = Model::load(bytes, Budget { file_bytes: 1 << 20, parameters: 100 }).err().unwrap();
        assert!(error.to_string().contains("2411 parameters"), "{error}");
    }

    #[test]
    fn bytes_that_are_not_a_model_are_refused() {
        assert!(Model::load(b"not a model".to_vec(), Budget::default()).is_err());
    }
}
