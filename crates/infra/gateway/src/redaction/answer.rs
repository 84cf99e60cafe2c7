//! Masks the events of a streamed answer: one redactor for each text that comes in pieces.
//!
//! Knows the streams of OpenAI's chat completions, completions and responses, and of Anthropic's messages. A
//! text that a redactor holds back goes out before the event that ends it, in a delta of the same shape.
//! Every other text of an event is masked by itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use bartizan_sensitive::{Redaction, Redactor};
use serde_json::{Map, Value, json};

use super::json_text::JsonText;
use super::tally::Counts;
use super::values::Values;

/// Masks one answer's events.
pub(super) struct AnswerRedactor {
    rules: Arc<Redaction>,
    texts: BTreeMap<Place, Text>,
    /// The last event, without its choices: what the next of its kind looks like.
    envelope: Map<String, Value>,
    /// Events that were added, which the numbers of later ones have to count.
    added: u64,
    counts: Counts,
}

/// Where a text comes in pieces.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Place {
    /// `choices[index].text`.
    Completion(u64),
    /// Below `choices[index].delta`, such as `content` or `tool_calls[index].function.arguments`.
    Delta(u64, Vec<Step>),
    /// A field of the delta of a content block, with the delta's type.
    Block(u64, String, String),
    /// `delta` of an event of the responses API: the event's type and what it belongs to.
    Part(String, String),
}

/// One step from a delta to a text in it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Step {
    Name(String),
    /// An item of a list: its `index`, or else where it stands.
    Item(u64),
}

enum Text {
    Plain(Box<Redactor>),
    Json(Box<JsonText>),
}

/// Names below a delta whose texts come in pieces; other texts below are whole.
const PIECES: [&str; 9] =
    ["content", "text", "arguments", "input", "thinking", "reasoning", "summary", "refusal", "transcript"];
/// Most texts of one answer that come in pieces at the same time.
const TEXTS: usize = 1024;

/// More texts at once than are followed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct TooMany;

impl AnswerRedactor {
    pub(super) fn new(rules: &Arc<Redaction>) -> Self {
        Self { rules: rules.clone(), texts: BTreeMap::new(), envelope: Map::new(), added: 0, counts: Counts::default() }
    }

    /// Masks an event and adds it to `out`, behind what it ends.
    pub(super) fn event(&mut self, mut event: Value, out: &mut Vec<Value>) -> Result<(), TooMany> {
        let before = out.len();
        let Some(fields) = event.as_object_mut() else { return Ok(()) };
        let kind = fields.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
        if fields.get("choices").is_some_and(Value::is_array) {
            self.choices(fields, out)?;
        } else if kind.starts_with("content_block_") {
            self.block(&kind, fields, out)?;
        } else if kind.ends_with(".delta") && fields.get("delta").is_some_and(Value::is_string) {
            self.part(&kind, fields)?;
        } else {
            self.whole(&kind, fields, out);
        }
        let number = event.get("sequence_number").and_then(Value::as_u64);
        out.push(event);
        if let Some(number) = number {
            for (place, event) in out.iter_mut().skip(before).enumerate() {
                event["sequence_number"] = (number + self.added + place as u64).into();
            }
            self.added += (out.len() - before - 1) as u64;
        }
        Ok(())
    }

    /// The stream is over: adds what is held back.
    pub(super) fn finish(&mut self, out: &mut Vec<Value>) {
        self.flush(|_| true, out);
    }

    /// What was masked since the last call.
    pub(super) fn take_counts(&mut self) -> Counts {
        for text in self.texts.values_mut() {
            match text {
                Text::Plain(redactor) => self.counts.add(&redactor.take_counts()),
                Text::Json(json) => self.counts.merge(json.take_counts()),
            }
        }
        std::mem::take(&mut self.counts)
    }

    /// Chat completions and completions.
    fn choices(&mut self, event: &mut Map<String, Value>, out: &mut Vec<Value>) -> Result<(), TooMany> {
        let Some(Value::Array(mut choices)) = event.insert("choices".to_owned(), Value::Null) else { return Ok(()) };
        self.mask_fields(event, &["choices"]);
        self.envelope.clone_from(event);
        self.envelope.remove("usage");
        for (position, choice) in choices.iter_mut().enumerate() {
            let Some(choice) = choice.as_object_mut() else { continue };
            let index = index_of(choice, position);
            let is_last = choice.get("finish_reason").is_some_and(|reason| !reason.is_null());
            self.mask_fields(choice, &["text", "delta"]);
            if let Some(Value::String(text)) = choice.get_mut("text") {
                self.push(Place::Completion(index), text, is_last)?;
            }
            if let Some(Value::Object(delta)) = choice.get_mut("delta") {
                self.delta(index, delta, is_last)?;
            } else if let Some(delta) = choice.get_mut("delta") {
                self.mask(delta);
            }
            if is_last {
                let is_of_choice =
                    |place: &Place| matches!(place, Place::Completion(of) | Place::Delta(of, _) if *of == index);
                self.flush(is_of_choice, out);
            }
        }
        event.insert("choices".to_owned(), Value::Array(choices));
        Ok(())
    }

