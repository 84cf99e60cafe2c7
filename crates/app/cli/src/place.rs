//! Where state and configuration are; the same for every verb that needs them.

use std::path::PathBuf;

/// `--state` and `--config`.
#[derive(clap::Args)]
pub(crate) struct Place {
    /// State folder
    #[arg(long, value_name = "DIR", default_value = ".bartizan", env = "BARTIZAN_STATE", global = true)]
    pub(crate) state: PathBuf,
    /// Configuration file [default: bartizan.toml, where there is one]
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
}

impl Place {
    /// The state folder that is named, or the default one.
    pub(crate) fn of(state: Option<PathBuf>) -> Self {
        let default = || std::env::var_os("BARTIZAN_STATE").map_or_else(|| PathBuf::from(".bartizan"), PathBuf::from);
        Self { state: state.unwrap_or_else(default), config: None }
    }

    /// The configuration file, where there is one. One that was named must be there.
    pub(crate) fn config(&self) -> Option<PathBuf> {
        let default = || Some(PathBuf::from("bartizan.toml")).filter(|path| path.exists());
        self.config.clone().or_else(default)
    }
}
