//! The machine's state between two opcodes: stack, marks, memo, and what was seen on the way.

use bartizan_inspect::Source;

use super::containers::Containers;
use super::evidence::Evidence;
use super::frames::Frames;
use super::joblib::Placeholders;
use super::memo::Memo;
use super::value::{Plain, Store, Value};
use crate::opcodes::{LexError, Lexer, Operation, name};

/// Deepest stack that is followed; picklers write batches of a thousand.
pub(super) const STACK: usize = 1 << 19;

/// Whose loader is followed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Loader {
    /// `joblib.load`, which takes array data off the file; everything else loads alike.
    Joblib,
    /// `pickle.load`, to which array data are opcodes.
    Pickle,
}

/// Where CPython would raise, and why.
pub(super) struct Fault(pub(super) String);

impl From<LexError> for Fault {
    fn from(error: LexError) -> Self {
        Self(error.to_string())
    }
}

/// The machine between two opcodes.
pub(super) struct Machine<'a> {
    pub(super) source: &'a Source,
    pub(super) evidence: &'a mut Evidence,
    pub(super) lexer: Lexer<'a>,
    pub(super) store: Store,
    pub(super) stack: Vec<Value>,
    pub(super) marks: Vec<usize>,
    pub(super) memo: Memo,
    pub(super) frames: Frames,
    pub(super) operations: u64,
    pub(super) nested: Vec<(u64, u64)>,
    pub(super) encoded: Vec<(u64, u64)>,
    pub(super) unfollowed: Option<String>,
    pub(super) loader: Loader,
    pub(super) depth: u32,
    pub(super) placeholders: Placeholders,
    pub(super) containers: Containers,
    pub(super) arrays: bool,
}

impl Machine<'_> {
    pub(super) fn fence(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    pub(super) fn underflow(&self, operation: Operation) -> Fault {
        Fault(format!("{} finds nothing on the stack", name(operation.code)))
    }

    pub(super) fn push(&mut self, value: Value) -> Result<(), Fault> {
        if self.stack.len() >= STACK {
            return Err(Fault("the stack is too deep to follow".to_owned()));
        }
        self.stack.push(value);
        Ok(())
    }

    pub(super) fn plain(&mut self, plain: Plain) -> Result<(), Fault> {
        self.push(Value::Plain(plain))
    }

    pub(super) fn pop(&mut self, operation: Operation) -> Result<Value, Fault> {
        if self.stack.len() <= self.fence() {
            return Err(self.underflow(operation));
        }
        self.stack.pop().ok_or_else(|| self.underflow(operation))
    }

    pub(super) fn top(&self, operation: Operation) -> Result<Value, Fault> {
        if self.stack.len() <= self.fence() {
            return Err(self.underflow(operation));
        }
        self.stack.last().copied().ok_or_else(|| self.underflow(operation))
    }

    pub(super) fn mark(&mut self, operation: Operation) -> Result<usize, Fault> {
        self.marks.pop().ok_or_else(|| Fault(format!("{} finds no mark", name(operation.code))))
    }
}
