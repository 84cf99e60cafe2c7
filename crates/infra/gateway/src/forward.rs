//! Answers of an upstream, streamed.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bartizan_core::Outcome;
use bartizan_ledger::{Ticket, Urgency};
use bytes::Bytes;
use hyper::header::CONTENT_TYPE;
use hyper::http::request::Parts;
use hyper::{Response, StatusCode};

use crate::course::{Course, Done};
use crate::gateway::Gateway;
use crate::guard::{Admission, Refusal};
use crate::proxy::{self, Ended, Metered, Proxy, Watched};
use crate::record::{self, Completed};
use crate::redaction::{self, OutputGuard, Tally};
use crate::settings::Durability;

impl Gateway {
    /// Sends an admitted request on, while its admission goes to disk (in strict durability, after it
    /// has), and lets the answer stream back. The completion is recorded when the stream ends.
    pub(crate) async fn forward(
        self: &Arc<Self>,
        course: &Course,
        admission: &mut Admission<'_>,
        proxy: &Proxy,
        parts: &Parts,
        body: Bytes,
        ticket: Ticket,
    ) -> Result<Done, Refusal> {
        let settings = &course.chain.settings;
        let head = admission.head;
        let guard = course.chain.output.as_ref();
        let headers = guard.map_or(Cow::Borrowed(&parts.headers), |guard| guard.ask_for_plain(&parts.headers));
        let sent = proxy.send(head.method.clone(), &head.target, &headers, body);
        let sent = tokio::time::timeout(Duration::from_secs(settings.answer_seconds), sent);
        let answer = if settings.durability == Durability::Strict {
            self.hold(course, ticket).await?;
            sent.await
        } else {
            let (answer, held) = tokio::join!(sent, self.hold(course, ticket));
            held?;
            answer
        };
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
        let (tally, patience) = (Tally::default(), Duration::from_secs(settings.answer_seconds));
        let (upstream, body) = redaction::guard(guard, upstream, &tally, patience).await?;
        let kind = upstream.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let mut hold = admission.hold.take();
        if let Some(hold) = &mut hold {
            hold.begin(kind);
        }
        let report = self.report(course, admission, upstream.status, tally);
        let metered = Metered { hold, clock: self.clock.clone() };
        let watched = Watched::new(body, Duration::from_secs(settings.idle_seconds), metered, report);
        let mut response = Response::new(proxy::boxed(watched));
        *response.status_mut() = upstream.status;
        proxy::copy(&upstream.headers, response.headers_mut());
        response.headers_mut().remove("server");
        Ok(Done { streaming: true, ..Done::plain(response) })
    }

    /// What to do when the stream has ended: record how, and tell the watchers.
    fn report(
        self: &Arc<Self>,
        course: &Course,
        admission: &Admission<'_>,
        status: StatusCode,
        tally: Tally,
    ) -> impl FnOnce(Ended, u64, Option<serde_json::Value>) + Unpin + Send + Sync + 'static {
        let mut exchange = self.exchange(course, admission, Outcome::Allow, status, "");
        let (gateway, correlation, started) = (self.clone(), course.id.clone(), course.started);
        let operation = admission.operation.as_str();
        let chain = course.chain.clone();
        let masks = chain.output.as_ref().is_some_and(OutputGuard::enforces);
        move |ended: Ended, bytes: u64, usage: Option<serde_json::Value>| {
            let (outcome, reason) = match ended {
                // In shadow such an answer has gone out as it came.
                Ended::Complete if masks && tally.result().unread.is_some() => (Outcome::Error, "upstream-malformed"),
                Ended::Complete => (Outcome::Allow, ""),
                Ended::Broken => (Outcome::Error, "upstream-broke-off"),
                Ended::Abandoned => (Outcome::Error, "client-went-away"),
                Ended::Cut => (Outcome::Transform, "quota-cut"),
            };
            exchange.outcome = outcome;
            reason.clone_into(&mut exchange.reason);
            exchange.microseconds = crate::course::microseconds(started);
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
                usage,
            };
            let event = record::completion(gateway.clock.now(), completed);
            let event = match &chain.output {
                Some(guard) => guard.record(&tally, event, &gateway.metrics),
                None => event,
            };
            // The answer has gone out already: a ledger that fails now refuses the next request.
            let _ = gateway.append(&event, Urgency::Within(Duration::from_millis(100)));
            gateway.watchers.exchange(exchange);
        }
    }
}
