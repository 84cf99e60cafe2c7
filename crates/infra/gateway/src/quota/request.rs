//! How much a request to a language model may use up, read off its body.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::de::IgnoredAny;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::quota::rule::Usage;

/// Most answers to one prompt that are believed.
const CHOICES: u64 = 1024;

/// Members of a body that decide who answers and what it costs: they are read one by one, so that one that is odd
/// never hides another.
const DECIDING: [&str; 7] =
    ["model", "max_tokens", "max_completion_tokens", "max_output_tokens", "n", "best_of", "messages"];

/// Why a body can't be weighed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Odd {
    /// Not an object.
    Body,
    /// `model` is no text.
    Model,
    /// A limit is no number of tokens or answers.
    Limit,
    /// A deciding member in other letters, such as `Model`: some servers take one for the other.
    Case,
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
///
/// # Errors
/// A member that decides is not what it has to be. A body that is no JSON is an ordinary request: other routes
/// than those of language models take such.
pub(crate) fn asked(body: &[u8], answer_tokens: u64) -> Result<Asked, Odd> {
    let bytes = body.len() as u64;
    let members = match serde_json::from_slice::<BTreeMap<Cow<'_, str>, &RawValue>>(body) {
        Ok(members) => members,
        Err(_) if serde_json::from_slice::<IgnoredAny>(body).is_ok() => return Err(Odd::Body),
        Err(_) => {
            let usage = Usage { prompt: estimate(bytes), answer: answer_tokens, bytes };
            return Ok(Asked { model: String::new(), usage });
        }
    };
    let is_twin = |name: &str| DECIDING.iter().any(|known| *known != name && known.eq_ignore_ascii_case(name));
    if members.keys().any(|name| is_twin(name)) {
        return Err(Odd::Case);
    }
    let model = match members.get("model") {
        None => String::new(),
        Some(value) => serde_json::from_str(value.get()).map_err(|_| Odd::Model)?,
    };
    let limit = |name: &str| members.get(name).map_or(Ok(None), |value| number(value.get()));
    let longest = [limit("max_tokens")?, limit("max_completion_tokens")?, limit("max_output_tokens")?];
    let longest = longest.into_iter().flatten().max().unwrap_or(answer_tokens);
    let choices = [limit("n")?, limit("best_of")?].into_iter().flatten().max().unwrap_or(1).clamp(1, CHOICES);
    let usage = Usage { prompt: estimate(bytes), answer: longest.saturating_mul(choices), bytes };
    Ok(Asked { model, usage })
}

/// A limit as whole number; `16.0` and `1e3` are numbers too, and `null` is none.
fn number(text: &str) -> Result<Option<u64>, Odd> {
    match serde_json::from_str(text) {
        Ok(Value::Null) => Ok(None),
        Ok(Value::Number(number)) => match (number.as_u64(), number.as_f64()) {
            (Some(whole), _) => Ok(Some(whole)),
            // Rounded up, and saturating.
            (None, Some(broken)) if broken >= 0.0 => Ok(Some(broken.ceil() as u64)),
            _ => Err(Odd::Limit),
        },
        _ => Err(Odd::Limit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_answer_that_a_body_allows_is_what_it_asks_for() {
        let read = |body: &str| asked(body.as_bytes(), 1000);
        let asked = |body: &str| read(body).unwrap();
        assert_eq!(asked(r#"{"model":"m","max_tokens":7}"#).usage.answer, 7);
        assert_eq!(asked(r#"{"model":"m","max_tokens":7,"max_completion_tokens":9,"n":3}"#).usage.answer, 27);
        assert_eq!(asked(r#"{"max_output_tokens":5,"n":0}"#).usage.answer, 5);
        assert_eq!(asked(r#"{"n":18446744073709551615}"#).usage.answer, 1_024_000);
        assert_eq!(asked(r#"{"model":"\u006d"}"#).model, "m");
        assert_eq!(asked(r#"{"max_tokens":16.0}"#).usage.answer, 16);
        assert_eq!(asked(r#"{"max_output_tokens":1e3,"n":null}"#).usage.answer, 1000);
        // What is no JSON is an ordinary request.
        for odd in ["", "\u{0}", "{"] {
            assert_eq!(asked(odd).usage.answer, 1000, "{odd}");
        }
        // One odd member never hides another.
        for (odd, fault) in [
            (r#"{"model":"m","max_tokens":"7"}"#, Odd::Limit),
            (r#"{"model":"m","max_tokens":-1}"#, Odd::Limit),
            (r#"{"model":"m","n":[1]}"#, Odd::Limit),
            (r#"{"model":["m"]}"#, Odd::Model),
            (r#"{"model":null}"#, Odd::Model),
            (r#"{"model":"m","MODEL":"x"}"#, Odd::Case),
            (r#"{"Messages":[]}"#, Odd::Case),
            ("[]", Odd::Body),
            (r#"["m"]"#, Odd::Body),
        ] {
            assert_eq!(read(odd), Err(fault), "{odd}");
        }
    }
}
