//! The redactor behind server-sent events and JSON: wherever a text is cut, the same comes out.

use std::collections::BTreeMap;
use std::sync::Arc;

use bartizan_sensitive::{Redaction, Redactor, kinds, personal_kinds, sample};
use serde_json::{Value, json};

use super::json_text::JsonText;
use super::pipeline::Pipeline;
use super::tally::Tally;
use super::values::Values;

fn rules() -> Arc<Redaction> {
    Arc::new(Redaction::default())
}

fn long() -> bool {
    std::env::var_os("BARTIZAN_LONG").is_some()
}

fn redact(text: &str) -> String {
    let (mut redactor, mut out) = (Redactor::new(&rules()), String::new());
    redactor.push(text, &mut out);
    redactor.finish(&mut out);
    out
}

/// xorshift64* (Vigna 2016).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % limit.max(1)
    }

    fn pieces<'a>(&mut self, text: &'a str, most: usize) -> Vec<&'a str> {
        let (mut pieces, mut rest) = (Vec::new(), text);
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(rest.ceil_char_boundary((1 + self.below(most)).min(rest.len())));
            pieces.push(piece);
            rest = after;
        }
        pieces
    }
}

/// A stream of the events, some characters of each text escaped where `escapes` says so.
fn stream(events: &[Value], escapes: bool) -> Vec<u8> {
    let mut text = String::new();
    for event in events {
        if let Some(kind) = event["type"].as_str() {
            text.push_str(&format!("event: {kind}\n"));
        }
        let mut data = event.to_string();
        if escapes {
            data = escaped(&data);
        }
        text.push_str(&format!("data: {data}\n\n"));
    }
    text.into_bytes()
}

/// The same JSON with `@`, `_` and `4` in its strings as `\u0040` and the like.
fn escaped(json: &str) -> String {
    let (mut out, mut is_text, mut is_escape) = (String::new(), false, false);
    for character in json.chars() {
        if character == '"' && !is_escape {
            is_text = !is_text;
        }
        if is_text && !is_escape && matches!(character, '@' | '_' | '4') {
            out.push_str(&format!("\\u{:04x}", u32::from(character)));
        } else {
            out.push(character);
        }
        is_escape = character == '\\' && !is_escape;
    }
    out
}

/// What comes out of a stream that came in pieces of `size` bytes.
fn masked(bytes: &[u8], size: usize) -> (Vec<Value>, Tally) {
    let tally = Tally::default();
    let mut pipeline = Pipeline::masking(&rules(), 1 << 20, tally.clone());
    let mut out = Vec::new();
    let outcome = bytes.chunks(size.max(1)).try_for_each(|piece| pipeline.push(piece, &mut out));
    if outcome.is_ok() {
        let _ = pipeline.finish(&mut out);
    }
    let text = String::from_utf8(out).unwrap();
    let data = text.lines().filter_map(|line| line.strip_prefix("data: ")).filter(|data| *data != "[DONE]");
    (data.map(|data| serde_json::from_str(data).unwrap()).collect(), tally)
}

fn chat(index: u64, delta: &Value) -> Value {
    json!({ "id": "chatcmpl-1", "model": "m", "choices": [{ "index": index, "delta": delta, "finish_reason": null }] })
}

fn last(index: u64) -> Value {
    json!({ "id": "chatcmpl-1", "model": "m", "choices": [{ "index": index, "delta": {}, "finish_reason": "stop" }] })
}

/// The texts of a chat by choice and field, and whether any came behind the end of its choice.
fn texts(events: &[Value]) -> BTreeMap<(u64, String), String> {
    let mut texts: BTreeMap<(u64, String), String> = BTreeMap::new();
    let mut ended = Vec::new();
    for choice in events.iter().filter_map(|event| event["choices"].as_array()).flatten() {
        let index = choice["index"].as_u64().unwrap();
        for (name, field) in choice["delta"].as_object().into_iter().flatten() {
            assert!(!ended.contains(&index), "text behind the end: {choice}");
            if let Some(text) = field.as_str() {
                texts.entry((index, name.clone())).or_default().push_str(text);
            }
            for call in field.as_array().into_iter().flatten() {
                let text = call["function"]["arguments"].as_str().unwrap_or_default();
                texts.entry((index, format!("call {}", call["index"]))).or_default().push_str(text);
            }
        }
        if choice["finish_reason"].is_string() {
            ended.push(index);
        }
    }
    texts
}

fn samples() -> Vec<String> {
    let secrets = kinds().iter().filter_map(|kind| Some(sample(kind.examples_of().first()?, 3)));
    let personal = personal_kinds().iter().flat_map(|kind| kind.examples.iter().map(|text| (*text).to_owned()));
    personal.chain(secrets).map(|text| format!("It is {text} they say.")).collect()
}

