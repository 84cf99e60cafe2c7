//! Everything that one state folder holds, opened and wired together.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use arc_swap::ArcSwap;
use bartizan_access::token::Pseudonyms;
use bartizan_access::{Directory, Policies, Role, Workloads, one_time_password};
use bartizan_catalog::Catalog;
use bartizan_core::{Asset, AssetKind, Clock, Event, Outcome, Secret, Tenant, event_id};
use bartizan_detect::{RuleEngine, Sigma};
use bartizan_engine::state::StateFolder;
use bartizan_gateway::{BudgetBook, Gateway, Metrics, QuotaBook, Tls, Tokens};
use bartizan_ledger::anchor::{self, Standing};
use bartizan_ledger::{Ledger, LedgerHandle, LedgerReader, Urgency};
use bartizan_monitor::Monitor;
use bartizan_respond::Responder;
use bartizan_signing::{KeyKind, NoteSigner, NoteVerifier, SigningKey, load_or_create_key};
use bartizan_storage::{Disk, Journal, Storage};
use prometheus_client::registry::Registry;

use crate::clock::SystemClock;
use crate::config::Config;
use crate::containment::{AccessContainment, LedgerRecord};
use crate::error::ServeError;
use crate::live::LiveSender;
use crate::session::Sessions;
use crate::traffic::Traffic;
use crate::watch::{Watch, Watchers};

/// Entries that are read at once when the day's budgets are added up.
const CHUNK: u64 = 4096;

/// What is shown once, when the state folder is new.
pub(crate) struct FirstStart {
    /// The administrator's one-time password.
    pub(crate) password: Secret<String>,
    /// The first client's key.
    pub(crate) key: Secret<String>,
}

/// The opened state folder. One process has it at a time.
pub(crate) struct House {
    pub(crate) config: ArcSwap<Config>,
    pub(crate) state: StateFolder,
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) directory: Arc<Directory>,
    pub(crate) policies: ArcSwap<Policies>,
    pub(crate) ledger: LedgerHandle,
    pub(crate) responder: Arc<Responder>,
    pub(crate) catalog: Catalog,
    pub(crate) monitor: Arc<Mutex<Monitor>>,
    pub(crate) rules: Arc<Mutex<Box<dyn RuleEngine>>>,
    pub(crate) watch: Watch,
    pub(crate) live: LiveSender,
    pub(crate) traffic: Arc<Traffic>,
    pub(crate) sessions: Sessions,
    pub(crate) registry: Mutex<Registry>,
    pub(crate) metrics: Metrics,
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) book: Arc<BudgetBook>,
    pub(crate) quotas: Arc<QuotaBook>,
    pub(crate) gateway: OnceLock<Arc<Gateway>>,
    pub(crate) serving: OnceLock<Serving>,
    /// TLS of the guarded endpoint, where it has one.
    pub(crate) tls: OnceLock<Arc<Tls>>,
    /// Where the configuration came from, and what flags lay over it; for reloading.
    pub(crate) source: ConfigSource,
    /// How the ledger contradicted its anchor when it was opened, where it did.
    pub(crate) anchor_conflict: Option<String>,
    commitment_key: Secret<[u8; 32]>,
    writer: Mutex<Option<Ledger>>,
}

/// Where the guarded endpoint and the console are, once they are.
#[derive(Clone, Debug)]
pub(crate) struct Serving {
    /// The guarded endpoint.
    pub(crate) gateway: std::net::SocketAddr,
    /// Name and row width of the embedded model's only input, where it is that simple.
    pub(crate) example: Option<(String, usize)>,
}

/// Where a configuration comes from.
#[derive(Clone, Debug, Default)]
pub(crate) struct ConfigSource {
    /// The file, where there is one.
    pub(crate) file: Option<PathBuf>,
    /// What flags changed.
    pub(crate) overrides: crate::overrides::Overrides,
}

impl ConfigSource {
    /// Reads it anew.
    pub(crate) fn load(&self) -> Result<Config, crate::config::ConfigError> {
        let mut config = Config::load(self.file.as_deref(), std::env::vars())?;
        self.overrides.lay_over(&mut config);
        config.check()?;
        Ok(config)
    }
}

