//! How an incident's state turns: alerts fold in, actions are announced, taken back and expire.

use bartizan_core::{IncidentState, Outcome, Timestamp};
use bartizan_detect::Alert;

use crate::case::{Case, Status, Step};

impl Case {
    /// Adds an alert; whether it says anything new.
    pub(crate) fn fold(&mut self, alert: &Alert, now: Timestamp) -> bool {
        let incident = &mut self.incident;
        incident.alerts += 1;
        incident.updated = incident.updated.max(now);
        if incident.key.is_empty() {
            incident.key.clone_from(&alert.key);
        }
        let worse = alert.severity > incident.severity;
        if worse {
            incident.severity = alert.severity;
            incident.title.clone_from(&alert.title);
        }
        let new = !incident.rules.contains(&alert.rule);
        if new {
            incident.rules.push(alert.rule.clone());
        }
        for technique in &alert.techniques {
            if !incident.techniques.contains(technique) {
                incident.techniques.push(technique.clone());
            }
        }
        let joined: Vec<String> =
            alert.members.iter().filter(|member| !incident.members.contains(member)).cloned().collect();
        let grown = !joined.is_empty();
        incident.members.extend(joined);
        if new || worse || grown {
            self.note(now, "bartizan", alert.message.clone());
        }
        new || worse || grown
    }

    /// Tells the ledger what the playbooks are about to do.
    pub(crate) fn announce(&mut self, now: Timestamp) {
        self.announce_by(now, "bartizan");
    }

    /// Tells the ledger what is about to be done, and on whose word.
    pub(crate) fn announce_by(&mut self, now: Timestamp, who: &str) {
        let about: Vec<Step> =
            self.steps.iter().filter(|step| step.decided == Some(now) && step.is_due(now)).cloned().collect();
        for step in about {
            self.tell_action("action.intended", now, who, &step, Outcome::Observe, "apply");
        }
    }

    /// Sets out to take back the steps in force that `picks` chooses, the latest first told.
    pub(crate) fn revert(&mut self, now: Timestamp, who: &str, reason: &str, picks: impl Fn(&Step) -> bool) {
        let mut about = Vec::new();
        for step in self.steps.iter_mut().rev() {
            let in_force =
                matches!(step.status, Status::Applied | Status::Intended) && step.action.kind.is_reversible();
            if in_force && picks(step) {
                step.status = Status::Reverting;
                about.push(step.clone());
            }
        }
        for step in about {
            self.tell_action("action.intended", now, who, &step, Outcome::Observe, reason);
        }
    }

    /// What was not taken will not be.
    pub(crate) fn drop_pending(&mut self) {
        for step in &mut self.steps {
            if matches!(step.status, Status::Proposed | Status::Shadowed | Status::Failed) {
                step.status = Status::Dropped;
            }
        }
    }

    /// Whether [`expire`](Self::expire) or going on would do something.
    pub(crate) fn is_due(&self, now: Timestamp) -> bool {
        !self.events.is_empty() || self.steps.iter().any(|step| step.is_due(now) || step.is_expired(now))
    }

    /// Sets out to take back what has expired; an incident with nothing left in force or waiting is over.
    pub(crate) fn expire(&mut self, now: Timestamp) {
        if !self.steps.iter().any(|step| step.is_expired(now)) {
            return;
        }
        self.revert(now, "bartizan", "expired", |step| step.is_expired(now));
        self.note(now, "bartizan", "the time of an action is over".to_owned());
        let left = |step: &Step| {
            matches!(step.status, Status::Applied | Status::Intended | Status::Proposed | Status::Failed)
                && step.action.kind.is_reversible()
        };
        if self.is_open() && !self.steps.iter().any(left) {
            self.drop_pending();
            self.incident.state = IncidentState::Released;
            self.tell("incident.released", now, "bartizan", "expired");
        }
    }

    /// Brings the incident's list of actions up to date.
    pub(crate) fn show_actions(&mut self) {
        self.incident.actions = self.steps.iter().map(|step| step.action.clone()).collect();
    }
}
