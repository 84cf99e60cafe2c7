//! One request's way through the gateway: what stays the same, and what it ends with.

use std::sync::Arc;
use std::time::Instant;

use bartizan_core::{Exchange, Outcome};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};

use crate::answer::AnswerBody;
use crate::chain::Chain;

/// What stays the same from head to completion.
pub(crate) struct Course {
    /// The chain that was in force when the request arrived.
    pub(crate) chain: Arc<Chain>,
    /// The request's id: its admission's event id and the correlation of its entries.
    pub(crate) id: String,
    /// Opaque fingerprint of where it came from.
    pub(crate) source: String,
    /// When it arrived, on the monotonic clock.
    pub(crate) started: Instant,
}

impl Course {
    /// Microseconds since the request arrived.
    pub(crate) fn microseconds(&self) -> u64 {
        microseconds(self.started)
    }
}

/// An answer that may go out, and what the ledger is to say of it.
pub(crate) struct Done {
    pub(crate) response: Response<AnswerBody>,
    pub(crate) outcome: Outcome,
    pub(crate) bits: u64,
    pub(crate) bytes: u64,
    pub(crate) exchange: Option<Exchange>,
    /// Whether the completion is recorded later, when a stream ends.
    pub(crate) streaming: bool,
}

impl Done {
    /// An answer that tells nothing of the model's outputs.
    pub(crate) fn plain(response: Response<AnswerBody>) -> Self {
        Self { response, outcome: Outcome::Allow, bits: 0, bytes: 0, exchange: None, streaming: false }
    }
}

/// Microseconds since `started`.
pub(crate) fn microseconds(started: Instant) -> u64 {
    u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX)
}

/// A whole answer in JSON.
pub(crate) fn json(status: StatusCode, body: &serde_json::Value) -> Response<AnswerBody> {
    whole(status, Bytes::from(serde_json::to_vec(body).unwrap_or_default()))
}

/// A whole answer whose body is JSON already.
pub(crate) fn whole(status: StatusCode, body: Bytes) -> Response<AnswerBody> {
    let mut response = Response::new(Full::new(body).map_err(|never| match never {}).boxed());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    response
}
