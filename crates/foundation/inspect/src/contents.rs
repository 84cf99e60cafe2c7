//! What is inside a model, for people who want to look before they load.

use std::collections::BTreeMap;

/// An array of numbers in a model.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tensor {
    /// Its name.
    pub name: String,
    /// What its elements are, as the format spells it.
    pub element: String,
    /// Length along each dimension.
    pub shape: Vec<u64>,
    /// Bytes that it takes in the file, where the format says so.
    pub bytes: Option<u64>,
}

impl Tensor {
    /// Number of elements; `None` where it overflows.
    pub fn elements(&self) -> Option<u64> {
        self.shape.iter().try_fold(1_u64, |product, side| product.checked_mul(*side))
    }
}

/// Tensors, operators and metadata of a model and its members, as far as inspectors describe them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Contents {
    /// Arrays, in the order of the file.
    pub tensors: Vec<Tensor>,
    /// How often each operator is used.
    pub operators: BTreeMap<String, u64>,
    /// Texts that the file carries along.
    pub metadata: BTreeMap<String, String>,
    /// What was left out because there is too much of it.
    pub left_out: u64,
}

impl Contents {
    /// Tensors that are kept.
    const TENSORS: usize = 200_000;
    /// Operators and texts that are kept.
    const ENTRIES: usize = 4096;

    /// Adds an array.
    pub fn tensor(&mut self, tensor: Tensor) {
        if self.tensors.len() < Self::TENSORS {
            self.tensors.push(tensor);
        } else {
            self.left_out += 1;
        }
    }

    /// Counts a use of an operator.
    pub fn operator(&mut self, name: &str) {
        self.operators_of(name, 1);
    }

    /// Counts uses of an operator.
    pub fn operators_of(&mut self, name: &str, times: u64) {
        if let Some(count) = self.operators.get_mut(name) {
            *count = count.saturating_add(times);
        } else if self.operators.len() < Self::ENTRIES {
            self.operators.insert(name.to_owned(), times);
        } else {
            self.left_out += 1;
        }
    }

    /// Adds a text.
    pub fn text(&mut self, key: &str, text: &str) {
        if self.metadata.len() < Self::ENTRIES {
            self.metadata.insert(key.to_owned(), text.to_owned());
        } else {
            self.left_out += 1;
        }
    }
}
