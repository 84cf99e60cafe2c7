//! Who administers.

use std::collections::BTreeSet;
use std::path::Path;

use bartizan_access::{Principal, Role};
use bartizan_core::{Tenant, Timestamp};

/// Somebody at the console, the admin API or the command line.
#[derive(Clone, Debug)]
pub(crate) struct Actor {
    /// As whom the policies see them.
    pub(crate) principal: Principal,
}

impl Actor {
    /// Whoever owns the state folder: the owner can read and write every file of it anyway, so the
    /// policies see an administrator, and the ledger sees which user of the system it was.
    pub(crate) fn owner(user: u32) -> Self {
        Self {
            principal: Principal {
                id: format!("local:{user}"),
                tenant: Tenant::default(),
                name: format!("system user {user}"),
                roles: BTreeSet::from([Role::Admin]),
                created: Timestamp::default(),
                expires: None,
                drill: false,
                canary: false,
                protected: true,
            },
        }
    }

    /// A principal that has authenticated.
    pub(crate) fn principal(principal: &Principal) -> Self {
        Self { principal: principal.clone() }
    }

    /// The opaque id that stands in the ledger.
    pub(crate) fn id(&self) -> &str {
        &self.principal.id
    }
}

/// The user that owns the state folder.
pub(crate) fn own_user(state: &Path) -> u32 {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata(state).map_or(u32::MAX, |metadata| metadata.uid())
}
