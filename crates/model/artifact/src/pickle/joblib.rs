//! Arrays between opcodes, as joblib writes them (`joblib/numpy_pickle.py`).
//!
//! joblib pickles a placeholder for each array and writes the array's bytes right after the BUILD of
//! the placeholder, where `joblib.load` takes them off the file before it goes on with opcodes. How
//! many bytes that are follows from the placeholder's state: shape, dtype, alignment.

use std::collections::{HashMap, HashSet};

use super::dtype::{Doubt, Dtype, Field, Layout};
use super::value::{Store, Value};

/// Placeholders that are followed in one pickle.
const MOST: usize = 1 << 16;

/// Most words of a bit set over dictionaries.
const OTHERS: usize = 1 << 20;
/// Dtypes kept of those that one function was given.
const MOST_HANDED: usize = 256;

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
    /// Dtypes that were handed to an imported function.
    handed: HashMap<u32, HashSet<u32>>,
    /// Set when any dtype may have been changed.
    is_unclear: bool,
    /// Fields that a dictionary lists.
    fields: HashMap<u32, Vec<Field>>,
    /// Dictionaries that dtypes keep as their fields.
    sealed: HashSet<u32>,
    /// A bit for each dictionary that holds anything but fields.
    others: Vec<u64>,
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
    pub(super) fn dtype(&mut self, name: Value, store: &Store) -> Value {
        let number = self.number();
        if self.dtypes.len() < MOST {
            self.dtypes.insert(number, Dtype::named(name, store));
        }
        Value::Dtype(number)
    }

    /// A call was given a dtype, which may be what it hands back.
    pub(super) fn hand_dtype_to(&mut self, callee: u32, dtype: u32) {
        let all = self.handed.entry(callee).or_default();
        if all.len() < MOST_HANDED {
            all.insert(dtype);
        }
    }

    /// What a call gave is given state: that is no longer known of any dtype which such a call was given.
    pub(super) fn build_result(&mut self, callee: u32) {
        let Some(handed) = self.handed.remove(&callee) else { return };
        self.is_unclear |= handed.len() >= MOST_HANDED;
        for number in handed {
            if let Some(dtype) = self.dtypes.get_mut(&number) {
                dtype.layout = None;
            }
        }
    }

    /// What the elements of a dtype are, as far as is known.
    pub(super) fn layout(&self, dtype: Value) -> Option<Layout> {
        let Value::Dtype(number) = dtype else { return None };
        self.dtypes.get(&number)?.layout.filter(|_| !self.is_unclear)
    }

    /// An array is made of a dtype: its state may not change any more.
    pub(super) fn use_dtype(&mut self, dtype: Value) {
        if let Value::Dtype(number) = dtype
            && let Some(dtype) = self.dtypes.get_mut(&number)
        {
            dtype.is_used = true;
        }
    }

    /// A dtype is given state, which may change its size and whether it holds objects.
    pub(super) fn build_dtype(&mut self, number: u32, state: Value, store: &Store) -> Result<(), Doubt> {
        let Some(dtype) = self.dtypes.get(&number).copied() else { return Err(Doubt::Unclear) };
        let built = if dtype.is_built || dtype.is_used {
            Err(Doubt::Lie("changes a dtype after it was made"))
        } else {
            dtype.built(state, store, &|fields| self.fields_of(fields), &|part| self.layout(part))
        };
        if let Some(dtype) = self.dtypes.get_mut(&number) {
            (dtype.is_built, dtype.layout) = (true, built.as_ref().ok().copied());
        }
        // NumPy keeps the dictionary of fields and the dtypes in it.
        if let Some(Value::Dict(fields)) = store.as_tuple(state).and_then(|entries| entries.get(4)) {
            let parts: Vec<Value> = self.fields.get(fields).into_iter().flatten().map(|field| field.dtype).collect();
            parts.into_iter().for_each(|part| self.use_dtype(part));
            if self.sealed.len() < MOST {
                self.sealed.insert(*fields);
            }
        }
        if let Some([base, _]) = store.as_tuple(state).and_then(|entries| store.as_tuple(*entries.get(2)?)) {
            self.use_dtype(*base);
        }
        built.map(|_| ())
    }

    /// Whether a dictionary is one of fields that a dtype keeps.
    pub(super) fn is_sealed(&self, dictionary: u32) -> bool {
        self.sealed.contains(&dictionary)
    }

    /// The fields that a dictionary lists, where it lists nothing else.
    fn fields_of(&self, dictionary: Value) -> Option<Vec<Field>> {
        let Value::Dict(number) = dictionary else { return None };
        let (place, bit) = (number as usize / 64, number % 64);
        if place >= OTHERS || self.others.get(place).is_some_and(|word| word >> bit & 1 != 0) {
            return None;
        }
        Some(self.fields.get(&number).cloned().unwrap_or_default())
    }

    /// Takes note of an entry of a dictionary that may come to list the fields of a dtype.
    fn set_field(&mut self, dictionary: u32, value: Value, store: &Store) {
        let entries = store.as_tuple(value).unwrap_or_default();
        if let Some(dtype @ Value::Dtype(_)) = entries.first()
            && (self.fields.len() < MOST || self.fields.contains_key(&dictionary))
        {
            let fields = self.fields.entry(dictionary).or_default();
            if fields.len() < MOST {
                fields.push(Field { dtype: *dtype, offset: entries.get(1).copied() });
                return;
            }
        }
        let place = dictionary as usize / 64;
        if place < OTHERS {
            if self.others.len() <= place {
                self.others.resize(place + 1, 0);
            }
            if let Some(word) = self.others.get_mut(place) {
                *word |= 1 << (dictionary % 64);
            }
        }
    }

    /// Takes note of `dictionary[key] = value`.
    pub(super) fn set(&mut self, dictionary: u32, key: Value, value: Value, store: &Store) {
        self.set_field(dictionary, value, store);
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
        let layout = settings.dtype.and_then(|dtype| self.layout(dtype)).ok_or_else(unclear)?;
        if layout.holds_objects {
            return Ok(Array::Objects);
        }
        let mut length = layout.size;
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
