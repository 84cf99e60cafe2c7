//! `bartizan model`: looking into model files and converting them.

mod convert;
mod inspect;

use clap::Subcommand;

use crate::exit::Ended;

/// Look into model files and take their weights out, without loading them
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    Inspect(inspect::Arguments),
    Convert(convert::Arguments),
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<Ended> {
    match &arguments.verb {
        Verb::Inspect(arguments) => inspect::run(arguments),
        Verb::Convert(arguments) => convert::run(arguments),
    }
}
