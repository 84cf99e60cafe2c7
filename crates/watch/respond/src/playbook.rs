//! CACAO 2.0 security playbooks (OASIS, Committee Specification 01), the part that containment needs.
//!
//! Understood are the steps `start`, `end`, `action`, `parallel` and `if-condition`, and commands of
//! our type `bartizan`, an extension of the open vocabulary: a verb and `name=value` arguments, such
//! as `tighten-limit divisor=10`. What a playbook reacts to and how much it dares stands in
//! `playbook_extensions` under [`EXTENSION`]. Whatever is not understood is refused at load.

mod command;
mod condition;
mod document;
mod library;

pub(crate) use command::Command;
pub(crate) use condition::Facts;
pub(crate) use document::Playbook;
pub use library::check;
pub(crate) use library::{Library, load};
