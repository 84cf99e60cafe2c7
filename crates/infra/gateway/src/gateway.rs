//! One request, from head to completion.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use bartizan_access::{Directory, Operation, Policies, Resource};
use bartizan_core::{Clock, Digest, Event, Exchange, Observe, Outcome, Secret, Timestamp, event_id};
use bartizan_inference::protocol::{self, Request as InferRequest};
use bartizan_inference::refuse_duplicate_keys;
use bartizan_ledger::{LedgerHandle, Ticket, Urgency};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Request, Response, StatusCode};
use tokio::sync::Semaphore;

use crate::answer::AnswerBody;
use crate::backend::Backend;
use crate::budget::BudgetBook;
use crate::embedded::Embedded;
use crate::guard::{Admission, Guard, Refusal, Stage};
use crate::guards::{self, Grounds, over_budget};
use crate::harden;
use crate::head::{Head, HeadError, Route};
use crate::limit::Limits;
use crate::metrics::Metrics;
use crate::problem;
use crate::proxy::{self, Ended, Proxy, Watched};
use crate::record::{self, Committer, Completed, Suppressed};
use crate::settings::{Durability, Mode, Settings};

/// Values of one exchange that the watchers are shown at most.
const WATCHED_VALUES: usize = 65_536;

/// What a gateway is made of.
pub struct GatewayParts {
    /// Settings, already checked.
    pub settings: Settings,
    /// What stands behind the door.
    pub backend: Backend,
    /// Who there is.
    pub directory: Arc<Directory>,
    /// Who may do what.
    pub policies: Arc<Policies>,
    /// Where every decision is recorded.
    pub ledger: LedgerHandle,
    /// Who wants to hear of it.
    pub watchers: Arc<dyn Observe>,
    /// Where the present comes from.
    pub clock: Arc<dyn Clock>,
    /// What is counted.
    pub metrics: Metrics,
    /// What was drawn today.
    pub book: Arc<BudgetBook>,
    /// The key of this installation's commitments.
    pub commitment_key: Secret<[u8; 32]>,
}

/// The part that a reload replaces, all at once.
struct Chain {
    settings: Settings,
    guards: Vec<Box<dyn Guard>>,
    policies: Arc<Policies>,
    limits: Arc<Limits>,
}

/// The door. Shared by all connections.
pub struct Gateway {
    chain: ArcSwap<Chain>,
    backend: Backend,
    resource: Resource,
    directory: Arc<Directory>,
    ledger: LedgerHandle,
    watchers: Arc<dyn Observe>,
    clock: Arc<dyn Clock>,
    metrics: Metrics,
    book: Arc<BudgetBook>,
    committer: Committer,
    suppressed: Suppressed,
    in_flight: Arc<Semaphore>,
}

/// An answer that may go out, and what the ledger is to say of it.
struct Done {
    response: Response<AnswerBody>,
    outcome: Outcome,
    reason: &'static str,
    bits: u64,
    bytes: u64,
    exchange: Option<Exchange>,
    /// Whether the completion is recorded later, when a stream ends.
    streaming: bool,
}

impl Gateway {
    /// Builds the gateway and its guards.
    pub fn new(parts: GatewayParts) -> Self {
        let asset = parts.backend.asset();
        let resource = Resource::Model(asset.tenant().clone(), asset.name().to_owned());
        let in_flight = Arc::new(Semaphore::new(parts.settings.concurrency.max(1)));
        let chain = chain(parts.settings, parts.policies, &parts.directory, &parts.book, &parts.backend, None);
        Self {
            chain: ArcSwap::from_pointee(chain),
            resource,
            backend: parts.backend,
            directory: parts.directory,
            ledger: parts.ledger,
            watchers: parts.watchers,
            clock: parts.clock,
            metrics: parts.metrics,
            book: parts.book,
            committer: Committer::new(parts.commitment_key),
            suppressed: Suppressed::default(),
            in_flight,
        }
    }

