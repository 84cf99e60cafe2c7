//! What the ledger hears of incidents.

use bartizan_core::{Event, Outcome, Timestamp, event_id};

use crate::case::{Case, Step};

impl Case {
    /// Adds an event about the incident, to be recorded after the case is on disk.
    pub(crate) fn tell(&mut self, kind: &str, now: Timestamp, who: &str, reason: &str) {
        let incident = &self.incident;
        let event = self
            .event(kind, now, "RespondToIncident", Outcome::Observe, who)
            .because(reason)
            .with("title", incident.title.as_str())
            .with("severity", incident.severity.as_str())
            .with("state", incident.state.as_str())
            .with("rules", incident.rules.clone())
            .with("techniques", incident.techniques.clone())
            .with("alerts", incident.alerts);
        self.events.push(event);
    }

    /// Adds an event about one action.
    pub(crate) fn tell_action(
        &mut self,
        kind: &str,
        now: Timestamp,
        who: &str,
        step: &Step,
        outcome: Outcome,
        reason: &str,
    ) {
        let action = &step.action;
        let mut event = self
            .event(kind, now, action.kind.as_str(), outcome, who)
            .because(reason)
            .with("action", action.id.as_str())
            .with("target", action.target.as_str())
            .with("playbook", step.playbook.as_str());
        if let Some(expires) = action.expires {
            event = event.with("expires", expires.to_string());
        }
        self.events.push(event);
    }

    fn event(&self, kind: &str, now: Timestamp, action: &str, outcome: Outcome, who: &str) -> Event {
        let incident = &self.incident;
        let mut event = Event::new(kind, event_id(now), now, action, incident.asset.clone(), outcome)
            .by(who)
            .correlated(&incident.id)
            .with("subject", incident.principal.as_str());
        event.tenant = incident.tenant.clone();
        if incident.drill {
            event = event.with("drill", true);
        }
        event
    }
}
