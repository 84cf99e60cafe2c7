//! Answers of the embedded model.

use std::sync::Arc;
use std::time::Duration;

use bartizan_core::Outcome;
use bartizan_inference::Tensor;
use bartizan_inference::protocol::{self, Request as InferRequest};
use bartizan_ledger::Ticket;
use bytes::Bytes;
use hyper::StatusCode;

use crate::course::{Course, Done, whole};
use crate::embedded::Embedded;
use crate::gateway::Gateway;
use crate::guard::{Admission, Refusal};
use crate::guards::over_budget;
use crate::harden;
use crate::settings::{Durability, Mode};

/// Values of one exchange that the watchers are shown at most.
const WATCHED_VALUES: usize = 65_536;

impl Gateway {
    /// Runs the model on tensors that passed the guards, while the admission goes to disk; in
    /// strict durability, after it has.
    pub(crate) async fn infer(
        &self,
        course: &Course,
        admission: &Admission<'_>,
        embedded: &Embedded,
        parsed: InferRequest,
        ticket: Ticket,
    ) -> Result<Done, Refusal> {
        let features = features(&parsed);
        let deadline = Duration::from_secs(course.chain.settings.answer_seconds);
        let outputs = if course.chain.settings.durability == Durability::Strict {
            self.hold(course, ticket).await?;
            embedded.infer(parsed.inputs, deadline).await
        } else {
            let outputs = embedded.infer(parsed.inputs, deadline).await;
            self.hold(course, ticket).await?;
            outputs
        };
        self.answer(course, admission, embedded, parsed.id.as_deref(), outputs?, features)
    }

    /// Hardens the outputs, draws their bits from the caller's budget, and writes the answer.
    fn answer(
        &self,
        course: &Course,
        admission: &Admission<'_>,
        embedded: &Embedded,
        id: Option<&str>,
        mut outputs: Vec<Tensor>,
        features: (Arc<[f32]>, usize),
    ) -> Result<Done, Refusal> {
        let settings = &course.chain.settings;
        let labels = harden::labels(&outputs);
        harden::harden(&mut outputs, settings.hardening);
        let bits = harden::bits(&outputs, settings.hardening);
        if let Some(caller) = &admission.caller {
            let limit = if settings.mode == Mode::Enforce { settings.information_bits_per_day } else { 0 };
            let drawn = self.book.draw(&caller.principal.id, bits, limit, admission.now);
            drawn.map_err(|_| over_budget(admission.now))?;
        }
        let body = protocol::write_response(embedded.asset.name(), &embedded.digest.hex(), id, &outputs);
        let mut exchange = self.exchange(course, admission, Outcome::Allow, StatusCode::OK, "");
        (exchange.inputs, exchange.width) = features;
        exchange.labels = labels.into();
        Ok(Done {
            bits,
            bytes: body.len() as u64,
            exchange: Some(exchange),
            ..Done::plain(whole(StatusCode::OK, Bytes::from(body)))
        })
    }
}

/// The first input's rows for the watchers, where it is small enough to keep.
fn features(parsed: &InferRequest) -> (Arc<[f32]>, usize) {
    let Some(input) = parsed.inputs.first().filter(|input| input.data.len() <= WATCHED_VALUES) else {
        return (Arc::default(), 0);
    };
    let rows = input.shape.first().copied().unwrap_or(1).max(1);
    (input.data.to_floats().into(), input.data.len() / rows)
}
