//! A ledger in memory, and events to put in it.

#![allow(dead_code, clippy::unwrap_used)]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bartizan_core::{Asset, AssetKind, Event, Outcome, Secret, Tenant, Timestamp};
use bartizan_ledger::{Ledger, LedgerError, LedgerHandle, LedgerReader, Options, Receipt, Urgency};
use bartizan_signing::{NoteSigner, SigningKey};
use bartizan_storage::Storage;
use bartizan_storage::fault::Faulty;

/// Segments of one bundle, and one order of operations.
pub(crate) const OPTIONS: Options = Options { segment_bundles: 1, inline: true };

pub(crate) fn directory() -> &'static Path {
    Path::new("state/ledger")
}

pub(crate) fn signer() -> NoteSigner {
    NoteSigner::new("bartizan/node", SigningKey::from_seed(&Secret::new([7; 32])).unwrap()).unwrap()
}

pub(crate) fn event(n: u64) -> Event {
    let asset = Asset::new(Tenant::default(), AssetKind::Model, if n.is_multiple_of(2) { "digits" } else { "faces" });
    let time = Timestamp::from_seconds(1_790_000_000 + i64::try_from(n).unwrap());
    let outcome = if n.is_multiple_of(3) { Outcome::Deny } else { Outcome::Allow };
    Event::new("request.admission", format!("event-{n}"), time, "Infer", asset, outcome).by(&format!("p{}", n % 5))
}

/// Puts events in that become durable together.
pub(crate) fn append_batch(handle: &LedgerHandle, events: std::ops::Range<u64>) -> Result<Receipt, LedgerError> {
    let last = events.end - 1;
    for n in events.start..last {
        drop(handle.append(&event(n), Urgency::Within(Duration::from_secs(3600)))?);
    }
    handle.append(&event(last), Urgency::Now)?.wait()
}

pub(crate) struct World {
    pub(crate) storage: Faulty,
}

impl World {
    /// A closed ledger with that many entries, in several batches.
    pub(crate) fn with_entries(size: u64) -> Self {
        let world = Self { storage: Faulty::new() };
        let ledger = world.open().unwrap();
        let mut at = 0;
        while at < size {
            let next = (at + 100).min(size);
            append_batch(&ledger.handle(), at..next).unwrap();
            at = next;
        }
        ledger.close().unwrap();
        world
    }

    pub(crate) fn open(&self) -> Result<Ledger, LedgerError> {
        Ledger::open_with(self.shared(), directory(), signer(), OPTIONS)
    }

    pub(crate) fn shared(&self) -> Arc<dyn Storage> {
        Arc::new(self.storage.clone())
    }

    pub(crate) fn reader(&self) -> LedgerReader {
        LedgerReader::open_in(self.shared(), directory()).unwrap()
    }

    /// Every file of the ledger.
    pub(crate) fn files(&self) -> Vec<std::path::PathBuf> {
        let mut files = Vec::new();
        let mut directories = vec![directory().to_owned()];
        while let Some(directory) = directories.pop() {
            for name in self.storage.list(&directory).unwrap() {
                let path = directory.join(name);
                if self.storage.list(&path).is_ok() { directories.push(path) } else { files.push(path) }
            }
        }
        files.sort();
        files
    }
}
