//! Findings for people and for programs: a table, JSON, SARIF 2.1.0, bills of material
//! (CycloneDX, SPDX), VEX.
//!
//! A report is a function of what was found and nothing else: no clock, no machine, no absolute
//! path. The same input gives the same bytes; a date appears only where the caller names one.

mod advisory;
mod cyclonedx;
mod fingerprint;
mod inventory;
mod json;
mod justification;
mod openvex;
mod purl;
mod report;
mod sarif;
mod spdx;
mod suppression;
mod table;
mod vex;

pub use cyclonedx::{Specification, cyclonedx};
pub use fingerprint::fingerprint;
pub use json::json;
pub use justification::Justification;
pub use openvex::openvex;
pub use report::{FileEntry, Report, Suppressed, Totals};
pub use sarif::sarif;
pub use spdx::spdx;
pub use suppression::{Baseline, EXPIRED_IGNORE, Ignores, Suppression, SuppressionError};
pub use table::{Style, table};
pub use vex::{Vex, VexError};
