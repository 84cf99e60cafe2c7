//! What can be administered, whoever asks and by whichever way: console, admin API, command line.
//!
//! Each verb asks the policies, records what is about to be done, waits until that is on disk, and
//! only then does it.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError};

use bartizan_access::{
    AccessError, ApiKey, IssuedKey, Operation, Policies, Principal, Resource, Restriction, RestrictionKind, Role,
};
use bartizan_catalog::{Snapshot, Summary};
use bartizan_core::{Event, Incident, Outcome, Secret, Tenant, event_id};
use bartizan_detect::{RuleEngine, Sigma};
use bartizan_gateway::{Backend, Gateway, PreparedRoutes, Tls};
use thiserror::Error;

use crate::actor::Actor;
use crate::config::Config;
use crate::error::ServeError;
use crate::house::{House, read_policies};
use crate::live::Live;

/// Why something was not done.
#[derive(Debug, Error)]
pub(crate) enum AdminError {
    /// The policies do not permit it.
    #[error("your role does not permit this; an administrator can change it under Access")]
    Forbidden,
    /// It can't be recorded, so it is not done.
    #[error("this can't be recorded in the ledger, so it was not done: {0}")]
    Ledger(#[from] bartizan_ledger::LedgerError),
    /// What is named is not there, or can't be changed so.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// The incident is not there, or can't be changed so.
    #[error(transparent)]
    Respond(#[from] bartizan_respond::RespondError),
    /// The new configuration can't be used; the old one stays.
    #[error("the configuration in force stays as it is: {0}")]
    Reload(#[from] ServeError),
    /// The catalog can't be read or written.
    #[error(transparent)]
    Catalog(#[from] bartizan_catalog::CatalogError),
    /// What was sent is not understood.
    #[error("{0}")]
    Invalid(String),
    /// There is no such thing.
    #[error("{0}")]
    Missing(String),
    /// Something of the system failed.
    #[error("{0}")]
    Failed(String),
}

/// What a new principal is, beside its roles.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Marks {
    /// Automatic containment leaves it alone.
    pub(crate) protected: bool,
    /// Its keys are bait.
    pub(crate) canary: bool,
}

/// What can be done about an incident.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum IncidentVerb {
    Approve,
    Contain,
    Release,
    Close,
}

impl IncidentVerb {
    pub(crate) fn parse(word: &str) -> Option<Self> {
        match word {
            "approve" => Some(Self::Approve),
            "contain" => Some(Self::Contain),
            "release" => Some(Self::Release),
            "close" => Some(Self::Close),
            _ => None,
        }
    }

    fn action(self) -> &'static str {
        match self {
            Self::Approve => "ApproveIncident",
            Self::Contain => "ContainIncident",
            Self::Release => "ReleaseIncident",
            Self::Close => "CloseIncident",
        }
    }
}

impl House {
    /// Asks the policies. A denial is recorded.
    pub(crate) async fn allow(&self, actor: &Actor, operation: Operation) -> Result<(), AdminError> {
        let resource = Resource::System(Tenant::default());
        let decision = self.policies.load().decide(&actor.principal, operation, &resource);
        if decision.outcome == Outcome::Allow {
            return Ok(());
        }
        let now = self.clock.now();
        let mut event =
            Event::new("admin.refusal", event_id(now), now, operation.as_str(), self.system(), Outcome::Deny)
                .by(actor.id())
                .because(&decision.reason);
        event.policy = decision.policy;
        self.record(event).await?;
        Err(AdminError::Forbidden)
    }

    /// Asks the policies and records what is about to be done to `target`.
    pub(crate) async fn intend(
        &self,
        actor: &Actor,
        operation: Operation,
        action: &str,
        target: &str,
    ) -> Result<(), AdminError> {
        self.allow(actor, operation).await?;
        let now = self.clock.now();
        let mut event = Event::new("admin.change", event_id(now), now, action, self.system(), Outcome::Allow)
            .by(actor.id())
            .with("target", target);
        event.policy = Some(self.policies.load().digest());
        Ok(self.record(event).await?)
    }

