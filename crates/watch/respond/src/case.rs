//! An incident with all that is needed to go on after a crash.

use bartizan_core::{Action, Event, Incident, IncidentState, TimelineEntry, Timestamp};
use serde::{Deserialize, Serialize};

use crate::outbox::Notification;
use crate::settings::Mode;

/// Lines of a timeline; beyond that the oldest but the first are dropped.
const TIMELINE: usize = 200;

/// Where a step stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Status {
    /// Waits for a person.
    Proposed,
    /// Would have been taken, were it not for shadow mode.
    Shadowed,
    /// To be applied; may have been applied when a crash came.
    Intended,
    /// In force.
    Applied,
    /// Could not be applied; a person can try again.
    Failed,
    /// To be taken back; may have been taken back when a crash came.
    Reverting,
    /// Taken back, or expired.
    Reverted,
    /// Not taken, because the incident ended before.
    Dropped,
}

/// One action of a playbook, and where it stands.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Step {
    pub(crate) action: Action,
    pub(crate) playbook: String,
    pub(crate) status: Status,
    /// Seconds that it is in force, counted from its being applied.
    pub(crate) seconds: Option<u32>,
    /// Whether it was decided without a person; only those count for the blast radius.
    pub(crate) automatic: bool,
    /// When it was decided to apply it.
    pub(crate) decided: Option<Timestamp>,
    pub(crate) attempts: u32,
    pub(crate) not_before: Timestamp,
}

/// An incident, its steps, and what is still to be told.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Case {
    pub(crate) incident: Incident,
    pub(crate) steps: Vec<Step>,
    /// Playbooks that were started, by id, with the mode that held.
    pub(crate) playbooks: Vec<(String, Mode)>,
    /// Events that are not yet known to be in the ledger, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) events: Vec<Event>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) notifications: Vec<Notification>,
    /// When a person released it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) released: Option<Timestamp>,
}

impl Case {
    /// Adds a line to the story.
    pub(crate) fn note(&mut self, time: Timestamp, who: &str, what: String) {
        let timeline = &mut self.incident.timeline;
        if timeline.len() >= TIMELINE {
            timeline.remove(1);
        }
        timeline.push(TimelineEntry { time, what, who: who.to_owned() });
    }

    /// Whether further alerts belong to it.
    pub(crate) fn is_open(&self) -> bool {
        !matches!(self.incident.state, IncidentState::Released | IncidentState::Closed)
    }

    /// Whether something is in force or on its way.
    pub(crate) fn is_in_force(&self) -> bool {
        self.steps.iter().any(|step| {
            matches!(step.status, Status::Intended | Status::Applied | Status::Reverting)
                && step.action.kind.is_reversible()
        })
    }

    /// Whether nothing more will come of it by itself.
    pub(crate) fn is_finished(&self) -> bool {
        !self.is_open() && !self.is_in_force() && self.events.is_empty() && self.notifications.is_empty()
    }

    /// The state that follows from the steps; an ended incident stays ended.
    pub(crate) fn settle(&mut self) {
        if !self.is_open() {
            return;
        }
        let reversible = || self.steps.iter().filter(|step| step.action.kind.is_reversible());
        let any = |status| reversible().any(|step| step.status == status);
        let stuck = reversible().any(|step| step.status == Status::Intended && step.attempts > 0);
        self.incident.state = if stuck || any(Status::Failed) {
            IncidentState::ContainmentFailed
        } else if any(Status::Proposed) {
            IncidentState::AwaitingApproval
        } else if any(Status::Applied) {
            IncidentState::Contained
        } else if any(Status::Shadowed) {
            IncidentState::Shadowed
        } else {
            IncidentState::Open
        };
    }
}

impl Step {
    /// Whether something is to be done about it now.
    pub(crate) fn is_due(&self, now: Timestamp) -> bool {
        match self.status {
            Status::Intended => self.not_before <= now,
            Status::Reverting => true,
            _ => false,
        }
    }

    pub(crate) fn is_expired(&self, now: Timestamp) -> bool {
        self.status == Status::Applied && self.action.expires.is_some_and(|expires| expires <= now)
    }
}