    /// Takes other settings and policies into use, for all requests that begin from now on. Limits
    /// keep their state where their figures are the same.
    pub fn reload(&self, settings: Settings, policies: Arc<Policies>) {
        let old = self.chain.load_full();
        let next = chain(settings, policies, &self.directory, &self.book, &self.backend, Some(&old));
        self.chain.store(Arc::new(next));
    }

    /// What is guarded.
    pub fn backend(&self) -> &Backend {
        &self.backend
    }

    /// The settings in force.
    pub fn settings(&self) -> Settings {
        self.chain.load().settings.clone()
    }

    /// Names of the guards, in the order in which they are asked.
    pub fn guards(&self) -> Vec<&'static str> {
        self.chain.load().guards.iter().map(|guard| guard.name()).collect()
    }

    /// Records the refusals that were counted instead of recorded one by one. To be called about
    /// once a second.
    pub fn flush_refusals(&self) {
        for event in self.suppressed.take(self.clock.now(), self.backend.asset()) {
            self.watchers.event(&event);
            if let Err(error) = self.ledger.append(&event, Urgency::Within(Duration::from_millis(100))) {
                tracing::error!(%error, "refusals could not be recorded");
            }
        }
    }

    /// Answers one request.
    pub async fn handle(self: &Arc<Self>, request: Request<Incoming>, address: IpAddr) -> Response<AnswerBody> {
        let started = Instant::now();
        let now = self.clock.now();
        let head = match Head::parse(&request) {
            Ok(head) => head,
            Err(error) => return self.refuse_head(error, now, address, started).await,
        };
        match head.route {
            Route::Live => return json(StatusCode::OK, &serde_json::json!({ "live": true })),
            Route::Ready => return self.ready(),
            _ => {}
        }
        let Ok(_permit) = self.in_flight.try_acquire() else {
            return self.shed(now, address);
        };
        self.metrics.begin();
        let chain = self.chain.load_full();
        let id = event_id(now);
        let source = self.committer.source(address, &head.agent);
        let mut admission = Admission {
            operation: operation(&head.route),
            resource: &self.resource,
            head: &head,
            address,
            now,
            caller: None,
            decision: None,
            tensors: None,
            shadowed: Vec::new(),
            bits: 0,
        };
        let (answer, outcome, reason) = match self.admit(&chain, &id, &source, &mut admission, request, started).await {
            Ok(done) => {
                let (outcome, reason) = (done.outcome, done.reason);
                (self.complete(&chain, &id, &admission, done, started).await, outcome, reason.to_owned())
            }
            Err(mut refusal) => {
                if let Some(caller) = &admission.caller {
                    refusal.principal.clone_from(&caller.principal.id);
                    refusal.key = caller.key.to_string();
                    refusal.drill = caller.principal.drill;
                }
                refusal.recorded = chain.limits.records_refusal(address);
                let reason = refusal.reason.clone();
                let mut exchange = self.exchange(&admission, &source, Outcome::Deny, refusal.status, &reason, started);
                exchange.principal.clone_from(&refusal.principal);
                exchange.key.clone_from(&refusal.key);
                exchange.drill = refusal.drill;
                self.watchers.exchange(exchange);
                let answer = self.refuse(&chain, &id, now, admission.operation.as_str(), &refusal, &source).await;
                (answer, Outcome::Deny, reason)
            }
        };
        let shadowed = !admission.shadowed.is_empty();
        self.metrics.end(word(outcome), &reason, microseconds(started), shadowed);
        answer
    }

    /// Passes the guards, records the admission and asks the backend.
    async fn admit(
        self: &Arc<Self>,
        chain: &Arc<Chain>,
        id: &str,
        source: &str,
        admission: &mut Admission<'_>,
        request: Request<Incoming>,
        started: Instant,
    ) -> Result<Done, Refusal> {
        ask(chain, Stage::Head, admission)?;
        let (parts, body) = request.into_parts();
        let body = read_body(&chain.settings, admission.head, body).await?;
        match (&self.backend, &admission.head.route) {
            (_, Route::Server) => {
                let ticket = self.record_admission(chain, id, source, admission, None)?;
                self.hold(chain, ticket).await?;
                Ok(Done::plain(json(
                    StatusCode::OK,
                    &serde_json::json!({ "name": "bartizan", "version": env!("CARGO_PKG_VERSION"), "extensions": ["binary_tensor_data"] }),
                )))
            }
            (Backend::Embedded(embedded), Route::Model(name) | Route::ModelReady(name)) => {
                known_model(embedded, name)?;
                let ticket = self.record_admission(chain, id, source, admission, None)?;
                self.hold(chain, ticket).await?;
                let metadata = protocol::metadata(embedded.asset.name(), &embedded.digest.hex(), &embedded.signature);
                Ok(Done::plain(json(StatusCode::OK, &metadata)))
            }
            (Backend::Embedded(embedded), Route::Infer(name)) => {
                known_model(embedded, name)?;
                let parsed = InferRequest::parse(&body, admission.head.header_length)
                    .map_err(|error| Refusal::new(StatusCode::BAD_REQUEST, "tensor-malformed", error.to_string()))?;
                admission.tensors = Some(parsed);
                ask(chain, Stage::Body, admission)?;
                let commitment = Some(self.committer.commit(id, &body));
                let ticket = self.record_admission(chain, id, source, admission, commitment)?;
                let parsed = admission.tensors.take();
                let parsed = parsed.ok_or_else(|| {
                    Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "guard-failed", "a guard failed; tell the operator")
                })?;
                self.infer(chain, admission, source, embedded, parsed, ticket, started).await
            }
            (Backend::Upstream(proxy), route) => {
                if matches!(route, Route::OpenAiInfer | Route::Infer(_)) && admission.head.header_length.is_none() {
                    refuse_duplicate_keys(&body).map_err(|error| {
                        let at = format!("at line {} column {}", error.line(), error.column());
                        Refusal::new(
                            StatusCode::BAD_REQUEST,
                            "json-malformed",
                            format!("the body is not JSON that all parsers read alike, {at}"),
                        )
                    })?;
                }
                let commitment = (!body.is_empty()).then(|| self.committer.commit(id, &body));
                let ticket = self.record_admission(chain, id, source, admission, commitment)?;
                self.forward(chain, id, admission, source, proxy, &parts, body, ticket, started).await
            }
            _ => Err(Refusal::new(StatusCode::NOT_FOUND, "route-closed", HeadError::Route.to_string())),
        }
    }

    #[expect(clippy::too_many_arguments, reason = "each is one fact about one request")]
    async fn infer(
        &self,
        chain: &Chain,
        admission: &mut Admission<'_>,
        source: &str,
        embedded: &Embedded,
        parsed: InferRequest,
        ticket: Ticket,
        started: Instant,
    ) -> Result<Done, Refusal> {
        if chain.settings.durability == Durability::Strict {
            return self.infer_strictly(chain, admission, source, embedded, parsed, ticket, started).await;
        }
        let features = features(&parsed);
        let deadline = Duration::from_secs(chain.settings.answer_seconds);
        let outputs = embedded.infer(parsed.inputs, deadline).await;
        self.hold(chain, ticket).await?;
        self.answer_inference(chain, admission, source, embedded, parsed.id.as_deref(), features, outputs?, started)
    }

    #[expect(clippy::too_many_arguments, reason = "each is one fact about one request")]
    async fn infer_strictly(
        &self,
        chain: &Chain,
        admission: &mut Admission<'_>,
        source: &str,
        embedded: &Embedded,
        parsed: InferRequest,
        ticket: Ticket,
        started: Instant,
    ) -> Result<Done, Refusal> {
        self.hold(chain, ticket).await?;
        let features = features(&parsed);
        let deadline = Duration::from_secs(chain.settings.answer_seconds);
        let outputs = embedded.infer(parsed.inputs, deadline).await?;
        self.answer_inference(chain, admission, source, embedded, parsed.id.as_deref(), features, outputs, started)
    }

    #[expect(clippy::too_many_arguments, reason = "each is one fact about one request")]
    fn answer_inference(
        &self,
        chain: &Chain,
        admission: &mut Admission<'_>,
        source: &str,
        embedded: &Embedded,
        client_id: Option<&str>,
        features: (Arc<[f32]>, usize),
        mut outputs: Vec<bartizan_inference::Tensor>,
        started: Instant,
    ) -> Result<Done, Refusal> {
        let labels = harden::labels(&outputs);
        harden::harden(&mut outputs, chain.settings.hardening);
        let bits = harden::bits(&outputs, chain.settings.hardening);
        if let Some(caller) = &admission.caller {
            let limit = match chain.settings.mode {
                Mode::Enforce => chain.settings.information_bits_per_day,
                Mode::Shadow => 0,
            };
            let drawn = self.book.draw(&caller.principal.id, bits, limit, admission.now);
            drawn.map_err(|_| over_budget(admission.now))?;
        }
        let body = protocol::write_response(embedded.asset.name(), &embedded.digest.hex(), client_id, &outputs);
        let bytes = body.len() as u64;
        let response = whole(StatusCode::OK, Bytes::from(body));
        let mut exchange = self.exchange(admission, source, Outcome::Allow, StatusCode::OK, "", started);
        (exchange.inputs, exchange.width) = features;
        exchange.labels = labels.into();
        Ok(Done {
            response,
            outcome: Outcome::Allow,
            reason: "",
            bits,
            bytes,
            exchange: Some(exchange),
            streaming: false,
        })
    }

    #[expect(clippy::too_many_arguments, reason = "each is one fact about one request")]
    async fn forward(
        self: &Arc<Self>,
        chain: &Arc<Chain>,
        id: &str,
        admission: &Admission<'_>,
        source: &str,
        proxy: &Proxy,
        parts: &hyper::http::request::Parts,
        body: Bytes,
        ticket: Ticket,
        started: Instant,
    ) -> Result<Done, Refusal> {
        let head = admission.head;
        let deadline = Duration::from_secs(chain.settings.answer_seconds);
        let work = async {
            let sent = proxy.send(head.method.clone(), &head.target, &parts.headers, body);
            if chain.settings.durability == Durability::Strict {
                self.hold(chain, ticket).await?;
                return Ok((tokio::time::timeout(deadline, sent).await, true));
            }
            let (answer, held) = tokio::join!(tokio::time::timeout(deadline, sent), self.hold(chain, ticket));
            held.map(|()| (answer, true))
        };
        let (answer, _) = work.await?;
        let upstream = match answer {
            Ok(Ok(upstream)) => upstream,
            Ok(Err(error)) => {
                tracing::warn!(%error, "the upstream could not be reached");
                let message = "the model's server can't be reached; try again later, or tell its operator";
                return Err(Refusal::new(StatusCode::BAD_GATEWAY, "upstream-unreachable", message));
            }
            Err(_elapsed) => {
                let message = "the model's server did not begin to answer in time; try again later";
                return Err(Refusal::new(StatusCode::GATEWAY_TIMEOUT, "upstream-late", message));
            }
        };
        let (upstream, stream) = upstream.into_parts();
        let status = upstream.status;
        let exchange = self.exchange(admission, source, Outcome::Allow, status, "", started);
        let gateway = self.clone();
        let correlation = id.to_owned();
        let operation = admission.operation.as_str();
        let report = move |ended: Ended, bytes: u64| {
            let (outcome, reason) = match ended {
                Ended::Complete => (Outcome::Allow, ""),
                Ended::Broken => (Outcome::Error, "upstream-broke-off"),
                Ended::Abandoned => (Outcome::Error, "client-went-away"),
            };
            let mut exchange = exchange;
            exchange.outcome = outcome;
            reason.clone_into(&mut exchange.reason);
            exchange.microseconds = microseconds(started);
            let completed = Completed {
                correlation: &correlation,
                principal: &exchange.principal,
                operation,
                asset: &exchange.asset,
                outcome,
                reason,
                status: status.as_u16(),
                bits: 0,
                bytes,
                microseconds: exchange.microseconds,
            };
            let event = record::completion(gateway.clock.now(), &completed);
            let _ = gateway.append(&event, Urgency::Within(Duration::from_millis(100)));
            gateway.watchers.exchange(exchange);
        };
        let watched = Watched::new(stream, Duration::from_secs(chain.settings.idle_seconds), report);
        let mut response = Response::new(proxy::boxed(watched));
        *response.status_mut() = status;
        proxy::copy(&upstream.headers, response.headers_mut());
        response.headers_mut().remove("server");
        Ok(Done { response, outcome: Outcome::Allow, reason: "", bits: 0, bytes: 0, exchange: None, streaming: true })
    }

    /// Records the completion of an answer that is whole, and tells the watchers.
    async fn complete(
        &self,
        chain: &Chain,
        id: &str,
        admission: &Admission<'_>,
        done: Done,
        started: Instant,
    ) -> Response<AnswerBody> {
        if done.streaming {
            return done.response;
        }
        let principal = admission.caller.as_ref().map_or("", |caller| &caller.principal.id);
        let completed = Completed {
            correlation: id,
            principal,
            operation: admission.operation.as_str(),
            asset: self.backend.asset(),
            outcome: done.outcome,
            reason: done.reason,
            status: done.response.status().as_u16(),
            bits: done.bits,
            bytes: done.bytes,
            microseconds: microseconds(started),
        };
        let event = record::completion(self.clock.now(), &completed);
        let strict = chain.settings.durability == Durability::Strict;
        let urgency = if strict { Urgency::Now } else { Urgency::Within(chain.settings.deferral()) };
        let recorded = self.append(&event, urgency);
        if let Some(mut exchange) = done.exchange {
            exchange.microseconds = completed.microseconds;
            self.watchers.exchange(exchange);
        }
        match recorded {
            Ok(ticket) if strict => match ticket.await {
                Ok(_) => done.response,
                Err(_) => problem::answer(&ledger_failed(), id),
            },
            Ok(_) => done.response,
            Err(refusal) => problem::answer(&refusal, id),
        }
    }

    fn record_admission(
        &self,
        chain: &Chain,
        id: &str,
        source: &str,
        admission: &Admission<'_>,
        commitment: Option<Digest>,
    ) -> Result<Ticket, Refusal> {
        let event = record::admission(id, self.backend.asset(), admission, source, commitment);
        let urgency = match chain.settings.durability {
            Durability::Strict | Durability::Overlap => Urgency::Now,
            Durability::Batched => Urgency::Within(chain.settings.deferral()),
        };
        self.append(&event, urgency)
    }

    fn append(&self, event: &Event, urgency: Urgency) -> Result<Ticket, Refusal> {
        let ticket = self.ledger.append(event, urgency).map_err(|error| {
            tracing::error!(%error, "the ledger can't be written: nothing is served");
            ledger_failed()
        })?;
        self.watchers.event(event);
        Ok(ticket)
    }

    /// Waits until an admission is on disk, where the durability mode asks for that.
    async fn hold(&self, chain: &Chain, ticket: Ticket) -> Result<(), Refusal> {
        if chain.settings.durability == Durability::Batched {
            return Ok(());
        }
        ticket.await.map(|_| ()).map_err(|_| ledger_failed())
    }

    /// Records a refusal, waits until it is on disk, and answers.
    async fn refuse(
        &self,
        chain: &Chain,
        id: &str,
        now: Timestamp,
        operation: &str,
        refusal: &Refusal,
        source: &str,
    ) -> Response<AnswerBody> {
        if !refusal.recorded {
            self.suppressed.count(refusal);
            return problem::answer(refusal, id);
        }
        let event = record::refusal(id, now, operation, self.backend.asset(), refusal, source, chain.policies.digest());
        match self.append(&event, Urgency::Now) {
            Ok(ticket) => match ticket.await {
                Ok(_) => problem::answer(refusal, id),
                Err(_) => problem::answer(&ledger_failed(), id),
            },
            Err(failed) => problem::answer(&failed, id),
        }
    }

    /// A head that is not understood: refused before anybody was identified.
    async fn refuse_head(
        &self,
        error: HeadError,
        now: Timestamp,
        address: IpAddr,
        started: Instant,
    ) -> Response<AnswerBody> {
        let status = match error {
            HeadError::Route => StatusCode::NOT_FOUND,
            HeadError::Method => StatusCode::METHOD_NOT_ALLOWED,
            HeadError::TooLong => StatusCode::URI_TOO_LONG,
            HeadError::Fields => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            HeadError::Encoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            HeadError::Path | HeadError::Framing | HeadError::Credentials => StatusCode::BAD_REQUEST,
        };
        let chain = self.chain.load_full();
        let mut refusal = Refusal::new(status, error.reason(), error.to_string());
        refusal.recorded = chain.limits.records_refusal(address);
        self.metrics.begin();
        let id = event_id(now);
        let source = self.committer.source(address, "");
        let answer = self.refuse(&chain, &id, now, "Request", &refusal, &source).await;
        self.metrics.end("deny", &refusal.reason, microseconds(started), false);
        answer
    }

    /// More than can be worked on: said at once, counted, not recorded one by one.
    fn shed(&self, now: Timestamp, _address: IpAddr) -> Response<AnswerBody> {
        let refusal = Refusal {
            retry_after: Some(1),
            ..Refusal::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "overloaded",
                "too many requests are being worked on; try again in a second",
            )
        };
        self.suppressed.count(&refusal);
        self.metrics.begin();
        self.metrics.end("deny", &refusal.reason, 0, false);
        problem::answer(&refusal, &event_id(now))
    }

    fn ready(&self) -> Response<AnswerBody> {
        let ready = self.ledger.is_healthy();
        let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        json(status, &serde_json::json!({ "ready": ready }))
    }

    fn exchange(
        &self,
        admission: &Admission<'_>,
        source: &str,
        outcome: Outcome,
        status: StatusCode,
        reason: &str,
        started: Instant,
    ) -> Exchange {
        let caller = admission.caller.as_ref();
        Exchange {
            time: admission.now,
            tenant: caller
                .map_or_else(|| self.backend.asset().tenant().clone(), |caller| caller.principal.tenant.clone()),
            principal: caller.map(|caller| caller.principal.id.clone()).unwrap_or_default(),
            key: caller.map(|caller| caller.key.to_string()).unwrap_or_default(),
            drill: caller.is_some_and(|caller| caller.principal.drill),
            source: source.to_owned(),
            asset: self.backend.asset().clone(),
            outcome,
            reason: reason.to_owned(),
            status: status.as_u16(),
            microseconds: microseconds(started),
            inputs: Arc::default(),
            width: 0,
            labels: Arc::default(),
        }
    }
}

