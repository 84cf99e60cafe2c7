//! Probabilities of tokens, taken out of answers of language models: they tell far more about a model
//! than its text does (Carlini et al., "Stealing part of a production language model", 2024).

use serde_json::Value;

/// Fields beside `logprobs` that hold probabilities of tokens: of OpenAI's chat, completions and
/// responses, whole or as events of a stream, and of servers that speak them.
const FIELDS: &[&str] = &["top_logprobs", "token_logprobs", "prompt_logprobs", "logprob", "cumulative_logprob"];

/// Takes the probabilities of tokens out of an answer, in place; whether there were any. `logprobs`
/// becomes `null`, which stands there where they were not asked for; the others are left out. Text is never
/// looked into: what a model writes stays.
pub fn strip_logprobs(answer: &mut Value) -> bool {
    let mut found = false;
    match answer {
        Value::Object(fields) => {
            if let Some(value) = fields.get_mut("logprobs").filter(|value| value.is_object() || value.is_array()) {
                *value = Value::Null;
                found = true;
            }
            let before = fields.len();
            // A server that repeats how many it was asked for tells nothing.
            let is_number_asked = |name: &str, value: &Value| name == "top_logprobs" && value.is_number();
            fields.retain(|name, value| {
                !FIELDS.contains(&name.as_str()) || value.is_null() || is_number_asked(name, value)
            });
            found |= fields.len() < before;
            for value in fields.values_mut() {
                found |= strip_logprobs(value);
            }
        }
        Value::Array(items) => {
            for item in items {
                found |= strip_logprobs(item);
            }
        }
        _ => {}
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn stripped(mut answer: Value) -> (Value, bool) {
        let found = strip_logprobs(&mut answer);
        (answer, found)
    }

    #[test]
    fn token_probabilities_are_taken_out_of_chat_completions_and_responses() {
        let token = json!({ "token": "a", "logprob": -0.1, "bytes": [97], "top_logprobs": [{ "token": "b", "logprob": -3.0 }] });
        let chat = json!({ "choices": [
            { "index": 0, "message": { "content": "a" }, "logprobs": { "content": [token], "refusal": null } },
            { "index": 1, "delta": { "content": "b" }, "logprobs": { "content": [token] } },
        ] });
        let (chat, found) = stripped(chat);
        assert!(found && !chat.to_string().contains("-0.1") && !chat.to_string().contains("-3.0"), "{chat}");
        assert_eq!(chat["choices"][0]["logprobs"], Value::Null);
        assert_eq!(chat["choices"][1]["delta"]["content"], "b");
        let completion = json!({ "choices": [{ "text": "a", "logprobs": { "tokens": ["a"], "token_logprobs": [-0.1], "top_logprobs": [{ "a": -0.1 }], "text_offset": [0] } }], "prompt_logprobs": [null, { "5": -2.0 }] });
        let (completion, found) = stripped(completion);
        assert_eq!((completion, found), (json!({ "choices": [{ "text": "a", "logprobs": null }] }), true));
        let response = json!({ "output": [{ "type": "message", "content": [{ "type": "output_text", "text": "a", "logprobs": [token] }] }] });
        let (response, _) = stripped(response);
        assert_eq!(
            response["output"][0]["content"][0],
            json!({ "type": "output_text", "text": "a", "logprobs": null })
        );
    }

    #[test]
    fn text_that_speaks_of_them_and_answers_without_them_stay() {
        let answer = json!({ "choices": [{ "message": { "content": "{\"logprobs\": [1]}" }, "logprobs": null }], "usage": { "total_tokens": 3 } });
        assert_eq!(stripped(answer.clone()), (answer, false));
    }
}