#[test]
fn every_two_way_split_over_two_deltas_gives_the_redaction_of_the_whole() {
    for (number, text) in samples().into_iter().enumerate() {
        let whole = redact(&text);
        assert_ne!(whole, text);
        let step = if long() || number < 40 { 1 } else { text.len() / 8 + 1 };
        for cut in (0..=text.len()).filter(|cut| text.is_char_boundary(*cut)).step_by(step) {
            let (head, tail) = text.split_at(cut);
            let events = [chat(0, &json!({ "content": head })), chat(0, &json!({ "content": tail })), last(0)];
            let (events, tally) = masked(&stream(&events, cut % 2 == 0), 4096);
            assert_eq!(texts(&events)[&(0, "content".to_owned())], whole, "cut at {cut}");
            assert!(tally.result().counts.iter().map(|(_, count)| count).sum::<u64>() > 0);
        }
    }
}

#[test]
fn any_cutting_of_bytes_and_deltas_and_choices_gives_the_redaction_of_each_text() {
    let (mut random, samples) = (Random(3), samples());
    for round in 0..if long() { 100_000 } else { 400 } {
        let fields = [(0, "content"), (0, "reasoning_content"), (1, "content"), (1, "refusal"), (2, "reasoning")];
        let mut expected = BTreeMap::new();
        let mut queues: Vec<(u64, &str, Vec<String>)> = Vec::new();
        for (choice, field) in fields {
            let text: String =
                (0..1 + random.below(3)).map(|_| samples[random.below(samples.len())].as_str()).collect();
            expected.insert((choice, field.to_owned()), redact(&text));
            let pieces = random.pieces(&text, 1 + round % 20).into_iter().rev().map(str::to_owned).collect();
            queues.push((choice, field, pieces));
        }
        let mut events = Vec::new();
        while !queues.is_empty() {
            let at = random.below(queues.len());
            let (choice, field, pieces) = &mut queues[at];
            match pieces.pop() {
                Some(piece) => events.push(chat(*choice, &json!({ (*field): piece }))),
                None => drop(queues.swap_remove(at)),
            }
        }
        events.extend([last(0), last(1), last(2)]);
        let bytes = stream(&events, round % 2 == 0);
        let (events, _) = masked(&bytes, 1 + random.below(64));
        let found: BTreeMap<_, _> = texts(&events);
        assert_eq!(found, expected, "round {round}");
    }
}

#[test]
fn arguments_of_tool_calls_stay_json_and_escapes_hide_nothing() {
    let key = sample("{a:32}", 5);
    let arguments = format!(
        r#"{{"to": "jane\u0040example.org", "api_key": "{key}", "list": ["a", 4111111111111111, 1.5e3], "note": "\ud83d\ude42 \"caf\u00e9\"\n"}}"#
    );
    let expected = json!({
        "to": "[EMAIL]", "api_key": "[SECRET:generic-api-key]", "list": ["a", "[PAYMENT-CARD]", 1500.0], "note": "\u{1f642} \"caf\u{e9}\"\n"
    });
    let mut random = Random(8);
    for most in [1, 2, 3, 5, 9, 30, 1000] {
        let pieces = random.pieces(&arguments, most);
        let mut events: Vec<Value> = pieces
            .iter()
            .map(|piece| chat(0, &json!({ "tool_calls": [{ "index": 1, "id": "call_1", "function": { "name": "mail", "arguments": piece } }] })))
            .collect();
        events.push(last(0));
        let (events, _) = masked(&stream(&events, false), 50);
        let text = &texts(&events)[&(0, "call 1".to_owned())];
        assert_eq!(serde_json::from_str::<Value>(text).unwrap(), expected, "{text}");
        assert_eq!(events[0]["choices"][0]["delta"]["tool_calls"][0]["function"]["name"], "mail");
    }
}

