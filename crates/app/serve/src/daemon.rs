//! `bartizan up`: listeners, background work, signals, and an orderly end.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::IncomingStream;
use bartizan_core::{Asset, AssetKind, Secret, Tenant};
use bartizan_gateway::{
    Backend, Durability, Exposure, Gateway, GatewayParts, IssuerStanding, Listener, ListenerLimits, Mode, Routes, Tls,
    check_exposure,
};
use tokio::net::{TcpListener, UnixListener};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::actor::{Actor, own_user};
use crate::api;
use crate::config::Config;
use crate::error::ServeError;
use crate::house::{ConfigSource, House, Serving};
use crate::model::{ModelSource, load_model};
use crate::notify;
use crate::overrides::Overrides;

/// How often the last checkpoint is kept outside the state folder.
const ANCHOR_SECONDS: u64 = 5;

/// What was seen of a way round the door.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exposed {
    /// There is nothing to go round: the model is in this process.
    NotApplicable,
    /// The upstream answers without a key at this address.
    Open(SocketAddr),
    /// No such answer was seen at these addresses.
    NotSeen(Vec<SocketAddr>),
    /// It could not be tried.
    Unknown(String),
}

/// What `up` has to say once everything is ready.
pub struct Announcement {
    /// The guarded endpoint.
    pub gateway: SocketAddr,
    /// Whether it speaks TLS.
    pub tls: bool,
    /// Console and admin API.
    pub console: SocketAddr,
    /// Name of the guarded model or endpoint.
    pub model: String,
    /// Where requests go, when not to the embedded model.
    pub upstream: Option<String>,
    /// Width of one input row of the embedded model, for an example request.
    pub example: Option<(String, usize)>,
    /// Whether guards that can be wrong refuse.
    pub mode: Mode,
    /// When entries are on disk.
    pub durability: Durability,
    /// Where the last checkpoint is kept outside the state folder.
    pub anchor: Option<PathBuf>,
    /// How the ledger contradicts that checkpoint, where it does.
    pub anchor_conflict: Option<String>,
    /// The state folder.
    pub state: PathBuf,
    /// The administrator's one-time password, on the first start.
    pub password: Option<Secret<String>>,
    /// The first client's key, on the first start.
    pub key: Option<Secret<String>>,
    /// Whether there is a way round the door.
    pub exposed: Exposed,
    /// How it stands with the keys of each issuer of tokens.
    pub issuers: Vec<IssuerStanding>,
}

/// Runs the daemon until it is told to stop (SIGINT, SIGTERM). `announce` is called once, when
/// requests are answered. SIGHUP takes the configuration into use anew.
///
/// # Errors
/// The state folder, the configuration, the model or an address can't be used.
pub async fn run(
    state: &Path,
    config_file: Option<&Path>,
    overrides: Overrides,
    model: &ModelSource,
    announce: impl FnOnce(&Announcement),
) -> Result<(), ServeError> {
    let source = ConfigSource { file: config_file.map(Path::to_owned), overrides };
    let config = source.load()?;
    crate::telemetry::start_logging(&config.log);
    let house = House::open(state, config.clone(), source)?;
    let house = Arc::new(house);
    let ended = serve(&house, &config, model, announce).await;
    let closing = house.clone();
    let _ = tokio::task::spawn_blocking(move || closing.close()).await;
    ended
}

impl Announcement {
    /// The guarded endpoint as a URL.
    pub fn endpoint(&self) -> String {
        endpoint(self.gateway, self.tls)
    }
}

/// An endpoint as a URL.
pub(crate) fn endpoint(address: SocketAddr, tls: bool) -> String {
    format!("{}://{address}", if tls { "https" } else { "http" })
}

