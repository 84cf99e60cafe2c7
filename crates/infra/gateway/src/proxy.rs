//! The streaming reverse proxy in front of a running server.
//!
//! The client never chooses the host: scheme, authority and base path come from configuration, the
//! rest of the target is what the policies saw, byte for byte. The client's credential stays here.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bartizan_core::{Clock, Secret};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::header::{AUTHORIZATION, CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use thiserror::Error;
use tokio::time::{Instant, Sleep};

use crate::answer::AnswerError;
use crate::outgoing::outgoing_tls;
use crate::quota::Hold;
use crate::routing::KeyHeader;

/// Why an upstream can't be used.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ProxyError {
    /// Not a URL of the kind that is expected.
    #[error("`{0}` is not an upstream; write it as `http://127.0.0.1:8000` or `https://host`")]
    Url(String),
    /// A credential that can't stand in a header.
    #[error("the upstream's key has characters that can't be sent in a header")]
    Credential,
}

/// Fields that belong to one connection (RFC 9110, section 7.6.1), or that are ours.
const NOT_FORWARDED: [&str; 12] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "authorization",
    "x-api-key",
    "api-key",
    "host",
];

/// Longest answer to a health check.
const HEALTH_BYTES: usize = 64 << 10;

/// A server somewhere else.
pub(crate) struct Proxy {
    base: String,
    host: HeaderValue,
    /// The header that carries the credential, and the credential.
    credential: Option<(HeaderName, HeaderValue)>,
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

impl Proxy {
    /// A proxy to the server at `url`, which is sent `key` as its credential in `header`.
    ///
    /// # Errors
    /// The URL or the credential can't be used.
    pub(crate) fn new(url: &str, key: Option<&Secret<String>>, header: KeyHeader) -> Result<Self, ProxyError> {
        let wrong = || ProxyError::Url(bartizan_core::printable(url));
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        let authority = uri.authority().ok_or_else(wrong)?;
        if !matches!(uri.scheme_str(), Some("http" | "https"))
            || uri.query().is_some()
            || authority.as_str().contains('@')
        {
            return Err(wrong());
        }
        let host = HeaderValue::from_str(authority.as_str()).map_err(|_| wrong())?;
        let credential = key
            .map(|key| {
                let (name, mut value) = match header {
                    KeyHeader::Authorization => {
                        (AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {}", key.expose())))
                    }
                    KeyHeader::XApiKey => (HeaderName::from_static("x-api-key"), HeaderValue::from_str(key.expose())),
                    KeyHeader::ApiKey => (HeaderName::from_static("api-key"), HeaderValue::from_str(key.expose())),
                };
                if let Ok(value) = &mut value {
                    value.set_sensitive(true);
                }
                value.map(|value| (name, value)).map_err(|_| ProxyError::Credential)
            })
            .transpose()?;
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(Duration::from_secs(5)));
        let tls = outgoing_tls().map_err(|_| wrong())?;
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().wrap_connector(connector);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(30))
            .pool_max_idle_per_host(256)
            .build(connector);
        let base = url.trim_end_matches('/').to_owned();
        Ok(Self { base, host, credential, client })
    }

    /// Whether `key` is what it sends as credential.
    pub(crate) fn has_credential(&self, key: Option<&Secret<String>>) -> bool {
        match (&self.credential, key) {
            (None, None) => true,
            (Some((name, value)), Some(key)) => {
                let sent = value.as_bytes();
                let sent = if *name == AUTHORIZATION { sent.strip_prefix(b"Bearer ").unwrap_or(sent) } else { sent };
                sent == key.expose().as_bytes()
            }
            _ => false,
        }
    }

    /// The status of what `path` answers.
    pub(crate) async fn get(&self, path: &str) -> Result<StatusCode, AnswerError> {
        let answer = self.send(Method::GET, path, &HeaderMap::new(), Bytes::new()).await?;
        let status = answer.status();
        // Read to its end, so that the connection can be used again.
        Limited::new(answer.into_body(), HEALTH_BYTES).collect().await?;
        Ok(status)
    }

    /// Sends a request on. The answer's body is still to be streamed.
    pub(crate) async fn send(
        &self,
        method: Method,
        target: &str,
        headers: &HeaderMap,
        body: Bytes,
    ) -> Result<Response<Incoming>, AnswerError> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = format!("{}{target}", self.base).parse()?;
        copy(headers, request.headers_mut());
        // What is sent on may be longer than what came: its length is told anew.
        request.headers_mut().remove(CONTENT_LENGTH);
        request.headers_mut().insert(HOST, self.host.clone());
        if let Some((name, value)) = &self.credential {
            request.headers_mut().insert(name, value.clone());
        }
        Ok(self.client.request(request).await?)
    }
}

