//! What happens, told to open consoles as it happens.

use std::sync::Arc;

use bartizan_core::{Event, Incident};
use tokio::sync::broadcast;

/// Messages that a slow reader may lag behind before it loses some and reloads.
const LAG: usize = 256;

/// One thing that an open page may want to show.
#[derive(Clone, Debug)]
pub(crate) enum Live {
    /// Something was recorded.
    Event(Arc<Event>),
    /// An incident is new or changed.
    Incident(Arc<Incident>),
}

/// The sending side; cheap to clone.
#[derive(Clone)]
pub(crate) struct LiveSender(broadcast::Sender<Live>);

impl LiveSender {
    pub(crate) fn new() -> Self {
        Self(broadcast::Sender::new(LAG))
    }

    /// Sends to whoever listens; nobody listening is fine.
    pub(crate) fn send(&self, message: Live) {
        let _ = self.0.send(message);
    }

    /// Whether anybody listens.
    pub(crate) fn has_listeners(&self) -> bool {
        self.0.receiver_count() > 0
    }

    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Live> {
        self.0.subscribe()
    }
}
