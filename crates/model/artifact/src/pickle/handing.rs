//! What may be handed to whom: a class that may only be made empty, or an object of one, must reach no function that
//! could call it, iterate over it or take an attribute of it for a method.

use super::formula;
use super::policy::{Making, Use, Verdict, is_filled, makes};
use super::rules::{FORBIDDEN_ARGUMENT, SPECIAL_ATTRIBUTE};
use super::state::{Fault, Machine};
use super::value::{Plain, Value};
use crate::opcodes::{Operation, name};

/// Objects that the pure Python unpickler takes for a dictionary of attributes, though they are none.
const PASS_FOR_STATE: &[(&str, &str)] = &[
    ("collections", "UserDict"),
    ("UserDict", "UserDict"),
    ("UserDict", "IterableUserDict"),
    ("collections", "ChainMap"),
    ("types", "SimpleNamespace"),
    ("argparse", "Namespace"),
    ("sklearn.utils._bunch", "Bunch"),
    ("scipy.optimize._optimize", "OptimizeResult"),
    ("scipy.optimize.optimize", "OptimizeResult"),
];

/// Elements of a range, or bytes, that are more than a pickle would not rather spell out.
const VAST: u32 = 1 << 24;

impl Machine<'_> {
    /// Whether a value is a class that may only be made empty, an object of one, or one that was given such an object.
    fn is_restricted(&self, value: Value) -> bool {
        let (Value::Import(index) | Value::Result(index)) = value else { return false };
        let Some(import) = self.evidence.get(index) else { return false };
        matches!(import.verdict, Verdict::Allowed(Use::New | Use::Identity | Use::Reconstruct))
            || (import.taken && matches!(value, Value::Result(_)))
    }

    /// Whether a restricted value is or can be reached through this one.
    pub(super) fn hands_on(&mut self, value: Value) -> bool {
        self.is_restricted(value) || self.containers.holds(value)
    }

    /// Whether a call hands a restricted value to a function that may do something with it.
    pub(super) fn hands_on_to(&mut self, callee: u32, arguments: Value) -> bool {
        let making = self.making(callee);
        let Some(entries) = self.store.as_whole_tuple(arguments).map(<[Value]>::to_vec) else {
            return self.hands_on(arguments);
        };
        entries.into_iter().any(|entry| match (making, entry) {
            (Making::Elements, Value::List(_) | Value::Dict(_)) | (Making::Dictionary, Value::Dict(_)) => false,
            (Making::Dictionary, Value::List(_)) => self.containers.holds_directly(entry),
            _ => self.hands_on(entry),
        })
    }

    fn making(&self, callee: u32) -> Making {
        self.evidence.get(callee).map_or(Making::Other, |import| makes(&import.module, &import.name))
    }

    /// The container that a call of an allowed constructor gives, with what it was given; `None` for other calls.
    pub(super) fn container(&mut self, callee: u32, arguments: Value) -> Option<Value> {
        let making = self.making(callee);
        if making == Making::Other {
            return None;
        }
        let entries = self.store.as_whole_tuple(arguments).map(<[Value]>::to_vec);
        let number = self.placeholders.number();
        if making == Making::Dictionary && entries.as_ref().is_none_or(|entries| entries.iter().any(may_hold_pairs)) {
            self.containers.compute_key(number);
        }
        for entry in entries.unwrap_or_else(|| vec![arguments]) {
            self.put(number, entry);
        }
        Some(if making == Making::Elements { Value::List(number) } else { Value::Dict(number) })
    }

    pub(super) fn list(&mut self) -> Result<(), Fault> {
        let number = self.placeholders.number();
        self.push(Value::List(number))
    }

    fn put(&mut self, container: u32, value: Value) {
        let is_restricted = self.is_restricted(value);
        self.containers.put(container, value, is_restricted);
    }

    /// Takes note of the elements from `from` on.
    pub(super) fn put_all(&mut self, container: u32, from: usize) {
        for place in from..self.stack.len() {
            if let Some(value) = self.stack.get(place).copied() {
                self.put(container, value);
            }
        }
    }

    /// Takes note of the entries of a tuple that was just made of what stands from `from` on.
    pub(super) fn tuple_holds(&mut self, tuple: Value, from: usize) {
        let entries: Vec<(Value, bool)> = self
            .stack
            .get(from..)
            .unwrap_or_default()
            .iter()
            .map(|entry| (*entry, self.is_restricted(*entry)))
            .collect();
        self.containers.tuple(tuple, &entries);
    }

    /// `dictionary[key] = value`.
    pub(super) fn set(&mut self, dictionary: u32, key: Value, value: Value) {
        self.placeholders.set(dictionary, key, value, &self.store);
        if !matches!(key, Value::Text(_) | Value::Plain(_) | Value::Integer(_) | Value::Bytes(_) | Value::Tuple(_)) {
            self.containers.compute_key(dictionary);
        }
        self.put(dictionary, key);
        self.put(dictionary, value);
    }

    /// Takes note that the object on top now holds `value`.
    pub(super) fn kept_in_top(&mut self, value: Value, operation: Operation) -> Result<(), Fault> {
        let top = self.top(operation)?;
        self.kept_in(top, value);
        Ok(())
    }

    /// Takes note that the object below `from` now holds what stands from there on.
    pub(super) fn all_kept_below(&mut self, from: usize) {
        let Some(top) = from.checked_sub(1).and_then(|below| self.stack.get(below)).copied() else { return };
        for place in from..self.stack.len() {
            if let Some(value) = self.stack.get(place).copied() {
                self.kept_in(top, value);
            }
        }
    }

    fn kept_in(&mut self, holder: Value, value: Value) {
        match holder {
            Value::List(number) | Value::Dict(number) => self.put(number, value),
            // Arrays hold objects and call nothing of them.
            Value::Result(index)
                if !self.evidence.get(index).is_some_and(|import| import.module.starts_with("numpy"))
                    && self.hands_on(value) =>
            {
                self.evidence.take(index);
            }
            _ => {}
        }
    }

    /// APPEND, APPENDS and ADDITEMS look up a method on the object: on one that is no list, an attribute that the
    /// file set may pass for it.
    pub(super) fn grows_top(&mut self, operation: Operation) -> Result<(), Fault> {
        if let Value::Result(index) = self.top(operation)?
            && let Some(import) = self.evidence.get(index)
            && matches!(import.verdict, Verdict::Allowed(_))
            && !is_filled(&import.module, &import.name)
        {
            let message =
                format!("{} on an object of {}, which is no list", name(operation.code), self.evidence.dotted(index));
            self.evidence.note(&FORBIDDEN_ARGUMENT, operation, message);
        }
        self.changes_top(operation)
    }

    /// The arguments by keyword of NEWOBJ_EX.
    pub(super) fn named_arguments(&mut self, callee: Value, named: Value, operation: Operation) {
        let Value::Import(index) = callee else { return };
        let is_called =
            matches!(self.evidence.get(index).map(|import| import.verdict), Some(Verdict::Allowed(Use::Call)));
        if is_called && self.hands_on(named) {
            let message = format!("calls {} with {}", self.evidence.dotted(index), self.render(named));
            self.evidence.note(&FORBIDDEN_ARGUMENT, operation, message);
        }
    }

    /// BUILD gives the object on top its state.
    pub(super) fn given_state(&mut self, state: Value, operation: Operation) -> Result<(), Fault> {
        let top = self.top(operation)?;
        self.kept_as_data(state, operation);
        self.kept_in(top, state);
        let Value::Result(index) = top else { return Ok(()) };
        self.placeholders.build_result(index);
        self.array_state(index, state, operation);
        let parts = match self.store.as_whole_tuple(state) {
            Some([own, slots]) => vec![*own, *slots],
            _ => vec![state],
        };
        for part in parts {
            let is_unreadable = match part {
                Value::Dict(number) => self.containers.has_computed_key(number),
                Value::Result(made) => self
                    .evidence
                    .get(made)
                    .is_some_and(|import| PASS_FOR_STATE.contains(&(import.module.as_str(), import.name.as_str()))),
                _ => false,
            };
            if is_unreadable {
                let message =
                    format!("gives an object of {} attributes with computed names", self.evidence.dotted(index));
                self.evidence.note(&SPECIAL_ATTRIBUTE, operation, message);
            }
        }
        if self.evidence.get(index).is_some_and(|import| import.module == "statsmodels.base.data") {
            self.evaluates_formula(state, operation);
        }
        let is_distance = self.evidence.get(index).is_some_and(|import| import.module.ends_with("._dist_metrics"));
        let is_whole = self.store.as_whole_tuple(state).is_some_and(|entries| entries.len() >= 3);
        if is_distance && !is_whole {
            let message = format!("gives {} a state that it reads past the end of", self.evidence.dotted(index));
            self.evidence.note(&FORBIDDEN_ARGUMENT, operation, message);
        }
        Ok(())
    }

    /// An array of NumPy believes its dtype: numbers come as bytes, objects in a list.
    fn array_state(&mut self, index: u32, state: Value, operation: Operation) {
        let Some(module) = self.evidence.get(index).map(|import| import.module.as_str()) else { return };
        if module == "numpy.dtypes" {
            let message = format!("gives an object of {} state", self.evidence.dotted(index));
            return self.evidence.note(&FORBIDDEN_ARGUMENT, operation, message);
        }
        // (version, shape, dtype, order, data), and more of a masked array.
        let Some([_, _, dtype, _, data, ..]) = self.store.as_tuple(state).filter(|_| module.starts_with("numpy"))
        else {
            return;
        };
        let (dtype, data) = (*dtype, *data);
        let lies = match (self.placeholders.layout(dtype), data) {
            (Some(layout), Value::List(_)) => !layout.holds_objects,
            (Some(layout), Value::Bytes(_) | Value::Text(_)) => layout.holds_objects,
            _ => false,
        };
        self.placeholders.use_dtype(dtype);
        if lies {
            let message = "gives an array data that its dtype contradicts".to_owned();
            self.evidence.note(&FORBIDDEN_ARGUMENT, operation, message);
        }
    }

    fn evaluates_formula(&mut self, state: Value, operation: Operation) {
        let formula = match state {
            Value::Dict(number) if !self.containers.has_computed_key(number) => self.placeholders.formula(number),
            _ => None,
        };
        let is_plain = match formula {
            Some(None) => true,
            Some(Some(text)) => self.store.as_text(text).is_some_and(formula::is_plain),
            None => false,
        };
        if !is_plain {
            let formula = formula.flatten().map_or_else(String::new, |text| format!(" {}", self.render(text)));
            let message = format!("has statsmodels evaluate a formula{formula} as Python code");
            self.evidence.note(&FORBIDDEN_ARGUMENT, operation, message);
        }
    }
}

