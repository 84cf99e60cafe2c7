//! Server-sent events of a streamed answer (HTML Living Standard, section 9.2.6), read strictly.
//!
//! Whatever is not understood is an error, not passed over: what this reader and the client's read
//! differently could carry text past a guard.

use serde_json::Value;
use thiserror::Error;

/// One event, before its data are decoded.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct Event {
    /// The `event` field, a machine's word.
    pub(crate) name: Option<String>,
    /// The lines of the `data` fields.
    pub(crate) data: String,
}

/// What stands in a stream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Item {
    /// An event with data.
    Event(Event),
    /// A comment, as servers send to keep a connection open. Its text is not kept.
    Comment,
}

/// Data of an event, decoded.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Data {
    /// A JSON object, as all events of model servers are.
    Json(Value),
    /// `[DONE]`, with which the OpenAI API ends a stream.
    Done,
}

/// Is told of each decoded event of a streamed answer, as the upstream sent it.
pub(crate) trait EventObserver: Send + Sync {
    /// The next event.
    fn see(&mut self, event: &Data);

    /// No other will come.
    fn end(&mut self);
}

/// Why a stream can't be read.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub(crate) enum EventError {
    /// Longer than the bound.
    #[error("an event is longer than `gateway.redaction.answer_bytes`")]
    TooLong,
    /// Not UTF-8.
    #[error("an event is not UTF-8")]
    Encoding,
    /// A line that is no field of an event.
    #[error("a line is no field of an event")]
    Field,
    /// Data that are no JSON object.
    #[error("an event's data are not a JSON object")]
    Data,
}

impl Event {
    /// Decodes the data.
    pub(crate) fn decode(&self) -> Result<Data, EventError> {
        if self.data.trim() == "[DONE]" {
            return Ok(Data::Done);
        }
        let value: Value = serde_json::from_str(&self.data).map_err(|_| EventError::Data)?;
        if value.is_object() { Ok(Data::Json(value)) } else { Err(EventError::Data) }
    }
}

/// Adds an event of one line of data to `out`.
pub(crate) fn write_event(name: Option<&str>, data: &str, out: &mut Vec<u8>) {
    if let Some(name) = name {
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(name.as_bytes());
        out.push(b'\n');
    }
    out.extend_from_slice(b"data: ");
    out.extend_from_slice(data.as_bytes());
    out.extend_from_slice(b"\n\n");
}

/// Reads events from bytes that come in pieces. Holds one event at most.
pub(crate) struct EventReader {
    limit: usize,
    line: Vec<u8>,
    event: Event,
    has_data: bool,
    after_return: bool,
    at_start: bool,
}

/// Most bytes of an event's name.
const NAME: usize = 64;
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

impl EventReader {
    /// A reader of events of at most `limit` bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, line: Vec::new(), event: Event::default(), has_data: false, after_return: false, at_start: true }
    }

    /// Takes `piece` in and hands what is complete to `found`, which may say stop.
    pub(crate) fn push(
        &mut self,
        piece: &[u8],
        found: &mut impl FnMut(Item) -> Result<(), EventError>,
    ) -> Result<(), EventError> {
        let mut rest = piece;
        while let Some(first) = rest.first() {
            // The second half of a CR LF ends no line of its own.
            if std::mem::take(&mut self.after_return) && *first == b'\n' {
                rest = rest.get(1..).unwrap_or_default();
                continue;
            }
            let end = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
            let (part, after) = rest.split_at(end.unwrap_or(rest.len()));
            if self.line.len() + part.len() + self.event.data.len() > self.limit {
                return Err(EventError::TooLong);
            }
            self.line.extend_from_slice(part);
            rest = after;
            if let Some((sign, after)) = after.split_first() {
                self.after_return = *sign == b'\r';
                rest = after;
                self.end_line(found)?;
            }
        }
        Ok(())
    }

    /// The stream is over. An event without the empty line behind it counts: some servers end so.
    pub(crate) fn finish(&mut self, found: &mut impl FnMut(Item) -> Result<(), EventError>) -> Result<(), EventError> {
        if !self.line.is_empty() {
            self.end_line(found)?;
        }
        self.dispatch(found)
    }

    fn end_line(&mut self, found: &mut impl FnMut(Item) -> Result<(), EventError>) -> Result<(), EventError> {
        let line = std::mem::take(&mut self.line);
        let mut line = line.as_slice();
        if std::mem::take(&mut self.at_start) {
            line = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line);
        }
        if line.is_empty() {
            return self.dispatch(found);
        }
        let line = std::str::from_utf8(line).map_err(|_| EventError::Encoding)?;
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "" => found(Item::Comment),
            "data" => {
                if self.has_data {
                    self.event.data.push('\n');
                }
                self.has_data = true;
                self.event.data.push_str(value);
                Ok(())
            }
            "event" => {
                let is_word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
                if value.len() > NAME || !value.bytes().all(is_word) {
                    return Err(EventError::Field);
                }
                self.event.name = (!value.is_empty()).then(|| value.to_owned());
                Ok(())
            }
            // For reconnecting, which no client of a model does: read, and not passed on.
            "id" | "retry" => Ok(()),
            _ => Err(EventError::Field),
        }
    }

    fn dispatch(&mut self, found: &mut impl FnMut(Item) -> Result<(), EventError>) -> Result<(), EventError> {
        let event = std::mem::take(&mut self.event);
        if std::mem::take(&mut self.has_data) { found(Item::Event(event)) } else { Ok(()) }
    }
}

