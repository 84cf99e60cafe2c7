//! One request, from head to completion.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use bartizan_access::{Directory, Operation, Policies, Resource, Workloads};
use bartizan_core::{Clock, Event, Exchange, Observe, Outcome, Secret, Timestamp, event_id};
use bartizan_inference::protocol::{self, Request as InferRequest};
use bartizan_ledger::{LedgerHandle, Ticket, Urgency};
use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderValue};
use hyper::{Request, Response, StatusCode};
use tokio::sync::Semaphore;

use crate::answer::AnswerBody;
use crate::backend::Backend;
use crate::budget::BudgetBook;
use crate::chain::{Chain, House};
use crate::course::{Course, Done, json};
use crate::embedded::Embedded;
use crate::guard::{Admission, Refusal, Stage};
use crate::head::{Head, HeadError, Route};
use crate::metrics::Metrics;
use crate::peer::Peer;
use crate::problem;
use crate::prompts::Judge;
use crate::quota::{self, Hold, QuotaBook, Subject};
use crate::record::{self, Committer, Completed, Suppressed};
use crate::settings::{Durability, Settings};
use crate::share::{Share, Shares, network};
use crate::tokens::Tokens;

/// What a gateway is made of.
pub struct GatewayParts {
    /// Settings, already checked.
    pub settings: Settings,
    /// What stands behind the door.
    pub backend: Backend,
    /// Who there is.
    pub directory: Arc<Directory>,
    /// Whose access tokens are accepted.
    pub tokens: Arc<Tokens>,
    /// Whose client certificates are accepted.
    pub workloads: Arc<Workloads>,
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
    /// What was used up of the quotas.
    pub quotas: Arc<QuotaBook>,
    /// The key of this installation's commitments.
    pub commitment_key: Secret<[u8; 32]>,
}

/// The door. Shared by all connections.
pub struct Gateway {
    chain: ArcSwap<Chain>,
    backend: Backend,
    resource: Resource,
    directory: Arc<Directory>,
    tokens: Arc<Tokens>,
    ledger: LedgerHandle,
    pub(crate) watchers: Arc<dyn Observe>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: Metrics,
    pub(crate) book: Arc<BudgetBook>,
    committer: Committer,
    suppressed: Suppressed,
    in_flight: Arc<Semaphore>,
    shares: Arc<Shares<String>>,
    pub(crate) judge: Judge,
}

impl Gateway {
    /// Builds the gateway and its guards.
    pub fn new(parts: GatewayParts) -> Self {
        let asset = parts.backend.asset();
        let resource = Resource::Model(asset.tenant().clone(), asset.name().to_owned());
        let in_flight = Arc::new(Semaphore::new(parts.settings.concurrency.max(1)));
        let house = House {
            directory: &parts.directory,
            tokens: &parts.tokens,
            book: &parts.book,
            quotas: &parts.quotas,
            backend: &parts.backend,
        };
        let chain = Chain::new(parts.settings, parts.policies, parts.workloads, &house, None);
        Self {
            chain: ArcSwap::from_pointee(chain),
            resource,
            backend: parts.backend,
            directory: parts.directory,
            tokens: parts.tokens,
            ledger: parts.ledger,
            watchers: parts.watchers,
            clock: parts.clock,
            metrics: parts.metrics,
            book: parts.book,
            committer: Committer::new(parts.commitment_key),
            suppressed: Suppressed::default(),
            in_flight,
            shares: Arc::default(),
            judge: Judge::default(),
        }
    }

