//! Offline wiring: what the command line, the daemon and other front ends share.

pub mod scan;
