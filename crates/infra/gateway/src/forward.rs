//! Requests for upstreams, and their answers, streamed.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bartizan_access::{Operation, Resource};
use bartizan_core::Outcome;
use bartizan_inference::refuse_duplicate_keys;
use bartizan_ledger::{Ticket, Urgency};
use bytes::Bytes;
use hyper::header::CONTENT_TYPE;
use hyper::http::request::Parts;
use hyper::{HeaderMap, Response, StatusCode};

use crate::course::{Course, Done, json};
use crate::gateway::{Gateway, reserve};
use crate::guard::{Admission, Refusal, Stage};
use crate::head::{Head, Route};
use crate::prompts::PromptMode;
use crate::proxy::{self, Ended, Metered, Watched};
use crate::quota::{self, Odd};
use crate::record::{self, Completed};
use crate::redaction::{self, OutputGuard, Tally};
use crate::routing::{Outgoing, Routes, Sent, Table, Upstream, rename_body, rename_path};
use crate::settings::Durability;

impl Gateway {
    /// Passes the guards that look into the body, records the admission and asks the upstreams.
    pub(crate) async fn admit_upstream(
        self: &Arc<Self>,
        course: &Course,
        admission: &mut Admission<'_>,
        routes: &Routes,
        parts: &Parts,
        body: Bytes,
    ) -> Result<Done, Refusal> {
        let (head, table) = (admission.head, routes.table());
        if speaks_json(&head.route, &parts.headers) {
            plain_json(json_part(head, &body)?)?;
        }
        let (mut body, mut target) = (body, Cow::Borrowed(head.target.as_str()));
        match &head.route {
            Route::OpenAiRead if table.names_models() => return self.list_models(course, admission, &table).await,
            Route::Manage if table.upstreams.len() > 1 => return Err(one_by_one()),
            _ => {}
        }
        if admission.operation == Operation::Infer {
            // TorchServe takes bodies of any kind, and its path names the model.
            let weighed = if matches!(head.route, Route::Predict(_)) { &[] } else { json_part(head, &body)? };
            let mut asked = quota::asked(weighed, course.chain.settings.answer_tokens).map_err(odd)?;
            asked.usage = quota::Usage { bytes: body.len() as u64, ..asked.usage };
            let named = head.route.model().map_or(asked.model, str::to_owned);
            if !named.is_empty() && quota::recordable(&named).is_empty() {
                let message = "the model's name must be at most 128 letters, digits and `-._:/@`";
                return Err(Refusal::new(StatusCode::BAD_REQUEST, "model-malformed", message));
            }
            let model = table.resolve(&named);
            if model != named {
                match rename_path(&head.target, &named, model) {
                    Some(renamed) => target = Cow::Owned(renamed),
                    None => body = rename_body(&body, model).ok_or_else(alias_lost)?,
                }
            }
            model.clone_into(&mut admission.model);
            let prompts = &course.chain.settings.prompts;
            if prompts.mode != PromptMode::Off && matches!(head.route, Route::Generate(_)) {
                let finding = self.judge.judge(&body, prompts).await;
                self.metrics.prompt_judged(&finding);
                admission.prompt = Some(finding);
            }
            course.chain.ask(Stage::Body, admission)?;
            admission.hold = reserve(course, admission, asked.usage)?;
        }
        let ticket = self.record_admission(course, admission, &body)?;
        let guard = course.chain.output.as_ref();
        let headers = guard.map_or(Cow::Borrowed(&parts.headers), |guard| guard.ask_for_plain(&parts.headers));
        let outgoing = Outgoing { method: head.method.clone(), target: &target, headers: &headers, body };
        self.forward(course, admission, routes, &table, outgoing, ticket).await
    }

    /// Sends an admitted request on, while its admission goes to disk (in strict durability, after it
    /// has), and lets the answer stream back. The completion is recorded when the stream ends.
    async fn forward(
        self: &Arc<Self>,
        course: &Course,
        admission: &mut Admission<'_>,
        routes: &Routes,
        table: &Table,
        outgoing: Outgoing<'_>,
        ticket: Ticket,
    ) -> Result<Done, Refusal> {
        let settings = &course.chain.settings;
        let guard = course.chain.output.as_ref();
        let patience = Duration::from_secs(settings.answer_seconds);
        let principal = admission.caller.as_ref().map_or("", |caller| &caller.principal.id);
        let seed = if table.settings.sticky { principal } else { &course.id };
        // In strict durability nobody sees the request before its admission is on disk.
        let ticket = if settings.durability == Durability::Strict {
            self.hold(course, ticket).await?;
            None
        } else {
            Some(ticket)
        };
        if admission.operation == Operation::Infer {
            routes.copy(table, &admission.model, &course.id, &outgoing, &self.metrics);
        }
        let asked = table.ask(&admission.model, seed, outgoing, patience, &self.metrics);
        let answer = match ticket {
            None => asked.await,
            Some(ticket) => {
                let (answer, held) = tokio::join!(asked, self.hold(course, ticket));
                held?;
                answer
            }
        };
        let Sent { response: upstream, upstream: by, attempts } = answer?;
        let tally = Tally::default();
        let (upstream, body) = redaction::guard(guard, upstream, &tally, patience).await?;
        let kind = upstream.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let mut hold = admission.hold.take();
        if let Some(hold) = &mut hold {
            hold.begin(kind);
        }
        let report = self.report(course, admission, upstream.status, tally, (by, attempts));
        let metered = Metered { hold, clock: self.clock.clone() };
        let watched = Watched::new(body, Duration::from_secs(settings.idle_seconds), metered, report);
        let mut response = Response::new(proxy::boxed(watched));
        *response.status_mut() = upstream.status;
        proxy::copy(&upstream.headers, response.headers_mut());
        response.headers_mut().remove("server");
        Ok(Done { streaming: true, ..Done::plain(response) })
    }

