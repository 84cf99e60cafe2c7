//! A responder with everything around it that counts.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use bartizan_core::{
    Action, ActionKind, Asset, AssetKind, Clock, Digest, Event, ManualClock, Severity, Tenant, Timestamp,
};
use bartizan_detect::Alert;
use bartizan_respond::{
    Containment, ContainmentError, Mode, Record, RecordError, RespondError, Responder, Settings, Webhook,
};
use bartizan_storage::fault::Faulty;

/// What is in force, kept over crashes: access has a durable store of its own.
#[derive(Default)]
pub(crate) struct Access {
    pub(crate) in_force: Mutex<BTreeMap<String, Action>>,
    pub(crate) calls: Mutex<Vec<String>>,
    pub(crate) fails: Mutex<u32>,
    pub(crate) principals: Mutex<Option<usize>>,
}

impl Containment for Access {
    fn apply(&self, action: &Action) -> Result<(), ContainmentError> {
        let mut fails = self.fails.lock().unwrap();
        if *fails > 0 {
            *fails -= 1;
            return Err(ContainmentError::new("injected".to_owned()));
        }
        self.calls.lock().unwrap().push(format!("apply {}", action.id));
        self.in_force.lock().unwrap().insert(action.id.clone(), action.clone());
        Ok(())
    }

    fn revert(&self, action: &Action) -> Result<(), ContainmentError> {
        let mut fails = self.fails.lock().unwrap();
        if *fails > 0 {
            *fails -= 1;
            return Err(ContainmentError::new("injected".to_owned()));
        }
        self.calls.lock().unwrap().push(format!("revert {}", action.id));
        self.in_force.lock().unwrap().remove(&action.id);
        Ok(())
    }

    fn is_protected(&self, _: &Tenant, _: ActionKind, target: &str) -> bool {
        target == "root" || target == "bk_root"
    }

    fn principals(&self) -> Option<usize> {
        *self.principals.lock().unwrap()
    }
}

/// The ledger: every recorded event, by id, in order of its first coming.
#[derive(Default)]
pub(crate) struct Log {
    pub(crate) events: Mutex<Vec<Event>>,
    pub(crate) down: Mutex<bool>,
}

impl Record for Log {
    fn record(&self, event: Event) -> Result<(), RecordError> {
        if *self.down.lock().unwrap() {
            return Err(RecordError::new("disk full".to_owned()));
        }
        let mut events = self.events.lock().unwrap();
        if !events.iter().any(|old| old.id == event.id) {
            events.push(event);
        }
        Ok(())
    }
}

pub(crate) struct World {
    pub(crate) storage: Faulty,
    pub(crate) access: Arc<Access>,
    pub(crate) log: Arc<Log>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) settings: Settings,
}

impl World {
    pub(crate) fn new(mode: Mode) -> Self {
        Self {
            storage: Faulty::new(),
            access: Arc::default(),
            log: Arc::default(),
            clock: Arc::new(ManualClock::at(Timestamp::from_seconds(1_790_000_000))),
            settings: Settings { mode, ..Settings::default() },
        }
    }

    pub(crate) fn with_webhook(mut self) -> Self {
        let webhook =
            Webhook { name: "pager".to_owned(), url: "https://pager.example".to_owned(), secret: "env:X".to_owned() };
        self.settings.webhooks = vec![webhook];
        self
    }

    pub(crate) fn open(&self) -> Result<Responder, RespondError> {
        Responder::open(
            Arc::new(self.storage.clone()),
            Path::new("state/incidents"),
            self.settings.clone(),
            self.access.clone(),
            self.log.clone(),
            self.clock.clone(),
        )
    }

    pub(crate) fn alert(&self, rule: &str, principal: &str) -> Alert {
        Alert {
            rule: format!("bartizan-{rule}"),
            title: format!("about {rule}"),
            severity: Severity::High,
            techniques: vec!["AML.T0012".to_owned()],
            tenant: Tenant::default(),
            principal: principal.to_owned(),
            members: Vec::new(),
            key: format!("bk_{principal}"),
            asset: Asset::new(Tenant::default(), AssetKind::Model, "digits").with_digest(Digest::from_bytes([1; 32])),
            drill: false,
            time: self.clock.now(),
            message: format!("{rule} of {principal}"),
            event: "e".to_owned(),
        }
    }

    pub(crate) fn in_force(&self) -> Vec<(ActionKind, String)> {
        self.access.in_force.lock().unwrap().values().map(|action| (action.kind, action.target.clone())).collect()
    }

    pub(crate) fn kinds(&self) -> Vec<String> {
        self.log.events.lock().unwrap().iter().map(|event| event.kind.clone()).collect()
    }
}