async fn serve(
    house: &Arc<House>,
    config: &Config,
    model: &ModelSource,
    announce: impl FnOnce(&Announcement),
) -> Result<(), ServeError> {
    let (backend, example) = backend(house, config, model)?;
    let gateway = Arc::new(Gateway::new(GatewayParts {
        settings: config.gateway.clone(),
        backend,
        directory: house.directory.clone(),
        tokens: house.tokens.clone(),
        workloads: house.workloads(config),
        policies: house.policies.load_full(),
        ledger: house.ledger.clone(),
        watchers: house.watch.bus(),
        clock: house.clock.clone(),
        metrics: house.metrics.clone(),
        book: house.book.clone(),
        quotas: house.quotas.clone(),
        commitment_key: house.commitment_key(),
    }));
    let _ = house.gateway.set(gateway.clone());
    let limits = ListenerLimits {
        connections: config.gateway.connections,
        connections_per_address: config.gateway.connections_per_address,
        ..ListenerLimits::default()
    };
    let address = address("gateway.listen", &config.gateway.listen)?;
    let listen = |address| move |source| ServeError::Listen { address, source };
    let listener = Listener::bind(address, limits).await.map_err(listen(address))?;
    let gateway_address = listener.address().map_err(listen(address))?;
    let address = self::address("console.listen", &config.console.listen)?;
    let console = TcpListener::bind(address).await.map_err(listen(address))?;
    let console_address = console.local_addr().map_err(listen(address))?;
    let tls = if config.gateway.tls.is_wanted() {
        let tls = Arc::new(Tls::new(Tls::prepare(&config.gateway.tls)?));
        let _ = house.tls.set(tls.clone());
        Some(tls)
    } else {
        None
    };
    let socket = admin_socket(house)?;
    let exposed = match gateway.backend() {
        Backend::Embedded(_) => Exposed::NotApplicable,
        Backend::Upstream(routes) => exposed(routes).await,
    };

    house.tokens.load().await;

    let signals = Signals::new()?;
    let anchor_conflict = house.anchor_conflict.clone();
    if let Some(conflict) = &anchor_conflict {
        tracing::error!(%conflict, "the ledger contradicts its anchor");
    }
    let first = house.first_start()?;
    let _ = house.serving.set(Serving { gateway: gateway_address, example: example.clone() });

    let (stop, stopped) = watch::channel(false);
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(listener.serve(gateway.clone(), tls, stopped.clone()));
    tasks.spawn(serve_console(console, house.clone(), stopped.clone()));
    tasks.spawn(serve_socket(socket, house.clone(), stopped.clone()));
    if let Backend::Upstream(routes) = gateway.backend() {
        tasks.spawn(bartizan_gateway::keep_healthy(routes.clone(), house.metrics.clone(), stopped.clone()));
    }
    tasks.spawn(keep_house(house.clone(), gateway.clone(), stopped.clone()));
    tasks.spawn(notify::deliver(house.clone(), stopped));

    let (password, key) = first.map_or((None, None), |first| (Some(first.password), Some(first.key)));
    announce(&Announcement {
        gateway: gateway_address,
        tls: house.tls.get().is_some(),
        console: console_address,
        model: gateway.backend().asset().name().to_owned(),
        upstream: upstream_urls(gateway.backend()),
        example,
        mode: config.gateway.mode,
        durability: config.gateway.durability,
        anchor: house.anchor_folder(),
        state: house.state.path().to_owned(),
        anchor_conflict,
        password,
        key,
        exposed,
        issuers: house.tokens.standings(),
    });
    signals.wait_for_end(house).await;
    tracing::info!("stopping: open requests are let to end");
    let _ = stop.send(true);
    while tasks.join_next().await.is_some() {}
    gateway.flush_refusals();
    let _ = std::fs::remove_file(house.state.path().join("admin.sock"));
    Ok(())
}

type Example = Option<(String, usize)>;

fn backend(house: &House, config: &Config, model: &ModelSource) -> Result<(Backend, Example), ServeError> {
    let upstreams = config.upstreams()?;
    if !upstreams.is_empty() {
        let asset = Asset::new(Tenant::default(), AssetKind::Endpoint, "upstream");
        let routes = Routes::new(asset, &upstreams, config.gateway.routing.clone())?;
        return Ok((Backend::Upstream(Arc::new(routes)), None));
    }
    let (embedded, profile) = load_model(model, &config.model)?;
    if let Some(profile) = profile {
        let mut monitor = house.monitor.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        monitor.profile(&embedded.asset, &profile.rows);
    }
    let example = match embedded.signature.inputs.as_slice() {
        [input] => input.shape.as_ref().and_then(|shape| match shape.as_slice() {
            [_, Some(width)] => Some((input.name.clone(), *width)),
            _ => None,
        }),
        _ => None,
    };
    Ok((Backend::Embedded(Box::new(embedded)), example))
}

/// Where the servers behind the door are, for people.
fn upstream_urls(backend: &Backend) -> Option<String> {
    let Backend::Upstream(routes) = backend else { return None };
    let urls: Vec<_> = routes.standings().into_iter().map(|upstream| upstream.url).collect();
    Some(urls.join(", "))
}

/// Whether any of the servers behind the door can be reached round it.
async fn exposed(routes: &Routes) -> Exposed {
    let (mut tried, mut unknown) = (Vec::new(), None);
    for upstream in routes.standings() {
        match check_exposure(&upstream.url).await {
            Exposure::Open(address) => return Exposed::Open(address),
            Exposure::NotSeen(addresses) => tried.extend(addresses),
            Exposure::Unknown(why) => unknown = Some(why),
        }
    }
    unknown.map_or(Exposed::NotSeen(tried), Exposed::Unknown)
}