    /// Adds a principal.
    pub(crate) async fn add_principal(
        &self,
        actor: &Actor,
        tenant: Tenant,
        name: &str,
        roles: BTreeSet<Role>,
        marks: Marks,
    ) -> Result<Arc<Principal>, AdminError> {
        if roles.is_empty() {
            return Err(AdminError::Invalid("a principal needs at least one role".to_owned()));
        }
        // The name is for people and stays out of the ledger; the id follows in the entries of its use.
        self.intend(actor, Operation::ManageAccess, "CreatePrincipal", &words(&roles)).await?;
        let mark =
            |principal: &mut Principal| (principal.protected, principal.canary) = (marks.protected, marks.canary);
        Ok(self.directory.add_principal(tenant, name, roles, self.clock.now(), mark)?)
    }

    /// Changes a principal's roles and protection.
    pub(crate) async fn change_principal(
        &self,
        actor: &Actor,
        id: &str,
        roles: Option<BTreeSet<Role>>,
        protected: Option<bool>,
    ) -> Result<(), AdminError> {
        self.allow(actor, Operation::ManageAccess).await?;
        let id = self.principal_id(id)?;
        self.intend(actor, Operation::ManageAccess, "ChangePrincipal", &id).await?;
        self.directory.change_principal(&id, |principal| {
            if let Some(roles) = roles {
                principal.roles = roles;
            }
            if let Some(protected) = protected {
                principal.protected = protected;
            }
        })?;
        Ok(())
    }

    /// Removes a principal with its keys.
    pub(crate) async fn remove_principal(&self, actor: &Actor, id: &str) -> Result<(), AdminError> {
        self.allow(actor, Operation::ManageAccess).await?;
        let id = self.principal_id(id)?;
        self.intend(actor, Operation::ManageAccess, "RemovePrincipal", &id).await?;
        self.directory.remove_principal(&id)?;
        self.sessions.close_all(&id);
        Ok(())
    }

    /// Gives a principal a one-time password for the console.
    pub(crate) async fn reset_password(&self, actor: &Actor, id: &str) -> Result<Secret<String>, AdminError> {
        self.allow(actor, Operation::ManageAccess).await?;
        let id = self.principal_id(id)?;
        self.intend(actor, Operation::ManageAccess, "ResetPassword", &id).await?;
        let password = bartizan_access::one_time_password()?;
        self.directory.set_password(&id, &password, true)?;
        self.sessions.close_all(&id);
        Ok(password)
    }

    /// Sets the actor's own password. Needs no right beyond being logged in.
    pub(crate) async fn set_own_password(&self, actor: &Actor, password: &Secret<String>) -> Result<(), AdminError> {
        if password.expose().chars().count() < 12 {
            return Err(AdminError::Invalid("a password needs at least 12 characters".to_owned()));
        }
        let now = self.clock.now();
        let event = Event::new("admin.change", event_id(now), now, "SetOwnPassword", self.system(), Outcome::Allow)
            .by(actor.id());
        self.record(event).await?;
        Ok(self.directory.set_password(actor.id(), password, false)?)
    }

    /// Makes a key.
    pub(crate) async fn issue_key(
        &self,
        actor: &Actor,
        principal: &str,
        days: Option<u32>,
    ) -> Result<IssuedKey, AdminError> {
        self.allow(actor, Operation::ManageAccess).await?;
        if days.is_some_and(|days| !(1..=3650).contains(&days)) {
            return Err(AdminError::Invalid("a key lives for 1 to 3650 days".to_owned()));
        }
        let principal = self.principal_id(principal)?;
        self.intend(actor, Operation::ManageAccess, "IssueKey", &principal).await?;
        let now = self.clock.now();
        let expires = days.map(|days| now.plus_seconds(i64::from(days) * 86_400));
        Ok(self.directory.issue_key(&principal, now, expires)?)
    }