    /// Takes other settings and policies into use, for all requests that begin from now on. Limits
    /// keep their state where their figures are the same.
    pub fn reload(&self, settings: Settings, policies: Arc<Policies>, workloads: Arc<Workloads>) {
        let old = self.chain.load_full();
        let house = House {
            directory: &self.directory,
            tokens: &self.tokens,
            book: &self.book,
            quotas: &old.quotas,
            backend: &self.backend,
        };
        let next = Chain::new(settings, policies, workloads, &house, Some(&old));
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

    /// An opaque word for the network that an address is in; the same for all of a connection's requests.
    pub(crate) fn network_word(&self, address: IpAddr) -> Arc<str> {
        self.committer.word(&["network", &network(address).to_string()]).into()
    }

    /// A connection was closed because its address has its share already.
    pub(crate) fn turned_away(&self) {
        self.metrics.turned_away();
    }

    /// Answers one request.
    pub(crate) async fn handle(self: &Arc<Self>, request: Request<Incoming>, peer: &Peer) -> Response<AnswerBody> {
        let (address, started, now) = (peer.address, Instant::now(), self.clock.now());
        if peer.ambiguity.is_seen() {
            let mut answer = self.refuse_head(HeadError::Framing, now, address, started).await;
            answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            return answer;
        }
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
            return self.shed(now);
        };
        self.metrics.begin();
        let course = Course {
            chain: self.chain.load_full(),
            id: event_id(now),
            source: self.committer.source(address, &head.agent),
            started,
        };
        let mut admission = Admission {
            operation: operation(&head.route),
            resource: &self.resource,
            head: &head,
            address,
            network: peer.network.clone(),
            certificate: peer.certificate.clone(),
            now,
            caller: None,
            decision: None,
            tensors: None,
            shadowed: Vec::new(),
            model: String::new(),
            prompt: None,
            hold: None,
            share: None,
        };
        let (mut answer, outcome, reason) = match self.admit(&course, &mut admission, request).await {
            Ok(done) => {
                let outcome = done.outcome;
                (self.complete(&course, &mut admission, done).await, outcome, String::new())
            }
            Err(mut refusal) => {
                if let Some(mut hold) = admission.hold.take() {
                    hold.release();
                }
                if let Some(caller) = &admission.caller {
                    refusal.principal.clone_from(&caller.principal.id);
                    refusal.key = caller.key.to_string();
                    refusal.drill = caller.principal.drill;
                }
                refusal.recorded = course.chain.limits.records_refusal(address);
                let mut exchange = self.exchange(&course, &admission, Outcome::Deny, refusal.status, &refusal.reason);
                exchange.principal.clone_from(&refusal.principal);
                exchange.key.clone_from(&refusal.key);
                exchange.drill = refusal.drill;
                self.watchers.exchange(exchange);
                let answer = self.refuse(&course, now, admission.operation.as_str(), &refusal).await;
                (answer, Outcome::Deny, refusal.reason)
            }
        };
        self.describe_quotas(&course, &admission, answer.headers_mut());
        self.metrics.end(word(outcome), &reason, course.microseconds(), !admission.shadowed.is_empty());
        answer
    }

    /// Passes the guards, records the admission and asks the backend.
    async fn admit(
        self: &Arc<Self>,
        course: &Course,
        admission: &mut Admission<'_>,
        request: Request<Incoming>,
    ) -> Result<Done, Refusal> {
        self.tokens.prepare(admission.head.credential.as_deref()).await;
        course.chain.ask(Stage::Head, admission)?;
        admission.share = self.share(course, admission)?;
        let (parts, body) = request.into_parts();
        let body = read_body(&course.chain.settings, admission.head, body).await?;
        match (&self.backend, &admission.head.route) {
            (_, Route::Server) => {
                self.admit_reading(course, admission).await?;
                Ok(Done::plain(json(StatusCode::OK, &server_metadata())))
            }
            (Backend::Embedded(embedded), Route::Model(name) | Route::ModelReady(name)) => {
                known_model(embedded, name)?;
                self.admit_reading(course, admission).await?;
                let metadata = protocol::metadata(embedded.asset.name(), &embedded.digest.hex(), &embedded.signature);
                Ok(Done::plain(json(StatusCode::OK, &metadata)))
            }
            (Backend::Embedded(embedded), Route::Infer(name)) => {
                known_model(embedded, name)?;
                let parsed = InferRequest::parse(&body, admission.head.header_length)
                    .map_err(|error| Refusal::new(StatusCode::BAD_REQUEST, "tensor-malformed", error.to_string()))?;
                admission.tensors = Some(parsed);
                course.chain.ask(Stage::Body, admission)?;
                let Some(parsed) = admission.tensors.take() else { return Err(guard_failed()) };
                embedded.asset.name().clone_into(&mut admission.model);
                admission.hold =
                    reserve(course, admission, quota::Usage { bytes: body.len() as u64, ..Default::default() })?;
                let ticket = self.record_admission(course, admission, &body)?;
                self.infer(course, admission, embedded, parsed, ticket).await
            }
            (Backend::Upstream(routes), _) => self.admit_upstream(course, admission, routes, &parts, body).await,
            _ => Err(Refusal::new(StatusCode::NOT_FOUND, "route-closed", HeadError::Route.to_string())),
        }
    }

