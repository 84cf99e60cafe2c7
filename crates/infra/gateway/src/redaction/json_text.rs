//! Masks what stands in JSON text that comes in pieces, such as the arguments of a tool call, and leaves JSON.
//!
//! Strings are decoded, so that `\u0040` is seen as `@`, masked, and encoded again. The value of a string is
//! judged by the name in front of it. A number that is personal data becomes a string. Text that is no JSON
//! is redacted as plain text from there on.

use std::sync::Arc;

use bartizan_sensitive::{Redaction, Redactor};

use super::tally::Counts;

/// JSON text in, masked JSON text out.
pub(super) struct JsonText {
    rules: Arc<Redaction>,
    state: State,
    /// For each open bracket, whether it is that of an object.
    nesting: Vec<bool>,
    /// Whether the next string is a name.
    awaits_name: bool,
    /// The last name, shortened.
    name: String,
    counts: Counts,
}

enum State {
    Between,
    Scalar(String),
    Text(Box<Quoted>),
    Plain(Box<Redactor>),
}

/// Inside a string.
struct Quoted {
    redactor: Redactor,
    is_name: bool,
    decoded: String,
    escape: String,
    /// The first half of a surrogate pair.
    high: Option<u32>,
}

/// Deeper than any parser of arguments goes.
const DEPTH: usize = 256;
/// Bytes of a name that are kept to judge its value by.
const NAME: usize = 64;
/// Bytes of a number or word; longer ones are no JSON that anybody reads.
const SCALAR: usize = 512;

impl JsonText {
    pub(super) fn new(rules: &Arc<Redaction>) -> Self {
        Self {
            rules: rules.clone(),
            state: State::Between,
            nesting: Vec::new(),
            awaits_name: false,
            name: String::new(),
            counts: Counts::default(),
        }
    }

    pub(super) fn push(&mut self, piece: &str, out: &mut String) {
        let mut rest = piece;
        while !rest.is_empty() {
            rest = match &mut self.state {
                State::Plain(redactor) => {
                    redactor.push(rest, out);
                    ""
                }
                State::Text(_) => self.quoted(rest, out),
                State::Between | State::Scalar(_) => self.between(rest, out),
            };
        }
    }

    /// The text is over: adds what is left, and leaves this as new.
    pub(super) fn finish(&mut self, out: &mut String) {
        match std::mem::replace(&mut self.state, State::Between) {
            State::Between => {}
            State::Scalar(scalar) => self.scalar(&scalar, out),
            State::Text(mut text) => {
                let mut last = String::new();
                text.redactor.finish(&mut last);
                encode(&last, out);
                self.counts.add(text.redactor.counts());
            }
            State::Plain(mut redactor) => {
                redactor.finish(out);
                self.counts.add(redactor.counts());
            }
        }
        let counts = std::mem::take(&mut self.counts);
        *self = Self { counts, ..Self::new(&self.rules) };
    }

    /// What was masked since the last call; what is still held back comes later.
    pub(super) fn take_counts(&mut self) -> Counts {
        std::mem::take(&mut self.counts)
    }

