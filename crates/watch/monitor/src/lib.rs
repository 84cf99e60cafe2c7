//! Features and tests over traffic: who behaves like an attacker, by principal.
//!
//! [`Monitor`] looks at each [`Exchange`](bartizan_core::Exchange) once and keeps bounded state for
//! each principal, key and source. What it finds is a [`Signal`]; rules decide what a signal means.
//! It knows no clock: time is the exchange's time.
//!
//! | signal | what it says |
//! |---|---|
//! | `key-shared` | one key is used from two places in turn |
//! | `request-flood` | far more requests, or limited ones, than before |
//! | `malformed-inputs` | a large share of requests refused for their form |
//! | `unauthorized-probing` | many requests of one source without a right |
//! | `input-drift` | inputs differ from the model's reference profile |
//! | `extraction` | queries that an extractor would make up |
//! | `extraction-pool` | the same of several principals together |
//! | `membership-probing` | queries around single points |

mod activity;
mod centres;
mod figures;
mod finding;
mod inputs;
mod key;
mod learning;
mod monitor;
mod pool;
mod profile;
mod recent;
mod settings;
mod signal;
mod steps;
mod window;

pub use figures::PrincipalFigures;
pub use monitor::Monitor;
pub use settings::Settings;
pub use signal::{Signal, SignalKind};
