//! `bartizan config`: check it, show it, export the defaults.

use std::path::{Path, PathBuf};

use bartizan_serve::Config;
use clap::Subcommand;

use crate::call::print;
use crate::exit::Ended;
use crate::place::Place;

/// Check and show the configuration; write out default policies, rules and playbooks.
#[derive(clap::Args)]
#[command(after_help = "Precedence: flag > BARTIZAN_SECTION__KEY > bartizan.toml > default.

Examples:
  bartizan config check
  bartizan config show > bartizan.toml
  BARTIZAN_GATEWAY__BURST=10 bartizan config show
  bartizan config export-defaults defaults/")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    place: Place,
}

#[derive(Subcommand)]
enum Verb {
    /// Check the configuration, the policies, rules and playbooks that it names
    Check,
    /// Show the configuration in force, defaults included
    Show,
    /// Write default policies, rules and playbooks to a folder
    ExportDefaults {
        /// Folder, made when absent
        folder: PathBuf,
    },
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<Ended> {
    if let Verb::ExportDefaults { folder } = &arguments.verb {
        return export(folder);
    }
    let file = arguments.place.config();
    let config = Config::load(file.as_deref(), std::env::vars())?;
    match &arguments.verb {
        Verb::Check => {
            bartizan_serve::check_config(&config)?;
            let from = file.map_or_else(|| "defaults".to_owned(), |file| file.display().to_string());
            print(&format!("{from}: the configuration can be used\n"))?;
        }
        Verb::Show => print(&toml::to_string_pretty(&config)?)?,
        Verb::ExportDefaults { .. } => {}
    }
    Ok(Ended::Well)
}

fn export(folder: &Path) -> anyhow::Result<Ended> {
    let is_taken = std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some());
    anyhow::ensure!(
        !is_taken,
        "{} is not empty; choose another folder, so that nothing of yours is lost",
        folder.display()
    );
    for (name, text) in bartizan_serve::defaults() {
        let path = folder.join(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(&path, text)?;
        print(&format!("{}\n", path.display()))?;
    }
    Ok(Ended::Well)
}
