//! What playbooks may do, done by access; and how they record it.

use std::sync::Arc;

use bartizan_access::{Directory, Restriction, RestrictionKind, Role};
use bartizan_core::{Action, ActionKind, Clock, Event, Tenant};
use bartizan_ledger::{LedgerHandle, Urgency};
use bartizan_respond::{Containment, ContainmentError, Record, RecordError};

use crate::live::{Live, LiveSender};

/// Containment by restrictions: the next request meets them.
pub(crate) struct AccessContainment {
    pub(crate) directory: Arc<Directory>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Containment for AccessContainment {
    fn apply(&self, action: &Action) -> Result<(), ContainmentError> {
        let kind = match action.kind {
            ActionKind::RevokeKey => RestrictionKind::RevokedKey,
            ActionKind::BlockPrincipal => RestrictionKind::BlockedPrincipal,
            ActionKind::BlockModel => RestrictionKind::BlockedModel,
            ActionKind::TightenLimit => RestrictionKind::TightenedLimit,
            ActionKind::Notify => return Ok(()),
        };
        let divisor = action.parameters.get("divisor").and_then(serde_json::Value::as_u64).unwrap_or(1);
        let restriction = Restriction {
            id: action.id.clone(),
            kind,
            tenant: action.tenant.clone(),
            target: action.target.clone(),
            since: self.clock.now(),
            until: action.expires,
            divisor: u32::try_from(divisor).unwrap_or(u32::MAX).max(1),
        };
        self.directory.restrict(restriction).map_err(|error| ContainmentError::new(error.to_string()))
    }

    fn revert(&self, action: &Action) -> Result<(), ContainmentError> {
        self.directory.lift(&action.id).map(|_| ()).map_err(|error| ContainmentError::new(error.to_string()))
    }

    fn principals(&self) -> Option<usize> {
        Some(self.directory.principals().len())
    }

    fn is_protected(&self, tenant: &Tenant, kind: ActionKind, target: &str) -> bool {
        let id = match kind {
            ActionKind::RevokeKey => {
                self.directory.keys().into_iter().find(|key| key.prefix == target).map(|key| key.principal)
            }
            ActionKind::BlockPrincipal | ActionKind::TightenLimit => Some(target.to_owned()),
            ActionKind::BlockModel | ActionKind::Notify => None,
        };
        let Some(principal) = id.and_then(|id| self.directory.principal(&id)) else { return false };
        principal.tenant == *tenant && (principal.protected || principal.roles.contains(&Role::Admin))
    }
}

/// Records in the ledger: durable when it returns.
pub(crate) struct LedgerRecord {
    pub(crate) ledger: LedgerHandle,
    pub(crate) live: LiveSender,
}

impl Record for LedgerRecord {
    fn record(&self, event: Event) -> Result<(), RecordError> {
        let ticket = self.ledger.append(&event, Urgency::Now).map_err(|error| RecordError::new(error.to_string()))?;
        ticket.wait().map_err(|error| RecordError::new(error.to_string()))?;
        self.live.send(Live::Event(Arc::new(event)));
        Ok(())
    }
}
