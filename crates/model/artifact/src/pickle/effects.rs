//! What opcodes do beyond the stack: import, call, change, and carry other programs.

use super::policy::{Use, Verdict};
use super::rules::{CHANGED_IMPORT, COMPUTED_CALL, COMPUTED_IMPORT, FORBIDDEN_ARGUMENT, SPECIAL_ATTRIBUTE};
use super::state::{Fault, Machine};
use super::value::Value;
use crate::opcodes::{Operation, name};

/// Elements of a tuple, all levels counted, that are always taken for its own and not for one counted many times.
const HEAVY: u64 = 1 << 22;
/// Characters of rendered arguments in a proof.
const SHOWN: usize = 120;

impl Machine<'_> {
    pub(super) fn gather(&mut self, operation: Operation) -> Result<(), Fault> {
        let from = self.mark(operation)?;
        self.all_kept_as_data(from, operation);
        let number = self.placeholders.number();
        self.put_all(number, from);
        self.stack.truncate(from);
        self.push(Value::List(number))
    }

    pub(super) fn tuple_of(&mut self, count: usize, operation: Operation) -> Result<(), Fault> {
        let from = self.stack.len().checked_sub(count).filter(|from| *from >= self.fence());
        let from = from.ok_or_else(|| self.underflow(operation))?;
        self.tuple_from(from, operation)
    }

    pub(super) fn tuple_from(&mut self, from: usize, operation: Operation) -> Result<(), Fault> {
        self.all_kept_as_data(from, operation);
        let value = self.store.tuple(self.stack.get(from..).unwrap_or_default());
        if self.store.weight(value) > HEAVY.max(16 * self.operations) {
            let place = operation.start;
            self.unfollowed.get_or_insert_with(|| {
                format!("byte {place}: tuples hold each other so often that whoever hashes them never ends")
            });
        }
        self.tuple_holds(value, from);
        self.stack.truncate(from);
        self.push(value)
    }

    pub(super) fn named_import(&mut self, operation: Operation) -> Value {
        let names = String::from_utf8_lossy(self.lexer.text());
        let (module, attribute) = names.split_once('\n').unwrap_or((&names, ""));
        match self.evidence.import(module, attribute, operation) {
            Some(index) => Value::Import(index),
            None => Value::Unknown,
        }
    }

    pub(super) fn stack_global(&mut self, operation: Operation) -> Result<(), Fault> {
        let attribute = self.pop(operation)?;
        let module = self.pop(operation)?;
        let value = match (self.store.as_text(module), self.store.as_text(attribute)) {
            (Some(module), Some(attribute)) => {
                self.evidence.import(module, attribute, operation).map_or(Value::Unknown, Value::Import)
            }
            _ => {
                let names = [self.render(module), self.render(attribute)].join(" . ");
                self.evidence.note(&COMPUTED_IMPORT, operation, format!("imports an object whose name is {names}"));
                Value::Unknown
            }
        };
        self.push(value)
    }

    pub(super) fn render(&self, value: Value) -> String {
        self.store.render(value, SHOWN, &|index| self.evidence.dotted(index))
    }

    pub(super) fn call(&mut self, callee: Value, arguments: Value, operation: Operation) -> Result<(), Fault> {
        self.evidence.calls += 1;
        let Value::Import(index) = callee else {
            let message = format!("calls {}{}", self.render(callee), self.render(arguments));
            self.evidence.note(&COMPUTED_CALL, operation, message);
            return self.push(Value::Unknown);
        };
        if self.evidence.wants_call(index) {
            let rendered = self.render(arguments);
            self.evidence.called(index, operation, rendered);
        }
        if let Some(Verdict::Allowed(usage)) = self.evidence.get(index).map(|import| import.verdict) {
            self.check_use(usage, index, arguments, operation);
        }
        self.hands_placeholder_on(arguments, operation);
        self.exhausts_memory(index, arguments, operation);
        self.dtypes_handed_to(index, arguments);
        let value = self.result(index, arguments);
        self.push(value)
    }

    /// What calling an import gives.
    fn result(&mut self, index: u32, arguments: Value) -> Value {
        let entries = self.store.as_tuple(arguments).unwrap_or_default();
        let (first, second) = (entries.first().copied(), entries.get(1).copied());
        let Some(import) = self.evidence.get(index) else { return Value::Result(index) };
        match (import.module.as_str(), import.name.as_str(), import.verdict) {
            ("joblib.numpy_pickle", "NumpyArrayWrapper", _) => Value::Placeholder(self.placeholders.number()),
            ("numpy", "dtype", _) => match first {
                Some(name @ (Value::Text(_) | Value::Import(_))) => self.placeholders.dtype(name, &self.store),
                Some(same @ Value::Dtype(_)) => same,
                _ => Value::Result(index),
            },
            // A scalar of objects is the object itself; of anything else but bytes NumPy makes none.
            ("numpy.core.multiarray" | "numpy._core.multiarray", "scalar", _) => match second {
                Some(Value::Bytes(_) | Value::Text(_) | Value::Plain(_)) | None => Value::Result(index),
                Some(Value::Result(_)) if !self.may_hold_objects(first) => Value::Result(index),
                Some(object) => object,
            },
            ("numpy", "object_", _) => first.unwrap_or(Value::Result(index)),
            (_, _, Verdict::Allowed(Use::Identity)) => first.unwrap_or(Value::Unknown),
            (_, _, Verdict::Allowed(Use::Takes | Use::Reconstruct)) => match first {
                Some(Value::Import(class)) if self.is_placeholder(class) => {
                    Value::Placeholder(self.placeholders.number())
                }
                Some(Value::Import(class)) => Value::Result(class),
                _ => Value::Unknown,
            },
            _ => self.container(index, arguments).unwrap_or(Value::Result(index)),
        }
    }

    fn may_hold_objects(&self, dtype: Option<Value>) -> bool {
        dtype.and_then(|dtype| self.placeholders.layout(dtype)).is_none_or(|layout| layout.holds_objects)
    }

    fn is_placeholder(&self, class: u32) -> bool {
        self.evidence.get(class).is_some_and(|import| {
            (import.module.as_str(), import.name.as_str()) == ("joblib.numpy_pickle", "NumpyArrayWrapper")
        })
    }

    /// A function that makes an object of its first argument without calling it: that must be a class, because an
    /// object's own `__new__` would be called, and the rest goes to the class.
    fn takes(&mut self, index: u32, arguments: Value) -> bool {
        if self.is_placeholder(index) {
            return true;
        }
        let Some(entries) = self.store.as_whole_tuple(arguments).map(<[Value]>::to_vec) else { return false };
        matches!(entries.first(), Some(Value::Import(_))) && !entries.iter().skip(1).any(|entry| self.hands_on(*entry))
    }

    /// The argument rule of an allowed name.
    pub(super) fn check_use(&mut self, usage: Use, index: u32, arguments: Value, operation: Operation) {
        const CODECS: &[&str] = &["latin1", "latin-1", "iso-8859-1", "ascii", "utf-8", "utf8"];
        let entries = self.store.as_tuple(arguments).map(<[Value]>::to_vec);
        let entries = entries.as_deref();
        let keeps_rule = match usage {
            Use::Call => !self.hands_on_to(index, arguments),
            Use::Takes => self.takes(index, arguments),
            Use::Identity => true,
            Use::Name => false,
            // NEWOBJ runs `__new__` alone, and such a class has none of its own.
            Use::New => operation.code == 0x81 && entries.is_some_and(<[Value]>::is_empty),
            Use::Reconstruct => self.reconstructs(entries),
            Use::Rebuild => self.rebuilds(entries),
            Use::Encode => match entries {
                Some([_]) => true,
                Some([_, codec]) => self.store.as_text(*codec).is_some_and(|codec| CODECS.contains(&codec)),
                _ => false,
            },
            Use::Nested => match entries {
                Some([bytes]) => match self.store.as_bytes(*bytes) {
                    Some(range) => {
                        self.add_nested(range);
                        true
                    }
                    None => false,
                },
                _ => false,
            },
        };
        if !keeps_rule {
            let message = format!("calls {}{}", self.evidence.dotted(index), self.render(arguments));
            self.evidence.note(&FORBIDDEN_ARGUMENT, operation, message);
        }
    }

    /// `torch._tensor._rebuild_from_type_v2(function, type, arguments, state)` calls the function on the arguments and
    /// gives what comes out the state: the function must be one that rebuilds tensors.
    fn rebuilds(&mut self, entries: Option<&[Value]>) -> bool {
        let Some([Value::Import(function), Value::Import(_), Value::Tuple(_), _]) = entries else { return false };
        let is_reviewed = self.evidence.get(*function).is_some_and(|import| {
            import.module == "torch._utils"
                && import.name.starts_with("_rebuild_")
                && matches!(import.verdict, Verdict::Allowed(Use::Call))
        });
        is_reviewed && !entries.unwrap_or_default().iter().any(|entry| self.hands_on(*entry))
    }

    /// `copyreg._reconstructor(class, base, state)` runs the base's `__new__` and `__init__` on state that the
    /// file chooses: the base must be one that may be called.
    pub(super) fn reconstructs(&mut self, entries: Option<&[Value]>) -> bool {
        let Some([Value::Import(_), Value::Import(base), state]) = entries else { return false };
        if matches!(state, Value::Import(_) | Value::Result(_)) && self.hands_on(*state) {
            return false;
        }
        let verdict = self.evidence.get(*base).map(|import| import.verdict);
        // A base that is not allowed is a finding of its own.
        !matches!(verdict, Some(Verdict::Allowed(usage)) if !matches!(usage, Use::Call | Use::Takes))
    }

    /// A restricted function must be called in place: put into data, others could call it freely. So must a
    /// placeholder of joblib get its state where it is made: whatever hands it back would give it one unseen.
    pub(super) fn kept_as_data(&mut self, value: Value, operation: Operation) {
        self.hands_placeholder_on(value, operation);
        let Value::Import(index) = value else { return };
        let restricted = self.evidence.get(index).is_some_and(|import| {
            matches!(import.verdict, Verdict::Allowed(Use::Encode | Use::Nested | Use::Reconstruct))
        });
        if restricted {
            let message = format!("hands {} on as data", self.evidence.dotted(index));
            self.evidence.note(&FORBIDDEN_ARGUMENT, operation, message);
        }
    }

    pub(super) fn all_kept_as_data(&mut self, from: usize, operation: Operation) {
        for place in from..self.stack.len() {
            if let Some(value @ (Value::Import(_) | Value::Placeholder(_))) = self.stack.get(place).copied() {
                self.kept_as_data(value, operation);
            }
        }
    }

    fn hands_placeholder_on(&mut self, value: Value, operation: Operation) {
        if matches!(value, Value::Placeholder(_)) {
            let message = format!("{} hands a placeholder of joblib on", name(operation.code));
            self.evidence.note(&FORBIDDEN_ARGUMENT, operation, message);
        }
    }

    /// Takes note of the dtypes that a call could hand back.
    fn dtypes_handed_to(&mut self, callee: u32, arguments: Value) {
        let mut pending = vec![(arguments, 0)];
        while let Some((value, depth)) = pending.pop() {
            match value {
                Value::Dtype(number) => self.placeholders.hand_dtype_to(callee, number),
                Value::Tuple(_) if depth < 4 => {
                    let entries = self.store.as_tuple(value).unwrap_or_default();
                    pending.extend(entries.iter().map(|entry| (*entry, depth + 1)));
                }
                _ => {}
            }
        }
    }

    /// Looks at the keys of `key value key value …` from `from` on.
    pub(super) fn keys(&mut self, from: usize, operation: Operation) {
        const SPECIAL: &[&str] = &[
            "__class__",
            "__setstate__",
            "__reduce__",
            "__reduce_ex__",
            "__getattr__",
            "__getattribute__",
            "__call__",
            "__del__",
            "__globals__",
            "__code__",
            "__builtins__",
            "__import__",
            "__setattr__",
            "__getstate__",
            // Looked up on instances, by copyreg, NumPy and PyTorch.
            "__new__",
            "__array__",
            "__array_interface__",
            "__array_struct__",
            "__cuda_array_interface__",
            "__dlpack__",
        ];
        self.all_kept_as_data(from, operation);
        for place in (from..self.stack.len()).step_by(2) {
            let Some(key @ Value::Text(_)) = self.stack.get(place).copied() else { continue };
            let Some(text) = self.store.as_text(key).filter(|text| SPECIAL.contains(text)) else { continue };
            let message = format!("sets the attribute `{text}`");
            self.evidence.note(&SPECIAL_ATTRIBUTE, operation, message);
        }
    }

    /// BUILD, SETITEM and APPEND run methods of the object on top.
    pub(super) fn changes_top(&mut self, operation: Operation) -> Result<(), Fault> {
        match self.top(operation)? {
            Value::Import(index) => {
                let message = format!("{} changes `{}`", name(operation.code), self.evidence.dotted(index));
                self.evidence.note(&CHANGED_IMPORT, operation, message);
            }
            Value::Unknown => {
                let message = format!("{} on an object that can't be followed", name(operation.code));
                self.evidence.note(&COMPUTED_CALL, operation, message);
            }
            _ => {}
        }
        Ok(())
    }

    pub(super) fn dict(&mut self) -> Result<(), Fault> {
        let number = self.placeholders.number();
        self.push(Value::Dict(number))
    }

    /// What `key value key value …` from `from` on sets in a dictionary.
    pub(super) fn settings(&mut self, from: usize, dictionary: u32) {
        let pairs = self.stack.get(from..).unwrap_or_default().to_vec();
        for pair in pairs.chunks_exact(2) {
            if let [key, value] = pair {
                self.set(dictionary, *key, *value);
            }
        }
    }

    pub(super) fn look_for_pickle(&mut self, offset: u64, length: u64) {
        if !(8..=16 << 20).contains(&length) || self.nested.len() >= 64 {
            return;
        }
        let ends = self.source.read(offset, 2).ok().zip(self.source.read(offset + length - 1, 1).ok());
        if let Some((start, end)) = ends
            && matches!(start.as_slice(), [0x80, 2..=5])
            && end == b"."
        {
            self.nested.push((offset, length));
        }
    }

    /// Base64 and hexadecimal digits of a pickle's first two bytes give it away.
    pub(super) fn look_for_encoded_pickle(&mut self, operation: Operation) {
        let text = self.lexer.text();
        let starts = matches!(text, [b'g', b'A', b'I'..=b'X', ..] | [b'8', b'0', b'0', b'2'..=b'5', ..]);
        if starts && text.len() >= 16 && self.encoded.len() < 64 {
            self.encoded.push((operation.start, operation.end));
        }
    }

    pub(super) fn add_nested(&mut self, range: (u64, u64)) {
        if self.nested.len() < 64 && !self.nested.contains(&range) {
            self.nested.push(range);
        } else if self.nested.len() >= 64 {
            self.unfollowed.get_or_insert("too many nested files to follow".to_owned());
        }
    }
}
