//! The daemon: where the pillars meet at run time.
//!
//! [`House`] opens the state folder and wires access, ledger, watchers and responders together;
//! [`run`] puts a gateway, a console and an admin API in front of it and stays until it is told to
//! stop. The command line uses the same house through the same API ([`AdminClient`]): by socket
//! beside a running daemon, in process without one.

mod actor;
mod administration;
mod api;
mod backup;
mod client;
mod clock;
mod config;
mod console;
mod containment;
mod daemon;
mod defaults;
mod drill;
mod error;
mod house;
mod live;
mod model;
mod notify;
mod overrides;
mod revocation;
mod session;
mod telemetry;
mod traffic;
mod watch;

pub use backup::{BackupError, restore};
pub use client::{AdminClient, ClientError};
pub use config::{Config, ConfigError, resolve_secret};
pub use daemon::{Announcement, Exposed, run};
pub use defaults::{check_config, defaults};
pub use drill::{Attacker, DrillError, DrillKind, DrillReport, DrillRequest, Extraction, run_drill};
pub use error::ServeError;
pub use model::{ModelSource, load_model};
pub use overrides::Overrides;
pub use telemetry::start_logging;
