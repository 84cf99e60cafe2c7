//! Configuration of AI tools and agents: the servers that they start, the rights that they are given.
//!
//! Such files lie in repositories and are obeyed by whoever opens them, so that one of them is as good as a
//! program. They are read as their tools read them, comments and trailing commas included; what can't be
//! read is never clean.

mod approval;
mod configuration;
mod container;
mod document;
mod jsonc;
mod launch;
mod package;
mod server;
mod shell;
mod traffic;
mod weakness;

use bartizan_core::Rule;
use bartizan_inspect::{Findings, Inspect, Limits, Source};

pub use approval::{HOOK, NO_APPROVAL, RUNS_ON_OPEN};
pub use configuration::Configuration;
pub use launch::{FOREIGN_PROGRAM, INLINE_SCRIPT, UNCONFINED_CONTAINER, UNPINNED_SERVER, WHOLE_FILESYSTEM};
pub use traffic::{CREDENTIAL_IN_CLEAR, PLAIN_HTTP, REDIRECTED_TRAFFIC};

/// Every rule about AI tools and agents.
pub const RULES: &[&Rule] = &[
    &FOREIGN_PROGRAM,
    &INLINE_SCRIPT,
    &UNPINNED_SERVER,
    &UNCONFINED_CONTAINER,
    &PLAIN_HTTP,
    &CREDENTIAL_IN_CLEAR,
    &WHOLE_FILESYSTEM,
    &NO_APPROVAL,
    &HOOK,
    &RUNS_ON_OPEN,
    &REDIRECTED_TRAFFIC,
];

/// Every inspector of AI tools and agents.
pub const INSPECTORS: &[&dyn Inspect] = &[&Configuration];

/// Reads arbitrary bytes as every kind of file; must neither panic nor run away.
pub fn fuzz_one(bytes: &[u8]) {
    for name in [".mcp.json", ".codex/config.toml", ".continue/config.yaml"] {
        let source = Source::from_bytes(name, bytes.to_vec(), Limits::default());
        let _ = Configuration.inspect(&source, &mut Findings::new());
    }
}
