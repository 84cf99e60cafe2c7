//! The keys of one issuer, kept fresh.
//!
//! However many requests want a key that is not there, one fetch is on its way at a time, and none
//! begins within `refetch_seconds` of the last: that a key is unknown is remembered for as long. Keys
//! are fetched anew in the background before they are old; while that fails the last good ones hold,
//! up to `stale_seconds`.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use bartizan_access::token::{Algorithm, IssuerSettings, KeySet};
use tokio::sync::watch;
use tokio::time::Instant;

use super::key_source::{DEADLINE, KeySource};
use crate::metrics::Metrics;

pub(super) struct KeyCache {
    issuer: String,
    jwks: String,
    algorithm: Algorithm,
    source: KeySource,
    refresh: Duration,
    refetch: Duration,
    stale: Duration,
    held: ArcSwapOption<Held>,
    attempts: Mutex<Attempts>,
    /// Counts fetches that ended.
    ended: watch::Sender<u64>,
    metrics: Metrics,
}

struct Held {
    keys: Arc<KeySet>,
    fetched: Instant,
}

#[derive(Default)]
struct Attempts {
    running: bool,
    last: Option<Instant>,
    failure: Option<String>,
}

impl KeyCache {
    pub(super) fn new(issuer: &str, settings: &IssuerSettings, source: KeySource, metrics: Metrics) -> Self {
        let seconds = |seconds: u32| Duration::from_secs(u64::from(seconds));
        metrics.keys_held(issuer, 0);
        Self {
            issuer: issuer.to_owned(),
            jwks: settings.jwks.clone(),
            algorithm: settings.algorithm,
            source,
            refresh: seconds(settings.refresh_seconds),
            refetch: seconds(settings.refetch_seconds),
            stale: seconds(settings.stale_seconds),
            held: ArcSwapOption::empty(),
            attempts: Mutex::default(),
            ended: watch::Sender::new(0),
            metrics,
        }
    }

    /// Whether this cache is what these settings ask for.
    pub(super) fn serves(&self, settings: &IssuerSettings) -> bool {
        let seconds = |duration: Duration| u32::try_from(duration.as_secs()).unwrap_or(u32::MAX);
        self.jwks == settings.jwks
            && self.algorithm == settings.algorithm
            && seconds(self.refresh) == settings.refresh_seconds
            && seconds(self.refetch) == settings.refetch_seconds
            && seconds(self.stale) == settings.stale_seconds
    }

    /// The last good keys, unless they are too old to be believed.
    pub(super) fn keys(&self) -> Option<Arc<KeySet>> {
        let held = self.held.load();
        held.as_ref().filter(|held| held.fetched.elapsed() < self.stale).map(|held| held.keys.clone())
    }

    /// Why the last fetch failed, where it did.
    pub(super) fn failure(&self) -> Option<String> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner).failure.clone()
    }

    /// Begins a fetch in the background when one is due.
    pub(super) fn refresh(self: &Arc<Self>) {
        let is_fresh = self.held.load().as_ref().is_some_and(|held| held.fetched.elapsed() < self.refresh);
        if !is_fresh {
            self.begin();
        }
    }

    /// Waits until a fetch that is on its way has ended.
    pub(super) async fn settled(&self) {
        let mut ended = self.ended.subscribe();
        if self.attempts.lock().unwrap_or_else(PoisonError::into_inner).running {
            // The fetch gives up by itself; this only bounds a wait that it might forget to end.
            let _ = tokio::time::timeout(DEADLINE + Duration::from_secs(1), ended.changed()).await;
        }
    }

    /// Whether the named key is among those held.
    pub(super) fn has(&self, key: &str) -> bool {
        self.keys().is_some_and(|keys| keys.has(key))
    }

    /// Fetches keys and waits for them; does nothing when they were fetched a moment ago.
    pub(super) async fn fetched(self: &Arc<Self>) {
        self.begin();
        self.settled().await;
    }

    /// Begins a fetch unless one is on its way or was a moment ago. It goes on when nobody waits any more.
    fn begin(self: &Arc<Self>) {
        let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        if attempts.running || attempts.last.is_some_and(|last| last.elapsed() < self.refetch) {
            return;
        }
        attempts.running = true;
        attempts.last = Some(Instant::now());
        let cache = self.clone();
        tokio::spawn(async move {
            let fetched = cache.fetch().await;
            cache.end(fetched);
        });
    }

    async fn fetch(&self) -> Result<KeySet, String> {
        let document = self.source.fetch().await?;
        KeySet::parse(&document, self.algorithm).map_err(|error| error.to_string())
    }

    fn end(&self, fetched: Result<KeySet, String>) {
        self.metrics.keys_fetched(&self.issuer, if fetched.is_ok() { "ok" } else { "failed" });
        let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        attempts.running = false;
        match fetched {
            Ok(keys) => {
                if attempts.failure.take().is_some() {
                    tracing::info!(issuer = %self.issuer, keys = keys.count(), "the issuer's keys are there again");
                }
                self.held.store(Some(Arc::new(Held { keys: Arc::new(keys), fetched: Instant::now() })));
            }
            Err(reason) => {
                let until = if self.keys().is_some() { "the last good keys hold" } else { "its tokens are refused" };
                if attempts.failure.as_ref() != Some(&reason) {
                    tracing::warn!(issuer = %self.issuer, %reason, "the issuer's keys can't be fetched; {until}");
                }
                attempts.failure = Some(reason);
            }
        }
        drop(attempts);
        self.metrics.keys_held(&self.issuer, self.keys().map_or(0, |keys| keys.count()));
        self.ended.send_modify(|count| *count += 1);
    }
}
