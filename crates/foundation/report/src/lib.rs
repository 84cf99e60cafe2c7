//! Findings for people and for programs: a table, JSON, SARIF 2.1.0.
//!
//! A report is a function of what was found and nothing else: no clock, no machine, no absolute
//! path. The same input gives the same bytes; a date appears only where the caller names one.

mod fingerprint;
mod json;
mod report;
mod sarif;
mod table;

pub use fingerprint::fingerprint;
pub use json::json;
pub use report::{FileEntry, Report, Totals};
pub use sarif::sarif;
pub use table::{Style, table};