/// Copies what may travel further: neither connection fields, nor what `Connection` names, nor credentials.
pub(crate) fn copy(from: &HeaderMap, to: &mut HeaderMap) {
    let named: Vec<HeaderName> = from
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for (name, value) in from {
        if !NOT_FORWARDED.contains(&name.as_str()) && !named.contains(name) {
            to.append(name, value.clone());
        }
    }
}

/// How a streamed answer ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ended {
    /// The upstream said so.
    Complete,
    /// The upstream broke off or paused for too long.
    Broken,
    /// The client went away.
    Abandoned,
    /// A quota had nothing left.
    Cut,
}

/// An upstream's body on its way to the client: counted, held to a deadline between frames, and
/// reported when it ends, however it ends.
pub(crate) struct Watched<B: Body, F: FnOnce(Ended, u64, Option<serde_json::Value>)> {
    inner: B,
    idle: Duration,
    pause: Pin<Box<Sleep>>,
    bytes: u64,
    metered: Metered,
    /// Whether what was sent last ended a line.
    is_line_ended: bool,
    is_cut: bool,
    report: Option<F>,
}

/// What a request holds of its quotas, and the time to ask for more.
pub(crate) struct Metered {
    pub(crate) hold: Option<Hold>,
    pub(crate) clock: Arc<dyn Clock>,
}

/// The last event of a stream that a quota cut.
const CUT: &str = r#"data: {"error":{"type":"quota","code":"quota-exhausted","message":"the stream was cut: a quota has nothing left; see `RateLimit` and try again when it says"}}"#;

impl<B: Body, F: FnOnce(Ended, u64, Option<serde_json::Value>)> Watched<B, F> {
    pub(crate) fn new(inner: B, idle: Duration, metered: Metered, report: F) -> Self {
        let pause = Box::pin(tokio::time::sleep(idle));
        Self { inner, idle, pause, bytes: 0, metered, is_line_ended: true, is_cut: false, report: Some(report) }
    }

    /// Whether a piece may be sent on; instead of one that may not, the stream ends with an event that says so.
    fn cover(&mut self, frame: Frame<Bytes>) -> Frame<Bytes> {
        let (Some(hold), Some(data)) = (&mut self.metered.hold, frame.data_ref()) else { return frame };
        if hold.push(data, self.metered.clock.now()).is_ok() {
            self.is_line_ended = data.ends_with(b"\n");
            return frame;
        }
        self.is_cut = true;
        let start = if self.is_line_ended { "" } else { "\n\n" };
        let event = format!("{start}{CUT}\n\n");
        self.end(Ended::Cut);
        Frame::data(Bytes::from(event))
    }

    fn end(&mut self, ended: Ended) {
        if let Some(report) = self.report.take() {
            let usage = self.metered.hold.take().map(|mut hold| hold.finish());
            report(ended, self.bytes, usage);
        }
    }
}

impl<B, F> Body for Watched<B, F>
where
    B: Body<Data = Bytes, Error = AnswerError> + Unpin,
    F: FnOnce(Ended, u64, Option<serde_json::Value>) + Unpin,
{
    type Data = Bytes;
    type Error = AnswerError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, AnswerError>>> {
        if self.is_cut {
            return Poll::Ready(None);
        }
        match Pin::new(&mut self.inner).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => {
                let frame = self.cover(frame);
                self.bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
                let next = Instant::now() + self.idle;
                self.pause.as_mut().reset(next);
                if self.inner.is_end_stream() && !self.is_cut {
                    self.end(Ended::Complete);
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                self.end(Ended::Broken);
                Poll::Ready(Some(Err(error)))
            }
            Poll::Ready(None) => {
                self.end(Ended::Complete);
                Poll::Ready(None)
            }
            Poll::Pending => match self.pause.as_mut().poll(context) {
                Poll::Ready(()) => {
                    self.end(Ended::Broken);
                    Poll::Ready(Some(Err("the upstream paused for too long".into())))
                }
                Poll::Pending => Poll::Pending,
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        self.is_cut || self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl<B: Body, F: FnOnce(Ended, u64, Option<serde_json::Value>)> Drop for Watched<B, F> {
    fn drop(&mut self) {
        let ended = if self.inner.is_end_stream() { Ended::Complete } else { Ended::Abandoned };
        self.end(ended);
    }
}

/// Boxes a watched body.
pub(crate) fn boxed<B, F>(watched: Watched<B, F>) -> crate::answer::AnswerBody
where
    B: Body<Data = Bytes, Error = AnswerError> + Unpin + Send + Sync + 'static,
    F: FnOnce(Ended, u64, Option<serde_json::Value>) + Unpin + Send + Sync + 'static,
{
    watched.boxed()
}
