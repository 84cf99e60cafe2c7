//! Types of elements, under PyTorch's names and under those of safetensors.

/// What an element of a tensor is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[expect(missing_docs, reason = "the names are PyTorch's")]
pub enum Element {
    Float64,
    Int64,
    Uint64,
    Complex64,
    Float32,
    Int32,
    Uint32,
    Float16,
    Bfloat16,
    Int16,
    Uint16,
    Int8,
    Uint8,
    Bool,
    Float8E4m3fn,
    Float8E5m2,
}

/// Type, name of `torch.dtype`, name of the storage class, name in safetensors, bytes.
const NAMES: &[(Element, &str, &str, &str, u64)] = &[
    (Element::Float64, "float64", "DoubleStorage", "F64", 8),
    (Element::Int64, "int64", "LongStorage", "I64", 8),
    (Element::Uint64, "uint64", "", "U64", 8),
    (Element::Complex64, "complex64", "ComplexFloatStorage", "C64", 8),
    (Element::Float32, "float32", "FloatStorage", "F32", 4),
    (Element::Int32, "int32", "IntStorage", "I32", 4),
    (Element::Uint32, "uint32", "", "U32", 4),
    (Element::Float16, "float16", "HalfStorage", "F16", 2),
    (Element::Bfloat16, "bfloat16", "BFloat16Storage", "BF16", 2),
    (Element::Int16, "int16", "ShortStorage", "I16", 2),
    (Element::Uint16, "uint16", "", "U16", 2),
    (Element::Int8, "int8", "CharStorage", "I8", 1),
    (Element::Uint8, "uint8", "ByteStorage", "U8", 1),
    (Element::Bool, "bool", "BoolStorage", "BOOL", 1),
    (Element::Float8E4m3fn, "float8_e4m3fn", "", "F8_E4M3", 1),
    (Element::Float8E5m2, "float8_e5m2", "", "F8_E5M2", 1),
];

impl Element {
    fn row(self) -> &'static (Self, &'static str, &'static str, &'static str, u64) {
        NAMES.iter().find(|row| row.0 == self).unwrap_or(&NAMES[4])
    }

    /// Bytes of one element.
    pub fn width(self) -> u64 {
        self.row().4
    }

    /// Its name in safetensors.
    pub fn safetensors(self) -> &'static str {
        self.row().3
    }

    /// Its name as a `torch.dtype`.
    pub fn torch(self) -> &'static str {
        self.row().1
    }

    /// The type that a `torch.dtype` names.
    pub(super) fn of_dtype(name: &str) -> Option<Self> {
        NAMES.iter().find(|row| row.1 == name).map(|row| row.0)
    }

    /// The type of the elements of a storage class.
    pub(super) fn of_storage(name: &str) -> Option<Self> {
        NAMES.iter().find(|row| !row.2.is_empty() && row.2 == name).map(|row| row.0)
    }
}
