//! Configuration of AI tools and agents: the servers that they start, the rights that they are given, and the
//! texts that they obey.
//!
//! Such files lie in repositories and are obeyed by whoever opens them, so that one of them is as good as a
//! program. They are read as their tools read them, comments and trailing commas included; what can't be
//! read is never clean.

mod approval;
mod configuration;
mod container;
mod document;
mod hidden;
mod instructions;
mod jsonc;
mod launch;
mod names;
mod package;
mod passage;
mod redaction;
mod server;
mod shell;
mod traffic;
mod weakness;
mod wording;

use bartizan_core::Rule;
use bartizan_inspect::{Findings, Inspect, Limits, Source};

pub use approval::{HOOK, NO_APPROVAL, RUNS_ON_OPEN};
pub use configuration::Configuration;
pub use hidden::HIDDEN_CHARACTERS;
pub use instructions::{DOWNLOAD_COMMAND, Instructions, UNRESTRICTED_SKILL};
pub use launch::{FOREIGN_PROGRAM, INLINE_SCRIPT, UNCONFINED_CONTAINER, UNPINNED_SERVER, WHOLE_FILESYSTEM};
pub use traffic::{CREDENTIAL_IN_CLEAR, PLAIN_HTTP, REDIRECTED_TRAFFIC};
pub use wording::{COVERT_INSTRUCTION, CREDENTIALS_SENT, HIDDEN_COMMENT};

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
    &HIDDEN_CHARACTERS,
    &HIDDEN_COMMENT,
    &COVERT_INSTRUCTION,
    &CREDENTIALS_SENT,
    &DOWNLOAD_COMMAND,
    &UNRESTRICTED_SKILL,
];

/// Every inspector of AI tools and agents.
pub const INSPECTORS: &[&dyn Inspect] = &[&Configuration, &Instructions];

/// Reads arbitrary bytes as every kind of file; must neither panic nor run away.
pub fn fuzz_one(bytes: &[u8]) {
    for name in [".mcp.json", ".codex/config.toml", ".continue/config.yaml"] {
        let source = Source::from_bytes(name, bytes.to_vec(), Limits::default());
        let _ = Configuration.inspect(&source, &mut Findings::new());
    }
    for name in ["CLAUDE.md", "tools.json"] {
        let source = Source::from_bytes(name, bytes.to_vec(), Limits::default());
        let _ = Instructions.inspect(&source, &mut Findings::new());
    }
}