    /// Says which models there are, as far as the caller may use them.
    async fn list_models(&self, course: &Course, admission: &Admission<'_>, table: &Table) -> Result<Done, Refusal> {
        let Some(caller) = &admission.caller else { return Err(model_unknown()) };
        let tenant = self.backend().asset().tenant();
        let may_use = |model: &str| {
            let resource = Resource::Model(tenant.clone(), model.to_owned());
            course.chain.policies.decide(&caller.principal, Operation::Infer, &resource).outcome == Outcome::Allow
        };
        let describe = |name: &str| serde_json::json!({ "id": name, "object": "model", "owned_by": "bartizan" });
        let named = admission.head.target.strip_prefix("/v1/models/");
        let body = match named {
            Some(name) if !quota::recordable(name).is_empty() => {
                let model = table.resolve(name);
                if table.candidates(model, "").is_empty() || !may_use(model) {
                    return Err(model_unknown());
                }
                describe(name)
            }
            Some(_) => return Err(model_unknown()),
            None => {
                let names = table.model_names();
                let usable = names.iter().filter(|name| may_use(table.resolve(name))).map(|name| describe(name));
                serde_json::json!({ "object": "list", "data": usable.collect::<Vec<_>>() })
            }
        };
        self.admit_reading(course, admission).await?;
        Ok(Done::plain(json(StatusCode::OK, &body)))
    }

    /// What to do when the stream has ended: record how, and tell the watchers.
    fn report(
        self: &Arc<Self>,
        course: &Course,
        admission: &Admission<'_>,
        status: StatusCode,
        tally: Tally,
        (by, attempts): (Arc<Upstream>, u32),
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
            let event = record::completion(gateway.clock.now(), completed).with("upstream", by.settings.name.as_str());
            let event = if attempts > 1 { event.with("attempts", attempts) } else { event };
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

/// Bodies that every route but TorchServe's takes are JSON, and there they may be.
fn speaks_json(route: &Route, headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    match route {
        Route::Generate(_) | Route::Infer(_) => true,
        Route::Predict(_) | Route::Manage => kind.to_ascii_lowercase().contains("json"),
        _ => false,
    }
}

/// The JSON of a body: all of it, but for the binary tensors behind it in the Open Inference Protocol.
fn json_part<'a>(head: &Head, body: &'a [u8]) -> Result<&'a [u8], Refusal> {
    match (&head.route, head.header_length) {
        (Route::Infer(_), Some(length)) => body.get(..length).ok_or_else(|| {
            let message = "`Inference-Header-Content-Length` is longer than the body";
            Refusal::new(StatusCode::BAD_REQUEST, "tensor-malformed", message)
        }),
        _ => Ok(body),
    }
}

/// The refusal of a body that can't be weighed.
fn odd(odd: Odd) -> Refusal {
    let (reason, message) = match odd {
        Odd::Body => ("body-shape", "the body must be a JSON object"),
        Odd::Model => ("model-malformed", "`model` must be a text that names one model"),
        Odd::Limit => ("limit-malformed", "`max_tokens`, `n` and the like must be numbers of 0 or more"),
        Odd::Case => {
            ("member-case", "a member is written in other letters than the API has it, such as `Model`; write it small")
        }
    };
    Refusal::new(StatusCode::BAD_REQUEST, reason, message)
}

/// Bodies that parsers read in two ways are refused before the upstream sees them.
fn plain_json(body: &[u8]) -> Result<(), Refusal> {
    refuse_duplicate_keys(body).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        let message = format!("the body is not JSON that all parsers read alike, at line {line} column {column}");
        Refusal::new(StatusCode::BAD_REQUEST, "json-malformed", message)
    })
}

fn one_by_one() -> Refusal {
    let message = "there are several model servers behind this door; administer each of them directly";
    Refusal::new(StatusCode::NOT_FOUND, "route-closed", message)
}

fn alias_lost() -> Refusal {
    let message = "the model's name is not where it was; name it once, as the member `model` of the body";
    Refusal::new(StatusCode::BAD_REQUEST, "model-malformed", message)
}

fn model_unknown() -> Refusal {
    let message = "there is no such model here; ask an operator for its name, or see `GET /v1/models`";
    Refusal::new(StatusCode::NOT_FOUND, "model-unknown", message)
}