    /// The fields of a delta: its own texts all come in pieces, those further below where they are called so.
    fn delta(&mut self, choice: u64, delta: &mut Map<String, Value>, is_last: bool) -> Result<(), TooMany> {
        for (name, field) in delta.iter_mut() {
            match field {
                Value::String(text) if name != "role" => {
                    let place = Place::Delta(choice, vec![Step::Name(name.clone())]);
                    self.push(place, text, is_last)?;
                }
                _ => self.below(choice, &mut vec![Step::Name(name.clone())], name, field, is_last)?,
            }
        }
        Ok(())
    }

    fn below(
        &mut self,
        choice: u64,
        path: &mut Vec<Step>,
        name: &str,
        value: &mut Value,
        is_last: bool,
    ) -> Result<(), TooMany> {
        match value {
            Value::Object(fields) => {
                for (name, field) in fields.iter_mut() {
                    path.push(Step::Name(name.clone()));
                    self.below(choice, path, name, field, is_last)?;
                    path.pop();
                }
                Ok(())
            }
            Value::Array(items) => {
                for (position, item) in items.iter_mut().enumerate() {
                    path.push(Step::Item(item.as_object().map_or(position as u64, |item| index_of(item, position))));
                    self.below(choice, path, name, item, is_last)?;
                    path.pop();
                }
                Ok(())
            }
            Value::String(text) if PIECES.contains(&name) => {
                self.push(Place::Delta(choice, path.clone()), text, is_last)
            }
            _ => {
                self.mask_field(name, value);
                Ok(())
            }
        }
    }

    /// Content blocks of Anthropic's messages.
    fn block(&mut self, kind: &str, event: &mut Map<String, Value>, out: &mut Vec<Value>) -> Result<(), TooMany> {
        let index = index_of(event, 0);
        let held = if kind == "content_block_start" { "content_block" } else { "delta" };
        self.mask_fields(event, &[held]);
        if kind == "content_block_stop" {
            self.flush(|place| matches!(place, Place::Block(of, ..) if *of == index), out);
        }
        let Some(content) = event.get_mut(held).and_then(Value::as_object_mut) else { return Ok(()) };
        let kind = content.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
        let kind = if held == "delta" { kind } else { format!("{kind}_delta") };
        for (name, field) in content.iter_mut() {
            match field {
                Value::String(text) if matches!(name.as_str(), "text" | "thinking" | "partial_json") => {
                    self.push(Place::Block(index, kind.clone(), name.clone()), text, false)?;
                }
                _ => self.mask_field(name, field),
            }
        }
        Ok(())
    }

    /// A delta of the responses API.
    fn part(&mut self, kind: &str, event: &mut Map<String, Value>) -> Result<(), TooMany> {
        self.mask_fields(event, &["delta"]);
        let place = Place::Part(kind.to_owned(), belongs_to(event));
        match event.get_mut("delta") {
            // Sound in base 64.
            Some(Value::String(_)) if kind.ends_with("audio.delta") => Ok(()),
            Some(Value::String(text)) => self.push(place, text, false),
            _ => Ok(()),
        }
    }

    /// An event that holds no pieces of a text; some end one.
    fn whole(&mut self, kind: &str, event: &mut Map<String, Value>, out: &mut Vec<Value>) {
        if let Some(stem) = kind.strip_suffix(".done") {
            let (delta, owner) = (format!("{stem}.delta"), belongs_to(event));
            self.flush(|place| matches!(place, Place::Part(kind, of) if *kind == delta && *of == owner), out);
        }
        let ends =
            ["response.completed", "response.incomplete", "response.failed", "message_delta", "message_stop", "error"];
        if ends.contains(&kind) {
            self.flush(|_| true, out);
        }
        self.mask_fields(event, &[]);
    }