impl Done {
    /// An answer that tells nothing of the model's outputs.
    fn plain(response: Response<AnswerBody>) -> Self {
        Self { response, outcome: Outcome::Allow, reason: "", bits: 0, bytes: 0, exchange: None, streaming: false }
    }
}

fn chain(
    settings: Settings,
    policies: Arc<Policies>,
    directory: &Arc<Directory>,
    book: &Arc<BudgetBook>,
    backend: &Backend,
    old: Option<&Arc<Chain>>,
) -> Chain {
    let same_limits = |old: &&Arc<Chain>| {
        let figures = |s: &Settings| (s.requests_per_second, s.burst, s.refusals_per_second);
        figures(&old.settings) == figures(&settings)
    };
    let limits = old.filter(same_limits).map_or_else(
        || Arc::new(Limits::new(settings.requests_per_second, settings.burst, settings.refusals_per_second)),
        |old| old.limits.clone(),
    );
    let model = match backend {
        Backend::Embedded(embedded) => Some((embedded.signature.clone(), embedded.digest)),
        Backend::Upstream(_) => None,
    };
    let grounds = Grounds {
        directory: directory.clone(),
        policies: policies.clone(),
        book: book.clone(),
        limits: limits.clone(),
        model,
    };
    let guards = guards::list(&settings, &grounds);
    Chain { settings, guards, policies, limits }
}

