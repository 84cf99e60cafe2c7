//! The vocabulary of Bartizan.
//!
//! Every crate speaks in these types: who owns a thing ([`Tenant`]), what the thing is ([`Asset`],
//! [`Digest`]), what is wrong with it ([`Rule`], [`Finding`], [`Completeness`]), what happened to
//! it ([`Event`], [`Decision`]) and what was done about it ([`Incident`], [`Action`]).
//!
//! The crate knows no file, no network and no clock: time comes in through [`Clock`].
//!
//! ```
//! use bartizan_core::{Asset, AssetKind, Tenant};
//!
//! let model = Asset::new(Tenant::default(), AssetKind::Model, "digits");
//! assert_eq!(model.urn(), "urn:bartizan:default:model:digits");
//! ```

mod asset;
mod component;
mod digest;
mod duplicate;
mod event;
mod finding;
mod incident;
mod json;
mod rule;
mod secret;
mod tenant;
mod text;
mod time;

pub use asset::{Asset, AssetKind, AssetParseError};
pub use component::{Basis, Component, ComponentKind, Property};
pub use digest::{Digest, DigestParseError};
pub use duplicate::refuse_duplicate_keys;
pub use event::{Decision, Event, Exchange, Observe, Outcome, event_id};
pub use finding::{Completeness, Finding, Location, Position};
pub use incident::{Action, ActionKind, Incident, IncidentState, TimelineEntry};
pub use json::JsonMap;
pub use rule::{Confidence, Link, Rule, Severity};
pub use secret::Secret;
pub use tenant::{Tenant, TenantParseError};
pub use text::printable;
pub use time::{Clock, ManualClock, Timestamp};
