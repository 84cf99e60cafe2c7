//! Statistics that detections and drills rest on: pure functions with their sources named.
//!
//! No function draws randomness from outside: where numbers are drawn, the seed is an argument, and
//! the same arguments give the same result on every machine.
//!
//! ```
//! let interval = bartizan_statistics::wilson(0, 20, 1.96);
//! assert!(interval.low == 0.0 && interval.high < 0.17);
//! ```

mod cusum;
mod distance;
mod numbers;
mod projection;
mod proportion;
mod reference;
mod sample;
mod scale;
mod surrogate;

pub use cusum::Cusum;
pub use distance::squared_distance;
pub use numbers::Numbers;
pub use projection::Projection;
pub use proportion::{Interval, wilson};
pub use reference::{Look, Reference};
pub use sample::{Test, kolmogorov_smirnov, population_stability};
pub use scale::Scale;
pub use surrogate::Surrogate;