/// Asks the guards of one stage, in order.
fn ask(chain: &Chain, stage: Stage, admission: &mut Admission<'_>) -> Result<(), Refusal> {
    chain.guards.iter().filter(|guard| guard.stage() == stage).try_for_each(|guard| guard.check(admission))
}

fn operation(route: &Route) -> Operation {
    match route {
        Route::Infer(_) | Route::OpenAiInfer => Operation::Infer,
        _ => Operation::ReadModel,
    }
}

async fn read_body(settings: &Settings, head: &Head, body: Incoming) -> Result<Bytes, Refusal> {
    let too_large = || {
        let message = format!("the body is larger than {} bytes; send less at once", settings.body_bytes);
        Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", message)
    };
    if head.content_length.is_some_and(|length| length > settings.body_bytes as u64) {
        return Err(too_large());
    }
    let reading = Limited::new(body, settings.body_bytes).collect();
    match tokio::time::timeout(Duration::from_secs(settings.body_seconds), reading).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => Err(too_large()),
        Ok(Err(_)) => Err(Refusal::new(StatusCode::BAD_REQUEST, "body-broken", "the body broke off; send it whole")),
        Err(_) => Err(Refusal::new(
            StatusCode::REQUEST_TIMEOUT,
            "body-late",
            "the body did not arrive in time; send it faster",
        )),
    }
}

