//! Cases on disk: a journal of whole cases, the latest of each id counts.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bartizan_storage::{Journal, Storage};

use crate::case::Case;
use crate::error::RespondError;

const FILE: &str = "incidents.journal";
const MAGIC: &str = "incident";
const VERSION: u32 = 1;
/// Bytes from which on superseded records are dropped, when they outweigh the rest.
const COMPACT_BYTES: u64 = 4 << 20;

/// All cases, by id; UUIDv7 sort by time.
pub(crate) struct Store {
    journal: Journal,
    cases: BTreeMap<String, Case>,
    /// Length of the journal after it was last compacted.
    compacted: u64,
    keep: usize,
}

impl Store {
    pub(crate) fn open(storage: Arc<dyn Storage>, folder: &Path, keep: usize) -> Result<Self, RespondError> {
        let path: PathBuf = folder.join(FILE);
        let (journal, records) = Journal::open(storage, &path, MAGIC, VERSION)?;
        let mut cases = BTreeMap::new();
        for (number, record) in records.iter().enumerate() {
            let case: Case = serde_json::from_slice(record).map_err(|error| RespondError::Damaged {
                path: path.clone(),
                number,
                reason: error.to_string(),
            })?;
            cases.insert(case.incident.id.clone(), case);
        }
        Ok(Self { journal, cases, compacted: 0, keep })
    }

    pub(crate) fn get(&self, id: &str) -> Option<&Case> {
        self.cases.get(id)
    }

    /// From the oldest.
    pub(crate) fn cases(&self) -> impl DoubleEndedIterator<Item = &Case> {
        self.cases.values()
    }

    /// Writes the case; durable on return.
    pub(crate) fn put(&mut self, case: Case) -> Result<(), RespondError> {
        self.journal.append(&serde_json::to_vec(&case)?)?;
        self.cases.insert(case.incident.id.clone(), case);
        if self.journal.bytes() > COMPACT_BYTES.max(2 * self.compacted) {
            self.compact()?;
        }
        Ok(())
    }

    /// Changes the case in memory only; the next [`put`](Self::put) of it makes the change durable.
    pub(crate) fn remember(&mut self, case: Case) {
        self.cases.insert(case.incident.id.clone(), case);
    }

    fn compact(&mut self) -> Result<(), RespondError> {
        let mut excess = self.cases.len().saturating_sub(self.keep);
        self.cases.retain(|_, case| {
            let drop = excess > 0 && case.is_finished();
            excess -= usize::from(drop);
            !drop
        });
        let records = self.cases.values().map(serde_json::to_vec).collect::<Result<Vec<_>, _>>()?;
        self.journal.rewrite(&records)?;
        self.compacted = self.journal.bytes();
        Ok(())
    }
}
