//! Rules over events: what happened becomes an alert.
//!
//! Rules are written in Sigma, so that people can bring the ones they have. [`Sigma`] holds the
//! default pack and the user's folders behind the small trait [`RuleEngine`]; loading is the check,
//! and a reload is loading a new engine and putting it in the place of the old one. The crate knows
//! no clock: correlation windows follow the time of the events.
//!
//! ```
//! use bartizan_core::{Asset, AssetKind, Event, Outcome, Tenant, Timestamp};
//! use bartizan_detect::{RuleEngine, Sigma};
//!
//! # fn main() -> Result<(), bartizan_detect::DetectError> {
//! let mut rules = Sigma::load(&[])?;
//! let model = Asset::new(Tenant::default(), AssetKind::Model, "digits");
//! let event = Event::new("monitor.signal", "1".into(), Timestamp::default(), "Observe", model, Outcome::Observe)
//!     .because("key-shared");
//! assert_eq!(rules.evaluate(&event)[0].rule, "bartizan-key-shared");
//! # Ok(())
//! # }
//! ```

mod alert;
mod error;
mod fields;
mod pack;
mod sigma;

pub use alert::{Alert, RuleEngine, RuleSummary};
pub use error::DetectError;
pub use pack::defaults;
pub use sigma::Sigma;
