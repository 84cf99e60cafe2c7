//! Which ledger, and how to print.

use std::path::PathBuf;

use bartizan_ledger::{LedgerError, LedgerReader};

/// Which ledger is read.
#[derive(clap::Args)]
pub(crate) struct Source {
    /// State folder, or the folder of an exported log
    #[arg(long, value_name = "DIR", default_value = ".bartizan", env = "BARTIZAN_STATE")]
    pub(crate) state: PathBuf,
}

impl Source {
    /// Opens it for reading.
    pub(crate) fn open(&self) -> Result<LedgerReader, LedgerError> {
        bartizan_engine::audit::open(&self.state)
    }
}

/// How to print.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// Lines for people.
    Table,
    /// JSON for programs: one object a line.
    Json,
}
