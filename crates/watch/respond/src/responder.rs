//! From alerts to incidents, and from incidents to what is done.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bartizan_core::{ActionKind, Clock, Incident, IncidentState, Outcome, Timestamp, event_id};
use bartizan_detect::Alert;
use bartizan_storage::Storage;

use crate::case::{Case, Status, Step};
use crate::containment::{Containment, Record};
use crate::error::RespondError;
use crate::outbox::Notification;
use crate::plan::Grounds;
use crate::playbook::{Library, load};
use crate::settings::Settings;
use crate::store::Store;

/// Attempts to apply an action before it counts as failed; a person can try again.
const ATTEMPTS: u32 = 5;
/// Who acts when nobody asked.
const SELF: &str = "bartizan";

/// Incidents, playbooks and their runs. All methods may be called from any thread.
pub struct Responder {
    inner: Mutex<Inner>,
    containment: Arc<dyn Containment>,
    record: Arc<dyn Record>,
    clock: Arc<dyn Clock>,
}

struct Inner {
    store: Store,
    settings: Settings,
    library: Library,
}

impl Responder {
    /// Opens the incident store in `folder` and finishes what a crash left half done.
    ///
    /// # Errors
    /// The store is damaged or can't be read, or settings or playbooks can't be used.
    pub fn open(
        storage: Arc<dyn Storage>,
        folder: &Path,
        settings: Settings,
        containment: Arc<dyn Containment>,
        record: Arc<dyn Record>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, RespondError> {
        let library = load(&settings)?;
        let store = Store::open(storage, folder, settings.incidents)?;
        let responder = Self { inner: Mutex::new(Inner { store, settings, library }), containment, record, clock };
        match responder.resume() {
            // Both are tried again every second; a daemon that does not start would contain nothing.
            Ok(_) | Err(RespondError::Record(_) | RespondError::Revert { .. }) => Ok(responder),
            Err(error) => Err(error),
        }
    }

    /// Takes other settings and playbooks into use.
    ///
    /// # Errors
    /// They can't be used; the old ones stay.
    pub fn reload(&self, settings: Settings) -> Result<(), RespondError> {
        let library = load(&settings)?;
        let mut inner = self.lock();
        inner.settings = settings;
        inner.library = library;
        Ok(())
    }

    /// Takes in an alert: it opens an incident, or belongs to one. Playbooks that it starts are run
    /// as far as they may. `None`: too mild to be an incident.
    ///
    /// # Errors
    /// The store or the ledger failed. What is on disk by then is finished later.
    pub fn alert(&self, alert: &Alert) -> Result<Option<Incident>, RespondError> {
        let mut inner = self.lock();
        if alert.severity < inner.settings.minimum_severity {
            return Ok(None);
        }
        let now = self.clock.now();
        let found = inner.find(alert, now).cloned();
        let is_new = found.is_none();
        let mut case = found.unwrap_or_else(|| open_case(alert, now));
        let news = is_new || case.fold(alert, now);
        let quiet = !case.is_open();
        let mut grown = false;
        if !quiet {
            let grounds = Grounds {
                settings: &inner.settings,
                containment: &*self.containment,
                others: inner.store.cases().filter(|other| other.incident.id != case.incident.id).collect(),
                now,
            };
            for playbook in inner.library.for_alert(&alert.rule, alert.severity) {
                grown |= grounds.plan(&mut case, playbook, alert);
            }
        }
        if !news && !grown {
            // Repetitions are counted in memory, and on disk at powers of two.
            if case.incident.alerts.is_power_of_two() {
                inner.store.put(case.clone())?;
            } else {
                inner.store.remember(case.clone());
            }
            return Ok(Some(case.incident));
        }
        case.settle();
        if is_new {
            case.tell("incident.opened", now, SELF, &alert.rule);
        } else {
            case.tell("incident.updated", now, SELF, &alert.rule);
        }
        case.announce(now);
        self.advance(&mut inner.store, case).map(|case| Some(case.incident))
    }

    /// Takes the actions that wait for approval.
    ///
    /// # Errors
    /// There is no such incident, nothing waits, or store or ledger failed.
    pub fn approve(&self, id: &str, who: &str) -> Result<Incident, RespondError> {
        let reason = "nothing waits for approval; see `bartizan incident show`";
        self.command(id, who, "approved", |status| status == Status::Proposed, reason)
    }

    /// Takes all actions of the incident's playbooks that are not in force, whatever the mode.
    ///
    /// # Errors
    /// There is no such incident, its playbooks have no action, or store or ledger failed.
    pub fn contain(&self, id: &str, who: &str) -> Result<Incident, RespondError> {
        let pending = |status| matches!(status, Status::Proposed | Status::Shadowed | Status::Failed);
        let reason = "no playbook has an action for it; revoke the key or block the principal under access";
        self.command(id, who, "contained", pending, reason)
    }

    /// Takes back everything that was done. The same alerts do nothing again for a while.
    ///
    /// # Errors
    /// There is no such incident, or store, ledger or taking back failed; the latter is tried again.
    pub fn release(&self, id: &str, who: &str) -> Result<Incident, RespondError> {
        let mut inner = self.lock();
        let mut case = inner.get(id)?;
        if case.incident.state == IncidentState::Released && !case.is_in_force() {
            return Ok(case.incident);
        }
        let now = self.clock.now();
        case.revert(now, who, "released", |_| true);
        case.drop_pending();
        case.incident.state = IncidentState::Released;
        case.released = Some(now);
        case.note(now, who, "released: everything that was done is taken back".to_owned());
        case.tell("incident.released", now, who, "released");
        self.advance(&mut inner.store, case).map(|case| case.incident)
    }

    /// Ends the incident. What is in force stays so until it expires or is released.
    ///
    /// # Errors
    /// There is no such incident, or store or ledger failed.
    pub fn close(&self, id: &str, who: &str, note: &str) -> Result<Incident, RespondError> {
        let mut inner = self.lock();
        let mut case = inner.get(id)?;
        if case.incident.state == IncidentState::Closed {
            return Ok(case.incident);
        }
        let now = self.clock.now();
        case.drop_pending();
        case.incident.state = IncidentState::Closed;
        let note: String = bartizan_core::printable(note).chars().take(1000).collect();
        case.note(now, who, if note.is_empty() { "closed".to_owned() } else { format!("closed: {note}") });
        case.tell("incident.closed", now, who, "closed");
        self.advance(&mut inner.store, case).map(|case| case.incident)
    }

    /// Takes back actions whose time is over, and goes on with what is half done. Call every second.
    ///
    /// # Errors
    /// The first failure; the other incidents are looked at nevertheless.
    pub fn expire(&self) -> Result<Vec<Incident>, RespondError> {
        let mut inner = self.lock();
        let now = self.clock.now();
        let due: Vec<Case> = inner.store.cases().filter(|case| case.is_due(now)).cloned().collect();
        let (mut changed, mut failure) = (Vec::new(), None);
        for mut case in due {
            case.expire(now);
            match self.advance(&mut inner.store, case) {
                Ok(case) => changed.push(case.incident),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        failure.map_or(Ok(changed), Err)
    }

    /// Goes on with what a crash left half done; [`open`](Self::open) calls it.
    ///
    /// # Errors
    /// As [`expire`](Self::expire).
    pub fn resume(&self) -> Result<Vec<Incident>, RespondError> {
        self.expire()
    }

    /// All incidents, the newest first.
    pub fn incidents(&self) -> Vec<Incident> {
        self.lock().store.cases().rev().map(|case| case.incident.clone()).collect()
    }

    /// One incident.
    pub fn incident(&self, id: &str) -> Option<Incident> {
        self.lock().store.get(id).map(|case| case.incident.clone())
    }

    /// Notifications that wait for delivery, also those whose time has not come.
    pub fn outbox(&self) -> Vec<Notification> {
        self.lock().store.cases().flat_map(|case| case.notifications.iter().cloned()).collect()
    }

    /// The notification was delivered. Unknown ids are ignored, for it may be said twice.
    ///
    /// # Errors
    /// Store or ledger failed; the notification will come again, with the same id.
    pub fn delivered(&self, id: &str) -> Result<(), RespondError> {
        let mut inner = self.lock();
        let Some((mut case, place)) = inner.notification(id) else { return Ok(()) };
        let now = self.clock.now();
        let notification = case.notifications.remove(place);
        case.note(now, SELF, format!("webhook `{}` was told", notification.webhook));
        case.tell("notification.delivered", now, SELF, &notification.webhook);
        self.advance(&mut inner.store, case).map(|_| ())
    }

    /// The notification could not be delivered. It waits longer each time, and is given up in the end.
    ///
    /// # Errors
    /// Store or ledger failed.
    pub fn failed(&self, id: &str, reason: &str) -> Result<(), RespondError> {
        let mut inner = self.lock();
        let Some((mut case, place)) = inner.notification(id) else { return Ok(()) };
        let now = self.clock.now();
        let goes_on = case.notifications.get_mut(place).is_some_and(|notification| notification.failed(now));
        if !goes_on {
            let notification = case.notifications.remove(place);
            let (webhook, attempts) = (notification.webhook, notification.attempts);
            let reason = bartizan_core::printable(reason);
            case.note(now, SELF, format!("webhook `{webhook}` was given up after {attempts} attempts: {reason}"));
            case.tell("notification.failed", now, SELF, &webhook);
        }
        self.advance(&mut inner.store, case).map(|_| ())
    }

    /// Applies, at a person's word, the steps that `picks` chooses.
    fn command(
        &self,
        id: &str,
        who: &str,
        done: &str,
        picks: impl Fn(Status) -> bool,
        reason: &'static str,
    ) -> Result<Incident, RespondError> {
        let mut inner = self.lock();
        let mut case = inner.get(id)?;
        let refuse = |reason| RespondError::State { id: id.to_owned(), state: case.incident.state, reason };
        if !case.is_open() {
            return Err(refuse("it has ended; a new alert opens a new incident"));
        }
        if !case.steps.iter().any(|step| picks(step.status)) {
            return if done == "contained" && case.is_in_force() { Ok(case.incident) } else { Err(refuse(reason)) };
        }
        let now = self.clock.now();
        for step in case.steps.iter_mut().filter(|step| picks(step.status)) {
            step.intend(now);
            step.automatic = false;
        }
        case.note(now, who, format!("{done} by hand"));
        case.tell("incident.updated", now, who, done);
        case.announce_by(now, who);
        self.advance(&mut inner.store, case).map(|case| case.incident)
    }

    /// Writes the case down, tells the ledger, and takes the steps that are due, until none is.
    fn advance(&self, store: &mut Store, mut case: Case) -> Result<Case, RespondError> {
        loop {
            case.settle();
            case.show_actions();
            store.put(case.clone())?;
            self.tell(store, &mut case)?;
            match self.step(&mut case, self.clock.now()) {
                Ok(true) => {}
                Ok(false) => return Ok(case),
                Err(error) => {
                    // What was done in the same round is kept; what failed is tried again.
                    case.show_actions();
                    store.put(case.clone())?;
                    self.tell(store, &mut case)?;
                    return Err(error);
                }
            }
        }
    }

    /// Hands the case's events to the ledger, in order.
    fn tell(&self, store: &mut Store, case: &mut Case) -> Result<(), RespondError> {
        while let Some(event) = case.events.first() {
            let recorded = self.record.record(event.clone());
            if recorded.is_ok() {
                case.events.remove(0);
            }
            store.remember(case.clone());
            recorded?;
        }
        Ok(())
    }

    /// Takes all steps that are due; whether there was one. One that can't be taken back does not
    /// keep the others from it.
    fn step(&self, case: &mut Case, now: Timestamp) -> Result<bool, RespondError> {
        let (mut any, mut failure) = (false, None);
        for place in 0..case.steps.len() {
            let Some(mut step) = case.steps.get(place).filter(|step| step.is_due(now)).cloned() else { continue };
            any = true;
            if step.status == Status::Reverting {
                failure = failure.or(self.take_back(case, &mut step, now).err());
            } else {
                self.apply(case, &mut step, now);
            }
            if let Some(old) = case.steps.get_mut(place) {
                *old = step;
            }
        }
        failure.map_or(Ok(any), Err)
    }

    fn take_back(&self, case: &mut Case, step: &mut Step, now: Timestamp) -> Result<(), RespondError> {
        let failed = |source| RespondError::Revert { action: step.action.id.clone(), source };
        self.containment.revert(&step.action).map_err(failed)?;
        step.status = Status::Reverted;
        case.note(now, SELF, format!("{} {} is taken back", step.action.kind.as_str(), step.action.target));
        case.tell_action("action.reverted", now, SELF, step, Outcome::Allow, "");
        Ok(())
    }

    fn apply(&self, case: &mut Case, step: &mut Step, now: Timestamp) {
        let words = format!("{} {}", step.action.kind.as_str(), step.action.target);
        if step.action.kind == ActionKind::Notify {
            case.settle();
            case.show_actions();
            let notification = Notification::new(&step.action.id, &step.action.target, &case.incident, now);
            case.notifications.push(notification);
            step.status = Status::Applied;
            case.tell_action("action.applied", now, SELF, step, Outcome::Allow, "");
            return;
        }
        match self.containment.apply(&step.action) {
            Ok(()) => {
                step.status = Status::Applied;
                let until = step.action.expires.map(|expires| format!(" until {expires}")).unwrap_or_default();
                case.note(now, SELF, format!("{words}: in force{until}"));
                case.tell_action("action.applied", now, SELF, step, Outcome::Allow, "");
            }
            Err(error) => {
                step.attempts += 1;
                step.not_before = now.plus_seconds(1 << step.attempts.min(10));
                if step.attempts >= ATTEMPTS {
                    step.status = Status::Failed;
                }
                case.note(now, SELF, format!("{words} failed (attempt {}): {error}", step.attempts));
                case.tell_action("action.failed", now, SELF, step, Outcome::Error, "containment-failed");
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// The incident that an alert belongs to: an open one of late about the same principal and asset,
    /// or one that a person has released lately and that had this rule.
    fn find(&self, alert: &Alert, now: Timestamp) -> Option<&Case> {
        let same = |case: &&Case| {
            let incident = &case.incident;
            incident.tenant == alert.tenant
                && incident.principal == alert.principal
                && is_about_the_same(incident, alert)
                && incident.asset == alert.asset
                && incident.drill == alert.drill
        };
        let within = |since: Timestamp, seconds: u32| now.seconds_since(since) <= f64::from(seconds);
        self.store.cases().rev().filter(same).find(|case| {
            let quiet = case.released.is_some_and(|released| within(released, self.settings.quiet_seconds));
            let known = case.incident.rules.contains(&alert.rule);
            (case.is_open() && within(case.incident.updated, self.settings.correlation_seconds)) || (quiet && known)
        })
    }

    fn get(&self, id: &str) -> Result<Case, RespondError> {
        self.store.get(id).cloned().ok_or_else(|| RespondError::Unknown(bartizan_core::printable(id)))
    }

    fn notification(&self, id: &str) -> Option<(Case, usize)> {
        self.store.cases().find_map(|case| {
            let place = case.notifications.iter().position(|notification| notification.id == id)?;
            Some((case.clone(), place))
        })
    }
}

/// Pools of principals are the same when they share one: a pool grows while it is watched.
fn is_about_the_same(incident: &Incident, alert: &Alert) -> bool {
    incident.members.is_empty() && alert.members.is_empty()
        || incident.members.iter().any(|member| alert.members.contains(member))
}

fn open_case(alert: &Alert, now: Timestamp) -> Case {
    let incident = Incident {
        id: event_id(now),
        tenant: alert.tenant.clone(),
        principal: alert.principal.clone(),
        members: alert.members.clone(),
        key: alert.key.clone(),
        asset: alert.asset.clone(),
        title: alert.title.clone(),
        severity: alert.severity,
        rules: vec![alert.rule.clone()],
        techniques: alert.techniques.clone(),
        state: IncidentState::Open,
        opened: now,
        updated: now,
        alerts: 1,
        drill: alert.drill,
        timeline: Vec::new(),
        actions: Vec::new(),
    };
    let mut case = Case {
        incident,
        steps: Vec::new(),
        playbooks: Vec::new(),
        events: Vec::new(),
        notifications: Vec::new(),
        released: None,
    };
    case.note(now, SELF, alert.message.clone());
    case
}
