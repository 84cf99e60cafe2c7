//! The part of the gateway that a reload replaces, all at once: settings, guards, policies, limits.

use std::sync::Arc;

use bartizan_access::{Directory, Policies, Workloads};

use crate::backend::Backend;
use crate::budget::BudgetBook;
use crate::guard::{Admission, Guard, Refusal, Stage};
use crate::guards::{self, Grounds};
use crate::limit::Limits;
use crate::quota::QuotaBook;
use crate::redaction::OutputGuard;
use crate::settings::Settings;
use crate::tokens::Tokens;

/// What requests are held against.
pub(crate) struct Chain {
    pub(crate) settings: Settings,
    pub(crate) guards: Vec<Box<dyn Guard>>,
    pub(crate) policies: Arc<Policies>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) quotas: Arc<QuotaBook>,
    /// What looks at an upstream's answers.
    pub(crate) output: Option<OutputGuard>,
}

/// What stays when settings change.
#[derive(Clone, Copy)]
pub(crate) struct House<'a> {
    pub(crate) directory: &'a Arc<Directory>,
    pub(crate) tokens: &'a Arc<Tokens>,
    pub(crate) book: &'a Arc<BudgetBook>,
    pub(crate) quotas: &'a Arc<QuotaBook>,
    pub(crate) backend: &'a Backend,
}

impl Chain {
    /// Builds the guards. Limits keep the state of `old` where their figures are the same.
    pub(crate) fn new(
        settings: Settings,
        policies: Arc<Policies>,
        workloads: Arc<Workloads>,
        house: &House<'_>,
        old: Option<&Arc<Self>>,
    ) -> Self {
        let House { directory, tokens, book, quotas, backend } = *house;
        let figures = |s: &Settings| (s.requests_per_second, s.burst, s.refusals_per_second);
        let limits = old.filter(|old| figures(&old.settings) == figures(&settings)).map_or_else(
            || Arc::new(Limits::new(settings.requests_per_second, settings.burst, settings.refusals_per_second)),
            |old| old.limits.clone(),
        );
        let model = match backend {
            Backend::Embedded(embedded) => Some((embedded.signature.clone(), embedded.digest)),
            Backend::Upstream(_) => None,
        };
        let grounds = Grounds {
            directory: directory.clone(),
            tokens: tokens.clone(),
            workloads,
            policies: policies.clone(),
            book: book.clone(),
            limits: limits.clone(),
            model,
        };
        let guards = guards::list(&settings, &grounds);
        let quotas = if quotas.quotas() == settings.quotas.as_slice() {
            quotas.clone()
        } else {
            Arc::new(quotas.with(settings.quotas.clone()))
        };
        let output = OutputGuard::new(&settings.redaction);
        Self { settings, guards, policies, limits, quotas, output }
    }

    /// Asks the guards of one stage, in order.
    pub(crate) fn ask(&self, stage: Stage, admission: &mut Admission<'_>) -> Result<(), Refusal> {
        self.guards.iter().filter(|guard| guard.stage() == stage).try_for_each(|guard| guard.check(admission))
    }
}
