//! From the bytes of a streamed answer to masked ones: events are read, decoded, shown to observers, masked and written.

use std::sync::Arc;

use bartizan_sensitive::Redaction;
use serde_json::Value;

use super::answer::AnswerRedactor;
use super::tally::Tally;
use crate::events::{Data, EventError, EventObserver, EventReader, Item, write_event};

/// A stream's events, in and out.
pub(crate) struct Pipeline {
    reader: EventReader,
    observers: Vec<Box<dyn EventObserver>>,
    writer: Option<Writer>,
    tally: Tally,
}

/// Masks events and writes them.
struct Writer {
    redactor: AnswerRedactor,
}

/// Counts what would have been masked.
struct Shadow {
    redactor: AnswerRedactor,
    tally: Tally,
}

impl Pipeline {
    /// Masks.
    pub(super) fn masking(rules: &Arc<Redaction>, limit: usize, tally: Tally) -> Self {
        let writer = Some(Writer { redactor: AnswerRedactor::new(rules) });
        Self { reader: EventReader::new(limit), observers: Vec::new(), writer, tally }
    }

    /// Only counts, into `tally`.
    pub(super) fn counting(rules: &Arc<Redaction>, limit: usize, tally: Tally) -> Self {
        let shadow = Shadow { redactor: AnswerRedactor::new(rules), tally: tally.clone() };
        Self { reader: EventReader::new(limit), observers: vec![Box::new(shadow)], writer: None, tally }
    }

    /// Takes bytes in and adds what may go out to `out`. After an error there is nothing more to come.
    pub(super) fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), EventError> {
        let Self { reader, observers, writer, tally } = self;
        let result = reader.push(bytes, &mut |item| take(item, observers, writer, tally, out));
        settle(result, writer.is_some(), tally, out)
    }

    /// The stream is over.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), EventError> {
        let Self { reader, observers, writer, tally } = self;
        let result = reader.finish(&mut |item| take(item, observers, writer, tally, out));
        observers.iter_mut().for_each(|observer| observer.end());
        if let (Ok(()), Some(writer)) = (&result, writer.as_mut()) {
            writer.end(None, out);
            tally.add(writer.redactor.take_counts());
        }
        settle(result, writer.is_some(), tally, out)
    }
}

fn take(
    item: Item,
    observers: &mut [Box<dyn EventObserver>],
    writer: &mut Option<Writer>,
    tally: &Tally,
    out: &mut Vec<u8>,
) -> Result<(), EventError> {
    let Item::Event(event) = item else {
        if writer.is_some() {
            out.extend_from_slice(b":\n\n");
        }
        return Ok(());
    };
    let data = event.decode()?;
    observers.iter_mut().for_each(|observer| observer.see(&data));
    let Some(writer) = writer else { return Ok(()) };
    match data {
        Data::Done => {
            writer.end(event.name.as_deref(), out);
            write_event(event.name.as_deref(), "[DONE]", out);
        }
        Data::Json(value) => writer.event(event.name.as_deref(), value, out)?,
    }
    tally.add(writer.redactor.take_counts());
    Ok(())
}

/// Says in the stream and in the tally that it could not be read.
fn settle(result: Result<(), EventError>, masks: bool, tally: &Tally, out: &mut Vec<u8>) -> Result<(), EventError> {
    if let Err(error) = result {
        tally.give_up("upstream-malformed");
        if masks {
            let message = "the model's server sent what can't be read, so the answer ends here; tell its operator";
            let body = serde_json::json!({
                "type": "error",
                "error": { "type": "api_error", "code": "upstream-malformed", "message": message },
            });
            write_event(Some("error"), &body.to_string(), out);
            tracing::warn!(%error, "a streamed answer can't be read");
        }
    }
    result
}

impl Writer {
    fn event(&mut self, name: Option<&str>, value: Value, out: &mut Vec<u8>) -> Result<(), EventError> {
        let mut events = Vec::new();
        self.redactor.event(value, &mut events).map_err(|_| EventError::TooLong)?;
        let last = events.len().saturating_sub(1);
        for (place, event) in events.iter().enumerate() {
            write(if place == last { name } else { name.and(kind(event)) }, event, out);
        }
        Ok(())
    }

    /// Writes what is held back.
    fn end(&mut self, name: Option<&str>, out: &mut Vec<u8>) {
        let mut events = Vec::new();
        self.redactor.finish(&mut events);
        events.iter().for_each(|event| write(name.and(kind(event)), event, out));
    }
}

fn kind(event: &Value) -> Option<&str> {
    event.get("type").and_then(Value::as_str)
}

fn write(name: Option<&str>, event: &Value, out: &mut Vec<u8>) {
    write_event(name, &event.to_string(), out);
}

impl EventObserver for Shadow {
    fn see(&mut self, event: &Data) {
        let mut ignored = Vec::new();
        match event {
            Data::Done => self.redactor.finish(&mut ignored),
            Data::Json(value) => {
                if self.redactor.event(value.clone(), &mut ignored).is_err() {
                    self.tally.give_up("upstream-malformed");
                }
            }
        }
        self.tally.add(self.redactor.take_counts());
    }

    fn end(&mut self) {
        self.redactor.finish(&mut Vec::new());
        self.tally.add(self.redactor.take_counts());
    }
}
