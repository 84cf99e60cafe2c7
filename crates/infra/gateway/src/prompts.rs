//! What a request gives a language model to read, judged before the model reads it.
//!
//! A guard may not take long, and judging a long text does: so texts are judged on a bounded pool with a deadline,
//! before the guard is asked; the guard decides with what is there. What could not be judged is said, and refused where
//! the guard refuses.

mod judge;
mod settings;
mod text;

pub(crate) use judge::{Judge, PromptFinding};
pub use settings::{FalseAlarms, PromptMode, PromptSettings};
pub(crate) use text::fuzz_one;
