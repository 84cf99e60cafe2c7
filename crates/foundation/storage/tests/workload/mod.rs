//! One life of a journal, and what its user was told on the way.

use std::path::Path;
use std::sync::Arc;

use bartizan_storage::fault::Faulty;
use bartizan_storage::{Journal, StorageError};

/// The journal's magic.
pub(crate) const NAME: &str = "test";

/// What the journal may hold: each state that was acknowledged or being written, oldest first; the
/// first is the last one that was acknowledged.
#[derive(Default)]
pub(crate) struct Told {
    /// Acceptable contents.
    pub(crate) states: Vec<Vec<Vec<u8>>>,
}

impl Told {
    fn trying(&mut self, state: Vec<Vec<u8>>) {
        self.states.push(state);
    }

    fn acknowledged(&mut self) {
        let before = self.states.len().saturating_sub(1);
        self.states.drain(..before);
    }
}

/// Two folders down, so that the creation of folders is part of the story.
pub(crate) fn path() -> &'static Path {
    Path::new("state/keys/journal")
}

/// Opens, appends, compacts, appends.
pub(crate) fn run(storage: &Faulty, told: &mut Told) -> Result<(), StorageError> {
    let mut records = Vec::new();
    told.trying(records.clone());
    let (mut journal, _) = Journal::open(Arc::new(storage.clone()), path(), NAME, 1)?;
    let record = |n: u8| vec![n; 20 + usize::from(n) * 7];
    for n in 1..4 {
        records.push(record(n));
        told.trying(records.clone());
        journal.append(&record(n))?;
        told.acknowledged();
    }
    records.extend([record(5), record(6)]);
    told.trying(records.clone());
    journal.append_all(&[record(5), record(6)])?;
    told.acknowledged();
    records.drain(..3);
    told.trying(records.clone());
    journal.rewrite(&records)?;
    told.acknowledged();
    records.push(record(7));
    told.trying(records);
    journal.append(&record(7))?;
    told.acknowledged();
    Ok(())
}

/// Opens and compares; then appends, so that a torn tail does not hurt what follows it.
pub(crate) fn check(storage: &Faulty, told: &Told) -> Result<(), String> {
    let shared = Arc::new(storage.clone());
    let (mut journal, records) = Journal::open(shared.clone(), path(), NAME, 1).map_err(|error| error.to_string())?;
    let nothing_was_tried = told.states.is_empty() && records.is_empty();
    if !nothing_was_tried && !told.states.contains(&records) {
        return Err(format!("read {} records, expected one of {:?}", records.len(), told.states.iter().map(Vec::len)));
    }
    journal.append(b"afterwards").map_err(|error| error.to_string())?;
    let (_, again) = Journal::open(shared, path(), NAME, 1).map_err(|error| error.to_string())?;
    if again.len() == records.len() + 1 { Ok(()) } else { Err("the next append was lost".to_owned()) }
}