#[test]
fn blocks_of_messages_are_masked_and_ended_with_what_was_held() {
    let events = [
        json!({ "type": "message_start", "message": { "id": "msg_1", "role": "assistant", "content": [] } }),
        json!({ "type": "content_block_start", "index": 0, "content_block": { "type": "text", "text": "" } }),
        json!({ "type": "content_block_delta", "index": 0, "delta": { "type": "text_delta", "text": "Ask jane@exa" } }),
        json!({ "type": "content_block_delta", "index": 1, "delta": { "type": "input_json_delta", "partial_json": "{\"to\": \"jo\\u0040exam" } }),
        json!({ "type": "content_block_delta", "index": 0, "delta": { "type": "text_delta", "text": "mple.org" } }),
        json!({ "type": "content_block_stop", "index": 0 }),
        json!({ "type": "content_block_delta", "index": 1, "delta": { "type": "input_json_delta", "partial_json": "ple.org\"}" } }),
        json!({ "type": "content_block_stop", "index": 1 }),
        json!({ "type": "message_stop" }),
    ];
    let (events, _) = masked(&stream(&events, false), 11);
    let text = |index: u64, name: &str| -> String {
        let blocks = events.iter().filter(|event| event["index"] == index);
        blocks.filter_map(|event| event["delta"][name].as_str()).collect()
    };
    assert_eq!(text(0, "text"), "Ask [EMAIL]");
    assert_eq!(text(1, "partial_json"), "{\"to\": \"[EMAIL]\"}");
    let kinds: Vec<&str> = events.iter().filter_map(|event| event["type"].as_str()).collect();
    let stop = kinds.iter().position(|kind| *kind == "content_block_stop").unwrap();
    assert_eq!((kinds[stop - 1], kinds.last()), ("content_block_delta", Some(&"message_stop")));
    assert_eq!(events[0]["message"]["id"], "msg_1");
}

