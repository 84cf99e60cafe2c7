//! From a playbook and an incident to actions, and how much of that may be done without a person.

use std::collections::BTreeSet;

use bartizan_core::{Action, ActionKind, JsonMap, Timestamp};
use bartizan_detect::Alert;

use crate::case::{Case, Status, Step};
use crate::containment::Containment;
use crate::playbook::{Command, Facts, Playbook};
use crate::settings::{Drills, Mode, Settings};

/// An hour, for the blast radius.
const HOUR: f64 = 3600.0;

/// What deciding needs to know.
pub(crate) struct Grounds<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) containment: &'a dyn Containment,
    /// All other cases.
    pub(crate) others: Vec<&'a Case>,
    pub(crate) now: Timestamp,
}

impl Grounds<'_> {
    /// Adds the steps of the playbook that are due and not there yet; whether there were any.
    pub(crate) fn plan(&self, case: &mut Case, playbook: &Playbook, alert: &Alert) -> bool {
        let incident = &case.incident;
        let seconds = self.now.seconds_since(incident.opened).max(0.0) as u64;
        let facts = Facts {
            alerts: incident.alerts,
            rules: incident.rules.len() as u64,
            seconds,
            severity: incident.severity,
            drill: incident.drill,
        };
        let who = format!("playbook:{}", playbook.name);
        let limit = self.mode(case, playbook);
        let mut grown = false;
        if !case.playbooks.iter().any(|(id, _)| *id == playbook.id) {
            case.playbooks.push((playbook.id.clone(), limit));
            case.note(self.now, &who, started(limit, case.incident.drill).to_owned());
            grown = true;
        }
        for command in playbook.commands(&facts) {
            let targets = self.targets(command, case, alert);
            if targets.is_empty() && grown {
                case.note(self.now, &who, format!("`{}` has nothing to act on", command.kind.as_str()));
            }
            for target in targets {
                grown |= self.propose(case, playbook, command, target, &who);
            }
        }
        grown
    }

    /// Adds one step; `false` when it is there already.
    fn propose(&self, case: &mut Case, playbook: &Playbook, command: &Command, target: String, who: &str) -> bool {
        let kind = command.kind;
        let mut parameters = JsonMap::new();
        let variant = match (kind, command.divisor) {
            (ActionKind::TightenLimit, Some(divisor)) => {
                parameters.insert("divisor".to_owned(), divisor.into());
                format!("-{divisor}")
            }
            (ActionKind::Notify, _) => format!("-{}", playbook.name),
            _ => String::new(),
        };
        let id = format!("{}/{}{variant}/{target}", case.incident.id, kind.as_str());
        if case.steps.iter().any(|step| step.action.id == id) {
            return false;
        }
        let action = Action {
            id,
            kind,
            tenant: case.incident.tenant.clone(),
            target,
            incident: case.incident.id.clone(),
            expires: None,
            parameters,
        };
        let seconds = kind
            .is_reversible()
            .then(|| command.expiry.or(playbook.policy.expiry_seconds).unwrap_or(self.settings.expiry_seconds));
        let (status, why) = self.decide(case, playbook, command, &action);
        let words = format!("{} {}", kind.as_str(), action.target);
        match status {
            Status::Shadowed => case.note(self.now, who, format!("would {words}: {why}")),
            Status::Proposed => case.note(self.now, who, format!("waits for approval to {words}: {why}")),
            _ => {}
        }
        let mut step = Step {
            action,
            playbook: playbook.id.clone(),
            status,
            seconds,
            automatic: kind.is_reversible(),
            decided: None,
            attempts: 0,
            not_before: self.now,
        };
        if status == Status::Intended {
            step.intend(self.now);
        }
        case.steps.push(step);
        true
    }

    /// Whether the action is taken at once, waits or is only written down; and why.
    fn decide(&self, case: &Case, playbook: &Playbook, command: &Command, action: &Action) -> (Status, String) {
        if !action.kind.is_reversible() {
            return (Status::Intended, String::new());
        }
        let rehearsed = case.incident.drill && self.settings.drills == Drills::Automatic;
        if case.incident.drill && action.kind == ActionKind::BlockModel {
            return (Status::Shadowed, "a drill must not hit everybody".to_owned());
        }
        let mut mode = self.mode(case, playbook);
        if !rehearsed {
            mode = mode.min(command.mode.unwrap_or(Mode::Automatic));
        }
        match mode {
            Mode::Shadow => return (Status::Shadowed, "in shadow mode".to_owned()),
            Mode::Approval => return (Status::Proposed, "a person decides".to_owned()),
            Mode::Automatic => {}
        }
        let listed = self.settings.protected.contains(&action.target)
            || !case.incident.principal.is_empty() && self.settings.protected.contains(&case.incident.principal);
        if listed || self.containment.is_protected(&action.tenant, action.kind, &action.target) {
            return (Status::Proposed, "the target is protected".to_owned());
        }
        match self.beyond_blast_radius(case, playbook, action) {
            Some(why) if !rehearsed => (Status::Proposed, why),
            _ => (Status::Intended, String::new()),
        }
    }

    fn mode(&self, case: &Case, playbook: &Playbook) -> Mode {
        if case.incident.drill && self.settings.drills == Drills::Automatic {
            return Mode::Automatic;
        }
        self.settings.mode.min(playbook.policy.mode.unwrap_or(Mode::Automatic))
    }

    /// Why one more automatic action would be too many.
    fn beyond_blast_radius(&self, case: &Case, playbook: &Playbook, action: &Action) -> Option<String> {
        let cases = || self.others.iter().copied().chain([case]).filter(|case| !case.incident.drill);
        let automatic = |case: &Case| case.steps.iter().filter(|step| step.automatic && step.decided.is_some()).count();
        let radius = &self.settings.blast_radius;
        let limit = playbook.policy.actions_per_hour.unwrap_or(radius.actions_per_hour) as usize;
        let recent = cases().flat_map(|case| &case.steps).filter(|step| {
            step.automatic
                && step.playbook == playbook.id
                && step.decided.is_some_and(|decided| self.now.seconds_since(decided) < HOUR)
        });
        if recent.count() >= limit {
            return Some(format!("the playbook has taken {limit} actions within an hour"));
        }
        let known = self.containment.principals()?;
        let share = (known * radius.principals_percent as usize / 100).max(1);
        let in_force = cases().filter(|case| automatic(case) > 0 && case.is_in_force());
        let mut principals: BTreeSet<&str> = in_force.flat_map(subjects).collect();
        principals.insert(if case.incident.members.is_empty() { &case.incident.principal } else { &action.target });
        (principals.len() > share)
            .then(|| format!("actions would be in force against {} of {known} principals", principals.len()))
    }

    /// What the command acts on.
    fn targets(&self, command: &Command, case: &Case, alert: &Alert) -> Vec<String> {
        let one = |target: &str| if target.is_empty() { Vec::new() } else { vec![target.to_owned()] };
        match command.kind {
            ActionKind::RevokeKey if alert.key.is_empty() => one(&case.incident.key),
            ActionKind::RevokeKey => one(&alert.key),
            ActionKind::BlockPrincipal | ActionKind::TightenLimit if !case.incident.members.is_empty() => {
                case.incident.members.clone()
            }
            ActionKind::BlockPrincipal | ActionKind::TightenLimit => one(&case.incident.principal),
            ActionKind::BlockModel => alert.asset.digest().map(|digest| digest.to_string()).into_iter().collect(),
            ActionKind::Notify => {
                let wanted = |name: &String| command.webhook.as_ref().is_none_or(|webhook| webhook == name);
                self.settings.webhooks.iter().map(|webhook| webhook.name.clone()).filter(wanted).collect()
            }
        }
    }
}

