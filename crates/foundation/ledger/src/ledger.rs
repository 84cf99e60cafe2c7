//! The ledger as the application holds it: one writer thread, any number of handles.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bartizan_core::Event;
use bartizan_signing::NoteSigner;
use bartizan_storage::Storage;

use crate::batch::Ticket;
use crate::entry;
use crate::error::LedgerError;
use crate::log::Log;
use crate::merkle::leaf_hash;
use crate::publisher::{Publisher, Work};
use crate::queue::{Queue, Taken, Urgency};
use crate::segment::Leaf;
use crate::statistics::Statistics;

/// Longest wait for others to join a commit that is due.
const PATIENCE: Duration = Duration::from_micros(200);
/// Between refreshes of the `checkpoint` file while entries come in.
const REFRESH: Duration = Duration::from_secs(5);
/// How long tiles may wait to be synced: longer than the system waits before it writes what is
/// dirty (30 s on Linux, `vm.dirty_expire_centisecs`).
const SETTLE: Duration = Duration::from_secs(40);

/// How the ledger works.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    /// Bundles of 256 entries in a write-ahead segment before it is turned into tiles.
    pub segment_bundles: u64,
    /// Whether the writer makes tiles itself, between commits, instead of leaving that to a second
    /// thread. For tests that need one order of operations.
    pub inline: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { segment_bundles: 64, inline: false }
    }
}

#[derive(Default)]
struct Shared {
    queue: Queue,
    latest: Mutex<(u64, Arc<str>)>,
    statistics: Mutex<Statistics>,
}

/// An open ledger. One process at a time may hold it: the caller has the state folder's lock.
/// Dropping it writes what was accepted.
pub struct Ledger {
    handle: LedgerHandle,
    writer: Option<JoinHandle<Result<(), LedgerError>>>,
}

/// Appends to a ledger; cheap to clone, may be used from any thread.
#[derive(Clone)]
pub struct LedgerHandle {
    shared: Arc<Shared>,
    verifier_key: Arc<str>,
}

impl Ledger {
    /// Opens the ledger in `directory`, creating it when absent, and recovers what a crash left.
    /// The signer's name is the log's origin, `<project>/<node-id>`.
    pub fn open(storage: Arc<dyn Storage>, directory: &Path, signer: NoteSigner) -> Result<Self, LedgerError> {
        Self::open_with(storage, directory, signer, Options::default())
    }

    /// [`open`](Self::open) with other than the default options.
    pub fn open_with(
        storage: Arc<dyn Storage>,
        directory: &Path,
        signer: NoteSigner,
        options: Options,
    ) -> Result<Self, LedgerError> {
        let verifier_key = Arc::from(signer.verifier_key());
        let (log, work) = Log::open(Arc::clone(&storage), directory, signer, options.segment_bundles)?;
        let mut publisher = Publisher::new(storage, directory);
        work.iter().try_for_each(|work| publisher.work(work))?;
        publisher.settle(Duration::ZERO)?;
        let shared = Arc::new(Shared::default());
        *lock(&shared.latest) = (log.size(), Arc::clone(log.checkpoint()));
        let handle = LedgerHandle { shared: Arc::clone(&shared), verifier_key };
        let thread = std::thread::Builder::new().name("ledger".to_owned());
        let writer = thread
            .spawn(move || {
                let _alive = Alive(Arc::clone(&shared));
                Writer::new(log, publisher, shared, options.inline).run()
            })
            .map_err(LedgerError::io("start the writer of", &PathBuf::from(directory)))?;
        Ok(Self { handle, writer: Some(writer) })
    }

    /// A handle for appending.
    pub fn handle(&self) -> LedgerHandle {
        self.handle.clone()
    }

    /// Writes what was accepted, refreshes the `checkpoint` file and stops.
    pub fn close(mut self) -> Result<(), LedgerError> {
        self.stop()
    }

    fn stop(&mut self) -> Result<(), LedgerError> {
        self.handle.shared.queue.close();
        match self.writer.take().map(JoinHandle::join) {
            Some(Ok(ended)) => ended,
            Some(Err(_)) => Err(LedgerError::Failed(Arc::from("the writer died"))),
            None => Ok(()),
        }
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        // Whoever wants to know how it ended calls `close`.
        let _ = self.stop();
    }
}

impl LedgerHandle {
    /// Hands the event to the writer. The entry is durable, signed and provable once the ticket
    /// says so.
    pub fn append(&self, event: &Event, urgency: Urgency) -> Result<Ticket, LedgerError> {
        let bytes = entry::encode(event)?;
        let hash = leaf_hash(&bytes);
        self.shared.queue.push(Leaf { bytes, hash }, urgency)
    }

    /// The latest signed checkpoint; durable.
    pub fn checkpoint(&self) -> String {
        lock(&self.shared.latest).1.to_string()
    }

