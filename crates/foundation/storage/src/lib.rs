//! The one door to the disk for everything that must survive a power cut.
//!
//! [`Storage`] is a small file trait that says for each operation what is durable and when;
//! [`Disk`] is the real back-end and [`fault::Faulty`] one for tests that loses, tears and reorders
//! whatever was not synced. On top stand [`replace`] (a whole file, atomically) and [`Journal`]
//! (records, one after the other).
//!
//! ```
//! use std::sync::Arc;
//! use bartizan_storage::{Journal, Storage, fault::Faulty};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let storage: Arc<dyn Storage> = Arc::new(Faulty::new());
//! let path = std::path::Path::new("state/keys.journal");
//! let (mut journal, records) = Journal::open(storage.clone(), path, "keys", 1)?;
//! assert!(records.is_empty());
//! journal.append(b"durable when this returns")?;
//! let (_, records) = Journal::open(storage, path, "keys", 1)?;
//! assert_eq!(records, [b"durable when this returns"]);
//! # Ok(())
//! # }
//! ```

mod disk;
pub mod fault;
mod frame;
mod header;
mod journal;
mod replace;
mod storage;

pub use disk::Disk;
pub use header::{HEADER_LENGTH, header, split_header};
pub use journal::{Journal, Replay, StorageError};
pub use replace::{ensure_directory, replace};
pub use storage::{AppendFile, Storage};
