//! What a model takes and gives, and whether a request fits.

use thiserror::Error;

use crate::tensor::{DataType, Tensor, TensorData};

/// One input or output.
#[derive(Clone, PartialEq, Debug)]
pub struct TensorSpec {
    /// Its name in the graph.
    pub name: String,
    /// Its element type; `None` where the graph does not say.
    pub data_type: Option<DataType>,
    /// Its sizes, outermost first; `None` for a size the caller chooses, and altogether where the
    /// graph does not say.
    pub shape: Option<Vec<Option<usize>>>,
    /// Smallest and largest value that means anything to the model, where that is known.
    pub range: Option<(f32, f32)>,
}

/// All inputs and outputs.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Signature {
    /// Inputs, in the graph's order.
    pub inputs: Vec<TensorSpec>,
    /// Outputs, in the graph's order.
    pub outputs: Vec<TensorSpec>,
}

/// Why a request does not fit. Each says what was expected; none repeats the sender's values.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum Refusal {
    /// The inputs are not the ones of the signature.
    #[error("expected the inputs {expected}; got {actual} of them, or other names")]
    Inputs {
        /// Names the model takes.
        expected: String,
        /// How many were sent.
        actual: usize,
    },
    /// Wrong element type.
    #[error("input `{name}` must be {expected}, not {actual}")]
    DataType {
        /// The input.
        name: String,
        /// What the model takes.
        expected: &'static str,
        /// What was declared.
        actual: &'static str,
    },
    /// Wrong shape.
    #[error("input `{name}` must have the shape {expected}; got {actual}")]
    Shape {
        /// The input.
        name: String,
        /// What the model takes; -1 for any size.
        expected: String,
        /// What was declared.
        actual: String,
    },
    /// Too many rows in one request.
    #[error("input `{name}` has {actual} values, more than the {limit} that one request may carry; send fewer rows")]
    TooLarge {
        /// The input.
        name: String,
        /// How many there are.
        actual: usize,
        /// How many may be.
        limit: usize,
    },
    /// NaN or infinity.
    #[error("input `{name}` holds NaN or infinity at value {index}; send finite numbers")]
    NotFinite {
        /// The input.
        name: String,
        /// Index of the first such value.
        index: usize,
    },
    /// A value outside the range of the model's signature.
    #[error(
        "input `{name}` is outside {minimum}..={maximum} at value {index}; the model gives no meaning to such input"
    )]
    Range {
        /// The input.
        name: String,
        /// Index of the first such value.
        index: usize,
        /// Smallest allowed, as text.
        minimum: String,
        /// Largest allowed, as text.
        maximum: String,
    },
}

impl Refusal {
    /// A stable kebab-case word for ledger, metrics and rules.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Inputs { .. } => "tensor-inputs",
            Self::DataType { .. } => "tensor-data-type",
            Self::Shape { .. } => "tensor-shape",
            Self::TooLarge { .. } => "tensor-too-large",
            Self::NotFinite { .. } => "tensor-not-finite",
            Self::Range { .. } => "tensor-range",
        }
    }
}

impl Signature {
    /// Holds `inputs` against the signature: names, element types, shapes, size, NaN and infinity,
    /// range. `limit` bounds the values of one input.
    ///
    /// # Errors
    /// The first thing that does not fit.
    pub fn check(&self, inputs: &[Tensor], limit: usize) -> Result<(), Refusal> {
        let names_match = inputs.len() == self.inputs.len()
            && self.inputs.iter().all(|spec| inputs.iter().filter(|input| input.name == spec.name).count() == 1);
        if !names_match {
            let expected = self.inputs.iter().map(|spec| format!("`{}`", spec.name)).collect::<Vec<_>>().join(", ");
            return Err(Refusal::Inputs { expected, actual: inputs.len() });
        }
        for spec in &self.inputs {
            let Some(input) = inputs.iter().find(|input| input.name == spec.name) else { continue };
            spec.check(input, limit)?;
        }
        Ok(())
    }
}

