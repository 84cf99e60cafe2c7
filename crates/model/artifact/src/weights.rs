//! The tensors of PyTorch files, found without running anything.
//!
//! A state dictionary is a pickle that builds dictionaries, lists and tensors and nothing else. The few
//! constructors that this takes are interpreted here on real values; whatever else a file names is refused, so that
//! what is read equals what `torch.load` would have made, and nothing that it would have run is lost silently.

mod element;
mod file;
mod interpreter;
mod object;
mod safetensors;

use thiserror::Error;

pub use element::Element;
pub use file::Weights;
pub use safetensors::Written;

/// A tensor as the file describes it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TensorView {
    /// The storage that holds its elements, by the name that the file gives it.
    pub storage: String,
    /// What its elements are.
    pub element: Element,
    /// Index of its first element in the storage.
    pub offset: u64,
    /// Length along each dimension.
    pub shape: Vec<u64>,
    /// Elements between neighbours, for each dimension.
    pub stride: Vec<u64>,
    /// Elements of the storage.
    pub capacity: u64,
}

impl TensorView {
    /// Number of elements; `None` where it overflows.
    pub fn elements(&self) -> Option<u64> {
        self.shape.iter().try_fold(1_u64, |product, side| product.checked_mul(*side))
    }

    /// Bytes that its elements take one after another.
    pub fn bytes(&self) -> Option<u64> {
        self.elements()?.checked_mul(self.element.width())
    }

    /// Whether its elements follow one another in the storage, the last dimension fastest.
    fn is_contiguous(&self) -> bool {
        let mut expected = 1_u64;
        self.shape.iter().zip(&self.stride).rev().all(|(side, stride)| {
            let fits = *side == 1 || *stride == expected;
            expected = expected.saturating_mul(*side);
            fits
        })
    }

    /// Whether every element lies in the storage.
    fn fits(&self) -> bool {
        if self.shape.contains(&0) {
            return true;
        }
        let reach = self.shape.iter().zip(&self.stride).try_fold(self.offset, |at, (side, stride)| {
            (side - 1).checked_mul(*stride).and_then(|step| at.checked_add(step))
        });
        reach.is_some_and(|last| last < self.capacity)
    }
}

/// Why a file is not converted.
#[derive(Debug, Error)]
pub enum WeightsError {
    /// It is no PyTorch file, or damaged.
    #[error("it can't be read as a PyTorch file: {0}")]
    Unreadable(String),
    /// It names something else than tensors and what they are kept in.
    #[error(
        "byte {offset}: `{name}` is none of the constructors of tensors and their containers; nothing was run and nothing written"
    )]
    Foreign {
        /// The opcode that names or calls it.
        offset: u64,
        /// Module and name.
        name: String,
    },
    /// It holds something that safetensors can't express.
    #[error("{0}")]
    Unsupported(String),
    /// There is no tensor under the name that was asked for, or none at all.
    #[error("{0}")]
    Empty(String),
    /// Writing failed.
    #[error("writing failed: {0}")]
    Write(#[from] std::io::Error),
}

/// Reads arbitrary bytes as a PyTorch file and writes what it holds to nowhere; must neither panic nor run away.
pub fn fuzz_one(bytes: &[u8]) {
    let limits = bartizan_inspect::Limits { operations: 1 << 20, ..bartizan_inspect::Limits::default() };
    let source = bartizan_inspect::Source::from_bytes("fuzz.pt", bytes.to_vec(), limits);
    if let Ok(weights) = Weights::read(&source) {
        let _ = weights.write_safetensors(&mut std::io::sink());
    }
}
