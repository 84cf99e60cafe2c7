//! How many tokens an answer has had so far.
//!
//! A streamed answer is read event by event, for its text and for the upstream's own count. The running
//! estimate is a quarter of the text's bytes and at least one token for each event with text. When the
//! upstream has counted, its figure replaces the estimate, unless it is less than a sixteenth of the text:
//! no tokenizer in use has tokens that long on average, so such a count is not believed.

use serde_json::Value;

use crate::quota::request::estimate;
use crate::quota::rule::Usage;

/// Bytes of one event, or of a whole answer, that are kept for reading.
const LARGEST: usize = 8 << 20;
/// Bytes of text that a token has at most, on average over an answer.
const LONGEST_TOKEN: u64 = 16;

/// Reads an answer on its way.
pub(crate) struct Meter {
    streamed: bool,
    line: Vec<u8>,
    events: u64,
    text: u64,
    bytes: u64,
    counted: Option<(u64, u64)>,
    too_long: bool,
}

impl Meter {
    /// For an answer with that `Content-Type`.
    pub(crate) fn new(content_type: &str) -> Self {
        let streamed = content_type.to_ascii_lowercase().starts_with("text/event-stream");
        Self { streamed, line: Vec::new(), events: 0, text: 0, bytes: 0, counted: None, too_long: false }
    }

    /// Whether the answer is a stream of events.
    pub(crate) fn is_streamed(&self) -> bool {
        self.streamed
    }

    /// Takes in a piece.
    pub(crate) fn push(&mut self, piece: &[u8]) {
        self.bytes += piece.len() as u64;
        if !self.streamed {
            self.keep(piece);
            return;
        }
        let mut rest = piece;
        while let Some(end) = memchr::memchr2(b'\n', b'\r', rest) {
            let (head, tail) = rest.split_at(end);
            self.keep(head);
            self.read_line();
            rest = tail.get(1..).unwrap_or_default();
        }
        self.keep(rest);
    }

    /// Reads what came last.
    pub(crate) fn finish(&mut self) {
        if self.streamed {
            self.read_line();
        } else if let Ok(answer) = serde_json::from_slice::<Value>(&self.line) {
            self.read(&answer);
            self.line = Vec::new();
        }
    }

    /// Tokens of the answer so far; those of the prompt as the upstream counted them.
    pub(crate) fn usage(&self, prompt: u64, request_bytes: u64) -> Usage {
        let text = if self.too_long { self.text.max(self.bytes) } else { self.text };
        let estimated = estimate(text).max(self.events);
        let least = text.div_ceil(LONGEST_TOKEN);
        let bytes = request_bytes.saturating_add(self.bytes);
        match self.counted {
            Some((prompt, answer)) => Usage { prompt, answer: answer.max(least), bytes },
            None => Usage { prompt, answer: estimated, bytes },
        }
    }

    fn keep(&mut self, piece: &[u8]) {
        if self.line.len() + piece.len() > LARGEST {
            self.too_long = true;
            self.line.clear();
        } else if !self.too_long {
            self.line.extend_from_slice(piece);
        }
    }

    fn read_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        if let Some(data) = line.strip_prefix(b"data:")
            && let Ok(event) = serde_json::from_slice::<Value>(data)
        {
            self.read(&event);
        }
        self.line = line;
        self.line.clear();
    }

    fn read(&mut self, event: &Value) {
        let before = self.text;
        for usage in [event.get("usage"), event.pointer("/response/usage"), event.pointer("/message/usage")] {
            self.count(usage);
        }
        for part in ["choices", "delta", "content", "content_block", "output"] {
            self.text += event.get(part).map_or(0, |part| text(part, 16));
        }
        if self.text > before {
            self.events += 1;
        }
    }

    fn count(&mut self, usage: Option<&Value>) {
        let Some(usage) = usage else { return };
        let number = |names: [&str; 2]| names.iter().find_map(|name| usage.get(name)?.as_u64());
        let (prompt, answer) =
            (number(["prompt_tokens", "input_tokens"]), number(["completion_tokens", "output_tokens"]));
        if prompt.is_some() || answer.is_some() {
            let (prompt_before, answer_before) = self.counted.unwrap_or_default();
            self.counted = Some((prompt.unwrap_or(prompt_before), answer.unwrap_or(answer_before)));
        }
    }
}

