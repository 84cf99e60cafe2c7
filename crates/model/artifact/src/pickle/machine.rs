//! The pickle machine, run on abstract values.
//!
//! It follows CPython's `Modules/_pickle.c` opcode by opcode: stack, marks, memo, frames. Where
//! CPython would import or call, it takes note of what and goes on with "whatever that returned".
//! Where CPython would raise, it stops and says where: what ran before has been noted.

use bartizan_inspect::{Source, Window};

use super::containers::Containers;
use super::dtype::Doubt;
use super::evidence::Evidence;
use super::frames::Frames;
use super::joblib::{Array, Placeholders};
use super::memo::Memo;
use super::rules::{EXTENSION_CODE, FORBIDDEN_ARGUMENT, LYING_FRAME};
use super::state::{Fault, Loader, Machine, STACK};
use super::value::{Plain, Store, Value};
use crate::opcodes::{Argument, LexError, Lexer, Operation};

/// Opcodes between two looks at the budget.
const BATCH: u64 = 4096;
/// Pickles within the array data of pickles that are followed.
const DEPTH: u32 = 8;

/// How running one pickle ended.
#[derive(Debug)]
pub(super) struct Ending {
    /// The offset after the last opcode that ran.
    pub(super) end: u64,
    /// What STOP returned; `None` when the program does not reach it.
    pub(super) result: Option<Value>,
    /// Why it did not reach STOP, or what could not be followed on the way.
    pub(super) problem: Option<String>,
    /// Opcodes that ran.
    pub(super) operations: u64,
    /// Those that did not fail.
    pub(super) succeeded: u64,
    /// Byte strings in the file that look like pickles, and arguments that are loaded as files.
    pub(super) nested: Vec<(u64, u64)>,
    /// Text, with its opcode, that reads like an encoded pickle.
    pub(super) encoded: Vec<(u64, u64)>,
    /// Whether array data lay between the opcodes.
    pub(super) arrays: bool,
}

/// Runs the pickle at `offset` of `source`.
pub(super) fn run(source: &Source, offset: u64, evidence: &mut Evidence, loader: Loader) -> Ending {
    run_at(source, offset, evidence, loader, 0)
}

fn run_at(source: &Source, offset: u64, evidence: &mut Evidence, loader: Loader, depth: u32) -> Ending {
    let mut machine = Machine {
        loader,
        depth,
        placeholders: Placeholders::default(),
        containers: Containers::default(),
        arrays: false,
        source,
        evidence,
        lexer: Lexer::new(Window::new(source, offset)),
        store: Store::default(),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: Memo::default(),
        frames: Frames::default(),
        operations: 0,
        nested: Vec::new(),
        encoded: Vec::new(),
        unfollowed: None,
    };
    let (mut last, mut succeeded) = (offset, 0);
    let outcome = loop {
        let operation = match machine.lexer.next() {
            Ok(operation) => operation,
            Err(error) => break Err(Fault(format!("byte {}: {error}", machine.lexer.position()))),
        };
        machine.operations += 1;
        if machine.operations.is_multiple_of(BATCH)
            && let Err(exhausted) = source.budget().operate(BATCH)
        {
            break Err(Fault(format!("byte {}: {exhausted}", operation.start)));
        }
        machine.frames(operation);
        last = operation.end;
        if operation.code == b'.' {
            break machine.pop(operation);
        }
        if let Err(Fault(reason)) = machine.step(operation) {
            break Err(Fault(format!("byte {}: {reason}", operation.start)));
        }
        succeeded += 1;
    };
    let overflowed = machine.store.overflowed.then(|| "too many tuples to follow".to_owned());
    let (result, problem) = match outcome {
        Ok(value) => (Some(value), machine.unfollowed.or(overflowed)),
        Err(Fault(reason)) => (None, Some(reason)),
    };
    Ending {
        end: last,
        result,
        problem,
        operations: machine.operations,
        succeeded,
        nested: machine.nested,
        encoded: machine.encoded,
        arrays: machine.arrays,
    }
}

