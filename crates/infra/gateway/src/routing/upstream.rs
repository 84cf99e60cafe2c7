//! One upstream: where it is, which models it serves, and whether it is well.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use bartizan_core::Secret;

use crate::proxy::{Proxy, ProxyError};
use crate::routing::breaker::{Attempt, Breaker};
use crate::routing::settings::{RoutingSettings, UpstreamSettings};

/// Failed checks in a row after which an upstream is taken for ill.
const FAILED_CHECKS: u32 = 2;

/// Settings of an upstream, and the credential that they refer to.
pub struct UpstreamWithKey {
    /// The settings.
    pub settings: UpstreamSettings,
    /// What is sent to it as credential.
    pub key: Option<Secret<String>>,
}

/// How an upstream stands, for people.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UpstreamStanding {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub url: String,
    /// The models that it serves.
    pub models: Vec<String>,
    /// Whether it answers its health checks, or has none.
    pub healthy: bool,
    /// How long it is left alone, where it failed too often.
    pub open_for: Option<Duration>,
}

/// One upstream.
pub(crate) struct Upstream {
    pub(crate) settings: UpstreamSettings,
    pub(crate) proxy: Proxy,
    breaker: Arc<Breaker>,
    is_ill: AtomicBool,
    failed_checks: AtomicU32,
}

impl Upstream {
    pub(crate) fn new(upstream: &UpstreamWithKey, routing: &RoutingSettings) -> Result<Self, ProxyError> {
        let settings = upstream.settings.clone();
        let proxy = Proxy::new(&settings.url, upstream.key.as_ref(), settings.key_header)?;
        let breaker = Breaker::new(routing.failures, Duration::from_secs(routing.open_seconds));
        Ok(Self { settings, proxy, breaker, is_ill: AtomicBool::default(), failed_checks: AtomicU32::default() })
    }

    /// Whether it serves `model`; whoever names no model may be served by any.
    pub(crate) fn serves(&self, model: &str) -> bool {
        self.settings.models.iter().any(|served| match served.strip_suffix('*') {
            Some(beginning) => model.starts_with(beginning) || model.is_empty(),
            None => served == model || model.is_empty(),
        })
    }

    /// Leave to ask it, where it is well as far as is known.
    pub(crate) fn attempt(&self, now: Instant) -> Option<Attempt> {
        if self.is_ill.load(Ordering::Relaxed) { None } else { self.breaker.attempt(now) }
    }

    /// How long it is left alone at least, where it is.
    pub(crate) fn open_for(&self, now: Instant) -> Option<Duration> {
        self.breaker.open_for(now)
    }

    /// Notes how a health check ended; whether that changed anything.
    pub(crate) fn checked(&self, is_well: bool) -> bool {
        let failed = if is_well { 0 } else { self.failed_checks.load(Ordering::Relaxed).saturating_add(1) };
        self.failed_checks.store(failed, Ordering::Relaxed);
        let is_ill = failed >= FAILED_CHECKS;
        self.is_ill.swap(is_ill, Ordering::Relaxed) != is_ill
    }

    pub(crate) fn standing(&self, now: Instant) -> UpstreamStanding {
        UpstreamStanding {
            name: self.settings.name.clone(),
            url: self.settings.url.clone(),
            models: self.settings.models.clone(),
            healthy: !self.is_ill.load(Ordering::Relaxed),
            open_for: self.open_for(now).filter(|left| !left.is_zero()),
        }
    }
}
