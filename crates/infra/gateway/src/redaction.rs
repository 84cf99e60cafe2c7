//! The output guard: secrets and personal data in an upstream's answers are masked on their way to the client.
//!
//! Fails closed: what can't be read in an answer that may hold text is not passed on.

mod answer;
mod body;
mod json_text;
mod output_guard;
mod pipeline;
mod settings;
mod tally;
#[cfg(test)]
mod tests;
mod values;

pub(crate) use body::guard;
pub(crate) use output_guard::OutputGuard;
pub use settings::{RedactionMode, RedactionSettings};
pub(crate) use tally::Tally;
