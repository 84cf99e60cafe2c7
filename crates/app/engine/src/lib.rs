//! Offline wiring: what the command line, the daemon and other front ends share.

pub mod audit;
pub mod intel;
pub mod model;
pub mod output;
pub mod scan;
pub mod state;