/// The signals that a daemon listens to, from before it says that it is ready.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> Result<Self, ServeError> {
        let listen = |kind| signal(kind).map_err(|source| ServeError::System { action: "listen to signals", source });
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hangup: listen(SignalKind::hangup())?,
        })
    }

    /// Waits for the signal to stop; takes the configuration into use anew at each SIGHUP.
    async fn wait_for_end(mut self, house: &Arc<House>) {
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => return,
                _ = self.terminate.recv() => return,
                _ = self.hangup.recv() => {
                    let actor = Actor::owner(own_user(house.state.path()));
                    match house.reload(&actor).await {
                        Ok(()) => tracing::info!("configuration reloaded"),
                        Err(error) => tracing::error!(%error, "configuration not reloaded"),
                    }
                }
            }
        }
    }
}

/// The socket by which the owner administers: 0600, in a folder that is 0700.
fn admin_socket(house: &House) -> Result<UnixListener, ServeError> {
    use std::os::unix::fs::PermissionsExt as _;
    let failed = |source| ServeError::System { action: "make admin.sock", source };
    let path = house.state.path().join("admin.sock");
    // The folder's lock is ours, so a socket that lies here belongs to a process that is gone.
    let _ = std::fs::remove_file(&path);
    let socket = UnixListener::bind(&path).map_err(failed)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).map_err(failed)?;
    Ok(socket)
}

/// The user id of whoever is at the other end of the socket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PeerUser(Option<u32>);

impl Connected<IncomingStream<'_, UnixListener>> for PeerUser {
    fn connect_info(stream: IncomingStream<'_, UnixListener>) -> Self {
        Self(stream.io().peer_cred().ok().map(|peer| peer.uid()))
    }
}

async fn serve_socket(socket: UnixListener, house: Arc<House>, stopped: watch::Receiver<bool>) {
    let owner = own_user(house.state.path());
    let check = move |info: axum::extract::ConnectInfo<PeerUser>,
                      request: axum::extract::Request,
                      next: axum::middleware::Next| async move {
        use axum::response::IntoResponse as _;
        // Root can read and write the folder anyway.
        match info.0.0 {
            Some(user) if user == owner || user == 0 => next.run(request).await,
            _ => api::Problem::new(
                hyper::StatusCode::FORBIDDEN,
                "forbidden",
                "only the owner of the state folder may use its socket",
            )
            .into_response(),
        }
    };
    let router = api::by_socket(house, owner).layer(axum::middleware::from_fn(check));
    let service = router.into_make_service_with_connect_info::<PeerUser>();
    if let Err(error) = axum::serve(socket, service).with_graceful_shutdown(told_to_stop(stopped)).await {
        tracing::error!(%error, "admin.sock is no longer served");
    }
}

async fn serve_console(listener: TcpListener, house: Arc<House>, stopped: watch::Receiver<bool>) {
    let router = api::by_port(house);
    // Open event streams never end by themselves: after a moment they are cut.
    let graceful = axum::serve(listener, router).with_graceful_shutdown(told_to_stop(stopped.clone()));
    tokio::select! {
        ended = graceful => {
            if let Err(error) = ended {
                tracing::error!(%error, "the console is no longer served");
            }
        }
        () = async { told_to_stop(stopped).await; tokio::time::sleep(Duration::from_secs(2)).await } => {}
    }
}

async fn told_to_stop(mut stopped: watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stop| *stop).await;
}

/// What must be done now and then: counted refusals recorded, the checkpoint anchored.
async fn keep_house(house: Arc<House>, gateway: Arc<Gateway>, mut stopped: watch::Receiver<bool>) {
    let mut second = tokio::time::interval(Duration::from_secs(1));
    second.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut since_anchor = 0;
    loop {
        tokio::select! {
            _ = second.tick() => {}
            _ = stopped.wait_for(|stop| *stop) => return,
        }
        gateway.flush_refusals();
        house.tokens.refresh();
        since_anchor += 1;
        if since_anchor >= ANCHOR_SECONDS && house.anchor_conflict.is_none() {
            since_anchor = 0;
            let house = house.clone();
            let anchored = tokio::task::spawn_blocking(move || house.anchor()).await;
            if let Ok(Err(error)) = anchored {
                tracing::error!(%error, "the last checkpoint could not be anchored");
            }
        }
    }
}

fn address(key: &'static str, text: &str) -> Result<SocketAddr, ServeError> {
    let wrong = || crate::config::ConfigError::Value { key, reason: "is not an address".to_owned() };
    Ok(text.parse().map_err(|_| wrong())?)
}