impl Machine<'_> {
    fn step(&mut self, operation: Operation) -> Result<(), Fault> {
        match operation.code {
            b'N' => self.plain(Plain::None),
            0x88 => self.plain(Plain::True),
            0x89 => self.plain(Plain::False),
            b'F' | b'G' | b'L' => self.plain(Plain::Number),
            0x8a | 0x8b => {
                let magic = self.lexer.text() == TORCH_MAGIC;
                self.plain(if magic { Plain::TorchMagic } else { Plain::Number })
            }
            b'I' | b'J' | b'K' | b'M' => match operation.argument {
                Argument::Integer(value) => {
                    let value = i32::try_from(value).map_or(Value::Plain(Plain::Number), Value::Integer);
                    self.push(value)
                }
                _ => self.plain(Plain::Number),
            },
            b'S' | b'T' | b'U' | b'V' | b'X' | 0x8c | 0x8d => {
                let value = match operation.argument {
                    Argument::Text { whole: true } => self.store.text(self.lexer.text()),
                    _ => Value::Plain(Plain::LongText),
                };
                self.look_for_encoded_pickle(operation);
                self.push(value)
            }
            b'B' | b'C' | 0x8e | 0x96 => {
                let Argument::Bytes { offset, length } = operation.argument else { return Ok(()) };
                self.look_for_pickle(offset, length);
                let value = self.store.bytes(offset, length);
                self.push(value)
            }
            0x97 => self.plain(Plain::Buffer),
            0x98 | 0x80 | 0x95 => Ok(()),
            b']' | 0x8f => self.list(),
            b'}' => self.dict(),
            b')' => {
                let value = self.store.tuple(&[]);
                self.push(value)
            }
            0x85..=0x87 => self.tuple_of(usize::from(operation.code - 0x84), operation),
            b't' => {
                let from = self.mark(operation)?;
                self.tuple_from(from, operation)
            }
            b'l' | 0x91 => self.gather(operation),
            b'd' => {
                let from = self.mark(operation)?;
                self.keys(from, operation);
                let number = self.placeholders.number();
                self.settings(from, number);
                self.stack.truncate(from);
                self.push(Value::Dict(number))
            }
            b'(' => {
                if self.marks.len() >= STACK {
                    return Err(Fault("too many marks to follow".to_owned()));
                }
                self.marks.push(self.stack.len());
                Ok(())
            }
            b'0' => {
                if self.marks.last() == Some(&self.stack.len()) {
                    self.marks.pop();
                    return Ok(());
                }
                self.pop(operation).map(|_| ())
            }
            b'1' => {
                let from = self.mark(operation)?;
                self.stack.truncate(from);
                Ok(())
            }
            b'2' => {
                let value = self.top(operation)?;
                self.push(value)
            }
            b'a' => {
                let value = self.pop(operation)?;
                self.kept_as_data(value, operation);
                self.kept_in_top(value, operation)?;
                self.grows_top(operation)
            }
            b'e' | 0x90 => {
                let from = self.mark(operation)?;
                self.all_kept_as_data(from, operation);
                self.all_kept_below(from);
                self.stack.truncate(from);
                self.grows_top(operation)
            }
            b's' => {
                let from = self.stack.len().saturating_sub(2);
                self.keys(from, operation);
                let value = self.pop(operation)?;
                let key = self.pop(operation)?;
                if let Value::Dict(number) = self.top(operation)? {
                    self.keeps_fields(number, operation);
                    self.set(number, key, value);
                }
                self.kept_in_top(value, operation)?;
                self.changes_top(operation)
            }
            b'u' => {
                let from = self.mark(operation)?;
                self.keys(from, operation);
                if let Some(Value::Dict(number)) = from.checked_sub(1).and_then(|below| self.stack.get(below)).copied()
                {
                    self.keeps_fields(number, operation);
                    self.settings(from, number);
                }
                self.all_kept_below(from);
                self.stack.truncate(from);
                self.changes_top(operation)
            }
            b'g' | b'h' | b'j' => {
                let Argument::Integer(index) = operation.argument else { return Ok(()) };
                let value = self.memo.recall(index).ok_or_else(|| Fault(format!("memo {index} is empty")))?;
                self.push(value)
            }
            b'p' | b'q' | b'r' => {
                let Argument::Integer(index) = operation.argument else { return Ok(()) };
                let value = self.top(operation)?;
                self.memo.remember(index, value).map_err(Fault)
            }
            0x94 => {
                let value = self.top(operation)?;
                let index = self.memo.next();
                self.memo.remember(index, value).map_err(Fault)
            }
            b'c' => {
                let value = self.named_import(operation);
                self.push(value)
            }
            0x93 => self.stack_global(operation),
            0x82..=0x84 => {
                let Argument::Integer(code) = operation.argument else { return Ok(()) };
                self.evidence.note(&EXTENSION_CODE, operation, format!("names an object by extension code {code}"));
                self.push(Value::Unknown)
            }
            b'P' => {
                self.supplied_by_loader(operation);
                self.push(Value::Persistent)
            }
            b'Q' => {
                let id = self.pop(operation)?;
                let value = self.persistent(id, operation);
                self.push(value)
            }
            b'R' | 0x81 => {
                let arguments = self.pop(operation)?;
                let callee = self.pop(operation)?;
                self.call(callee, arguments, operation)
            }
            0x92 => {
                let named = self.pop(operation)?;
                let arguments = self.pop(operation)?;
                let callee = self.pop(operation)?;
                self.named_arguments(callee, named, operation);
                self.call(callee, arguments, operation)
            }
            b'i' => {
                let callee = self.named_import(operation);
                let from = self.mark(operation)?;
                self.tuple_from(from, operation)?;
                let arguments = self.pop(operation)?;
                self.call(callee, arguments, operation)
            }
            b'o' => {
                let from = self.mark(operation)?;
                if from >= self.stack.len() {
                    return Err(self.underflow(operation));
                }
                self.tuple_from(from + 1, operation)?;
                let arguments = self.pop(operation)?;
                let callee = self.pop(operation)?;
                self.call(callee, arguments, operation)
            }
            b'b' => {
                let state = self.pop(operation)?;
                self.changes_top(operation)?;
                self.given_state(state, operation)?;
                self.array_data(state, operation)
            }
            code => Err(Fault(LexError::NoOpcode(code).to_string())),
        }
    }

    /// The fields of a dtype must not change any more.
    fn keeps_fields(&mut self, dictionary: u32, operation: Operation) {
        if self.placeholders.is_sealed(dictionary) {
            let message = "changes the fields of a dtype after it was made".to_owned();
            self.evidence.note(&FORBIDDEN_ARGUMENT, operation, message);
        }
    }

    /// `torch.save` before 1.6 names classes of modules by persistent id, `('module', class, file, source)`,
    /// and the loader hands the class out.
    fn persistent(&mut self, id: Value, operation: Operation) -> Value {
        let entries = self.store.as_tuple(id).unwrap_or_default();
        match (entries.first().and_then(|kind| self.store.as_text(*kind)), entries.get(1)) {
            (Some("module"), Some(class @ Value::Import(_))) => return *class,
            (Some("storage"), _) => {}
            _ => self.supplied_by_loader(operation),
        }
        Value::Persistent
    }

    /// `pickle.load` refuses a persistent id; a program that doesn't makes of it what it likes. PyTorch's ids are
    /// known: storages, and numbers in its tar files.
    fn supplied_by_loader(&mut self, operation: Operation) {
        let is_tar = self.source.member() == "pickle" && self.source.has_sibling("sys_info");
        if !is_tar {
            let place = operation.start;
            self.unfollowed
                .get_or_insert_with(|| format!("byte {place}: only the loading program knows a persistent id"));
        }
    }

    fn frames(&mut self, operation: Operation) {
        if let Some(lie) = self.frames.check(operation) {
            self.evidence.note(&LYING_FRAME, operation, lie);
        }
        if self.frames.end().is_some_and(|end| end > self.source.length()) {
            self.unfollowed.get_or_insert_with(|| format!("byte {}: a frame ends beyond the data", operation.start));
        }
    }

    /// joblib writes an array's bytes right after the BUILD of its placeholder: no opcodes there.
    fn array_data(&mut self, state: Value, operation: Operation) -> Result<(), Fault> {
        let number = match self.top(operation)? {
            Value::Placeholder(number) => number,
            Value::Dtype(number) => {
                match self.placeholders.build_dtype(number, state, &self.store) {
                    Err(Doubt::Lie(lie)) => self.evidence.note(&FORBIDDEN_ARGUMENT, operation, lie.to_owned()),
                    Err(Doubt::Unclear) => {
                        let place = operation.start;
                        self.unfollowed.get_or_insert_with(|| format!("byte {place}: the state of a dtype is unclear"));
                    }
                    Ok(()) => {}
                }
                return Ok(());
            }
            _ => return Ok(()),
        };
        self.arrays = true;
        if self.loader == Loader::Pickle {
            return Ok(());
        }
        if self.frames.end().is_some_and(|end| end > operation.end) {
            let message = "array data of joblib starts inside a frame".to_owned();
            self.evidence.note(&LYING_FRAME, operation, message);
        }
        match self.placeholders.build(number, state, &self.store).map_err(Fault)? {
            Array::Bytes { length, padded } => {
                if padded {
                    let padding = self.lexer.byte()?;
                    self.lexer.skip(padding.into())?;
                }
                self.lexer.skip(length)?;
            }
            Array::Objects if self.depth < DEPTH => {
                let ending = run_at(self.source, operation.end, self.evidence, self.loader, self.depth + 1);
                self.operations += ending.operations;
                for range in ending.nested {
                    self.add_nested(range);
                }
                self.encoded.extend(ending.encoded.into_iter().take(64_usize.saturating_sub(self.encoded.len())));
                if let Some(problem) = ending.problem {
                    if ending.result.is_none() {
                        return Err(Fault(format!("object array: {problem}")));
                    }
                    self.unfollowed.get_or_insert(problem);
                }
                self.lexer.skip(ending.end - operation.end)?;
            }
            Array::Objects => return Err(Fault("object arrays are nested too deeply".to_owned())),
        }
        if let Some(top) = self.stack.last_mut() {
            *top = Value::Plain(Plain::Buffer);
        }
        Ok(())
    }
}

/// 0x1950a86a20f9469cfc6c, little-endian (`torch/serialization.py`).
const TORCH_MAGIC: &[u8] = &[0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
