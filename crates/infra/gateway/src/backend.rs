//! What stands behind the door.

use std::sync::Arc;

use bartizan_core::Asset;

use crate::embedded::Embedded;
use crate::routing::Routes;

/// What is guarded.
pub enum Backend {
    /// A model in this process.
    Embedded(Box<Embedded>),
    /// Servers somewhere else.
    Upstream(Arc<Routes>),
}

/// Which kind of backend, for display.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BackendKind {
    /// A model in this process.
    Embedded,
    /// Servers somewhere else.
    Upstream,
}

impl Backend {
    /// Which kind.
    pub fn kind(&self) -> BackendKind {
        match self {
            Self::Embedded(_) => BackendKind::Embedded,
            Self::Upstream(_) => BackendKind::Upstream,
        }
    }

    /// What is guarded, as an asset.
    pub fn asset(&self) -> &Asset {
        match self {
            Self::Embedded(embedded) => &embedded.asset,
            Self::Upstream(routes) => routes.asset(),
        }
    }
}
