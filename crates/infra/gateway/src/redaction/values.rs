//! Masks every text in a JSON value, each by itself.

use std::sync::Arc;

use bartizan_sensitive::{Redaction, Redactor};
use serde_json::{Map, Value};

use super::json_text::{JsonText, lead};
use super::tally::Counts;

/// Names of what machines made up: left alone where they look like it.
const MACHINE_MADE: [&str; 17] = [
    "id",
    "object",
    "type",
    "role",
    "model",
    "finish_reason",
    "stop_reason",
    "status",
    "item_id",
    "call_id",
    "tool_call_id",
    "tool_use_id",
    "response_id",
    "previous_response_id",
    "system_fingerprint",
    "service_tier",
    "signature",
];
/// Names of what a model passes to a tool: there, names are the tool's own.
const PASSED: [&str; 3] = ["input", "parsed", "arguments"];

/// Masks all texts below a value.
pub(super) struct Values {
    rules: Arc<Redaction>,
    pub(super) counts: Counts,
    /// Whether anything is different now.
    pub(super) is_changed: bool,
}

impl Values {
    pub(super) fn new(rules: &Arc<Redaction>) -> Self {
        Self { rules: rules.clone(), counts: Counts::default(), is_changed: false }
    }

    /// Masks the texts of an answer or event.
    pub(super) fn mask(&mut self, value: &mut Value) {
        match value {
            Value::Object(fields) => {
                for (name, field) in fields.iter_mut() {
                    self.field(name, field);
                }
                self.names(fields);
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.mask(item)),
            Value::String(text) => self.text(text, ""),
            _ => {}
        }
    }

    /// Masks one field of an object.
    pub(super) fn field(&mut self, name: &str, field: &mut Value) {
        match field {
            // Probabilities name the tokens that were masked.
            Value::Object(_) | Value::Array(_) if name == "logprobs" => {
                *field = if field.is_array() { Value::Array(Vec::new()) } else { Value::Null };
                self.is_changed = true;
            }
            Value::String(text) if name == "arguments" => self.json_text(text),
            Value::String(text) if MACHINE_MADE.contains(&name) && is_plain(text) => {}
            Value::Object(_) | Value::Array(_) if PASSED.contains(&name) => self.passed("", field),
            _ => self.mask(field),
        }
    }

    /// Masks what is passed to a tool, each text and number by its name.
    fn passed(&mut self, name: &str, value: &mut Value) {
        match value {
            Value::Object(fields) => {
                fields.iter_mut().for_each(|(name, field)| self.passed(name, field));
                self.names(fields);
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.passed(name, item)),
            Value::String(text) => self.text(text, &lead(name)),
            Value::Number(number) => {
                let mut text = number.to_string();
                let before = text.clone();
                self.text(&mut text, "");
                if text != before {
                    *value = Value::String(text);
                }
            }
            _ => {}
        }
    }

    /// Masks the names of an object that are more than words.
    fn names(&mut self, fields: &mut Map<String, Value>) {
        let is_word =
            |name: &String| name.len() <= 32 && name.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_');
        if fields.keys().all(is_word) {
            return;
        }
        let old = std::mem::take(fields);
        for (mut name, field) in old {
            self.text(&mut name, "");
            fields.insert(name, field);
        }
    }

    /// Masks a text that stands behind `lead`.
    pub(super) fn text(&mut self, text: &mut String, lead: &str) {
        let (mut redactor, mut masked) = (Redactor::between(&self.rules, lead), String::new());
        redactor.push(text, &mut masked);
        redactor.finish_before(if lead.is_empty() { "" } else { "\"" }, &mut masked);
        self.counts.add(redactor.counts());
        if masked != *text {
            *text = masked;
            self.is_changed = true;
        }
    }

    /// Masks JSON text in a string.
    fn json_text(&mut self, text: &mut String) {
        let (mut json, mut masked) = (JsonText::new(&self.rules), String::new());
        json.push(text, &mut masked);
        json.finish(&mut masked);
        let counts = json.take_counts();
        if !counts.is_empty() {
            self.counts.merge(counts);
            self.is_changed = true;
        }
        *text = masked;
    }
}

/// Whether a text is a machine's word, and no address or number of a person's.
fn is_plain(text: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || b"._:/+=-".contains(&byte);
    text.len() <= 4096 && text.bytes().all(is_word) && text.bytes().any(|byte| byte.is_ascii_alphabetic())
}
