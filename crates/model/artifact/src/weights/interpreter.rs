//! The pickle machine on real values, for the few constructors that tensors take.

use std::collections::HashMap;

use bartizan_inspect::{Source, Window};

use super::object::{Dict, Heap, Id, Known, Object};
use super::{Element, TensorView, WeightsError};
use crate::opcodes::{Argument, LexError, Lexer, Operation};

/// Opcodes between two looks at the budget.
const BATCH: u64 = 4096;
/// Most values on the stack.
const STACK: usize = 1 << 20;

/// Where a pickle ended and what it returned.
pub(super) struct Ended {
    pub(super) end: u64,
    pub(super) value: Id,
}

/// Runs the pickle at `offset`; its objects go to `heap`.
pub(super) fn interpret(source: &Source, offset: u64, heap: &mut Heap) -> Result<Ended, WeightsError> {
    let mut machine = Machine {
        heap,
        lexer: Lexer::new(Window::new(source, offset)),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
    };
    for count in 0_u64.. {
        let operation = machine.lexer.next().map_err(|error| unreadable(machine.lexer.position(), &error))?;
        if count % BATCH == 0 {
            source.budget().operate(BATCH).map_err(|error| unreadable(operation.start, &error))?;
        }
        if operation.code == b'.' {
            let value = machine.pop(operation)?;
            return Ok(Ended { end: operation.end, value });
        }
        machine.step(operation)?;
    }
    Err(WeightsError::Unreadable("it does not end".to_owned()))
}

fn unreadable(offset: u64, error: &dyn std::fmt::Display) -> WeightsError {
    WeightsError::Unreadable(format!("byte {offset}: {error}"))
}

fn fault(operation: Operation, what: &str) -> WeightsError {
    unreadable(operation.start, &what)
}

/// Modules, names, and what they are.
const KNOWN: &[(&str, &str, Known)] = &[
    ("collections", "OrderedDict", Known::OrderedDict),
    ("torch._utils", "_rebuild_tensor", Known::RebuildTensor),
    ("torch._utils", "_rebuild_tensor_v2", Known::RebuildTensorV2),
    ("torch._utils", "_rebuild_tensor_v3", Known::RebuildTensorV3),
    ("torch._utils", "_rebuild_parameter", Known::RebuildParameter),
    ("torch._utils", "_rebuild_parameter_with_state", Known::RebuildParameter),
    ("torch._tensor", "_rebuild_from_type_v2", Known::RebuildFromType),
    ("torch", "Tensor", Known::TensorClass),
    ("torch.nn.parameter", "Parameter", Known::TensorClass),
    ("torch.nn.parameter", "Buffer", Known::TensorClass),
    ("torch", "Size", Known::Size),
    ("torch", "device", Known::Inert),
    ("torch.storage", "UntypedStorage", Known::UntypedStorage),
    ("torch", "UntypedStorage", Known::UntypedStorage),
    ("numpy", "dtype", Known::Inert),
    ("numpy.core.multiarray", "scalar", Known::Inert),
    ("numpy._core.multiarray", "scalar", Known::Inert),
    ("_codecs", "encode", Known::Inert),
];

fn known(module: &str, name: &str) -> Option<Object> {
    if let Some((.., known)) = KNOWN.iter().find(|row| row.0 == module && row.1 == name) {
        return Some(Object::Known(*known));
    }
    match module {
        "torch" | "torch.cuda" => Element::of_storage(name)
            .map(|element| Object::Known(Known::Storage(element)))
            .or_else(|| Element::of_dtype(name).filter(|_| module == "torch").map(Object::Element)),
        _ => None,
    }
}

struct Machine<'a, 'h> {
    heap: &'h mut Heap,
    lexer: Lexer<'a>,
    stack: Vec<Id>,
    marks: Vec<usize>,
    memo: HashMap<i64, Id>,
}

impl Machine<'_, '_> {
    fn add(&mut self, object: Object, operation: Operation) -> Result<(), WeightsError> {
        if self.stack.len() >= STACK {
            return Err(fault(operation, "the stack is too deep"));
        }
        let id = self.heap.add(object).map_err(|what| fault(operation, &what))?;
        self.stack.push(id);
        Ok(())
    }