/// Bytes of generated text below a value; names, ids and roles are none.
fn text(value: &Value, depth: usize) -> u64 {
    const NOT_TEXT: [&str; 8] = ["id", "type", "role", "name", "finish_reason", "object", "index", "status"];
    let Some(depth) = depth.checked_sub(1) else { return 0 };
    match value {
        Value::String(text) => text.len() as u64,
        Value::Array(items) => items.iter().map(|item| text(item, depth)).sum(),
        Value::Object(fields) => fields
            .iter()
            .filter(|(name, _)| !NOT_TEXT.contains(&name.as_str()) && *name != "logprobs")
            .map(|(_, field)| text(field, depth))
            .sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}

/// Feeds arbitrary bytes, cut in pieces, to the meter; for fuzzing.
pub(crate) fn fuzz_one(bytes: &[u8]) {
    for kind in ["text/event-stream", "application/json"] {
        let mut meter = Meter::new(kind);
        bytes.chunks(7).for_each(|piece| meter.push(piece));
        meter.finish();
        let _ = meter.usage(1, 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn streamed(events: &[&str], cut: usize) -> Usage {
        let whole: String = events.iter().map(|event| format!("data: {event}\r\n\r\n")).collect();
        let mut meter = Meter::new("text/event-stream; charset=utf-8");
        whole.as_bytes().chunks(cut).for_each(|piece| meter.push(piece));
        meter.finish();
        meter.usage(5, 0)
    }

    #[test]
    fn text_is_estimated_until_the_upstream_has_counted() {
        let delta = r#"{"id":"x","choices":[{"index":0,"delta":{"role":"assistant","content":"eight by"}}]}"#;
        for cut in 1..90 {
            let usage = streamed(&[delta, delta], cut);
            assert_eq!((usage.prompt, usage.answer), (5, 4), "{cut}");
            let counted = r#"{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":3}}"#;
            let usage = streamed(&[delta, delta, counted, "[DONE]"], cut);
            assert_eq!((usage.prompt, usage.answer), (9, 3), "{cut}");
        }
        let anthropic = [
            r#"{"type":"message_start","message":{"usage":{"input_tokens":11,"output_tokens":1}}}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"hello"}}"#,
            r#"{"type":"message_delta","delta":{"stop_reason":null},"usage":{"output_tokens":6}}"#,
        ];
        let usage = streamed(&anthropic, 10);
        assert_eq!((usage.prompt, usage.answer), (11, 6));
    }

    #[test]
    fn a_count_that_can_not_be_true_is_not_believed() {
        let long = format!(r#"{{"choices":[{{"delta":{{"content":"{}"}}}}]}}"#, "x".repeat(1600));
        let usage = streamed(&[&long, r#"{"usage":{"prompt_tokens":1,"completion_tokens":0}}"#], 64);
        assert_eq!(usage.answer, 100);
    }

    #[test]
    fn a_whole_answer_is_counted_too() {
        let mut meter = Meter::new("application/json");
        meter.push(br#"{"choices":[{"message":{"content":"four"}}],"#);
        meter.push(br#""usage":{"prompt_tokens":2,"completion_tokens":1}}"#);
        meter.finish();
        let usage = meter.usage(9, 10);
        assert_eq!((usage.prompt, usage.answer), (2, 1));
        assert!(usage.bytes > 90);
    }

    #[test]
    fn damaged_answers_neither_panic_nor_run_away() {
        let seed = b"data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}],\"usage\":{\"output_tokens\":1}}\n\n";
        for place in 0..seed.len() {
            let mut damaged = seed.to_vec();
            damaged[place] ^= 0x41;
            fuzz_one(&damaged);
            fuzz_one(&damaged[..place]);
        }
        fuzz_one("data: [".repeat(10_000).as_bytes());
        fuzz_one(format!("data: {}", "[".repeat(100_000)).as_bytes());
    }
}
