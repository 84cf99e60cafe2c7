//! What there is: the inventory of each project as its last scan saw it, and the one graph over it.
//!
//! A [`Snapshot`] is what a scan knows of a project: models, packages, and the weaknesses found in them. The
//! [`Catalog`] keeps the last one of each project, a file each, replaced as a whole. All of it follows from scans: a
//! catalog that was deleted is there again after the next scan.
//!
//! The graph goes model → framework → dependency → advisory; [`affected`] walks it backwards from an advisory
//! to the models that it reaches.

mod graph;
mod snapshot;
mod store;

pub use graph::{Affected, Hit, affected};
pub use snapshot::{Snapshot, SnapshotError, Weakness};
pub use store::{Catalog, CatalogError, Summary};
