//! Access tokens at the door: which issuer is asked, and where its keys come from.
//!
//! A guard may not block, so keys are seen to before the guards are asked ([`Tokens::prepare`]); the
//! guard itself only verifies, with what is there. A token whose issuer has no keys is refused.

mod key_cache;
mod key_source;

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use bartizan_access::token::{Issuer, IssuerError, IssuerSettings, Pseudonyms, Token, TokenFault};
use bartizan_access::{Caller, Denied, Directory};
use bartizan_core::Timestamp;
use tokio::sync::Semaphore;

use crate::metrics::Metrics;
use key_cache::KeyCache;
use key_source::KeySource;

/// How API keys begin: whatever begins so is never taken for a token.
const KEY_PREFIX: &str = "bz_";
/// Requests that wait for keys at most, so that slow key servers leave room for everybody else;
/// those beyond are refused at once.
const WAITING: usize = 64;

/// The issuers whose tokens open the door. A reload replaces them; keys that are held stay, where
/// they come from the same place.
pub struct Tokens {
    trusted: ArcSwap<Vec<Trusted>>,
    waiting: Semaphore,
    pseudonyms: Pseudonyms,
    metrics: Metrics,
}

struct Trusted {
    issuer: Arc<Issuer>,
    cache: Arc<KeyCache>,
}

/// How it stands with one issuer's keys.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IssuerStanding {
    /// The issuer's name in the configuration.
    pub name: String,
    /// How many usable keys are held; with 0, all of its tokens are refused.
    pub keys: usize,
    /// Why the last fetch brought none, where it did not.
    pub failure: Option<String>,
}

impl Tokens {
    /// Tokens of these issuers, whose keys are not there yet: see [`Self::load`].
    ///
    /// # Errors
    /// The first setting that can't be used.
    pub fn new(
        issuers: &BTreeMap<String, IssuerSettings>,
        pseudonyms: Pseudonyms,
        metrics: Metrics,
    ) -> Result<Self, IssuerError> {
        let tokens = Self { trusted: ArcSwap::default(), waiting: Semaphore::new(WAITING), pseudonyms, metrics };
        tokens.reload(issuers)?;
        Ok(tokens)
    }

    /// Checks a configuration without taking it into use.
    ///
    /// # Errors
    /// The first setting that can't be used.
    pub fn check(issuers: &BTreeMap<String, IssuerSettings>) -> Result<(), IssuerError> {
        for (name, settings) in issuers {
            settings.check(name)?;
            source(name, settings)?;
            let mut before = issuers.range(..name.clone());
            if let Some((other, _)) = before.find(|(_, known)| known.issuer == settings.issuer) {
                let reason = format!("is the issuer of `{other}` already; list several audiences in one place instead");
                return Err(IssuerError { issuer: name.clone(), key: ".issuer", reason });
            }
        }
        Ok(())
    }

    /// Takes other issuers into use.
    ///
    /// # Errors
    /// The first setting that can't be used; the old issuers stay.
    pub fn reload(&self, issuers: &BTreeMap<String, IssuerSettings>) -> Result<(), IssuerError> {
        Self::check(issuers)?;
        let old = self.trusted.load_full();
        let mut trusted = Vec::with_capacity(issuers.len());
        for (name, settings) in issuers {
            let kept = old.iter().find(|old| old.issuer.name() == name && old.cache.serves(settings));
            let cache = match kept {
                Some(kept) => kept.cache.clone(),
                None => Arc::new(KeyCache::new(name, settings, source(name, settings)?, self.metrics.clone())),
            };
            trusted.push(Trusted {
                issuer: Arc::new(Issuer::new(name, settings.clone(), self.pseudonyms.clone())),
                cache,
            });
        }
        self.trusted.store(Arc::new(trusted));
        Ok(())
    }

    /// Fetches the keys of all issuers and waits until each has them, or has failed to get them.
    pub async fn load(&self) {
        let trusted = self.trusted.load_full();
        self.refresh();
        for trusted in trusted.iter() {
            trusted.cache.settled().await;
        }
    }

    /// Fetches, in the background, keys that are due. To be called about once a second.
    pub fn refresh(&self) {
        for trusted in self.trusted.load().iter() {
            trusted.cache.refresh();
        }
    }

    /// How it stands with each issuer.
    pub fn standings(&self) -> Vec<IssuerStanding> {
        let standing = |trusted: &Trusted| IssuerStanding {
            name: trusted.issuer.name().to_owned(),
            keys: trusted.cache.keys().map_or(0, |keys| keys.count()),
            failure: trusted.cache.failure(),
        };
        self.trusted.load().iter().map(standing).collect()
    }

    /// The issuer configured under that name.
    pub fn issuer(&self, name: &str) -> Option<Arc<Issuer>> {
        self.trusted.load().iter().find(|trusted| trusted.issuer.name() == name).map(|trusted| trusted.issuer.clone())
    }

    /// Whether any issuer is configured.
    pub(crate) fn are_accepted(&self) -> bool {
        !self.trusted.load().is_empty()
    }

    /// Whether a credential is to be taken for a token rather than a key.
    pub(crate) fn takes(&self, credential: &str) -> bool {
        !credential.starts_with(KEY_PREFIX) && credential.contains('.') && self.are_accepted()
    }

    /// Sees to it that the key which a token names is there, as far as that can be had. Waits only
    /// for a fetch that is on its way, which at most one request in `refetch_seconds` sets off.
    pub(crate) async fn prepare(&self, credential: Option<&str>) {
        let Some(credential) = credential.filter(|credential| self.takes(credential)) else { return };
        let Ok(token) = Token::parse(credential) else { return };
        let cache = self.trusted.load().iter().find(|trusted| issued(trusted, &token)).map(|found| found.cache.clone());
        if let Some(cache) = cache.filter(|cache| !cache.has(token.key()))
            && let Ok(_permit) = self.waiting.try_acquire()
        {
            cache.fetched().await;
        }
    }

    /// Verifies a token with the keys that are there.
    ///
    /// # Errors
    /// Why it is not good.
    pub(crate) fn authenticate(
        &self,
        credential: &str,
        directory: &Directory,
        now: Timestamp,
    ) -> Result<Caller, Denied> {
        let nobody = |fault: TokenFault| Denied::nobody(fault.reason());
        let token = Token::parse(credential).map_err(nobody)?;
        let trusted = self.trusted.load();
        let found = trusted.iter().find(|trusted| issued(trusted, &token)).ok_or_else(|| nobody(TokenFault::Issuer))?;
        found.issuer.authenticate(&token, found.cache.keys().as_deref(), directory, now)
    }
}

/// Whether a token says that it is this issuer's. Compared exactly: a slash more is another issuer.
fn issued(trusted: &Trusted, token: &Token<'_>) -> bool {
    token.unverified_issuer() == Some(&trusted.issuer.settings().issuer)
}

fn source(name: &str, settings: &IssuerSettings) -> Result<KeySource, IssuerError> {
    KeySource::parse(&settings.jwks).map_err(|reason| IssuerError {
        issuer: bartizan_core::printable(name),
        key: ".jwks",
        reason: reason.to_owned(),
    })
}
