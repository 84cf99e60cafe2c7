//! A named block of numbers.

use std::fmt;

/// Element types of the Open Inference Protocol v2 that Bartizan runs.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum DataType {
    /// 32-bit IEEE 754.
    Fp32,
    /// 32-bit signed.
    Int32,
    /// 64-bit signed; values must fit 32 bits, because that is what the engine computes with.
    Int64,
    /// 8-bit signed.
    Int8,
    /// 8-bit unsigned.
    Uint8,
}

impl DataType {
    const ALL: [(Self, &str, usize); 5] = [
        (Self::Fp32, "FP32", 4),
        (Self::Int32, "INT32", 4),
        (Self::Int64, "INT64", 8),
        (Self::Int8, "INT8", 1),
        (Self::Uint8, "UINT8", 1),
    ];

    /// The protocol's word.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|row| row.0 == self).map_or("FP32", |row| row.1)
    }

    /// Reads the protocol's word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|row| row.1 == word).map(|row| row.0)
    }

    /// Bytes of one element.
    pub fn size(self) -> usize {
        Self::ALL.iter().find(|row| row.0 == self).map_or(4, |row| row.2)
    }
}

impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The numbers, in row-major order. 64-bit integers are held as the 32 bits that the engine takes.
#[derive(Clone, PartialEq, Debug)]
pub enum TensorData {
    /// Floating point.
    Float(Vec<f32>),
    /// Integers.
    Integer(Vec<i32>),
    /// Signed bytes.
    Signed(Vec<i8>),
    /// Unsigned bytes.
    Unsigned(Vec<u8>),
}

impl TensorData {
    /// How many numbers.
    pub fn len(&self) -> usize {
        match self {
            Self::Float(values) => values.len(),
            Self::Integer(values) => values.len(),
            Self::Signed(values) => values.len(),
            Self::Unsigned(values) => values.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The numbers as floating point, for statistics.
    pub fn to_floats(&self) -> Vec<f32> {
        match self {
            Self::Float(values) => values.clone(),
            Self::Integer(values) => values.iter().map(|value| *value as f32).collect(),
            Self::Signed(values) => values.iter().map(|value| f32::from(*value)).collect(),
            Self::Unsigned(values) => values.iter().map(|value| f32::from(*value)).collect(),
        }
    }
}

/// A named block of numbers. Shape is outermost first; its product equals the number of values.
#[derive(Clone, PartialEq, Debug)]
pub struct Tensor {
    /// The name that the model's signature uses.
    pub name: String,
    /// The element type as the sender declared it.
    pub data_type: DataType,
    /// Sizes, outermost first.
    pub shape: Vec<usize>,
    /// The values.
    pub data: TensorData,
}

impl Tensor {
    /// A floating point tensor.
    pub fn floats(name: &str, shape: Vec<usize>, values: Vec<f32>) -> Self {
        Self { name: name.to_owned(), data_type: DataType::Fp32, shape, data: TensorData::Float(values) }
    }
}