    fn pop(&mut self, operation: Operation) -> Result<Id, WeightsError> {
        let fence = self.marks.last().copied().unwrap_or(0);
        if self.stack.len() <= fence {
            return Err(fault(operation, "nothing is on the stack"));
        }
        self.stack.pop().ok_or_else(|| fault(operation, "nothing is on the stack"))
    }

    fn top(&self, operation: Operation) -> Result<Id, WeightsError> {
        self.stack.last().copied().ok_or_else(|| fault(operation, "nothing is on the stack"))
    }

    fn above_mark(&mut self, operation: Operation) -> Result<Vec<Id>, WeightsError> {
        let from = self.marks.pop().ok_or_else(|| fault(operation, "there is no mark"))?;
        Ok(self.stack.split_off(from.min(self.stack.len())))
    }

    fn text(&self, operation: Operation) -> Object {
        match operation.argument {
            Argument::Text { whole: true } => Object::Text(String::from_utf8_lossy(self.lexer.text()).into_owned()),
            // Too long for a name: it is some value beside the tensors.
            _ => Object::Inert,
        }
    }

    fn step(&mut self, operation: Operation) -> Result<(), WeightsError> {
        match operation.code {
            0x80 | 0x95 => Ok(()),
            b'N' => self.add(Object::None, operation),
            0x88 => self.add(Object::Bool(true), operation),
            0x89 => self.add(Object::Bool(false), operation),
            b'I' | b'J' | b'K' | b'M' => {
                let value = match operation.argument {
                    Argument::Integer(value) => Object::Integer(value),
                    _ => Object::Inert,
                };
                self.add(value, operation)
            }
            0x8a | 0x8b => {
                let value = long(self.lexer.text()).map_or(Object::Inert, Object::Integer);
                self.add(value, operation)
            }
            b'F' | b'G' | b'L' | b'B' | b'C' | 0x8e => self.add(Object::Inert, operation),
            b'S' | b'T' | b'U' | b'V' | b'X' | 0x8c | 0x8d => {
                let text = self.text(operation);
                self.add(text, operation)
            }
            b']' => self.add(Object::List(Vec::new()), operation),
            b'}' => self.add(Object::Dict(Dict::default()), operation),
            b')' => self.add(Object::Tuple(Vec::new()), operation),
            0x8f => self.add(Object::Inert, operation),
            0x85..=0x87 => {
                let mut items = Vec::new();
                for _ in 0..operation.code - 0x84 {
                    items.push(self.pop(operation)?);
                }
                items.reverse();
                self.add(Object::Tuple(items), operation)
            }
            b't' => {
                let items = self.above_mark(operation)?;
                self.add(Object::Tuple(items), operation)
            }
            b'l' => {
                let items = self.above_mark(operation)?;
                self.add(Object::List(items), operation)
            }
            b'd' => {
                let items = self.above_mark(operation)?;
                self.add(Object::Dict(Dict::default()), operation)?;
                self.set_all(&items, operation)
            }
            0x91 => {
                self.above_mark(operation)?;
                self.add(Object::Inert, operation)
            }
            b'(' => {
                if self.marks.len() >= STACK {
                    return Err(fault(operation, "too many marks"));
                }
                self.marks.push(self.stack.len());
                Ok(())
            }
            b'0' => self.pop(operation).map(|_| ()),
            b'1' => self.above_mark(operation).map(|_| ()),
            b'2' => {
                let top = self.top(operation)?;
                self.stack.push(top);
                Ok(())
            }
            b'a' => {
                let item = self.pop(operation)?;
                let list = self.top(operation)?;
                self.heap.append(list, item).map_err(|what| fault(operation, &what))
            }
            b'e' => {
                let items = self.above_mark(operation)?;
                let list = self.top(operation)?;
                items
                    .into_iter()
                    .try_for_each(|item| self.heap.append(list, item))
                    .map_err(|what| fault(operation, &what))
            }
            0x90 => {
                self.above_mark(operation)?;
                match self.heap.get(self.top(operation)?) {
                    Object::Inert => Ok(()),
                    _ => Err(fault(operation, "something is added to what is no set")),
                }
            }
            b's' => {
                let value = self.pop(operation)?;
                let key = self.pop(operation)?;
                self.set_all(&[key, value], operation)
            }
            b'u' => {
                let items = self.above_mark(operation)?;
                self.set_all(&items, operation)
            }
            b'g' | b'h' | b'j' => {
                let Argument::Integer(index) = operation.argument else { return Err(fault(operation, "no index")) };
                let value =
                    self.memo.get(&index).copied().ok_or_else(|| fault(operation, "the memo is empty there"))?;
                self.stack.push(value);
                Ok(())
            }
            b'p' | b'q' | b'r' => {
                let Argument::Integer(index) = operation.argument else { return Err(fault(operation, "no index")) };
                self.memo.insert(index, self.top(operation)?);
                Ok(())
            }
            0x94 => {
                let index = i64::try_from(self.memo.len()).unwrap_or(i64::MAX);
                self.memo.insert(index, self.top(operation)?);
                Ok(())
            }
            b'c' => {
                let names = String::from_utf8_lossy(self.lexer.text()).into_owned();
                let (module, name) = names.split_once('\n').unwrap_or((&names, ""));
                self.import(module, name, operation)
            }
            0x93 => {
                let (name, module) = (self.pop(operation)?, self.pop(operation)?);
                match (self.heap.text(module), self.heap.text(name)) {
                    (Some(module), Some(name)) => {
                        let (module, name) = (module.to_owned(), name.to_owned());
                        self.import(&module, &name, operation)
                    }
                    _ => Err(foreign(operation, "a computed name")),
                }
            }
            b'Q' => {
                let id = self.pop(operation)?;
                let storage =
                    self.storage(id).ok_or_else(|| foreign(operation, "a persistent id that is no storage"))?;
                self.add(storage, operation)
            }
            b'R' => {
                let arguments = self.pop(operation)?;
                let callee = self.pop(operation)?;
                let result = self.call(callee, arguments, operation)?;
                self.add(result, operation)
            }
            b'b' => {
                self.pop(operation)?;
                // State of an ordered dictionary (its `_metadata`) or of a NumPy type: neither holds tensors of the model.
                match self.heap.get(self.top(operation)?) {
                    Object::Dict(_) | Object::Inert => Ok(()),
                    _ => Err(foreign(operation, "state for an object")),
                }
            }
            _ => Err(foreign(operation, &format!("the opcode {:#04x}", operation.code))),
        }
    }

