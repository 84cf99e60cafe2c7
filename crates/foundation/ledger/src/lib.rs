//! The tamper-evident ledger: an append-only Merkle log in C2SP tlog-tiles.
//!
//! One thread writes. Entries that come in while a sync is under way go into the next group commit:
//! one record of a write-ahead segment with the entries and a signed checkpoint over them, one
//! append, one `fdatasync`. Complete segments are turned into immutable tiles, and removed only when
//! these are durable. Recovery reads tiles and segments, and refuses what does not lead to the
//! signed root. Readers need no lock.
//!
//! ```
//! use std::path::Path;
//! use std::sync::Arc;
//! use bartizan_core::{Asset, AssetKind, Event, Outcome, Tenant, Timestamp};
//! use bartizan_ledger::{Ledger, LedgerReader, Urgency, prove, verify_proof};
//! use bartizan_signing::{NoteSigner, SigningKey};
//! use bartizan_storage::{Storage, fault::Faulty};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let storage: Arc<dyn Storage> = Arc::new(Faulty::new());
//! let directory = Path::new("state/ledger");
//! let signer = NoteSigner::new("example/node", SigningKey::generate()?)?;
//! let verifier = signer.verifier();
//! let ledger = Ledger::open(storage.clone(), directory, signer)?;
//! let asset = Asset::new(Tenant::default(), AssetKind::Model, "digits");
//! let event = Event::new("key.revoked", "id".into(), Timestamp::from_seconds(0), "Revoke", asset, Outcome::Allow);
//! let receipt = ledger.handle().append(&event, Urgency::Now)?.wait()?;
//!
//! let reader = LedgerReader::open_in(storage, directory)?;
//! let proof = prove(&reader, receipt.index)?;
//! assert_eq!(verify_proof(&proof, &verifier)?.entry.event, event);
//! # Ok(())
//! # }
//! ```

pub mod anchor;
mod batch;
mod bundle;
mod canonical;
mod checkpoint;
mod entry;
mod error;
mod export;
mod fuzz;
mod layout;
mod ledger;
mod log;
mod merkle;
mod nodes;
mod proof;
mod proof_file;
mod publisher;
mod query;
mod queue;
mod reader;
mod segment;
mod statistics;
mod tiles;
mod verify;

pub use batch::{Receipt, Ticket};
pub use checkpoint::Checkpoint;
pub use entry::{Entry, MAX_ENTRY};
pub use error::LedgerError;
pub use export::export;
pub use fuzz::fuzz_one;
pub use ledger::{Ledger, LedgerHandle, Options};
pub use merkle::{empty_root, leaf_hash, node_hash};
pub use proof::{is_consistent, root_from_inclusion};
pub use proof_file::{ProvenEntry, prove, verify_proof};
pub use query::Query;
pub use queue::Urgency;
pub use reader::{LedgerReader, RawEntries};
pub use statistics::{Durations, Statistics};
pub use verify::{Anchor, Conclusion, Report, verify, verify_in};
