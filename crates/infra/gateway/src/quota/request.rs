//! How much a request to a language model may use up, read off its body.

use serde::Deserialize;

use crate::quota::rule::Usage;

/// Most answers to one prompt that are believed.
const CHOICES: u64 = 1024;

/// What a body asks for, as far as quotas care. Other fields are passed over.
#[derive(Debug, Default, Deserialize)]
struct Body<'a> {
    #[serde(borrow, default)]
    model: Option<std::borrow::Cow<'a, str>>,
    #[serde(default)]
    max_tokens: Option<u64>,
    #[serde(default)]
    max_completion_tokens: Option<u64>,
    #[serde(default)]
    max_output_tokens: Option<u64>,
    #[serde(default)]
    n: Option<u64>,
    #[serde(default)]
    best_of: Option<u64>,
}

/// A request as quotas see it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Asked {
    /// The model that the body names.
    pub(crate) model: String,
    /// What it uses up at most, or as long as its answer stays within the default.
    pub(crate) usage: Usage,
}

/// Tokens of so many bytes of text: a quarter, as in English text for common tokenizers. What the upstream
/// counts replaces it when the answer is there.
pub(crate) fn estimate(bytes: u64) -> u64 {
    bytes.div_ceil(4)
}

/// Reads what a body asks for; without a limit of its own the answer is taken to be `answer_tokens` long.
pub(crate) fn asked(body: &[u8], answer_tokens: u64) -> Asked {
    let bytes = body.len() as u64;
    let Ok(parsed) = serde_json::from_slice::<Body<'_>>(body) else {
        let usage = Usage { prompt: estimate(bytes), answer: answer_tokens, bytes };
        return Asked { model: String::new(), usage };
    };
    let longest = [parsed.max_tokens, parsed.max_completion_tokens, parsed.max_output_tokens];
    let longest = longest.into_iter().flatten().max().unwrap_or(answer_tokens);
    let choices = parsed.n.into_iter().chain(parsed.best_of).max().unwrap_or(1).clamp(1, CHOICES);
    let usage = Usage { prompt: estimate(bytes), answer: longest.saturating_mul(choices), bytes };
    Asked { model: parsed.model.unwrap_or_default().into_owned(), usage }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_answer_that_a_body_allows_is_what_it_asks_for() {
        let asked = |body: &str| asked(body.as_bytes(), 1000);
        assert_eq!(asked(r#"{"model":"m","max_tokens":7}"#).usage.answer, 7);
        assert_eq!(asked(r#"{"model":"m","max_tokens":7,"max_completion_tokens":9,"n":3}"#).usage.answer, 27);
        assert_eq!(asked(r#"{"max_output_tokens":5,"n":0}"#).usage.answer, 5);
        assert_eq!(asked(r#"{"n":18446744073709551615}"#).usage.answer, 1_024_000);
        assert_eq!(asked(r#"{"model":"\u006d"}"#).model, "m");
        // What can't be read in that way is taken for an ordinary request.
        for odd in ["", "[]", r#"{"max_tokens":"7"}"#, r#"{"max_tokens":-1}"#, "\u{0}"] {
            assert_eq!(asked(odd).usage.answer, 1000, "{odd}");
        }
    }
}
