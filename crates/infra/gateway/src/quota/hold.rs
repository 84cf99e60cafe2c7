//! What one admitted request holds of its quotas while its answer comes.

use bartizan_core::Timestamp;
use serde_json::json;

use crate::quota::amounts::Amounts;
use crate::quota::book::{Exhausted, Reservation};
use crate::quota::meter::Meter;
use crate::quota::prices::{Price, amounts};
use crate::quota::rule::Usage;

/// Bytes that an answer asks for at a time.
const BYTES_AT_A_TIME: u64 = 64 << 10;
/// Tokens that a stream asks for at a time once it is longer than it was thought to be.
const TOKENS_AT_A_TIME: u64 = 64;

/// A reservation, and the meter of the answer that uses it up. Dropped at whatever end the request finds,
/// it charges what was used.
pub(crate) struct Hold {
    reservation: Reservation,
    model: String,
    asked: Usage,
    price: Price,
    meter: Option<Meter>,
}

impl Hold {
    /// Nothing has been answered yet: what was asked is what was used, as far as the prompt goes.
    pub(crate) fn new(reservation: Reservation, model: String, asked: Usage, price: Price) -> Self {
        let mut hold = Self { reservation, model, asked, price, meter: None };
        hold.charge(Usage { answer: 0, ..asked });
        hold
    }

    /// Nothing came of the request: it counts as one, and uses up nothing else.
    pub(crate) fn release(&mut self) {
        self.reservation.used(Amounts { requests: 1, ..Amounts::default() });
    }

    /// The answer begins.
    pub(crate) fn begin(&mut self, content_type: &str) {
        self.meter = Some(Meter::new(content_type));
    }

    /// Takes in a piece of the answer before it is sent on, and asks for more where it is not covered.
    ///
    /// # Errors
    /// The quota that has nothing left; the piece must not be sent. Answers that are no streams are let
    /// through and charged: half of one is of no use to anybody.
    pub(crate) fn push(&mut self, piece: &[u8], now: Timestamp) -> Result<(), Exhausted> {
        let Some(meter) = &mut self.meter else { return Ok(()) };
        meter.push(piece);
        let streamed = meter.is_streamed();
        let usage = meter.usage(self.asked.prompt, self.asked.bytes);
        let used = amounts(self.price, usage.prompt, usage.answer, usage.bytes);
        let missing = used.minus(self.reservation.reserved());
        if missing != Amounts::default()
            && let Err(exhausted) = self.reservation.extend(self.portion(missing), now)
            && let Err(exhausted) = self.reservation.extend(missing, now).map_err(|_| exhausted)
            && streamed
        {
            return Err(exhausted);
        }
        self.reservation.used(used);
        Ok(())
    }

    /// The answer has ended, or will not come: charges what it used, and says what to record.
    pub(crate) fn finish(&mut self) -> serde_json::Value {
        let usage = match &mut self.meter {
            Some(meter) => {
                meter.finish();
                meter.usage(self.asked.prompt, self.asked.bytes)
            }
            None => Usage { answer: 0, ..self.asked },
        };
        self.charge(usage);
        self.record(usage)
    }

    /// An answer of so many bytes has been made here, not by an upstream: charges it and says what to record.
    pub(crate) fn end(&mut self, bytes: u64) -> serde_json::Value {
        let usage = Usage { answer: 0, bytes: self.asked.bytes.saturating_add(bytes), ..self.asked };
        self.charge(usage);
        self.record(usage)
    }

    /// For the completion's ledger entry: what was charged, so that a restart forgives nothing.
    fn record(&self, usage: Usage) -> serde_json::Value {
        json!({
            "model": recordable(&self.model),
            "prompt_tokens": usage.prompt,
            "answer_tokens": usage.answer,
            "bytes": usage.bytes,
            "cost": self.price.of(usage.prompt, usage.answer),
        })
    }

    fn charge(&mut self, usage: Usage) {
        self.reservation.used(amounts(self.price, usage.prompt, usage.answer, usage.bytes));
    }

    fn portion(&self, missing: Amounts) -> Amounts {
        let tokens = if missing.tokens > 0 { missing.tokens.max(TOKENS_AT_A_TIME) } else { 0 };
        Amounts {
            requests: 0,
            tokens,
            bytes: if missing.bytes > 0 { missing.bytes.max(BYTES_AT_A_TIME) } else { 0 },
            cost: missing.cost.max(self.price.of(0, tokens)),
        }
    }
}

/// A model's name as the client wrote it, where it is a name and nothing else: the ledger holds no text of
/// the client's.
pub(crate) fn recordable(model: &str) -> &str {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b':' | b'/' | b'@');
    if model.len() <= 128 && model.bytes().all(plain) { model } else { "" }
}
