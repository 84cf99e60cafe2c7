//! What flags change in the configuration.

use bartizan_gateway::{Durability, Mode, RedactionMode};

use crate::config::Config;

/// What flags change in the configuration.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// Address of the guarded endpoint.
    pub listen: Option<String>,
    /// Address of console and admin API.
    pub console: Option<String>,
    /// Refuse and contain instead of recording only.
    pub enforce: bool,
    /// When an entry must be on disk.
    pub durability: Option<Durability>,
    /// The server to guard.
    pub upstream: Option<String>,
}

impl Overrides {
    pub(crate) fn lay_over(&self, config: &mut Config) {
        if let Some(listen) = &self.listen {
            config.gateway.listen.clone_from(listen);
        }
        if let Some(console) = &self.console {
            config.console.listen.clone_from(console);
        }
        if let Some(durability) = self.durability {
            config.gateway.durability = durability;
        }
        if let Some(upstream) = &self.upstream {
            config.upstream.url.clone_from(upstream);
        }
        if self.enforce {
            config.gateway.mode = Mode::Enforce;
            if config.gateway.redaction.mode == RedactionMode::Shadow {
                config.gateway.redaction.mode = RedactionMode::Enforce;
            }
            config.respond.mode = bartizan_respond::Mode::Automatic;
        }
    }
}
