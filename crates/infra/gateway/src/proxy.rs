//! The streaming reverse proxy in front of a running server.
//!
//! The client never chooses the host: scheme, authority and base path come from configuration, the
//! rest of the target is what the policies saw, byte for byte. The client's credential stays here.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bartizan_core::{Asset, Clock, Secret};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::header::{AUTHORIZATION, CONNECTION, HOST, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use thiserror::Error;
use tokio::time::{Instant, Sleep};

use crate::answer::AnswerError;
use crate::outgoing::outgoing_tls;
use crate::quota::Hold;

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
const NOT_FORWARDED: [&str; 11] = [
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
    "host",
];

/// A server somewhere else.
pub struct Proxy {
    base: String,
    host: HeaderValue,
    credential: Option<HeaderValue>,
    asset: Asset,
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

impl Proxy {
    /// A proxy to the server at `url`, which is sent `credential` as a bearer token.
    ///
    /// # Errors
    /// The URL or the credential can't be used.
    pub fn new(url: &str, credential: Option<&Secret<String>>, asset: Asset) -> Result<Self, ProxyError> {
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
        let credential = credential
            .map(|key| {
                let mut value =
                    HeaderValue::from_str(&format!("Bearer {}", key.expose())).map_err(|_| ProxyError::Credential)?;
                value.set_sensitive(true);
                Ok(value)
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
        Ok(Self { base, host, credential, asset, client })
    }

    /// The upstream as an asset.
    pub fn asset(&self) -> &Asset {
        &self.asset
    }

    /// Where it is.
    pub fn base(&self) -> &str {
        &self.base
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
        request.headers_mut().insert(HOST, self.host.clone());
        if let Some(credential) = &self.credential {
            request.headers_mut().insert(AUTHORIZATION, credential.clone());
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