impl House {
    /// Opens the state folder and starts the watch loop.
    ///
    /// # Errors
    /// Anything in it can't be used.
    pub(crate) fn open(path: &Path, config: Config, source: ConfigSource) -> Result<Self, ServeError> {
        let state = StateFolder::open(path)?;
        let storage: Arc<dyn Storage> = Arc::new(Disk);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let key = |name: &str, kind| {
            load_or_create_key(&*storage, &state.path().join("keys").join(name), kind)
                .map_err(|error| ServeError::Keys(error.to_string()))
        };
        let commitment_key = key("commitments", KeyKind::Hmac)?;
        let keys = |error: &dyn std::fmt::Display| ServeError::Keys(error.to_string());
        let signing = SigningKey::from_seed(&key("ledger", KeyKind::Ed25519)?).map_err(|error| keys(&error))?;
        let origin = format!("{}/{}", config.ledger.project, state.node());
        let signer = NoteSigner::new(&origin, signing).map_err(|error| keys(&error))?;
        warn_of_torn(&*storage, state.path());
        let ledger_folder = state.path().join("ledger");
        if !state.is_new() && !ledger_folder.exists() && state.path().join("access").exists() {
            return Err(ServeError::Damaged { path: ledger_folder, what: "is missing" });
        }
        let ledger = Ledger::open(storage.clone(), &ledger_folder, signer)?;
        let handle = ledger.handle();
        let directory = Arc::new(Directory::open(storage.clone(), &state.path().join("access"))?);
        let policies = Policies::load(&read_policies(&config.access.policies)?)?;
        let rules: Box<dyn RuleEngine> = Box::new(Sigma::load(&config.detect.rules)?);
        let rules = Arc::new(Mutex::new(rules));
        let monitor = Arc::new(Mutex::new(Monitor::new(config.monitor.clone())));
        let live = LiveSender::new();
        let containment = Arc::new(AccessContainment { directory: directory.clone(), clock: clock.clone() });
        let record = Arc::new(LedgerRecord { ledger: handle.clone(), live: live.clone() });
        let responder = Arc::new(Responder::open(
            storage.clone(),
            &state.path().join("incidents"),
            config.respond.clone(),
            containment,
            record,
            clock.clone(),
        )?);
        let watchers = Watchers {
            monitor: monitor.clone(),
            rules: rules.clone(),
            responder: responder.clone(),
            ledger: handle.clone(),
            clock: clock.clone(),
            live: live.clone(),
        };
        let catalog = Catalog::new(storage.clone(), &state.path().join("catalog"));
        let traffic = Arc::new(Traffic::default());
        let watch = Watch::start(watchers, traffic.clone())
            .map_err(|source| ServeError::System { action: "start the watch loop", source })?;
        let mut registry = Registry::default();
        let metrics = Metrics::new(&mut registry);
        let tokens = Tokens::new(&config.access.issuers, Pseudonyms::new(commitment_key.clone()), metrics.clone())
            .map_err(crate::config::ConfigError::from)?;
        let quotas = Arc::new(QuotaBook::new(config.gateway.quotas.clone()));
        let mut house = Self {
            quotas,
            config: ArcSwap::from_pointee(config),
            storage,
            clock,
            directory,
            policies: ArcSwap::from_pointee(policies),
            ledger: handle,
            responder,
            catalog,
            monitor,
            rules,
            watch,
            live,
            traffic,
            sessions: Sessions::default(),
            registry: Mutex::new(registry),
            metrics,
            tokens: Arc::new(tokens),
            book: Arc::new(BudgetBook::default()),
            gateway: OnceLock::new(),
            serving: OnceLock::new(),
            tls: OnceLock::new(),
            source,
            anchor_conflict: None,
            commitment_key,
            writer: Mutex::new(Some(ledger)),
            state,
        };
        house.anchor_conflict = house.find_anchor_conflict();
        house.add_up_budgets()?;
        Ok(house)
    }

