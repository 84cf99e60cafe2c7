//! The watch loop: from what happened to what is done about it.
//!
//! The gateway puts events and exchanges on a bounded bus and goes on. One thread takes them off:
//! the monitor turns exchanges into signals, rules turn signals and other events into alerts, the
//! responder turns alerts into incidents and runs their playbooks. A full bus drops and counts;
//! it never holds up a request.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwap;
use bartizan_core::{Clock, Event, Exchange, Observe, event_id};
use bartizan_detect::{Alert, RuleEngine};
use bartizan_ledger::{LedgerHandle, Urgency};
use bartizan_monitor::Monitor;
use bartizan_respond::Responder;

use crate::live::{Live, LiveSender};
use crate::traffic::Traffic;

/// Messages that wait at most.
const WAITING: usize = 16_384;
/// How long the loop sleeps when nothing happens.
const IDLE: Duration = Duration::from_millis(200);

/// How long messages gather after others were worked on.
const GATHER: Duration = Duration::from_millis(1);

enum Message {
    Event(Box<Event>),
    Exchange(Box<Exchange>),
}

/// The sending side of the bus.
pub(crate) struct Bus {
    sender: SyncSender<Message>,
    dropped: AtomicU64,
    live: LiveSender,
    traffic: Arc<Traffic>,
    /// The kinds of event that rules ask for; all of them when that is not known.
    wanted: ArcSwap<Option<BTreeSet<String>>>,
}

impl Bus {
    /// Brings only what these rules ask for.
    pub(crate) fn bring_for(&self, rules: &dyn RuleEngine) {
        self.wanted.store(Arc::new(rules.kinds()));
    }

    /// Messages that found no room.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    fn send(&self, message: Message) {
        if self.sender.try_send(message).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Observe for Bus {
    fn event(&self, event: &Event) {
        if self.live.has_listeners() {
            self.live.send(Live::Event(Arc::new(event.clone())));
        }
        if (**self.wanted.load()).as_ref().is_none_or(|kinds| kinds.contains(&event.kind)) {
            self.send(Message::Event(Box::new(event.clone())));
        }
    }

    fn exchange(&self, exchange: Exchange) {
        self.traffic.count(&exchange);
        self.send(Message::Exchange(Box::new(exchange)));
    }
}

/// What the loop works with.
pub(crate) struct Watchers {
    pub(crate) monitor: Arc<Mutex<Monitor>>,
    pub(crate) rules: Arc<Mutex<Box<dyn RuleEngine>>>,
    pub(crate) responder: Arc<Responder>,
    pub(crate) ledger: LedgerHandle,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) live: LiveSender,
}

/// The running loop.
pub(crate) struct Watch {
    bus: Arc<Bus>,
    stopping: Arc<AtomicBool>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Watch {
    /// Starts the loop.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(crate) fn start(watchers: Watchers, traffic: Arc<Traffic>) -> std::io::Result<Self> {
        let (sender, receiver) = sync_channel(WAITING);
        let stopping = Arc::new(AtomicBool::new(false));
        let wanted = watchers.rules.lock().unwrap_or_else(PoisonError::into_inner).kinds();
        let bus = Arc::new(Bus {
            sender,
            dropped: AtomicU64::new(0),
            live: watchers.live.clone(),
            traffic,
            wanted: ArcSwap::from_pointee(wanted),
        });
        let stop = stopping.clone();
        let thread =
            std::thread::Builder::new().name("watch".to_owned()).spawn(move || run(&watchers, &receiver, &stop))?;
        Ok(Self { bus, stopping, thread: Mutex::new(Some(thread)) })
    }

    /// Where to tell what happens.
    pub(crate) fn bus(&self) -> Arc<Bus> {
        self.bus.clone()
    }

    /// Ends the loop after what is on the bus.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = thread.join();
        }
    }
}

fn run(watchers: &Watchers, receiver: &Receiver<Message>, stop: &AtomicBool) {
    let mut expired = watchers.clock.now();
    let mut is_busy = false;
    loop {
        // Whoever is not waiting is not woken: under load, requests leave their messages without a system call.
        let waiting = is_busy.then(|| receiver.try_recv().ok()).flatten().map(Ok);
        let next = waiting.unwrap_or_else(|| {
            if std::mem::take(&mut is_busy) {
                std::thread::sleep(GATHER);
            }
            receiver.recv_timeout(IDLE)
        });
        is_busy |= next.is_ok();
        match next {
            Ok(Message::Exchange(exchange)) => observe(watchers, &exchange),
            Ok(Message::Event(event)) => judge(watchers, &event),
            Err(RecvTimeoutError::Timeout) if stop.load(Ordering::SeqCst) => return,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        let now = watchers.clock.now();
        if now.seconds_since(expired) >= 1.0 {
            expired = now;
            match watchers.responder.expire() {
                Ok(changed) => {
                    for incident in changed {
                        watchers.live.send(Live::Incident(Arc::new(incident)));
                    }
                }
                Err(error) => tracing::error!(%error, "expired actions could not be taken back"),
            }
        }
    }
}

fn observe(watchers: &Watchers, exchange: &Exchange) {
    let signals = watchers.monitor.lock().unwrap_or_else(PoisonError::into_inner).observe(exchange);
    for signal in signals {
        let event = signal.event(event_id(watchers.clock.now()));
        // The alert that follows is durable; the signal may follow it to disk within a moment.
        if let Err(error) = watchers.ledger.append(&event, Urgency::Within(Duration::from_millis(100))) {
            tracing::error!(%error, "a signal could not be recorded");
        }
        watchers.live.send(Live::Event(Arc::new(event.clone())));
        judge(watchers, &event);
    }
}

fn judge(watchers: &Watchers, event: &Event) {
    let alerts = watchers.rules.lock().unwrap_or_else(PoisonError::into_inner).evaluate(event);
    for alert in &alerts {
        respond(watchers, alert);
    }
}

fn respond(watchers: &Watchers, alert: &Alert) {
    match watchers.responder.alert(alert) {
        Ok(Some(incident)) => watchers.live.send(Live::Incident(Arc::new(incident))),
        Ok(None) => {}
        Err(error) => tracing::error!(%error, rule = %alert.rule, "an alert could not be handled"),
    }
}