impl TensorSpec {
    fn check(&self, input: &Tensor, limit: usize) -> Result<(), Refusal> {
        let name = || self.name.clone();
        if let Some(expected) = self.data_type
            && !accepts(expected, input.data_type)
        {
            return Err(Refusal::DataType {
                name: name(),
                expected: expected.as_str(),
                actual: input.data_type.as_str(),
            });
        }
        let product = input.shape.iter().try_fold(1_usize, |product, size| product.checked_mul(*size));
        let fits = self.shape.as_ref().is_none_or(|shape| {
            shape.len() == input.shape.len()
                && shape.iter().zip(&input.shape).all(|(want, have)| want.is_none_or(|want| want == *have))
        });
        if !fits || product != Some(input.data.len()) || product == Some(0) {
            return Err(Refusal::Shape {
                name: name(),
                expected: self.shape_text(),
                actual: format!("{:?}", input.shape),
            });
        }
        if input.data.len() > limit {
            return Err(Refusal::TooLarge { name: name(), actual: input.data.len(), limit });
        }
        if let TensorData::Float(values) = &input.data
            && let Some(index) = values.iter().position(|value| !value.is_finite())
        {
            return Err(Refusal::NotFinite { name: name(), index });
        }
        if let Some((minimum, maximum)) = self.range {
            let outside = |value: f32| value < minimum || value > maximum;
            let index = match &input.data {
                TensorData::Float(values) => values.iter().position(|value| outside(*value)),
                other => other.to_floats().iter().position(|value| outside(*value)),
            };
            if let Some(index) = index {
                let (minimum, maximum) = (minimum.to_string(), maximum.to_string());
                return Err(Refusal::Range { name: name(), index, minimum, maximum });
            }
        }
        Ok(())
    }

    /// The shape as the protocol writes it, `-1` for any size; empty where the graph does not say.
    pub fn wire_shape(&self) -> Vec<i64> {
        let Some(shape) = &self.shape else { return Vec::new() };
        shape.iter().map(|size| size.and_then(|size| i64::try_from(size).ok()).unwrap_or(-1)).collect()
    }

    fn shape_text(&self) -> String {
        format!("{:?}", self.wire_shape())
    }
}

/// The engine computes 64-bit integers with 32 bits, so a graph can't say which one it was written with.
fn accepts(expected: DataType, actual: DataType) -> bool {
    expected == actual || (expected == DataType::Int32 && actual == DataType::Int64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signature() -> Signature {
        Signature {
            inputs: vec![TensorSpec {
                name: "x".to_owned(),
                data_type: Some(DataType::Fp32),
                shape: Some(vec![None, Some(2)]),
                range: Some((0.0, 16.0)),
            }],
            outputs: Vec::new(),
        }
    }

    fn reason(shape: Vec<usize>, values: Vec<f32>) -> &'static str {
        signature().check(&[Tensor::floats("x", shape, values)], 8).err().map_or("fits", |refusal| refusal.reason())
    }

    #[test]
    fn only_what_the_signature_says_is_let_through() {
        assert_eq!(reason(vec![1, 2], vec![0.0, 16.0]), "fits");
        assert_eq!(reason(vec![2], vec![0.0, 1.0]), "tensor-shape");
        assert_eq!(reason(vec![2, 2], vec![0.0, 1.0]), "tensor-shape");
        assert_eq!(reason(vec![0, 2], vec![]), "tensor-shape");
        assert_eq!(reason(vec![usize::MAX, 2], vec![0.0, 1.0]), "tensor-shape");
        assert_eq!(reason(vec![5, 2], vec![0.0; 10]), "tensor-too-large");
        assert_eq!(reason(vec![1, 2], vec![0.0, f32::NAN]), "tensor-not-finite");
        assert_eq!(reason(vec![1, 2], vec![0.0, f32::INFINITY]), "tensor-not-finite");
        assert_eq!(reason(vec![1, 2], vec![0.0, 16.5]), "tensor-range");
        assert_eq!(signature().check(&[], 8).err().map(|refusal| refusal.reason()), Some("tensor-inputs"));
    }
}