    /// The asset that administration is done to.
    pub(crate) fn system(&self) -> Asset {
        Asset::new(Tenant::default(), AssetKind::System, "bartizan")
    }

    /// Whose client certificates open the door.
    pub(crate) fn workloads(&self, config: &Config) -> Arc<Workloads> {
        Arc::new(Workloads::new(config.access.workloads.clone(), Pseudonyms::new(self.commitment_key.clone())))
    }

    /// The key under which the gateway commits to content.
    pub(crate) fn commitment_key(&self) -> Secret<[u8; 32]> {
        self.commitment_key.clone()
    }

    /// Records an event and waits until it is on disk.
    ///
    /// # Errors
    /// The ledger can't be written.
    pub(crate) async fn record(&self, event: Event) -> Result<(), bartizan_ledger::LedgerError> {
        self.ledger.append(&event, Urgency::Now)?.await?;
        bartizan_core::Observe::event(&*self.watch.bus(), &event);
        Ok(())
    }

    /// The folder of the ledger.
    pub(crate) fn ledger_folder(&self) -> PathBuf {
        self.state.path().join("ledger")
    }

    /// The folder, outside the state folder, that keeps the last checkpoint; `None` when the system
    /// names no place for it.
    pub(crate) fn anchor_folder(&self) -> Option<PathBuf> {
        let configured = self.config.load().ledger.anchor.clone();
        if configured.as_os_str().is_empty() {
            bartizan_engine::state::default_anchor_folder()
        } else {
            Some(configured)
        }
    }

    /// Keeps the last checkpoint outside the state folder. One that contradicts the checkpoint that is
    /// kept there is refused: the kept one is the proof that the ledger was changed.
    pub(crate) fn anchor(&self) -> Result<(), bartizan_ledger::LedgerError> {
        let Some(folder) = self.anchor_folder() else { return Ok(()) };
        let note = self.ledger.checkpoint();
        if note.is_empty() {
            return Ok(());
        }
        // Compared once, when the ledger was opened: since then this process alone appends to it.
        if let Some(conflict) = &self.anchor_conflict {
            return Err(bartizan_ledger::LedgerError::Failed(conflict.as_str().into()));
        }
        let verifier = self.ledger.verifier_key().parse::<NoteVerifier>();
        let verifier = verifier.map_err(|error| bartizan_ledger::LedgerError::Failed(error.to_string().into()))?;
        anchor::store(&*self.storage, &folder, note.as_bytes(), &verifier)
    }

    /// How the ledger contradicts the checkpoint that is kept outside the state folder, where it does:
    /// it was rolled back, written anew, or restored from a backup.
    fn find_anchor_conflict(&self) -> Option<String> {
        let folder = self.anchor_folder()?;
        let reader = LedgerReader::open(&self.ledger_folder()).ok()?;
        let place = anchor::path(&folder, &reader.checkpoint().origin).display().to_string();
        match anchor::compare(&*self.storage, &folder, &reader) {
            Ok(Standing::NotKept | Standing::Agrees(_)) => None,
            Ok(Standing::Contradicts(kept)) if kept > reader.size() => {
                let size = reader.size();
                Some(format!("{place} remembers {kept} entries, the ledger has {size}: it was rolled back"))
            }
            Ok(Standing::Contradicts(kept)) => {
                Some(format!("{place} remembers other entries up to {kept}: the ledger was rewritten"))
            }
            Err(error) => Some(format!("the kept checkpoint can't be read: {error}")),
        }
    }

    /// Stops the watch loop and the ledger's writer, and anchors the last checkpoint.
    pub(crate) fn close(&self) {
        self.watch.stop();
        if let Some(ledger) = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take()
            && let Err(error) = ledger.close()
        {
            tracing::error!(%error, "the ledger did not close well");
        }
        if let Err(error) = self.anchor() {
            tracing::error!(%error, "the last checkpoint could not be anchored");
        }
    }

