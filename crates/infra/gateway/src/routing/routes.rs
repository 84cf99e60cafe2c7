//! Asks upstreams, one after the other where one fails before it answered.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use bartizan_core::Asset;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::{HeaderMap, Method, Response, StatusCode};
use tokio::sync::Semaphore;

use crate::guard::Refusal;
use crate::metrics::Metrics;
use crate::proxy::ProxyError;
use crate::routing::breaker::Attempt;
use crate::routing::settings::RoutingSettings;
use crate::routing::table::Table;
use crate::routing::upstream::{Upstream, UpstreamStanding, UpstreamWithKey};

/// Copies that are under way to shadows at the same time; more are not made.
const COPIES: usize = 64;
/// Bytes of a shadow's answer that are read, so that its connection can be used again.
const COPY_ANSWER: usize = 8 << 20;
/// Longest time for a copy.
const COPY_PATIENCE: Duration = Duration::from_secs(120);

/// The upstreams behind the door, replaced as a whole when configuration is reloaded.
pub struct Routes {
    asset: Asset,
    table: ArcSwap<Table>,
    copies: Arc<Semaphore>,
}

/// Upstreams that can be taken into use.
pub struct PreparedRoutes(Table);

/// A request on its way out.
pub(crate) struct Outgoing<'a> {
    pub(crate) method: Method,
    pub(crate) target: &'a str,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: Bytes,
}

/// An answer that began, and who gives it.
pub(crate) struct Sent {
    pub(crate) response: Response<Incoming>,
    pub(crate) upstream: Arc<Upstream>,
    pub(crate) attempts: u32,
}

/// How one attempt ended without an answer that can be used.
enum Failure {
    Unreachable,
    Late,
    Answered(Response<Incoming>),
}

impl Routes {
    /// Routes to `upstreams`, which together are `asset`.
    ///
    /// # Errors
    /// A URL or a credential that can't be used.
    pub fn new(asset: Asset, upstreams: &[UpstreamWithKey], settings: RoutingSettings) -> Result<Self, ProxyError> {
        let table = Table::new(upstreams, settings, None)?;
        Ok(Self { asset, table: ArcSwap::from_pointee(table), copies: Arc::new(Semaphore::new(COPIES)) })
    }

    /// Makes other upstreams ready for use. Those that did not change keep their connections.
    ///
    /// # Errors
    /// As for [`Routes::new`].
    pub fn prepare(
        &self,
        upstreams: &[UpstreamWithKey],
        settings: RoutingSettings,
    ) -> Result<PreparedRoutes, ProxyError> {
        let old = self.table.load_full();
        Ok(PreparedRoutes(Table::new(upstreams, settings, Some(&old))?))
    }

    /// Takes what was prepared into use for all requests that begin from now on.
    pub fn replace(&self, prepared: PreparedRoutes) {
        self.table.store(Arc::new(prepared.0));
    }

    /// The upstreams as one asset.
    pub fn asset(&self) -> &Asset {
        &self.asset
    }

    /// How the upstreams stand.
    pub fn standings(&self) -> Vec<UpstreamStanding> {
        self.table.load().standings()
    }

    /// What is in force.
    pub(crate) fn table(&self) -> Arc<Table> {
        self.table.load_full()
    }

    /// Sends copies to the shadows of `model`. Nothing waits for them, and none is made beyond a bound.
    pub(crate) fn copy(&self, table: &Table, model: &str, seed: &str, request: &Outgoing<'_>, metrics: &Metrics) {
        for shadow in table.shadows(model, seed) {
            let (metrics, shadow) = (metrics.clone(), shadow.clone());
            let Ok(permit) = self.copies.clone().try_acquire_owned() else {
                metrics.upstream_asked(&shadow.settings.name, "copy-dropped");
                continue;
            };
            let (method, target, headers) =
                (request.method.clone(), request.target.to_owned(), request.headers.clone());
            let body = request.body.clone();
            tokio::spawn(async move {
                let copied = tokio::time::timeout(COPY_PATIENCE, async {
                    let answer = shadow.proxy.send(method, &target, &headers, body).await.ok()?;
                    let status = answer.status();
                    let body = http_body_util::Limited::new(answer.into_body(), COPY_ANSWER);
                    body.collect().await.ok().map(|_| status)
                });
                let outcome = match copied.await {
                    Ok(Some(status)) if status.is_success() => "copy-answered",
                    _ => "copy-failed",
                };
                metrics.upstream_asked(&shadow.settings.name, outcome);
                drop(permit);
            });
        }
    }
}