impl Machine<'_> {
    /// A few bytes of a pickle must not make a loader fill its memory or run for ever.
    pub(super) fn exhausts_memory(&mut self, callee: u32, arguments: Value, operation: Operation) {
        let Some(import) = self.evidence.get(callee) else { return };
        let entries = self.store.as_tuple(arguments).unwrap_or_default();
        let is_builtin = matches!(import.module.as_str(), "builtins" | "__builtin__");
        let is_vast = |entry: &Value| match entry {
            Value::Integer(number) => number.unsigned_abs() > VAST,
            Value::Plain(Plain::Number | Plain::TorchMagic) | Value::Result(_) | Value::Unknown => true,
            _ => false,
        };
        let mut problem = None;
        if is_builtin && matches!(import.name.as_str(), "range" | "xrange") {
            if entries.iter().any(is_vast) {
                return self.evidence.count_far(callee);
            }
        } else if is_builtin && matches!(import.name.as_str(), "bytearray" | "bytes") {
            let is_number = matches!(entries, [Value::Integer(_) | Value::Plain(Plain::Number | Plain::TorchMagic)]);
            problem = (is_number && entries.iter().any(is_vast)).then_some("a number of bytes that fill the memory");
        }
        for entry in entries {
            let Value::Result(made) = entry else { continue };
            let Some(source) = self.evidence.get(*made) else { continue };
            if source.counts_far {
                problem = Some("a range that fills the memory");
            } else if source.module == "itertools" && import.module != "itertools" {
                problem = Some("an iterator that may have no end");
            }
        }
        if let Some(problem) = problem {
            let message = format!("calls {} with {problem}", self.evidence.dotted(callee));
            self.evidence.note(&FORBIDDEN_ARGUMENT, operation, message);
        }
    }
}

/// Whether a dictionary made of that value may have keys: anything but a factory or a dictionary made before, whose
/// keys were looked at.
fn may_hold_pairs(value: &Value) -> bool {
    !matches!(value, Value::Import(_) | Value::Plain(_))
}