/// Reads arbitrary bytes as a stream of events, whole and byte by byte; must neither panic nor differ.
#[cfg(test)]
pub(crate) fn fuzz_one(bytes: &[u8]) {
    let read = |size: usize| {
        let (mut reader, mut items) = (EventReader::new(1 << 16), Vec::new());
        let mut found = |item| {
            items.push(item);
            Ok(())
        };
        let mut outcome = bytes.chunks(size).try_for_each(|piece| reader.push(piece, &mut found));
        if outcome.is_ok() {
            outcome = reader.finish(&mut found);
        }
        (outcome, items)
    };
    let whole = read(bytes.len().max(1));
    assert_eq!(read(1), whole);
    assert_eq!(read(3), whole);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8], size: usize) -> Result<Vec<Item>, EventError> {
        let (mut reader, mut items) = (EventReader::new(256), Vec::new());
        let mut found = |item| {
            items.push(item);
            Ok(())
        };
        text.chunks(size).try_for_each(|piece| reader.push(piece, &mut found))?;
        reader.finish(&mut found)?;
        Ok(items)
    }

    fn event(name: Option<&str>, data: &str) -> Item {
        Item::Event(Event { name: name.map(str::to_owned), data: data.to_owned() })
    }

    #[test]
    fn events_are_read_as_the_standard_says_whatever_the_pieces() {
        let text = "\u{feff}: hello\r\ndata: one\r\n\r\ndata:two\rdata: \u{e9}\r\revent: x.y\ndata\n\nid: 7\nretry: 1\n\ndata: last";
        let expected = [
            Item::Comment,
            event(None, "one"),
            event(None, "two\n\u{e9}"),
            event(Some("x.y"), ""),
            event(None, "last"),
        ];
        for size in 1..text.len() {
            assert_eq!(read(text.as_bytes(), size).as_deref(), Ok(&expected[..]), "pieces of {size}");
        }
    }

    #[test]
    fn what_is_no_event_is_an_error() {
        assert_eq!(read(b"<html>\n\n", 3), Err(EventError::Field));
        assert_eq!(read(b"data: \xff\n\n", 3), Err(EventError::Encoding));
        assert_eq!(read(b"event: a b\ndata: 1\n\n", 3), Err(EventError::Field));
        assert_eq!(read(format!("data: {}", "a".repeat(300)).as_bytes(), 7), Err(EventError::TooLong));
        assert_eq!(read("data: a\n".repeat(200).as_bytes(), 7), Err(EventError::TooLong));
        let decode = |data: &str| Event { name: None, data: data.to_owned() }.decode();
        assert_eq!(decode("one"), Err(EventError::Data));
        assert_eq!(decode("[1]"), Err(EventError::Data));
        assert_eq!(decode("[DONE]"), Ok(Data::Done));
    }

    #[test]
    fn damaged_streams_are_read_alike_in_whatever_pieces() {
        let seed = b"\xef\xbb\xbf: c\r\nevent: a\r\ndata: {\"a\": 1}\r\n\r\ndata: [DONE]\n\nid: 1\rretry: 2\r\r";
        let mut state = 7_u64;
        let mut below = |limit: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            usize::try_from(state >> 33).unwrap_or(0) % limit.max(1)
        };
        let rounds = if std::env::var_os("BARTIZAN_LONG").is_some() { 1_000_000 } else { 20_000 };
        for _ in 0..rounds {
            let mut bytes = seed.repeat(1 + below(2));
            for _ in 0..below(6) {
                let at = below(bytes.len());
                match below(3) {
                    0 => bytes[at] = b"\r\n: dait\xff"[below(9)],
                    1 => drop(bytes.remove(at)),
                    _ => bytes.insert(at, b"\r\n: dait\xff"[below(9)]),
                }
            }
            fuzz_one(&bytes);
        }
    }
}
