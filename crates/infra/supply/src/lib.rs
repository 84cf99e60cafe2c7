//! What a project is built from, and whether it can be trusted: dependencies and advisories, secrets
//! in text, source code and notebooks, configuration of AI tools.
//!
//! Each kind of file has an inspector ([`bartizan_inspect::Inspect`]). Nothing here needs a network.

use bartizan_core::Rule;
use bartizan_inspect::Inspect;

/// Every inspector of this crate.
pub const INSPECTORS: &[&dyn Inspect] = &[];

/// The rules of this crate, by kind of file.
pub const RULES: &[&[&Rule]] = &[];