impl Table {
    /// Asks the upstreams of `model` in turn until one answers.
    ///
    /// Another is asked only while nothing of an answer has come, within the budget of retries. An upstream that did
    /// not answer may have worked on the request all the same: what must not happen twice has to be told apart by the
    /// model server.
    ///
    /// # Errors
    /// No upstream serves the model, is well, or answered in time. What the last one answered is passed on even where
    /// it is a failure.
    pub(crate) async fn ask(
        &self,
        model: &str,
        seed: &str,
        request: Outgoing<'_>,
        patience: Duration,
        metrics: &Metrics,
    ) -> Result<Sent, Refusal> {
        let candidates = self.candidates(model, seed);
        if candidates.is_empty() {
            let message = "no upstream serves this model; ask an operator for its name, or see `GET /v1/models`";
            return Err(Refusal::new(StatusCode::NOT_FOUND, "model-unknown", message));
        }
        self.retries.deposit();
        let deadline = Instant::now() + patience;
        let (mut attempts, mut last) = (0, None);
        for upstream in &candidates {
            if attempts >= self.settings.attempts || (attempts > 0 && !self.retries.withdraw()) {
                break;
            }
            let Some(attempt) = upstream.attempt(Instant::now()) else { continue };
            attempts += 1;
            let left = deadline.saturating_duration_since(Instant::now());
            let wait = match upstream.settings.first_byte_seconds {
                0 => left,
                seconds => left.min(Duration::from_secs(seconds)),
            };
            let name = upstream.settings.name.as_str();
            match try_one(upstream, attempt, &request, wait).await {
                Ok(response) => {
                    metrics.upstream_asked(name, "answered");
                    return Ok(Sent { response, upstream: (*upstream).clone(), attempts });
                }
                Err(failure) => {
                    metrics.upstream_asked(name, "failed");
                    last = Some((failure, (*upstream).clone()));
                }
            }
        }
        match last {
            Some((Failure::Answered(response), upstream)) => Ok(Sent { response, upstream, attempts }),
            Some((Failure::Unreachable, _)) => {
                let message = "the model's server can't be reached; try again later, or tell its operator";
                Err(Refusal::new(StatusCode::BAD_GATEWAY, "upstream-unreachable", message))
            }
            Some((Failure::Late, _)) => {
                let message = "the model's server did not begin to answer in time; try again later";
                Err(Refusal::new(StatusCode::GATEWAY_TIMEOUT, "upstream-late", message))
            }
            None => {
                let now = Instant::now();
                let soonest = candidates.iter().filter_map(|upstream| upstream.open_for(now)).min().unwrap_or_default();
                let message = "the model's servers failed too often and are left alone for a while; try again later";
                Err(Refusal {
                    retry_after: Some(soonest.as_secs() + 1),
                    ..Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "upstream-unavailable", message)
                })
            }
        }
    }
}

async fn try_one(
    upstream: &Upstream,
    attempt: Attempt,
    request: &Outgoing<'_>,
    wait: Duration,
) -> Result<Response<Incoming>, Failure> {
    let Outgoing { method, target, headers, body } = request;
    let sent = upstream.proxy.send(method.clone(), target, headers, body.clone());
    match tokio::time::timeout(wait, sent).await {
        Ok(Ok(response)) => match response.status() {
            StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => {
                attempt.failed(Instant::now());
                Err(Failure::Answered(response))
            }
            // Busy, not ill.
            StatusCode::TOO_MANY_REQUESTS => Err(Failure::Answered(response)),
            _ => {
                attempt.succeeded();
                Ok(response)
            }
        },
        Ok(Err(error)) => {
            tracing::warn!(upstream = upstream.settings.name, %error, "the upstream could not be reached");
            attempt.failed(Instant::now());
            Err(Failure::Unreachable)
        }
        Err(_elapsed) => {
            attempt.failed(Instant::now());
            Err(Failure::Late)
        }
    }
}