    /// Makes another key for the same principal; the old one lives on for `hours`.
    pub(crate) async fn rotate_key(&self, actor: &Actor, prefix: &str, hours: u32) -> Result<IssuedKey, AdminError> {
        self.allow(actor, Operation::ManageAccess).await?;
        let now = self.clock.now();
        let held = self.directory.restrictions().iter().any(|held| held.target == prefix && held.is_in_force(now));
        let ended = |key: &ApiKey| key.prefix == prefix && key.expires.is_some_and(|expires| now >= expires);
        if held || self.directory.keys().iter().any(ended) {
            return Err(AdminError::Invalid("this key is revoked or expired; issue a new one instead".to_owned()));
        }
        self.intend(actor, Operation::ManageAccess, "RotateKey", &bartizan_core::printable(prefix)).await?;
        Ok(self.directory.rotate_key(prefix, now, now.plus_seconds(i64::from(hours) * 3600))?)
    }

    /// Revokes a key, from the next request on.
    pub(crate) async fn revoke_key(&self, actor: &Actor, prefix: &str) -> Result<(), AdminError> {
        self.allow(actor, Operation::ManageAccess).await?;
        if !self.directory.keys().iter().any(|key| key.prefix == prefix) {
            return Err(AdminError::Access(AccessError::Unknown { what: "key", id: bartizan_core::printable(prefix) }));
        }
        self.intend(actor, Operation::ManageAccess, "RevokeKey", prefix).await?;
        Ok(self.directory.restrict(Restriction {
            id: format!("admin:revoke:{prefix}"),
            kind: RestrictionKind::RevokedKey,
            tenant: Tenant::default(),
            target: prefix.to_owned(),
            since: self.clock.now(),
            until: None,
            divisor: 1,
        })?)
    }

    /// Lifts a restriction.
    pub(crate) async fn lift_restriction(&self, actor: &Actor, id: &str) -> Result<bool, AdminError> {
        self.intend(actor, Operation::ManageAccess, "LiftRestriction", &bartizan_core::printable(id)).await?;
        Ok(self.directory.lift(id)?)
    }

    /// Approves, contains, releases or closes an incident.
    pub(crate) async fn respond(
        &self,
        actor: &Actor,
        id: &str,
        verb: IncidentVerb,
        note: &str,
    ) -> Result<Incident, AdminError> {
        self.allow(actor, Operation::RespondToIncident).await?;
        if self.responder.incident(id).is_none() {
            let id = bartizan_core::printable(id);
            return Err(AdminError::Missing(format!(
                "there is no incident `{id}`; list them with `bartizan incident list`"
            )));
        }
        self.intend(actor, Operation::RespondToIncident, verb.action(), id).await?;
        let (responder, id, who, note) =
            (self.responder.clone(), id.to_owned(), actor.id().to_owned(), note.to_owned());
        let work = move || match verb {
            IncidentVerb::Approve => responder.approve(&id, &who),
            IncidentVerb::Contain => responder.contain(&id, &who),
            IncidentVerb::Release => responder.release(&id, &who),
            IncidentVerb::Close => responder.close(&id, &who, &note),
        };
        let done = tokio::task::spawn_blocking(work).await.map_err(|error| AdminError::Failed(error.to_string()))?;
        let incident = done?;
        self.live.send(Live::Incident(Arc::new(incident.clone())));
        Ok(incident)
    }

    /// Takes the configuration, policies and rules into use anew; on any error all stay as they are.
    pub(crate) async fn reload(&self, actor: &Actor) -> Result<(), AdminError> {
        self.allow(actor, Operation::ManageSystem).await?;
        let config = self.source.load().map_err(ServeError::from)?;
        let policies = Policies::load(&read_policies(&config.access.policies)?).map_err(ServeError::from)?;
        let sigma: Box<dyn RuleEngine> = Box::new(Sigma::load(&config.detect.rules).map_err(ServeError::from)?);
        bartizan_respond::check(&config.respond)?;
        let tls = self.tls.get().filter(|_| config.gateway.tls.is_wanted());
        let tls = tls.map(|tls| Ok::<_, ServeError>((tls, Tls::prepare(&config.gateway.tls)?))).transpose()?;
        let routes = self.gateway.get().map(|gateway| prepare_routes(gateway, &config)).transpose()?.flatten();
        self.intend(actor, Operation::ManageSystem, "Reload", &policies.digest().to_string()).await?;
        self.responder.reload(config.respond.clone())?;
        let policies = Arc::new(policies);
        self.policies.store(policies.clone());
        self.tokens
            .reload(&config.access.issuers)
            .map_err(|error| ServeError::from(crate::config::ConfigError::from(error)))?;
        self.watch.bus().bring_for(&*sigma);
        *self.rules.lock().unwrap_or_else(PoisonError::into_inner) = sigma;
        if let Some(gateway) = self.gateway.get() {
            gateway.reload(config.gateway.clone(), policies, self.workloads(&config));
            if let Some((tls, prepared)) = tls {
                tls.replace(prepared);
            }
            if let (Backend::Upstream(now), Some(routes)) = (gateway.backend(), routes) {
                now.replace(routes);
            }
        }
        self.config.store(Arc::new(config));
        Ok(())
    }

