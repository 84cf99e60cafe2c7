//! Blocking principals and revoking access tokens by hand, from the next request on.
//!
//! Who comes with a token is not stored here, so issuer and subject name the principal, and issuer
//! and `jti` the token; both become opaque names before anything is recorded.

use std::sync::Arc;

use bartizan_access::token::Issuer;
use bartizan_access::{AccessError, Operation, Restriction, RestrictionKind, WORKLOAD};
use bartizan_core::Tenant;

use crate::actor::Actor;
use crate::administration::AdminError;
use crate::house::House;

/// Which tokens of an issuer are meant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Revoked {
    /// The one with that `jti`.
    Token(String),
    /// All that were issued to that subject until now.
    Subject(String),
}

impl House {
    /// Refuses a principal: one of the directory, by id or name, or one that comes with tokens or a certificate, by id.
    pub(crate) async fn block_principal(&self, actor: &Actor, id: &str) -> Result<String, AdminError> {
        self.allow(actor, Operation::ManageAccess).await?;
        let unknown = || AccessError::Unknown { what: "principal", id: bartizan_core::printable(id) };
        let id = match self.directory.principal(id) {
            Some(principal) => principal.id.clone(),
            None => {
                let (issuer, name) = id.split_once(':').ok_or_else(unknown)?;
                let is_name = name.len() == 26 && name.bytes().all(|b| b.is_ascii_alphanumeric());
                let is_known = issuer == WORKLOAD || self.tokens.issuer(issuer).is_some();
                (is_name && is_known).then(|| id.to_owned()).ok_or_else(unknown)?
            }
        };
        self.intend(actor, Operation::ManageAccess, "BlockPrincipal", &id).await?;
        let name = format!("admin:block:{id}");
        self.hold(name.clone(), RestrictionKind::BlockedPrincipal, id)?;
        Ok(name)
    }

    /// The id under which an issuer's subject stands in ledger and restrictions.
    pub(crate) async fn token_principal(
        &self,
        actor: &Actor,
        issuer: &str,
        subject: &str,
    ) -> Result<String, AdminError> {
        self.allow(actor, Operation::ReadAccess).await?;
        Ok(self.issuer(issuer)?.principal(subject))
    }

    /// Revokes one token, or all that a subject was issued until now.
    pub(crate) async fn revoke_tokens(
        &self,
        actor: &Actor,
        issuer: &str,
        revoked: &Revoked,
    ) -> Result<String, AdminError> {
        self.allow(actor, Operation::ManageAccess).await?;
        let issuer = self.issuer(issuer)?;
        let (kind, target, name) = match revoked {
            Revoked::Token(jti) => {
                let token = issuer.token(jti);
                (RestrictionKind::RevokedKey, token.clone(), format!("admin:revoke:{token}"))
            }
            Revoked::Subject(subject) => {
                let principal = issuer.principal(subject);
                // Done again later, it reaches tokens that were issued in between.
                let name = format!("admin:revoke-tokens:{principal}:{}", self.clock.now().milliseconds());
                (RestrictionKind::RevokedTokens, principal, name)
            }
        };
        self.intend(actor, Operation::ManageAccess, "RevokeTokens", &target).await?;
        self.hold(name.clone(), kind, target)?;
        Ok(name)
    }

    fn issuer(&self, name: &str) -> Result<Arc<Issuer>, AdminError> {
        self.tokens.issuer(name).ok_or_else(|| {
            let name = bartizan_core::printable(name);
            AdminError::Missing(format!("there is no issuer `{name}`; see `access.issuers` in `bartizan config show`"))
        })
    }

    fn hold(&self, id: String, kind: RestrictionKind, target: String) -> Result<(), AdminError> {
        Ok(self.directory.restrict(Restriction {
            id,
            kind,
            tenant: Tenant::default(),
            target,
            since: self.clock.now(),
            until: None,
            divisor: 1,
        })?)
    }
}
