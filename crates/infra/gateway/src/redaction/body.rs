//! An upstream's answer with its texts masked, or only counted.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bartizan_inference::refuse_duplicate_keys;
use bartizan_sensitive::Redaction;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap};
use hyper::http::response::Parts;
use hyper::{Response, StatusCode};

use super::output_guard::OutputGuard;
use super::pipeline::Pipeline;
use super::tally::Tally;
use super::values::Values;
use crate::answer::AnswerError;
use crate::guard::Refusal;

/// The body of an answer behind the guard.
pub(crate) enum GuardedBody {
    /// As it comes.
    Plain(Incoming),
    /// As it comes, and read alongside.
    Counted(Incoming, Reading),
    /// Event by event.
    Masked(Option<Incoming>, Box<Pipeline>),
    /// Read and masked as a whole.
    Whole(Full<Bytes>),
}

/// How an answer that passes unchanged is read alongside.
pub(crate) enum Reading {
    Events(Box<Pipeline>),
    Whole { bytes: Vec<u8>, form: Form, limit: usize, rules: Arc<Redaction>, tally: Tally },
    Over,
}

/// Fields of a head that say something about bytes which are no longer the same.
const ABOUT_BYTES: [&str; 6] = ["content-length", "etag", "content-md5", "digest", "repr-digest", "content-digest"];

/// How an answer can be read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Events,
    Json,
    /// JSON or text.
    Text,
    /// Sound, pictures, tensors: no text is looked for in them.
    Other,
}

fn form(headers: &HeaderMap) -> Form {
    let media = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media = media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match media.as_str() {
        "text/event-stream" => Form::Events,
        "application/octet-stream" => Form::Other,
        _ if ["audio/", "image/", "video/"].iter().any(|family| media.starts_with(family)) => Form::Other,
        _ if media.contains("json") => Form::Json,
        _ => Form::Text,
    }
}

/// Puts the guard around an answer. Where it masks whole answers, waits for them, `patience` at most.
///
/// # Errors
/// The answer is compressed, too large, cut off or not text, and the guard has to mask it.
pub(crate) async fn guard(
    guard: Option<&OutputGuard>,
    answer: Response<Incoming>,
    tally: &Tally,
    patience: Duration,
) -> Result<(Parts, GuardedBody), Refusal> {
    let (mut parts, body) = answer.into_parts();
    let Some(guard) = guard else { return Ok((parts, GuardedBody::Plain(body))) };
    let form = form(&parts.headers);
    let is_compressed = parts.headers.get(CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity");
    if form == Form::Other || body.is_end_stream() {
        return Ok((parts, GuardedBody::Plain(body)));
    }
    if !guard.enforces {
        let reading = if is_compressed {
            tally.give_up("answer-compressed");
            Reading::Over
        } else if form == Form::Events {
            Reading::Events(Box::new(Pipeline::counting(&guard.rules, guard.answer_bytes, tally.clone())))
        } else {
            let (rules, limit) = (guard.rules.clone(), guard.answer_bytes);
            Reading::Whole { bytes: Vec::new(), form, limit, rules, tally: tally.clone() }
        };
        return Ok((parts, GuardedBody::Counted(body, reading)));
    }
    if is_compressed {
        return Err(unreadable(
            "answer-compressed",
            "the model's server compressed its answer, so it can't be checked; turn compression off there",
        ));
    }
    if form == Form::Events {
        forget(&mut parts.headers);
        let pipeline = Pipeline::masking(&guard.rules, guard.answer_bytes, tally.clone());
        return Ok((parts, GuardedBody::Masked(Some(body), Box::new(pipeline))));
    }
    let bytes = collect(body, guard.answer_bytes, patience).await?;
    let masked = mask(&bytes, form, &guard.rules, tally).ok_or_else(|| {
        unreadable("upstream-malformed", "the model's server answered with what is no text; tell its operator")
    })?;
    let Some(masked) = masked else { return Ok((parts, GuardedBody::Whole(Full::new(bytes)))) };
    forget(&mut parts.headers);
    parts.headers.insert(CONTENT_LENGTH, masked.len().into());
    Ok((parts, GuardedBody::Whole(Full::new(masked.into()))))
}

async fn collect(body: Incoming, limit: usize, patience: Duration) -> Result<Bytes, Refusal> {
    match tokio::time::timeout(patience, Limited::new(body, limit).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
            let message =
                "the model's server answered with more than can be checked; raise `gateway.redaction.answer_bytes`";
            Err(unreadable("answer-too-large", message))
        }
        Ok(Err(_)) => Err(unreadable("upstream-broke-off", "the model's server broke off; try again later")),
        Err(_elapsed) => {
            let message = "the model's server did not answer in time; try again later";
            Err(Refusal::new(StatusCode::GATEWAY_TIMEOUT, "upstream-late", message))
        }
    }
}

