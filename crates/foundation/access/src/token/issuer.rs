//! An issuer whose tokens open the door, and how a token of it becomes a caller.

use std::sync::Arc;

use bartizan_core::Timestamp;

use super::fault::TokenFault;
use super::identity::Identity;
use super::jws::Token;
use super::key_set::KeySet;
use super::pseudonym::Pseudonyms;
use super::settings::IssuerSettings;
use crate::authenticate::{Caller, Denied};
use crate::directory::Directory;
use crate::principal::Principal;

/// A configured issuer.
pub struct Issuer {
    name: String,
    settings: IssuerSettings,
    pseudonyms: Pseudonyms,
}

impl Issuer {
    /// The issuer configured as `name`; the settings have been checked.
    pub fn new(name: &str, settings: IssuerSettings, pseudonyms: Pseudonyms) -> Self {
        Self { name: name.to_owned(), settings, pseudonyms }
    }

    /// Its name in the configuration.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What is demanded of its tokens.
    pub fn settings(&self) -> &IssuerSettings {
        &self.settings
    }

    /// The id of the principal whom this issuer calls `subject`.
    pub fn principal(&self, subject: &str) -> String {
        self.pseudonyms.principal(&self.name, &self.settings.issuer, &self.settings.principal_claim, subject)
    }

    /// The name of the token that this issuer gave that `jti`.
    pub fn token(&self, jti: &str) -> String {
        self.pseudonyms.token(&self.settings.issuer, jti)
    }

    /// Verifies a token with the issuer's keys and holds its principal against what is in force.
    ///
    /// The pinned algorithm is compared before any key is touched; no claim is believed before the
    /// signature is right. Who and which token is said of a refusal only from there on.
    ///
    /// # Errors
    /// Why it is not good.
    pub fn authenticate(
        &self,
        token: &Token<'_>,
        keys: Option<&KeySet>,
        directory: &Directory,
        now: Timestamp,
    ) -> Result<Caller, Denied> {
        let nobody = |fault: TokenFault| Denied::nobody(fault.reason());
        self.verify(token, keys).map_err(nobody)?;
        let identity = Identity::new(&token.claims, &self.settings);
        let principal = self.principal(identity.subject().map_err(nobody)?);
        let name = identity
            .token()
            .map_or_else(|| self.pseudonyms.signed(&self.settings.issuer, token.signed), |jti| self.token(jti));
        let valid = identity.check_audience().and_then(|()| identity.check_time(now)).and_then(|()| identity.issued());
        let issued = valid.map_err(|fault| Denied {
            reason: fault.reason(),
            principal: principal.clone(),
            key: name.clone(),
            drill: false,
        })?;
        let principal = Arc::new(Principal {
            // What people call it stays with the issuer.
            name: principal.clone(),
            id: principal,
            tenant: self.settings.tenant.clone(),
            roles: identity.roles(),
            created: now,
            expires: None,
            drill: false,
            canary: false,
            protected: false,
        });
        directory.admit_token(&principal, &Arc::from(name), issued, now)
    }

    fn verify(&self, token: &Token<'_>, keys: Option<&KeySet>) -> Result<(), TokenFault> {
        if token.unverified_issuer() != Some(&self.settings.issuer) {
            return Err(TokenFault::Issuer);
        }
        if token.algorithm != self.settings.algorithm.as_str() {
            return Err(TokenFault::Algorithm);
        }
        let keys = keys.ok_or(TokenFault::KeysUnavailable)?;
        let key = keys.key(&token.key).ok_or(TokenFault::KeyUnknown)?;
        key.verify_sig(token.signed.as_bytes(), &token.signature).map_err(|_| TokenFault::Signature)
    }
}
