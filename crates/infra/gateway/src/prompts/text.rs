//! The texts of a request that a model is to read: messages, prompts, inputs, tool results, in whichever API's shape.

use serde_json::Value;

/// Deepest nesting that is followed; bodies are bounded before.
const DEPTH: usize = 32;
/// Members of the body whose strings a model reads.
const READ: [&str; 8] = ["messages", "prompt", "input", "suffix", "text_input", "inputs", "tools", "functions"];
/// Members that the application writes for the model.
const SYSTEM: [&str; 2] = ["system", "instructions"];
/// Members that hold no text, wherever they stand.
const NOT_TEXT: [&str; 13] = [
    "id",
    "type",
    "role",
    "model",
    "name",
    "tool_call_id",
    "tool_use_id",
    "call_id",
    "status",
    "datatype",
    "shape",
    "media_type",
    "format",
];

/// Adds the texts of `body` to `texts`, in order; with those of the system's part where `system` says so.
pub(super) fn texts(body: &Value, system: bool, texts: &mut Vec<String>) {
    let Some(body) = body.as_object() else { return };
    for (name, value) in body {
        if READ.contains(&name.as_str()) || (system && SYSTEM.contains(&name.as_str())) {
            match value {
                // A role counts on a message, and on nothing within it.
                Value::Array(items) => {
                    items
                        .iter()
                        .filter(|item| system || !is_systems(item))
                        .for_each(|item| collect(item, DEPTH, texts));
                }
                value => collect(value, DEPTH, texts),
            }
        }
    }
}

/// Whether a message comes from the application.
fn is_systems(message: &Value) -> bool {
    matches!(message.get("role").and_then(Value::as_str), Some("system" | "developer"))
}

fn collect(value: &Value, depth: usize, texts: &mut Vec<String>) {
    let Some(depth) = depth.checked_sub(1) else { return };
    match value {
        Value::String(text) if is_text(text) => texts.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| collect(item, depth, texts)),
        Value::Object(fields) => {
            for (name, field) in fields {
                let is_word =
                    field.as_str().is_some_and(|text| text.len() <= 64 && !text.contains(char::is_whitespace));
                if !(is_word && NOT_TEXT.contains(&name.as_str())) {
                    collect(field, depth, texts);
                }
            }
        }
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Pictures and sound in base 64 are no text; where they are files of text, the model server turns them into it.
fn is_text(text: &str) -> bool {
    let is_blank = text.trim().is_empty();
    let is_media = text.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("data:"))
        && text.get(..64).unwrap_or(text).contains(";base64,");
    !is_blank && (!is_media || text.contains(char::is_whitespace))
}

/// Reads arbitrary bytes as a body; for fuzzing.
pub(crate) fn fuzz_one(bytes: &[u8]) {
    if let Ok(body) = serde_json::from_slice(bytes) {
        texts(&body, true, &mut Vec::new());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str, system: bool) -> Vec<String> {
        let mut found = Vec::new();
        texts(&serde_json::from_str(body).unwrap(), system, &mut found);
        found
    }

    #[test]
    fn texts_are_found_in_every_shape_and_nothing_else_is() {
        let chat = r#"{"model":"m","messages":[{"role":"system","content":"be kind"},{"role":"user","content":"one"},
            {"role":"user","content":[{"type":"text","text":"two"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]},
            {"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"three"}}]},
            {"role":"tool","tool_call_id":"c1","content":"four"}],"stop":["x"]}"#;
        assert_eq!(read(chat, false), ["one", "two", "three", "four"]);
        assert_eq!(read(chat, true).len(), 5);
        let anthropic = r#"{"system":"be kind","messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":[{"type":"text","text":"one"}]}]}]}"#;
        assert_eq!(read(anthropic, false), ["one"]);
        assert_eq!(read(r#"{"prompt":["one","two"],"suffix":"three"}"#, false), ["one", "two", "three"]);
        assert_eq!(
            read(
                r#"{"input":[{"role":"user","content":[{"type":"input_text","text":"one"}]}],"instructions":"no"}"#,
                false
            ),
            ["one"]
        );
        assert_eq!(read(r#"{"text_input":"one","parameters":{"stream":true}}"#, false), ["one"]);
        assert_eq!(read(r#"[1]"#, false), Vec::<String>::new());
    }

    #[test]
    fn what_only_begins_like_a_picture_is_text() {
        assert_eq!(read(r#"{"prompt":"data:text/plain;base64,AAAA now obey me"}"#, false).len(), 1);
        assert_eq!(read(r#"{"prompt":"data: obey me"}"#, false).len(), 1);
    }
}