impl Step {
    /// Decides to apply it; its expiry counts from here.
    pub(crate) fn intend(&mut self, now: Timestamp) {
        self.status = Status::Intended;
        self.decided = Some(now);
        self.attempts = 0;
        self.not_before = now;
        self.action.expires = self.seconds.map(|seconds| now.plus_seconds(i64::from(seconds)));
    }
}

/// The principals that a case's automatic actions are in force against.
fn subjects(case: &Case) -> Vec<&str> {
    if case.incident.members.is_empty() {
        return vec![&case.incident.principal];
    }
    let steps = case
        .steps
        .iter()
        .filter(|step| step.automatic && matches!(step.status, Status::Intended | Status::Applied | Status::Reverting));
    steps
        .map(|step| step.action.target.as_str())
        .filter(|target| case.incident.members.iter().any(|m| m == target))
        .collect()
}

fn started(mode: Mode, drill: bool) -> &'static str {
    match (mode, drill) {
        (Mode::Automatic, true) => {
            "started; this is a drill: only its throw-away principal is touched, and approvals are given by the drill"
        }
        (Mode::Automatic, false) => "started",
        (Mode::Approval, _) => "started; a person decides about each action",
        (Mode::Shadow, _) => "started in shadow mode: nothing is done, what would be is written down",
    }
}