    /// Records the completion of an answer that is whole, and tells the watchers.
    async fn complete(&self, course: &Course, admission: &mut Admission<'_>, done: Done) -> Response<AnswerBody> {
        if done.streaming {
            return done.response;
        }
        let microseconds = course.microseconds();
        let usage = admission.hold.take().map(|mut hold| hold.end(done.bytes));
        let completed = Completed {
            usage,
            correlation: &course.id,
            principal: admission.caller.as_ref().map_or("", |caller| &caller.principal.id),
            operation: admission.operation.as_str(),
            asset: self.backend.asset(),
            outcome: done.outcome,
            reason: "",
            status: done.response.status().as_u16(),
            bits: done.bits,
            bytes: done.bytes,
            microseconds,
        };
        let event = record::completion(self.clock.now(), completed);
        let strict = course.chain.settings.durability == Durability::Strict;
        let urgency = if strict { Urgency::Now } else { Urgency::Within(course.chain.settings.deferral()) };
        let recorded = self.append(&event, urgency);
        if let Some(mut exchange) = done.exchange {
            exchange.microseconds = microseconds;
            self.watchers.exchange(exchange);
        }
        match recorded {
            Ok(ticket) if strict => match ticket.await {
                Ok(_) => done.response,
                Err(_) => problem::answer(&ledger_failed(), &course.id),
            },
            Ok(_) => done.response,
            Err(refusal) => problem::answer(&refusal, &course.id),
        }
    }

    /// Records the admission of a request that only reads, and waits until it is on disk.
    pub(crate) async fn admit_reading(&self, course: &Course, admission: &Admission<'_>) -> Result<(), Refusal> {
        let ticket = self.record_admission(course, admission, &[])?;
        self.hold(course, ticket).await
    }

    pub(crate) fn record_admission(
        &self,
        course: &Course,
        admission: &Admission<'_>,
        body: &[u8],
    ) -> Result<Ticket, Refusal> {
        let commitment = (!body.is_empty()).then(|| self.committer.commit(&course.id, body));
        let event = record::admission(&course.id, self.backend.asset(), admission, &course.source, commitment);
        let urgency = match course.chain.settings.durability {
            Durability::Strict | Durability::Overlap => Urgency::Now,
            Durability::Batched => Urgency::Within(course.chain.settings.deferral()),
        };
        self.append(&event, urgency)
    }

    /// Gives an event to the ledger and to the watchers.
    pub(crate) fn append(&self, event: &Event, urgency: Urgency) -> Result<Ticket, Refusal> {
        let ticket = self.ledger.append(event, urgency).map_err(|error| {
            tracing::error!(%error, "the ledger can't be written: nothing is served");
            ledger_failed()
        })?;
        self.watchers.event(event);
        Ok(ticket)
    }

    /// Waits until an admission is on disk, where the durability mode asks for that.
    pub(crate) async fn hold(&self, course: &Course, ticket: Ticket) -> Result<(), Refusal> {
        if course.chain.settings.durability == Durability::Batched {
            return Ok(());
        }
        ticket.await.map(|_| ()).map_err(|_| ledger_failed())
    }