fn known_model(embedded: &Embedded, name: &str) -> Result<(), Refusal> {
    if name == embedded.asset.name() {
        return Ok(());
    }
    Err(Refusal::new(
        StatusCode::NOT_FOUND,
        "model-unknown",
        "there is no such model here; ask an operator for its name",
    ))
}

/// The first input's rows for the watchers, where it is small enough to keep.
fn features(parsed: &InferRequest) -> (Arc<[f32]>, usize) {
    let Some(input) = parsed.inputs.first().filter(|input| input.data.len() <= WATCHED_VALUES) else {
        return (Arc::default(), 0);
    };
    let rows = input.shape.first().copied().unwrap_or(1).max(1);
    (input.data.to_floats().into(), input.data.len() / rows)
}

fn ledger_failed() -> Refusal {
    Refusal {
        retry_after: Some(5),
        ..Refusal::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "ledger-unavailable",
            "decisions can't be recorded, so nothing is served; tell the operator",
        )
    }
}

fn json(status: StatusCode, body: &serde_json::Value) -> Response<AnswerBody> {
    whole(status, Bytes::from(serde_json::to_vec(body).unwrap_or_default()))
}

fn whole(status: StatusCode, body: Bytes) -> Response<AnswerBody> {
    let mut response = Response::new(Full::new(body).map_err(|never| match never {}).boxed());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    response
}

fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Allow | Outcome::Observe => "allow",
        Outcome::Deny => "deny",
        Outcome::Transform => "transform",
        Outcome::Error => "error",
    }
}

fn microseconds(started: Instant) -> u64 {
    u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX)
}