    fn set_all(&mut self, items: &[Id], operation: Operation) -> Result<(), WeightsError> {
        let dict = self.top(operation)?;
        for pair in items.chunks(2) {
            let [key, value] = pair else { return Err(fault(operation, "a key has no value")) };
            self.heap.set(dict, *key, *value).map_err(|what| fault(operation, &what))?;
        }
        Ok(())
    }

    fn import(&mut self, module: &str, name: &str, operation: Operation) -> Result<(), WeightsError> {
        let object = known(module, name).ok_or_else(|| foreign(operation, &format!("{module}.{name}")))?;
        self.add(object, operation)
    }

    /// `('storage', class, key, location, elements[, view])`, view being `(key, offset, elements)`.
    fn storage(&self, id: Id) -> Option<Object> {
        let [kind, class, key, _, capacity, rest @ ..] = self.heap.sequence(id)? else { return None };
        if self.heap.text(*kind) != Some("storage") {
            return None;
        }
        let element = match self.heap.get(*class) {
            Object::Known(Known::Storage(element)) => Some(*element),
            Object::Known(Known::UntypedStorage) => None,
            _ => return None,
        };
        let key = self.heap.text(*key)?.to_owned();
        let mut capacity = self.heap.number(*capacity)?;
        let mut view = 0;
        if let Some(of) = rest.first().filter(|of| !matches!(self.heap.get(**of), Object::None)) {
            let [_, offset, length] = self.heap.sequence(*of)? else { return None };
            view = self.heap.number(*offset)?;
            let end = view.checked_add(self.heap.number(*length)?)?;
            if end > capacity {
                return None;
            }
            capacity = end;
        }
        Some(Object::Storage { key, element, capacity, view })
    }

