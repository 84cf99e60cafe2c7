//! Arrays between opcodes, as joblib writes them (`joblib/numpy_pickle.py`).
//!
//! joblib pickles a placeholder for each array and writes the array's bytes right after the BUILD of
//! the placeholder, where `joblib.load` takes them off the file before it goes on with opcodes. How
//! many bytes that are follows from the placeholder's state: shape, dtype, alignment.

use std::collections::HashMap;

use super::value::{Store, Value};

/// Placeholders that are followed in one pickle.
const MOST: usize = 1 << 16;

/// Keys of dictionaries that are taken note of; `?` stands for one that can't be read.
const WATCHED: &[&str] =
    &["shape", "dtype", "numpy_array_alignment_bytes", "formula", "restore_model_spec", "restore_design_info", "?"];

/// What the state of one placeholder says, as far as it matters for its length.
#[derive(Clone, Copy, Debug, Default)]
struct Settings {
    shape: Option<Value>,
    dtype: Option<Value>,
    alignment: Option<Value>,
    /// A statsmodels object that evaluates its formula, and the formula.
    restores: bool,
    formula: Option<Value>,
    /// Set when a key that can't be read may have been any of these.
    is_unclear: bool,
}

/// What a NumPy dtype is, as far as joblib goes by it.
#[derive(Clone, Copy, Debug)]
struct Dtype {
    name: Value,
    state: Option<Value>,
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
    dtypes: HashMap<u32, Dtype>,
    last_built: u32,
    next: u32,
}

impl Placeholders {
    /// A number for a dictionary or placeholder that was just made.
    pub(super) fn number(&mut self) -> u32 {
        self.next = self.next.saturating_add(1);
        self.next
    }

    /// A dtype that was just made from its name.
    pub(super) fn dtype(&mut self, name: Value) -> Value {
        let number = self.number();
        if self.dtypes.len() < MOST {
            self.dtypes.insert(number, Dtype { name, state: None });
        }
        Value::Dtype(number)
    }

    /// A dtype is given state, which may change its size and whether it holds objects.
    pub(super) fn build_dtype(&mut self, number: u32, state: Value) {
        if let Some(dtype) = self.dtypes.get_mut(&number) {
            // A second state lies over the first: whatever that gives is not followed.
            dtype.state = Some(if dtype.state.is_some() { Value::Unknown } else { state });
        }
    }

    /// Takes note of `dictionary[key] = value`.
    pub(super) fn set(&mut self, dictionary: u32, key: Value, value: Value, store: &Store) {
        let text = match key {
            Value::Text(_) => store.as_text(key).unwrap_or_default(),
            Value::Plain(_) | Value::Integer(_) | Value::Bytes(_) | Value::Tuple(_) => return,
            _ => "?",
        };
        if !WATCHED.contains(&text) || (self.states.len() >= MOST && !self.states.contains_key(&dictionary)) {
            return;
        }
        let settings = self.states.entry(dictionary).or_default();
        match text {
            "shape" => settings.shape = Some(value),
            "dtype" => settings.dtype = Some(value),
            "formula" => settings.formula = Some(value),
            "restore_model_spec" | "restore_design_info" => settings.restores = true,
            "numpy_array_alignment_bytes" => settings.alignment = Some(value),
            _ => settings.is_unclear = true,
        }
    }

    /// The formula that a statsmodels object evaluates when it gets that dictionary as state: `Some(None)` when it
    /// evaluates none, `None` when that can't be told.
    #[expect(clippy::option_option, reason = "no formula and no answer are two things")]
    pub(super) fn formula(&self, dictionary: u32) -> Option<Option<Value>> {
        match self.states.get(&dictionary) {
            None => (self.states.len() < MOST).then_some(None),
            Some(settings) if settings.is_unclear => None,
            Some(settings) if settings.restores => settings.formula.map(Some),
            Some(_) => Some(None),
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
        let dtype = self.dtypes.get(&dtype).ok_or_else(unclear)?;
        let Some(mut length) = dtype.item(store).ok_or_else(unclear)? else { return Ok(Array::Objects) };
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

impl Dtype {
    /// Bytes of one element: `Some(None)` when elements are objects, `None` when it is not known.
    #[expect(clippy::option_option, reason = "objects have no size, unknown types no answer")]
    fn item(self, store: &Store) -> Option<Option<u64>> {
        let mut characters = store.as_text(self.name)?.chars();
        let kind = characters.next()?;
        let digits = characters.as_str();
        let number: Option<u64> = if digits.is_empty() { None } else { Some(digits.parse().ok()?) };
        let (size, is_flexible) = match (kind, number) {
            ('O', None | Some(4 | 8)) => (8, false),
            ('?', None) => (1, false),
            ('b' | 'i' | 'u' | 'f' | 'c' | 'M' | 'm', Some(size)) => (size, false),
            ('S' | 'a' | 'V', Some(size)) => (size, true),
            ('U', Some(size)) => (size.checked_mul(4)?, true),
            _ => return None,
        };
        // (version, byte order, subarray, names, fields, size, alignment, flags), and metadata from version 4 on.
        let mut holds_objects = kind == 'O';
        if let Some(state) = self.state {
            let entries = store.as_tuple(state)?;
            let Some(Value::Integer(flags)) = entries.get(7) else { return None };
            // NPY_ITEM_HASOBJECT
            holds_objects = flags & 1 != 0;
            let stated = entries.get(5);
            let agrees = matches!(stated, Some(Value::Integer(stated)) if u64::try_from(*stated) == Ok(size));
            if is_flexible && !agrees {
                return None;
            }
        } else if kind == 'V' {
            return None;
        }
        Some((!holds_objects).then_some(size))
    }
}