    /// How many entries are durable.
    pub fn size(&self) -> u64 {
        lock(&self.shared.latest).0
    }

    /// The text of the key that verifies the checkpoints.
    pub fn verifier_key(&self) -> &str {
        &self.verifier_key
    }

    /// Whether entries can still be acknowledged. Once a write or sync has failed, none ever is
    /// again before a restart.
    pub fn is_healthy(&self) -> bool {
        self.shared.queue.failure().is_none()
    }

    /// What the writer did since it was opened.
    pub fn statistics(&self) -> Statistics {
        lock(&self.shared.statistics).clone()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Refuses further entries when the thread that holds it dies of a panic.
struct Alive(Arc<Shared>);

impl Drop for Alive {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.queue.fail("the writer died");
        }
    }
}

/// Who turns segments into tiles.
enum Publish {
    Here(Publisher),
    There { sender: Sender<Work>, thread: JoinHandle<()> },
}

struct Writer {
    log: Log,
    publish: Publish,
    shared: Arc<Shared>,
    refreshed: Instant,
    /// The size at which the `checkpoint` file was last refreshed.
    published: u64,
}

impl Writer {
    fn new(log: Log, publisher: Publisher, shared: Arc<Shared>, inline: bool) -> Self {
        let publish = if inline { Publish::Here(publisher) } else { publish_there(publisher, Arc::clone(&shared)) };
        Self { log, publish, shared, refreshed: Instant::now(), published: u64::MAX }
    }

    fn run(mut self) -> Result<(), LedgerError> {
        let shared = Arc::clone(&self.shared);
        let mut company = 1;
        while let Some(taken) = shared.queue.take(company, PATIENCE, REFRESH) {
            if !taken.leaves.is_empty() {
                company = taken.leaves.len();
                self.commit(&taken)?;
            }
            if self.refreshed.elapsed() >= REFRESH {
                self.refresh()?;
            }
        }
        self.refresh()?;
        if let Publish::There { sender, thread } = self.publish {
            drop(sender);
            // A panic there would have left the segments in place; nothing is lost.
            let _ = thread.join();
        }
        shared.queue.failure().map_or(Ok(()), Err)
    }

    fn commit(&mut self, taken: &Taken) -> Result<(), LedgerError> {
        if let Some(failure) = self.shared.queue.failure() {
            taken.batch.finish(Err(failure.clone()));
            return Err(failure);
        }
        let first = self.log.size();
        let mut work = Vec::new();
        let start = Instant::now();
        if let Err(error) = self.log.commit(&taken.leaves, &mut work) {
            let reason = error.to_string();
            self.shared.queue.fail(&reason);
            taken.batch.finish(Err(LedgerError::Failed(Arc::from(reason))));
            return Err(error);
        }
        let duration = start.elapsed();
        *lock(&self.shared.latest) = (self.log.size(), Arc::clone(self.log.checkpoint()));
        taken.batch.finish(Ok((first, self.log.size())));
        {
            let mut statistics = lock(&self.shared.statistics);
            statistics.commits += 1;
            statistics.entries += taken.leaves.len() as u64;
            statistics.syncs.record(duration);
        }
        work.into_iter().try_for_each(|work| self.publish(work))
    }

    fn refresh(&mut self) -> Result<(), LedgerError> {
        self.refreshed = Instant::now();
        if self.published == self.log.size() {
            return Ok(());
        }
        self.published = self.log.size();
        let checkpoint = Arc::clone(self.log.checkpoint());
        self.publish(Work::Checkpoint(checkpoint))
    }

    fn publish(&mut self, work: Work) -> Result<(), LedgerError> {
        match &mut self.publish {
            Publish::Here(publisher) => {
                let done = publisher.work(&work).and_then(|()| publisher.settle(Duration::ZERO));
                if let Err(error) = &done {
                    self.shared.queue.fail(&error.to_string());
                }
                done
            }
            Publish::There { sender, .. } => {
                // It hangs up only after it has failed the queue.
                let _ = sender.send(work);
                Ok(())
            }
        }
    }
}

fn publish_there(mut publisher: Publisher, shared: Arc<Shared>) -> Publish {
    let (sender, receiver) = mpsc::channel::<Work>();
    let thread = std::thread::spawn(move || {
        let _alive = Alive(Arc::clone(&shared));
        let mut publish = || -> Result<(), LedgerError> {
            loop {
                match receiver.recv_timeout(REFRESH) {
                    Ok(work) => publisher.work(&work)?,
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => return publisher.settle(Duration::ZERO),
                }
                publisher.settle(SETTLE)?;
            }
        };
        if let Err(error) = publish() {
            shared.queue.fail(&error.to_string());
        }
    });
    Publish::There { sender, thread }
}