#[test]
fn parts_of_responses_and_their_repetitions_agree_and_are_numbered_on() {
    let text = "Call 415-555-2671 or jane@example.org";
    let arguments = r#"{"card":"4111 1111 1111 1111"}"#;
    let part = |kind: &str, number: u64, delta: &str| json!({ "type": kind, "sequence_number": number, "item_id": "i1", "output_index": 0, "delta": delta });
    let mut events = Vec::new();
    for piece in Random(2).pieces(text, 4) {
        events.push(part("response.output_text.delta", events.len() as u64, piece));
    }
    events.push(json!({ "type": "response.output_text.done", "sequence_number": events.len(), "item_id": "i1", "output_index": 0, "text": text }));
    for piece in Random(2).pieces(arguments, 4) {
        events.push(part("response.function_call_arguments.delta", events.len() as u64, piece));
    }
    events.push(json!({ "type": "response.function_call_arguments.done", "sequence_number": events.len(), "item_id": "i1", "output_index": 0, "arguments": arguments }));
    events.push(json!({ "type": "response.completed", "sequence_number": events.len(), "response": { "id": "resp_1", "output": [{ "content": [{ "text": text, "logprobs": [{ "token": "jane" }] }] }] } }));
    let (events, _) = masked(&stream(&events, true), 13);
    let joined = |kind: &str| -> String {
        events.iter().filter(|event| event["type"] == kind).filter_map(|event| event["delta"].as_str()).collect()
    };
    let done = |kind: &str| events.iter().find(|event| event["type"] == kind).unwrap();
    assert_eq!(joined("response.output_text.delta"), "Call [PHONE] or [EMAIL]");
    assert_eq!(done("response.output_text.done")["text"], "Call [PHONE] or [EMAIL]");
    assert_eq!(joined("response.function_call_arguments.delta"), r#"{"card":"[PAYMENT-CARD]"}"#);
    assert_eq!(done("response.function_call_arguments.done")["arguments"], r#"{"card":"[PAYMENT-CARD]"}"#);
    let content = &done("response.completed")["response"]["output"][0]["content"][0];
    assert_eq!(*content, json!({ "text": "Call [PHONE] or [EMAIL]", "logprobs": [] }));
    let numbers: Vec<u64> = events.iter().filter_map(|event| event["sequence_number"].as_u64()).collect();
    assert_eq!(numbers, (0..events.len() as u64).collect::<Vec<_>>());
}

#[test]
fn a_stream_that_cannot_be_read_ends_with_an_error_and_shows_nothing_of_it() {
    let good = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hello there \"}}]}\n\n";
    for bad in [
        "data: jane@example.org\n\n",
        "jane@example.org\n\n",
        "data: [\"jane@example.org\"]\n\n",
        "data: {\"a\": \"jane@exam",
    ] {
        let text = format!("{good}{bad}");
        let (events, tally) = masked(text.as_bytes(), 9);
        assert_eq!(events[0]["choices"][0]["delta"]["content"], "Hello there ");
        assert_eq!(events.last().unwrap()["error"]["code"], "upstream-malformed");
        assert!(!format!("{events:?}").contains("jane"), "{events:?}");
        assert_eq!(tally.result().unread, Some("upstream-malformed"));
    }
}

#[test]
fn probabilities_are_dropped_and_unknown_texts_are_masked() {
    let event = json!({
        "id": "chatcmpl-1",
        "choices": [{ "index": 0, "delta": { "content": "hi ", "annotations": [{ "url": "mailto:jane@example.org" }] }, "logprobs": { "content": [{ "token": "hi" }] } }],
        "note": "jane@example.org",
    });
    let (events, _) = masked(&stream(&[event], false), 100);
    assert!(!format!("{events:?}").contains("jane"), "{events:?}");
    assert_eq!(events[0]["choices"][0]["logprobs"], Value::Null);
    assert_eq!((&events[0]["id"], &events[0]["note"]), (&json!("chatcmpl-1"), &json!("[EMAIL]")));
}

#[test]
fn a_legacy_function_call_and_nested_texts_are_followed_over_events() {
    let events = [
        chat(0, &json!({ "function_call": { "name": "f", "arguments": "{\"a\": \"jane@exam" } })),
        chat(
            0,
            &json!({ "reasoning_details": [{ "index": 0, "type": "reasoning.text", "text": "It is 4111 1111 1111" }] }),
        ),
        chat(0, &json!({ "function_call": { "arguments": "ple.org\"}" } })),
        chat(0, &json!({ "reasoning_details": [{ "index": 0, "type": "reasoning.text", "text": " 1111." }] })),
        last(0),
    ];
    let (events, _) = masked(&stream(&events, false), 100);
    let all = |path: &str| -> String { events.iter().filter_map(|event| event.pointer(path)?.as_str()).collect() };
    assert_eq!(all("/choices/0/delta/function_call/arguments"), "{\"a\": \"[EMAIL]\"}");
    assert_eq!(all("/choices/0/delta/reasoning_details/0/text"), "It is [PAYMENT-CARD].");
}

#[test]
fn an_answer_as_a_whole_is_masked_by_the_names_in_it() {
    let mut answer = json!({
        "id": "msg_1", "type": "message", "content": [
            { "type": "text", "text": "Write to jane@example.org" },
            { "type": "tool_use", "id": "toolu_1", "name": "f", "input": { "id": "jane@example.org", "password": (["Hunter2", "x9Qa7"].concat()), "card": 4_111_111_111_111_111_u64 } },
        ],
    });
    let mut values = Values::new(&rules());
    values.mask(&mut answer);
    assert_eq!(answer["content"][0]["text"], "Write to [EMAIL]");
    assert_eq!(
        answer["content"][1]["input"],
        json!({ "id": "[EMAIL]", "password": "[SECRET:generic-password]", "card": "[PAYMENT-CARD]" })
    );
    let mut names = json!({ "input": { "jane@example.org": 1, "a": { "plain": "text" } } });
    values.mask(&mut names);
    assert_eq!(names, json!({ "input": { "[EMAIL]": 1, "a": { "plain": "text" } } }));
    assert_eq!((&answer["id"], &answer["content"][1]["id"]), (&json!("msg_1"), &json!("toolu_1")));
}

#[test]
fn json_text_without_anything_to_mask_keeps_its_meaning_in_whatever_pieces() {
    let mut random = Random(12);
    for _ in 0..if long() { 100_000 } else { 2000 } {
        let value = random_json(&mut random, 4);
        let mut text =
            if random.below(2) == 0 { value.to_string() } else { serde_json::to_string_pretty(&value).unwrap() };
        if random.below(4) == 0 {
            let at = text.floor_char_boundary(random.below(text.len()));
            text.insert_str(at, ["\"", "\\", "{", "]", "\\u12", ","][random.below(6)]);
        }
        let run = |pieces: Vec<&str>| {
            let (mut json, mut out) = (JsonText::new(&rules()), String::new());
            pieces.into_iter().for_each(|piece| json.push(piece, &mut out));
            json.finish(&mut out);
            (json.take_counts(), out)
        };
        let whole = run(vec![&text]);
        for most in [1, 3, 17] {
            assert_eq!(run(random.pieces(&text, most)), whole, "{text}");
        }
        if let Ok(parsed) = serde_json::from_str::<Value>(&text) {
            let masked: Value =
                serde_json::from_str(&whole.1).unwrap_or_else(|error| panic!("{error}: {text} -> {}", whole.1));
            if whole.0.is_empty() {
                assert_eq!(masked, parsed, "{text}");
            }
        }
    }
}

fn random_json(random: &mut Random, depth: usize) -> Value {
    match random.below(if depth == 0 { 5 } else { 7 }) {
        0 => Value::Null,
        1 => json!(random.below(3) == 0),
        2 => json!(random.below(1 << 30)),
        3 => json!(
            ["jane@example.org", "4111 1111 1111 1111", "a \"quote\" and \u{1f642}\n", "", "plain"][random.below(5)]
        ),
        4 => json!(-1.5e-7),
        5 => (0..random.below(4)).map(|_| random_json(random, depth - 1)).collect(),
        _ => (0..random.below(4))
            .map(|_| {
                (["password", "a", "token", "\u{e9}\"x"][random.below(4)].to_owned(), random_json(random, depth - 1))
            })
            .collect::<serde_json::Map<_, _>>()
            .into(),
    }
}