    /// A throw-away principal with a key, for a drill; both end by themselves.
    pub(crate) async fn drill_participant(
        &self,
        actor: &Actor,
        name: &str,
        seconds: u32,
    ) -> Result<(Arc<Principal>, IssuedKey), AdminError> {
        self.intend(actor, Operation::RunDrill, "CreateDrillParticipant", name).await?;
        let now = self.clock.now();
        let ends = now.plus_seconds(i64::from(seconds.min(3600)));
        let unique = format!("{name} {}", event_id(now));
        let principal = self.directory.add_principal(
            Tenant::default(),
            &unique,
            BTreeSet::from([Role::Client]),
            now,
            |principal| {
                principal.drill = true;
                principal.expires = Some(ends);
            },
        )?;
        let issued = self.directory.issue_key(&principal.id, now, Some(ends))?;
        Ok((principal, issued))
    }

    /// Removes a drill's principals and what was put in force against them.
    pub(crate) async fn end_drill(&self, actor: &Actor, principals: &[String]) -> Result<(), AdminError> {
        self.intend(actor, Operation::RunDrill, "EndDrill", &principals.join("+")).await?;
        for id in principals {
            if self.directory.principal(id).is_some_and(|principal| principal.drill) {
                let keys: BTreeSet<String> = self
                    .directory
                    .keys()
                    .into_iter()
                    .filter(|key| key.principal == *id)
                    .map(|key| key.prefix)
                    .collect();
                for restriction in self.directory.restrictions() {
                    if restriction.target == *id || keys.contains(&restriction.target) {
                        self.directory.lift(&restriction.id)?;
                    }
                }
                self.directory.remove_principal(id)?;
            }
        }
        Ok(())
    }

    /// Keeps what a scan found of a project in place of what was known of it.
    pub(crate) async fn record_inventory(&self, actor: &Actor, snapshot: Snapshot) -> Result<Summary, AdminError> {
        let digest = bartizan_signing::digest(snapshot.to_json().to_string().as_bytes());
        let target = format!("{} {digest}", snapshot.project);
        self.intend(actor, Operation::RecordInventory, "RecordInventory", &target).await?;
        Ok(self.catalog.record(snapshot, self.clock.now())?)
    }

    /// Forgets a project's inventory.
    pub(crate) async fn forget_project(&self, actor: &Actor, project: &str) -> Result<(), AdminError> {
        self.intend(actor, Operation::RecordInventory, "ForgetInventory", &bartizan_core::printable(project)).await?;
        Ok(self.catalog.forget(project)?)
    }

    fn principal_id(&self, id_or_name: &str) -> Result<String, AdminError> {
        let unknown = || AccessError::Unknown { what: "principal", id: bartizan_core::printable(id_or_name) };
        Ok(self.directory.principal(id_or_name).map(|principal| principal.id.clone()).ok_or_else(unknown)?)
    }
}

fn words(roles: &BTreeSet<Role>) -> String {
    roles.iter().map(|role| role.as_str()).collect::<Vec<_>>().join("+")
}

/// The upstreams that a configuration names, ready to be taken into use. A door to servers stays one, and a door to
/// the embedded model too: that takes a restart.
fn prepare_routes(gateway: &Gateway, config: &Config) -> Result<Option<PreparedRoutes>, ServeError> {
    let Backend::Upstream(routes) = gateway.backend() else { return Ok(None) };
    let upstreams = config.upstreams()?;
    if upstreams.is_empty() {
        return Ok(None);
    }
    Ok(Some(routes.prepare(&upstreams, config.gateway.routing.clone())?))
}