    /// Replaces `text` by what may go out by now.
    fn push(&mut self, place: Place, text: &mut String, is_last: bool) -> Result<(), TooMany> {
        if self.texts.len() >= TEXTS && !self.texts.contains_key(&place) {
            return Err(TooMany);
        }
        let is_json = match &place {
            Place::Delta(_, path) => path.last() == Some(&Step::Name("arguments".to_owned())),
            Place::Block(_, _, name) => name == "partial_json",
            Place::Part(kind, _) => kind.contains("arguments"),
            Place::Completion(_) => false,
        };
        let rules = &self.rules;
        let redactor = self.texts.entry(place).or_insert_with(|| {
            if is_json {
                Text::Json(Box::new(JsonText::new(rules)))
            } else {
                Text::Plain(Box::new(Redactor::new(rules)))
            }
        });
        let mut masked = String::new();
        redactor.push(text, &mut masked);
        if is_last {
            redactor.finish(&mut masked);
        }
        *text = masked;
        Ok(())
    }

    /// Ends the texts at some places and adds what was held back of them.
    fn flush(&mut self, is_meant: impl Fn(&Place) -> bool, out: &mut Vec<Value>) {
        let places: Vec<Place> = self.texts.keys().filter(|place| is_meant(place)).cloned().collect();
        for place in places {
            let Some(mut text) = self.texts.remove(&place) else { continue };
            let mut rest = String::new();
            text.finish(&mut rest);
            match &mut text {
                Text::Plain(redactor) => self.counts.add(&redactor.take_counts()),
                Text::Json(json) => self.counts.merge(json.take_counts()),
            }
            if !rest.is_empty() {
                out.push(self.delta_of(&place, rest));
            }
        }
    }

    /// An event that adds `text` at a place.
    fn delta_of(&self, place: &Place, text: String) -> Value {
        let chosen = |choice: Value| {
            let mut event = self.envelope.clone();
            event.insert("choices".to_owned(), Value::Array(vec![choice]));
            Value::Object(event)
        };
        match place {
            Place::Completion(index) => chosen(json!({ "index": index, "text": text, "finish_reason": null })),
            Place::Delta(index, path) => {
                let delta = path.iter().rev().fold(Value::String(text), |inner, step| match step {
                    Step::Name(name) => Value::Object(Map::from_iter([(name.clone(), inner)])),
                    Step::Item(index) => Value::Array(vec![with_index(inner, *index)]),
                });
                chosen(json!({ "index": index, "delta": delta, "finish_reason": null }))
            }
            Place::Block(index, kind, name) => {
                let delta = Map::from_iter([("type".to_owned(), kind.as_str().into()), (name.clone(), text.into())]);
                json!({ "type": "content_block_delta", "index": index, "delta": delta })
            }
            Place::Part(kind, owner) => {
                let mut event: Map<String, Value> = serde_json::from_str(owner).unwrap_or_default();
                event.insert("type".to_owned(), kind.as_str().into());
                event.insert("delta".to_owned(), text.into());
                Value::Object(event)
            }
        }
    }

    fn mask_fields(&mut self, fields: &mut Map<String, Value>, except: &[&str]) {
        for (name, field) in fields.iter_mut().filter(|(name, _)| !except.contains(&name.as_str())) {
            self.mask_field(name, field);
        }
    }

    fn mask_field(&mut self, name: &str, field: &mut Value) {
        let mut values = Values::new(&self.rules);
        values.field(name, field);
        self.counts.merge(values.counts);
    }

    fn mask(&mut self, value: &mut Value) {
        let mut values = Values::new(&self.rules);
        values.mask(value);
        self.counts.merge(values.counts);
    }
}

impl Text {
    fn push(&mut self, piece: &str, out: &mut String) {
        match self {
            Self::Plain(redactor) => redactor.push(piece, out),
            Self::Json(json) => json.push(piece, out),
        }
    }

    fn finish(&mut self, out: &mut String) {
        match self {
            Self::Plain(redactor) => redactor.finish(out),
            Self::Json(json) => json.finish(out),
        }
    }
}

fn index_of(fields: &Map<String, Value>, position: usize) -> u64 {
    fields.get("index").and_then(Value::as_u64).unwrap_or(position as u64)
}

fn with_index(mut item: Value, index: u64) -> Value {
    if let Some(fields) = item.as_object_mut() {
        fields.insert("index".to_owned(), index.into());
    }
    item
}

/// What a delta of the responses API belongs to, as a JSON object.
fn belongs_to(event: &Map<String, Value>) -> String {
    let names = ["item_id", "output_index", "content_index", "summary_index"];
    let owner: Map<String, Value> =
        names.iter().filter_map(|name| Some(((*name).to_owned(), event.get(*name)?.clone()))).collect();
    Value::Object(owner).to_string()
}
