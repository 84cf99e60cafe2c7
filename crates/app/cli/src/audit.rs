//! `bartizan audit`.

use crate::exit::Ended;

/// See below.
#[derive(clap::Args)]
pub(crate) struct Arguments {}

pub(crate) fn run(_arguments: &Arguments) -> anyhow::Result<Ended> {
    anyhow::bail!("not built yet")
}
