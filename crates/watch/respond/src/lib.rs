//! Incidents and what is done about them.
//!
//! [`Responder`] folds alerts into incidents, runs CACAO 2.0 playbooks for them and keeps all of it
//! in a crash-safe store. Each step is written down before it is taken: intent in the journal,
//! intent in the ledger, effect, completion in the journal, completion in the ledger. Effects carry
//! ids, so that a step taken twice has the effect of one.
//!
//! The crate knows no network and no runtime: what can be contained is behind [`Containment`], the
//! ledger behind [`Record`], webhooks are handed out by [`Responder::outbox`] for others to deliver.

mod case;
mod containment;
mod error;
mod events;
mod outbox;
mod pack;
mod plan;
mod playbook;
mod responder;
mod settings;
mod sign;
mod store;
mod turn;

pub use containment::{Containment, ContainmentError, Record, RecordError};
pub use error::RespondError;
pub use outbox::Notification;
pub use pack::defaults;
pub use playbook::check;
pub use responder::Responder;
pub use settings::{BlastRadius, Drills, Mode, Settings, Webhook};
pub use sign::sign;