fn unreadable(reason: &str, message: &str) -> Refusal {
    Refusal::new(StatusCode::BAD_GATEWAY, reason, message)
}

fn forget(headers: &mut HeaderMap) {
    for name in ABOUT_BYTES {
        headers.remove(name);
    }
}

/// Masks a whole answer, as JSON or else as text; nothing inside where it stays as it is, nothing at all
/// where it can't be read.
fn mask(bytes: &[u8], form: Form, rules: &Arc<Redaction>, tally: &Tally) -> Option<Option<Vec<u8>>> {
    let text = std::str::from_utf8(bytes).ok()?;
    let mut values = Values::new(rules);
    let masked = match serde_json::from_str::<serde_json::Value>(text) {
        Ok(mut value) => {
            values.mask(&mut value);
            // Of two fields with one name a client may read the one that was not looked at.
            values.is_changed |= refuse_duplicate_keys(bytes).is_err();
            serde_json::to_vec(&value).ok()?
        }
        Err(_) if form == Form::Json && !text.is_empty() => return None,
        Err(_) => {
            let mut text = text.to_owned();
            values.text(&mut text, "");
            text.into_bytes()
        }
    };
    let is_changed = values.is_changed;
    tally.add(values.counts);
    Some(is_changed.then_some(masked))
}

impl Reading {
    fn push(&mut self, piece: &[u8]) {
        match self {
            Self::Events(pipeline) => {
                if pipeline.push(piece, &mut Vec::new()).is_err() {
                    *self = Self::Over;
                }
            }
            Self::Whole { bytes, limit, tally, .. } => {
                if bytes.len() + piece.len() > *limit {
                    tally.give_up("answer-too-large");
                    *self = Self::Over;
                } else {
                    bytes.extend_from_slice(piece);
                }
            }
            Self::Over => {}
        }
    }

    fn finish(&mut self) {
        match std::mem::replace(self, Self::Over) {
            Self::Events(mut pipeline) => {
                let _ = pipeline.finish(&mut Vec::new());
            }
            Self::Whole { bytes, form, rules, tally, .. } => {
                if mask(&bytes, form, &rules, &tally).is_none() {
                    tally.give_up("upstream-malformed");
                }
            }
            Self::Over => {}
        }
    }
}

impl Body for GuardedBody {
    type Data = Bytes;
    type Error = AnswerError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, AnswerError>>> {
        match &mut *self {
            Self::Plain(inner) => Pin::new(inner).poll_frame(context).map_err(Into::into),
            Self::Whole(inner) => Pin::new(inner).poll_frame(context).map_err(|never| match never {}),
            Self::Counted(inner, reading) => {
                let polled = Pin::new(&mut *inner).poll_frame(context).map_err(Into::into);
                match &polled {
                    Poll::Ready(Some(Ok(frame))) => {
                        reading.push(frame.data_ref().map_or(&[], |data| data));
                        if inner.is_end_stream() {
                            reading.finish();
                        }
                    }
                    Poll::Ready(None) => reading.finish(),
                    _ => {}
                }
                polled
            }
            Self::Masked(upstream, pipeline) => {
                let Some(inner) = upstream else { return Poll::Ready(None) };
                let mut out = Vec::new();
                match Pin::new(inner).poll_frame(context) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Some(Err(error))) => {
                        *upstream = None;
                        return Poll::Ready(Some(Err(error.into())));
                    }
                    // An empty frame says that the upstream is alive; nothing of it goes over the wire.
                    Poll::Ready(Some(Ok(frame))) => {
                        let data = frame.into_data().unwrap_or_default();
                        if pipeline.push(&data, &mut out).is_err() {
                            *upstream = None;
                        }
                    }
                    Poll::Ready(None) => {
                        let _ = pipeline.finish(&mut out);
                        *upstream = None;
                        if out.is_empty() {
                            return Poll::Ready(None);
                        }
                    }
                }
                Poll::Ready(Some(Ok(Frame::data(out.into()))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Plain(inner) | Self::Counted(inner, _) => inner.is_end_stream(),
            Self::Whole(inner) => inner.is_end_stream(),
            Self::Masked(upstream, _) => upstream.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Plain(inner) | Self::Counted(inner, _) => inner.size_hint(),
            Self::Whole(inner) => inner.size_hint(),
            Self::Masked(..) => SizeHint::default(),
        }
    }
}
