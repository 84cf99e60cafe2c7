//! Arrays between opcodes, as joblib writes them (`joblib/numpy_pickle.py`).
//!
//! joblib pickles a placeholder for each array and writes the array's bytes right after the BUILD of
//! the placeholder, where `joblib.load` takes them off the file before it goes on with opcodes. How
//! many bytes that are follows from the placeholder's state: shape, dtype, alignment.

use std::collections::HashMap;

use super::value::{Store, Value};

/// Placeholders that are followed in one pickle.
const MOST: usize = 1 << 16;

/// What the state of one placeholder says, as far as it matters for its length.
#[derive(Clone, Copy, Debug, Default)]
struct Settings {
    shape: Option<Value>,
    dtype: Option<Value>,
    alignment: Option<Value>,
    /// Set when a key that can't be read may have been any of these.
    is_unclear: bool,
}

/// What follows the BUILD of a placeholder.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Array {
    /// Bytes of the array, and whether a length byte and padding lie before them.
    Bytes {
        /// Length of the array.
        length: u64,
        /// Whether padding comes first.
        padded: bool,
    },
    /// A pickle of its own.
    Objects,
}

/// The placeholders of one pickle.
#[derive(Debug, Default)]
pub(super) struct Placeholders {
    states: HashMap<u32, Settings>,
    last_built: u32,
    next: u32,
}

impl Placeholders {
    /// A number for a dictionary or placeholder that was just made.
    pub(super) fn number(&mut self) -> u32 {
        self.next = self.next.saturating_add(1);
        self.next
    }

    /// Takes note of `dictionary[key] = value`.
    pub(super) fn set(&mut self, dictionary: u32, key: Value, value: Value, store: &Store) {
        let text = match key {
            Value::Text(_) => store.as_text(key).unwrap_or_default(),
            Value::Plain(_) | Value::Integer(_) | Value::Bytes(_) | Value::Tuple(_) => return,
            _ => "?",
        };
        if !matches!(text, "shape" | "dtype" | "numpy_array_alignment_bytes" | "?")
            || (self.states.len() >= MOST && !self.states.contains_key(&dictionary))
        {
            return;
        }
        let settings = self.states.entry(dictionary).or_default();
        match text {
            "shape" => settings.shape = Some(value),
            "dtype" => settings.dtype = Some(value),
            "numpy_array_alignment_bytes" => settings.alignment = Some(value),
            _ => settings.is_unclear = true,
        }
    }

    /// What follows when `placeholder` gets `state`; an error says why that is unknown.
    pub(super) fn build(&mut self, placeholder: u32, state: Value, store: &Store) -> Result<Array, String> {
        let unclear = || "array data of joblib follows, whose length is unclear".to_owned();
        if self.last_built >= placeholder {
            return Err("a placeholder of joblib is used twice".to_owned());
        }
        self.last_built = placeholder;
        let Value::Dict(dictionary) = state else { return Err(unclear()) };
        let settings = self.states.get(&dictionary).filter(|settings| !settings.is_unclear).ok_or_else(unclear)?;
        let shape = settings.shape.and_then(|shape| store.as_whole_tuple(shape)).ok_or_else(unclear)?;
        let Some(Value::Dtype(dtype)) = settings.dtype else { return Err(unclear()) };
        let item = item_size(store.as_text(Value::Text(dtype)).unwrap_or_default()).ok_or_else(unclear)?;
        let Some(item) = item else { return Ok(Array::Objects) };
        let mut length = item;
        for dimension in shape {
            let Value::Integer(dimension) = dimension else { return Err(unclear()) };
            let dimension = u64::try_from(*dimension).map_err(|_| unclear())?;
            length = length.checked_mul(dimension).ok_or_else(unclear)?;
        }
        let padded = match settings.alignment {
            None => false,
            Some(Value::Plain(super::value::Plain::None)) => false,
            Some(Value::Integer(_)) => true,
            Some(_) => return Err(unclear()),
        };
        Ok(Array::Bytes { length, padded })
    }
}

/// Bytes of one element: `Some(None)` when elements are objects, `None` when it is not known.
#[expect(clippy::option_option, reason = "objects have no size, unknown types no answer")]
fn item_size(dtype: &str) -> Option<Option<u64>> {
    let mut characters = dtype.chars();
    let kind = characters.next()?;
    let digits = characters.as_str();
    let number: Option<u64> = if digits.is_empty() { None } else { Some(digits.parse().ok()?) };
    match (kind, number) {
        ('O', None | Some(4 | 8)) => Some(None),
        ('?', None) => Some(Some(1)),
        ('b' | 'i' | 'u' | 'f' | 'c' | 'M' | 'm' | 'S' | 'a', Some(size)) => Some(Some(size)),
        ('U', Some(size)) => Some(Some(size.checked_mul(4)?)),
        // A structure may hold objects, which its name doesn't tell.
        _ => None,
    }
}
