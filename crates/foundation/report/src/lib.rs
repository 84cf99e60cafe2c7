//! Findings for people and for programs: a table, JSON, SARIF 2.1.0, bills of material.
//!
//! A report is a function of what was found and nothing else: no clock, no machine, no absolute
//! path. The same input gives the same bytes; a date appears only where the caller names one.

mod cyclonedx;
mod fingerprint;
mod json;
mod report;
mod sarif;
mod suppression;
mod table;

pub use cyclonedx::{Specification, cyclonedx};
pub use fingerprint::fingerprint;
pub use json::json;
pub use report::{FileEntry, Report, Suppressed, Totals};
pub use sarif::sarif;
pub use suppression::{Baseline, EXPIRED_IGNORE, Ignores, Suppression, SuppressionError};
pub use table::{Style, table};
