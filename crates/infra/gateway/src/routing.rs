//! Which upstream answers: several a model, weights, health, circuit breakers, a budget of retries, copies to a shadow.
//!
//! The client chooses a model, never a host. A model may be an alias; policy, quotas and records see what it stands
//! for. Another upstream is asked only while nothing of an answer has gone out.

mod alias;
mod breaker;
mod budget;
mod health;
mod routes;
mod settings;
mod table;
mod upstream;

pub(crate) use alias::{rename_body, rename_path};
pub use health::keep_healthy;
pub(crate) use routes::{Outgoing, Sent};
pub use routes::{PreparedRoutes, Routes};
pub use settings::{KeyHeader, RoutingSettings, UpstreamSettings};
pub(crate) use table::Table;
pub(crate) use upstream::Upstream;
pub use upstream::{UpstreamStanding, UpstreamWithKey};