    /// One character outside strings; gives what is left.
    fn between<'a>(&mut self, rest: &'a str, out: &mut String) -> &'a str {
        let Some(character) = rest.chars().next() else { return "" };
        let after = rest.get(character.len_utf8()..).unwrap_or_default();
        let is_structure = matches!(character, '{' | '}' | '[' | ']' | ':' | ',' | '"' | ' ' | '\t' | '\r' | '\n');
        if let State::Scalar(scalar) = &mut self.state {
            if !is_structure && scalar.len() < SCALAR {
                scalar.push(character);
                return after;
            }
            let scalar = std::mem::take(scalar);
            self.state = State::Between;
            self.scalar(&scalar, out);
            return rest;
        }
        match character {
            '"' => {
                let is_name = self.awaits_name;
                let lead = if is_name || self.name.is_empty() { String::new() } else { lead(&self.name) };
                let (decoded, escape) = (String::new(), String::new());
                let redactor = Redactor::between(&self.rules, &lead);
                self.state = State::Text(Box::new(Quoted { redactor, is_name, decoded, escape, high: None }));
            }
            '{' | '[' => {
                if self.nesting.len() >= DEPTH {
                    return self.plain(rest);
                }
                self.nesting.push(character == '{');
                self.awaits_name = character == '{';
            }
            '}' | ']' => {
                self.nesting.pop();
                self.name.clear();
                self.awaits_name = false;
            }
            ',' => self.awaits_name = self.nesting.last() == Some(&true),
            ':' => self.awaits_name = false,
            _ if is_structure => {}
            _ => {
                self.state = State::Scalar(String::from(character));
                return after;
            }
        }
        out.push(character);
        after
    }

    /// A number or word is complete.
    fn scalar(&mut self, scalar: &str, out: &mut String) {
        let is_json =
            serde_json::from_str::<serde_json::Number>(scalar).is_ok() || matches!(scalar, "true" | "false" | "null");
        if !is_json {
            self.plain("");
            self.push(scalar, out);
            return;
        }
        let (mut redactor, mut masked) = (Redactor::new(&self.rules), String::new());
        redactor.push(scalar, &mut masked);
        redactor.finish(&mut masked);
        self.counts.add(redactor.counts());
        if masked == scalar {
            out.push_str(scalar);
        } else {
            out.push('"');
            encode(&masked, out);
            out.push('"');
        }
    }

    fn plain<'a>(&mut self, rest: &'a str) -> &'a str {
        self.state = State::Plain(Box::new(Redactor::new(&self.rules)));
        rest
    }

    /// Text inside a string; gives what is left.
    fn quoted<'a>(&mut self, rest: &'a str, out: &mut String) -> &'a str {
        let State::Text(text) = &mut self.state else { return rest };
        let mut masked = String::new();
        if !text.escape.is_empty() || rest.starts_with('\\') {
            let Some(character) = rest.chars().next() else { return "" };
            text.escape.push(character);
            if let Some(decoded) = text.unescape() {
                text.take(&decoded, &mut masked);
                encode(&masked, out);
            }
            return rest.get(character.len_utf8()..).unwrap_or_default();
        }
        let end = rest.find(['"', '\\']).unwrap_or(rest.len());
        let (part, after) = rest.split_at(end);
        if !part.is_empty() {
            text.orphan(&mut masked);
            text.take(part, &mut masked);
        }
        let Some(after_quote) = after.strip_prefix('"') else {
            encode(&masked, out);
            return after;
        };
        text.orphan(&mut masked);
        text.redactor.finish_before("\"", &mut masked);
        encode(&masked, out);
        out.push('"');
        self.counts.add(text.redactor.counts());
        if text.is_name {
            self.name = std::mem::take(&mut text.decoded);
        } else if self.nesting.last() == Some(&true) {
            self.name.clear();
        }
        self.state = State::Between;
        after_quote
    }
}

impl Quoted {
    fn take(&mut self, text: &str, masked: &mut String) {
        if self.is_name && self.decoded.len() < NAME {
            self.decoded.push_str(text.get(..text.floor_char_boundary(NAME.min(text.len()))).unwrap_or_default());
        }
        self.redactor.push(text, masked);
    }

    /// What the escape so far stands for, if it is complete.
    fn unescape(&mut self) -> Option<String> {
        let unit = match self.escape.as_bytes() {
            [b'\\'] | [b'\\', b'u'] | [b'\\', b'u', _] | [b'\\', b'u', _, _] | [b'\\', b'u', _, _, _] => return None,
            [b'\\', b'u', ..] => u32::from_str_radix(self.escape.get(2..).unwrap_or_default(), 16).unwrap_or(0xfffd),
            [b'\\', b'n'] => 0x0a,
            [b'\\', b't'] => 0x09,
            [b'\\', b'r'] => 0x0d,
            [b'\\', b'b'] => 0x08,
            [b'\\', b'f'] => 0x0c,
            _ => self.escape.chars().nth(1).map_or(0xfffd, u32::from),
        };
        self.escape.clear();
        let mut decoded = String::new();
        match (self.high.take(), unit) {
            (Some(high), 0xdc00..=0xdfff) => {
                let scalar = 0x1_0000 + ((high - 0xd800) << 10) + (unit - 0xdc00);
                decoded.push(char::from_u32(scalar).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            (before, 0xd800..=0xdbff) => {
                decoded.extend(before.map(|_| char::REPLACEMENT_CHARACTER));
                self.high = Some(unit);
            }
            (before, _) => {
                decoded.extend(before.map(|_| char::REPLACEMENT_CHARACTER));
                decoded.push(char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
        }
        Some(decoded)
    }

    /// A first half of a pair without its second.
    fn orphan(&mut self, masked: &mut String) {
        if self.high.take().is_some() {
            self.take("\u{fffd}", masked);
        }
    }
}

/// What stands before a value of that name.
pub(super) fn lead(name: &str) -> String {
    format!("\"{name}\": \"")
}

/// Adds `text` as it stands between the quotes of a JSON string.
fn encode(text: &str, out: &mut String) {
    if text.is_empty() {
        return;
    }
    let quoted = serde_json::to_string(text).unwrap_or_default();
    out.push_str(quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default());
}
