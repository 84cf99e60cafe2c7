//! What a project is built from, and whether it can be trusted: dependencies and advisories, secrets
//! in text, source code and notebooks, configuration of AI tools.
//!
//! Each kind of file has an inspector ([`bartizan_inspect::Inspect`]). Nothing here needs a network.

pub mod advisories;
pub mod agents;
pub mod ecosystem;
pub mod impersonation;
pub mod imports;
pub mod manifests;
pub mod model_card;
mod portions;
pub mod secrets;
mod shell;
pub mod source;
mod yaml;

use bartizan_core::Rule;
use bartizan_inspect::Inspect;

/// Every inspector of this crate.
pub const INSPECTORS: &[&dyn Inspect] = &[
    &manifests::REQUIREMENTS,
    &manifests::CARGO_LOCK,
    &manifests::POETRY_LOCK,
    &manifests::UV_LOCK,
    &manifests::PDM_LOCK,
    &manifests::PIPFILE_LOCK,
    &manifests::PYPROJECT,
    &manifests::SETUP_CFG,
    &manifests::CONDA_ENVIRONMENT,
    &manifests::CONDA_LOCK,
    &manifests::NPM_LOCK,
    &manifests::PNPM_LOCK,
    &manifests::YARN_LOCK,
    &manifests::GO_MODULE,
    &manifests::INSTALLED,
    &model_card::ModelCard,
    &secrets::Secrets,
    &source::Python,
    &source::Notebook,
    &agents::Configuration,
    &agents::Instructions,
];

/// The rules of this crate, by kind of file.
pub const RULES: &[&[&Rule]] =
    &[advisories::RULES, agents::RULES, impersonation::RULES, manifests::RULES, secrets::RULES, source::RULES];