    fn call(&mut self, callee: Id, arguments: Id, operation: Operation) -> Result<Object, WeightsError> {
        let Object::Known(function) = self.heap.get(callee) else {
            return Err(foreign(operation, "a call of a value"));
        };
        let function = *function;
        let arguments =
            self.heap.sequence(arguments).ok_or_else(|| fault(operation, "arguments are no tuple"))?.to_vec();
        let wrong = || fault(operation, "a constructor has arguments that do not fit");
        match (function, arguments.as_slice()) {
            (Known::Inert, _) => Ok(Object::Inert),
            (Known::OrderedDict, []) => Ok(Object::Dict(Dict::default())),
            (Known::OrderedDict, [pairs]) => {
                let pairs = self.heap.sequence(*pairs).ok_or_else(wrong)?.to_vec();
                let id = self.heap.add(Object::Dict(Dict::default())).map_err(|what| fault(operation, &what))?;
                for pair in pairs {
                    let Some([key, value]) = self.heap.sequence(pair) else { return Err(wrong()) };
                    let (key, value) = (*key, *value);
                    self.heap.set(id, key, value).map_err(|what| fault(operation, &what))?;
                }
                Ok(self.heap.get(id).clone())
            }
            (Known::Size, [sizes]) => Ok(self.heap.get(*sizes).clone()),
            (Known::RebuildParameter, [data, ..]) => match self.heap.get(*data) {
                tensor @ Object::Tensor(_) => Ok(tensor.clone()),
                _ => Err(wrong()),
            },
            (Known::RebuildFromType, [function, class, inner, ..]) => {
                if !matches!(self.heap.get(*class), Object::Known(Known::TensorClass))
                    || matches!(self.heap.get(*function), Object::Known(Known::RebuildFromType))
                {
                    return Err(foreign(operation, "a tensor of another class"));
                }
                let (function, inner) = (*function, *inner);
                self.call(function, inner, operation)
            }
            (Known::RebuildTensor, [storage, offset, shape, stride])
            | (Known::RebuildTensorV2, [storage, offset, shape, stride, ..]) => {
                self.tensor(*storage, *offset, *shape, *stride, None).ok_or_else(wrong)
            }
            (Known::RebuildTensorV3, [storage, offset, shape, stride, _, _, dtype, ..]) => {
                match self.heap.get(*dtype) {
                    Object::Element(element) => {
                        let element = *element;
                        self.tensor(*storage, *offset, *shape, *stride, Some(element)).ok_or_else(wrong)
                    }
                    _ => Err(wrong()),
                }
            }
            _ => Err(wrong()),
        }
    }

    fn tensor(&self, storage: Id, offset: Id, shape: Id, stride: Id, element: Option<Element>) -> Option<Object> {
        let Object::Storage { key, element: stored, capacity, view } = self.heap.get(storage) else { return None };
        let element = element.or(*stored)?;
        // An untyped storage counts bytes.
        let scale = if stored.is_some() { 1 } else { element.width() };
        let tensor = TensorView {
            storage: key.clone(),
            element,
            offset: self.heap.number(offset)?.checked_add(*view)?,
            shape: self.heap.sizes(shape)?,
            stride: self.heap.sizes(stride)?,
            capacity: capacity / scale,
        };
        let is_sound = tensor.shape.len() == tensor.stride.len() && tensor.shape.len() <= 64;
        (is_sound && tensor.bytes().is_some() && tensor.fits()).then_some(Object::Tensor(tensor))
    }
}

fn foreign(operation: Operation, name: &str) -> WeightsError {
    WeightsError::Foreign { offset: operation.start, name: bartizan_core::printable(name) }
}

/// A little-endian two's complement of at most eight bytes.
fn long(bytes: &[u8]) -> Option<i64> {
    let sign = if bytes.last().is_some_and(|byte| byte & 0x80 != 0) { 0xff } else { 0 };
    let mut value = [sign; 8];
    if bytes.len() > 8 {
        return None;
    }
    value.get_mut(..bytes.len())?.copy_from_slice(bytes);
    Some(i64::from_le_bytes(value))
}

impl From<LexError> for WeightsError {
    fn from(error: LexError) -> Self {
        Self::Unreadable(error.to_string())
    }
}