    /// Records a refusal, waits until it is on disk, and answers.
    async fn refuse(
        &self,
        course: &Course,
        now: Timestamp,
        operation: &str,
        refusal: &Refusal,
    ) -> Response<AnswerBody> {
        if !refusal.recorded {
            self.suppressed.count(refusal);
            return problem::answer(refusal, &course.id);
        }
        let policy = course.chain.policies.digest();
        let event = record::refusal(&course.id, now, operation, self.backend.asset(), refusal, &course.source, policy);
        match self.append(&event, Urgency::Now) {
            Ok(ticket) => match ticket.await {
                Ok(_) => problem::answer(refusal, &course.id),
                Err(_) => problem::answer(&ledger_failed(), &course.id),
            },
            Err(failed) => problem::answer(&failed, &course.id),
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
        let course = Course {
            chain: self.chain.load_full(),
            id: event_id(now),
            source: self.committer.source(address, ""),
            started,
        };
        let mut refusal = Refusal::new(status, error.reason(), error.to_string());
        refusal.recorded = course.chain.limits.records_refusal(address);
        self.metrics.begin();
        let answer = self.refuse(&course, now, "Request", &refusal).await;
        self.metrics.end("deny", &refusal.reason, course.microseconds(), false);
        answer
    }

    /// More than can be worked on: said at once, counted, not recorded one by one.
    fn shed(&self, now: Timestamp) -> Response<AnswerBody> {
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
        let mut body = serde_json::json!({ "ready": ready });
        if self.tokens.are_accepted() {
            // Keys still open the door, so this does not make it unready. Which issuer it is, is not said here.
            let all = self.tokens.standings().iter().all(|issuer| issuer.keys > 0);
            body["issuer_keys"] = if all { "held" } else { "missing" }.into();
        }
        json(status, &body)
    }

    /// A place among the requests of the caller that are worked on.
    fn share(&self, course: &Course, admission: &Admission<'_>) -> Result<Option<Share<String>>, Refusal> {
        let Some(caller) = &admission.caller else { return Ok(None) };
        let most = course.chain.settings.concurrency_per_principal;
        match self.shares.take(caller.principal.id.clone(), most) {
            Some(share) => Ok(Some(share)),
            None => Err(Refusal {
                retry_after: Some(1),
                ..Refusal::new(
                    StatusCode::TOO_MANY_REQUESTS,
                    "too-many-open",
                    "too many requests of this principal are being worked on; wait for answers before asking again",
                )
            }),
        }
    }

    /// Says in the answer how the caller's quotas stand.
    fn describe_quotas(&self, course: &Course, admission: &Admission<'_>, headers: &mut hyper::HeaderMap) {
        if let Some(subject) = subject(admission).filter(|_| !course.chain.quotas.quotas().is_empty()) {
            quota::describe(headers, &course.chain.quotas.standing(&subject, self.clock.now()));
        }
    }

    /// The request as the watchers see it, without inputs and outputs.
    pub(crate) fn exchange(
        &self,
        course: &Course,
        admission: &Admission<'_>,
        outcome: Outcome,
        status: StatusCode,
        reason: &str,
    ) -> Exchange {
        let caller = admission.caller.as_ref();
        Exchange {
            time: admission.now,
            tenant: caller
                .map_or_else(|| self.backend.asset().tenant().clone(), |caller| caller.principal.tenant.clone()),
            principal: caller.map(|caller| caller.principal.id.clone()).unwrap_or_default(),
            key: caller.map(|caller| caller.key.to_string()).unwrap_or_default(),
            drill: caller.is_some_and(|caller| caller.principal.drill),
            source: course.source.clone(),
            network: admission.network.to_string(),
            program: self.committer.word(&["program", &admission.head.agent]),
            asset: self.backend.asset().clone(),
            outcome,
            reason: reason.to_owned(),
            status: status.as_u16(),
            microseconds: course.microseconds(),
            inputs: Arc::default(),
            width: 0,
            labels: Arc::default(),
        }
    }
}

/// Whose quotas a request belongs to, once its caller is known.
fn subject<'a>(admission: &'a Admission<'_>) -> Option<Subject<'a>> {
    let principal = &admission.caller.as_ref()?.principal;
    let (tenant, name) = (principal.tenant.as_str(), principal.name.as_str());
    Some(Subject { tenant, principal: &principal.id, name, model: quota::recordable(&admission.model) })
}

/// Reserves what a request may use up, where a quota concerns it.
pub(crate) fn reserve(
    course: &Course,
    admission: &Admission<'_>,
    usage: quota::Usage,
) -> Result<Option<Hold>, Refusal> {
    let chain = &course.chain;
    let (Some(subject), Some(caller)) = (subject(admission), &admission.caller) else { return Ok(None) };
    if chain.quotas.quotas().is_empty() {
        return Ok(None);
    }
    let prices = &chain.settings.prices;
    let price = prices.get(subject.model).or_else(|| prices.get("*")).copied().unwrap_or_default();
    let ask = quota::amounts(price, usage.prompt, usage.answer, usage.bytes);
    match chain.quotas.reserve(&subject, ask, caller.divisor, admission.now) {
        Ok(reservation) => Ok(Some(Hold::new(reservation, subject.model.to_owned(), usage, price))),
        Err(exhausted) => {
            let message = match exhausted.retry_after {
                Some(_) => {
                    format!("the quota `{}` has too little left; wait as long as `Retry-After` says", exhausted.quota)
                }
                None => format!(
                    "one request asks for more than the quota `{}` ever has; lower `max_tokens`",
                    exhausted.quota
                ),
            };
            let reason = format!("quota-{}", exhausted.quota);
            let refusal = Refusal::new(StatusCode::TOO_MANY_REQUESTS, &reason, message);
            Err(Refusal { retry_after: exhausted.retry_after, ..refusal })
        }
    }
}

fn operation(route: &Route) -> Operation {
    match route {
        Route::Infer(_) | Route::Generate(_) | Route::Predict(_) => Operation::Infer,
        Route::Manage => Operation::ManageModel,
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
    let late = || {
        let message = "the body did not arrive in time; send it faster";
        Refusal::new(StatusCode::REQUEST_TIMEOUT, "body-late", message)
    };
    let broken = || Refusal::new(StatusCode::BAD_REQUEST, "body-broken", "the body broke off; send it whole");
    let pause = Duration::from_secs(settings.body_pause_seconds);
    let reading = async {
        let (mut body, mut whole) = (Limited::new(body, settings.body_bytes), BytesMut::new());
        let mut only = None;
        while let Some(frame) = tokio::time::timeout(pause, body.frame()).await.map_err(|_| late())? {
            let Ok(data) =
                frame.map_err(|error| if error.is::<LengthLimitError>() { too_large() } else { broken() })?.into_data()
            else {
                continue;
            };
            // A body that came in one piece is not copied.
            match only.take() {
                None if whole.is_empty() => only = Some(data),
                first => {
                    whole.extend_from_slice(&first.unwrap_or_default());
                    whole.extend_from_slice(&data);
                }
            }
        }
        Ok(only.unwrap_or_else(|| whole.freeze()))
    };
    tokio::time::timeout(Duration::from_secs(settings.body_seconds), reading).await.map_err(|_| late())?
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

fn server_metadata() -> serde_json::Value {
    serde_json::json!({ "name": "bartizan", "version": env!("CARGO_PKG_VERSION"), "extensions": ["binary_tensor_data"] })
}

fn guard_failed() -> Refusal {
    Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "guard-failed", "a guard failed; tell the operator")
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

fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Allow | Outcome::Observe => "allow",
        Outcome::Deny => "deny",
        Outcome::Transform => "transform",
        Outcome::Error => "error",
    }
}
