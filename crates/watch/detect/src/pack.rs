//! The rules that hold when the user brings none.

/// File names and texts of the default pack.
pub fn defaults() -> &'static [(&'static str, &'static str)] {
    PACK
}

macro_rules! pack {
    ($($name:literal),+ $(,)?) => {
        &[$(($name, include_str!(concat!("../rules/", $name)))),+]
    };
}

const PACK: &[(&str, &str)] = pack![
    "administration-refused.yml",
    "administrator-made.yml",
    "blocked-model.yml",
    "blocked-principal.yml",
    "canary-key.yml",
    "configuration-reloaded.yml",
    "extraction-pool.yml",
    "extraction.yml",
    "guard-failed.yml",
    "information-budget.yml",
    "input-drift.yml",
    "key-shared.yml",
    "ledger-unavailable.yml",
    "malformed-inputs.yml",
    "membership-probing.yml",
    "prompt-injection.yml",
    "repeated-malformed.yml",
    "repeated-unauthorized.yml",
    "request-flood.yml",
    "revoked-key.yml",
    "unauthorized-probing.yml",
];