    /// On the first start, an administrator with a one-time password and a client with a key. To be
    /// called when nothing else can go wrong: what it returns can be shown only once.
    pub(crate) fn first_start(&self) -> Result<Option<FirstStart>, ServeError> {
        if !self.directory.principals().is_empty() {
            return Ok(None);
        }
        if self.ledger.size() > 0 {
            let path = self.state.path().join("access/access.journal");
            return Err(ServeError::Damaged { path, what: "knows nobody, and the ledger has entries" });
        }
        let now = self.clock.now();
        let record = |action: &str, target: &str| {
            let event = Event::new("admin.first-start", event_id(now), now, action, self.system(), Outcome::Allow)
                .by("bartizan")
                .with("target", target);
            self.ledger.append(&event, Urgency::Now)?.wait()
        };
        let tenant = Tenant::default();
        let admin =
            self.directory.add_principal(tenant.clone(), "admin", BTreeSet::from([Role::Admin]), now, |admin| {
                admin.protected = true;
            })?;
        record("CreatePrincipal", &admin.id)?;
        let password = one_time_password()?;
        self.directory.set_password(&admin.id, &password, true)?;
        let client =
            self.directory.add_principal(tenant, "first-client", BTreeSet::from([Role::Client]), now, |_| {})?;
        record("CreatePrincipal", &client.id)?;
        let issued = self.directory.issue_key(&client.id, now, None)?;
        record("IssueKey", &issued.key.prefix)?;
        Ok(Some(FirstStart { password, key: issued.secret }))
    }

    /// What was drawn and used up today, from the ledger's completion entries: newest first, until yesterday.
    fn add_up_budgets(&self) -> Result<(), ServeError> {
        let reader = LedgerReader::open(&self.ledger_folder())?;
        let now = self.clock.now();
        let mut end = reader.size();
        while end > 0 {
            let start = end.saturating_sub(CHUNK);
            let mut yesterday = false;
            for entry in reader.entries(start, end).flatten() {
                yesterday |= entry.event.time.day() < now.day();
                if entry.event.kind == "request.completion" {
                    let bits = entry.event.data.get("bits").and_then(serde_json::Value::as_u64).unwrap_or_default();
                    self.book.enter(&entry.event.principal, bits, entry.event.time, now);
                    let principal = self.directory.principal(&entry.event.principal);
                    let name = principal.as_ref().map_or("", |principal| principal.name.as_str());
                    self.quotas.enter(&entry.event, name, now);
                }
            }
            if yesterday {
                break;
            }
            end = start;
        }
        Ok(())
    }
}

/// A journal whose last append is torn loses it when it is opened: that is what a power cut leaves, and
/// also what somebody leaves who wants the last change undone. It is said either way.
fn warn_of_torn(storage: &dyn Storage, state: &Path) {
    for (name, magic) in [("access/access.journal", "bzaccess"), ("incidents/incidents.journal", "incident")] {
        let path = state.join(name);
        if let Ok(replay) = Journal::read(storage, &path, magic, 1)
            && replay.torn > 0
        {
            tracing::warn!(
                file = %path.display(), byte = replay.end, dropped = replay.torn,
                "the last change was not written whole and is dropped; compare with `bartizan audit tail`"
            );
        }
    }
}

/// The texts of Cedar files, and of `*.cedar` in folders, by path.
pub(crate) fn read_policies(paths: &[PathBuf]) -> Result<BTreeMap<String, String>, ServeError> {
    let read = |path: &Path| {
        std::fs::read_to_string(path)
            .map_err(|source| crate::config::ConfigError::Read { path: path.to_owned(), source })
    };
    let mut texts = BTreeMap::new();
    for path in paths {
        if path.is_dir() {
            let entries = std::fs::read_dir(path)
                .map_err(|source| crate::config::ConfigError::Read { path: path.clone(), source })?;
            for entry in entries.flatten() {
                let file = entry.path();
                if file.extension().is_some_and(|extension| extension == "cedar") {
                    texts.insert(file.display().to_string(), read(&file)?);
                }
            }
        } else {
            texts.insert(path.display().to_string(), read(path)?);
        }
    }
    Ok(texts)
}
