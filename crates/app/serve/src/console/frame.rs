//! What surrounds every page: where one is, where one can go, and who one is.

use bartizan_access::{Operation, Resource};
use bartizan_core::{IncidentState, Outcome, Tenant};

use super::visitor::Visitor;
use crate::actor::Actor;
use crate::house::House;

/// One way from here.
pub(super) struct Way {
    pub(super) href: &'static str,
    pub(super) label: &'static str,
    pub(super) here: bool,
    /// How many things wait there; 0 shows nothing.
    pub(super) waiting: usize,
}

/// What surrounds a page.
pub(super) struct Frame {
    pub(super) title: String,
    pub(super) ways: Vec<Way>,
    pub(super) name: String,
    pub(super) roles: String,
    pub(super) csrf: String,
    pub(super) version: &'static str,
}

/// Where pages are, in order, and the right that opens them.
const WAYS: [(&str, &str, Operation); 6] = [
    ("/overview", "Overview", Operation::ReadOverview),
    ("/traffic", "Traffic", Operation::ReadTraffic),
    ("/incidents", "Incidents", Operation::ReadIncidents),
    ("/inventory", "Inventory", Operation::ReadInventory),
    ("/ledger", "Ledger", Operation::ReadLedger),
    ("/access", "Access", Operation::ReadAccess),
];

impl Frame {
    /// The frame of a page under `here`.
    pub(super) fn new(house: &House, visitor: &Visitor, title: impl Into<String>, here: &str) -> Self {
        let may = |operation| may(house, &visitor.actor, operation);
        let ways = if visitor.must_change_password { &[][..] } else { &WAYS[..] };
        let ways = ways
            .iter()
            .filter(|(_, _, operation)| may(*operation))
            .map(|(href, label, _)| Way {
                href,
                label,
                here: *href == here,
                waiting: if *href == "/incidents" { unfinished(house) } else { 0 },
            })
            .collect();
        let principal = &visitor.actor.principal;
        let roles = principal.roles.iter().map(|role| role.as_str()).collect::<Vec<_>>().join(", ");
        Self {
            title: title.into(),
            ways,
            name: principal.name.clone(),
            roles,
            csrf: visitor.csrf.clone(),
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}

/// Whether the policies permit it; asks without leaving a record, to decide what a page offers.
pub(super) fn may(house: &House, actor: &Actor, operation: Operation) -> bool {
    let resource = Resource::System(Tenant::default());
    house.policies.load().decide(&actor.principal, operation, &resource).outcome == Outcome::Allow
}

/// Whether an incident still wants somebody's attention.
pub(super) fn is_unfinished(state: IncidentState) -> bool {
    !matches!(state, IncidentState::Released | IncidentState::Closed)
}

/// How many do.
pub(super) fn unfinished(house: &House) -> usize {
    house.responder.incidents().iter().filter(|incident| is_unfinished(incident.state)).count()
}

/// A principal's name, where it is still there; the id otherwise.
pub(super) fn name_of(house: &House, id: &str) -> String {
    match house.directory.principal(id) {
        Some(principal) if principal.id == id => bartizan_core::printable(&principal.name),
        _ => bartizan_core::printable(id),
    }
}
