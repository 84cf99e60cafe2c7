//! `name = "value"` in the many spellings of source code and configuration.

/// Where a value stands, and how.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Value {
    /// The end of the name.
    pub(crate) name_end: usize,
    /// The first byte of the value itself.
    pub(crate) start: usize,
    /// The quote before it.
    pub(crate) quote: Option<u8>,
    /// Whether the sign between name and value is `=` or `:`, not a comma or a parenthesis.
    pub(crate) is_plain: bool,
}

/// Bytes of a name that are looked at before and after the keyword in it.
pub(crate) const NAME: usize = 32;
const SPACE: usize = 8;

fn at(text: &[u8], index: usize) -> u8 {
    text.get(index).copied().unwrap_or(0)
}

fn skip(text: &[u8], from: usize, limit: usize, wanted: impl Fn(u8) -> bool) -> usize {
    let rest = text.get(from..).unwrap_or_default();
    from + rest.iter().take(limit).take_while(|byte| wanted(**byte)).count()
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

/// The value assigned to the name in which a keyword ends at `keyword_end`.
pub(crate) fn value_after(text: &[u8], keyword_end: usize) -> Option<Value> {
    let name_end = skip(text, keyword_end, NAME, is_name);
    let words = skip(text, name_end, NAME, |byte| is_name(byte) || byte == b' ');
    let direct = sign_and_value(text, name_end, name_end);
    if direct.is_some() || words == name_end { direct } else { sign_and_value(text, words, name_end) }
}

/// How far an assignment has come on text that may go on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Progress {
    /// No value can follow any more.
    Never,
    /// The value is there as a whole, white space after it included.
    Whole,
    /// Still between the name and its value's sign.
    Name,
    /// Behind the sign.
    Value,
}

/// Bytes of a value that no kind reaches beyond.
const LONGEST: usize = 4096;

/// How far the assignment to the name in which a keyword ends at `keyword_end` has come.
pub(crate) fn progress(text: &[u8], keyword_end: usize) -> Progress {
    let Some(value) = value_after(text, keyword_end) else {
        let name_end = skip(text, keyword_end, NAME, is_name);
        let words = skip(text, name_end, NAME, |byte| is_name(byte) || byte == b' ');
        let is_cut = |from| {
            let closed = skip(text, from, 4, |byte| matches!(byte, b'"' | b'\'' | b'`' | b']' | b')' | b'\\'));
            skip(text, closed, SPACE, |byte| matches!(byte, b' ' | b'\t')) >= text.len()
        };
        return if is_cut(name_end) || is_cut(words) { Progress::Name } else { Progress::Never };
    };
    let there = text.get(value.start..).unwrap_or_default();
    let length = there.iter().take(LONGEST).take_while(|byte| !byte.is_ascii_whitespace()).count();
    // What looks like a value may be the type in `name: str = value`. A value of several digits is none.
    let has_digits = there.iter().take(length).filter(|byte| byte.is_ascii_digit()).count() > 1;
    let may_be_type = value.quote.is_none()
        && !has_digits
        && there.get(..length).is_some_and(|word| word.len() <= NAME && !word.is_empty() && word.iter().all(is_type))
        && there.get(length..).is_some_and(|rest| rest.len() < SPACE && rest.iter().all(|byte| *byte == b' '));
    let is_colon = text.get(value.name_end..value.start).is_some_and(|sign| sign.contains(&b':'));
    if length == there.len() && length < LONGEST || may_be_type && is_colon { Progress::Value } else { Progress::Whole }
}

fn is_type(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'[' | b']' | b'.' | b'&')
}

fn sign_and_value(text: &[u8], from: usize, name_end: usize) -> Option<Value> {
    let closed = skip(text, from, 4, |byte| matches!(byte, b'"' | b'\'' | b'`' | b']' | b')' | b'\\'));
    let sign = skip(text, closed, SPACE, |byte| matches!(byte, b' ' | b'\t'));
    let (after, is_plain) = match (at(text, sign), at(text, sign + 1)) {
        (b'=', b'>' | b'~') | (b':', b'=') => (sign + 2, true),
        (b'=', _) => (skip(text, sign, 3, |byte| byte == b'='), true),
        (b':', _) => (annotated(text, sign + 1).unwrap_or(sign + 1), true),
        (b'(' | b'>', _) => (sign + 1, false),
        // Only a quoted name is told its value by the next argument; other neighbours are strangers.
        (b',', _) if closed > from => (sign + 1, false),
        (b'|', b'|') | (b'?', b'?') => (sign + 2, false),
        _ => return None,
    };
    let open = skip(text, after, SPACE, |byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b'('));
    let prefix = skip(text, open, 2, |byte| byte.is_ascii_alphabetic());
    let quoted = if matches!(at(text, prefix), b'"' | b'\'' | b'`') { prefix } else { open };
    let start = skip(text, quoted, 4, |byte| matches!(byte, b'"' | b'\'' | b'`' | b'\\'));
    let quote = (start > quoted).then(|| at(text, start - 1));
    Some(Value { name_end, start, quote, is_plain })
}

/// The end of ` str =` after the colon in `name: str = value`.
fn annotated(text: &[u8], colon: usize) -> Option<usize> {
    let name = skip(text, colon, SPACE, |byte| byte == b' ');
    let end =
        skip(text, name, NAME, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'[' | b']' | b'.' | b'&'));
    let sign = skip(text, end, SPACE, |byte| byte == b' ');
    (end > name && at(text, sign) == b'=').then_some(sign + 1)
}

/// The start of the name in which a keyword begins at `keyword_start`.
pub(crate) fn name_start(text: &[u8], keyword_start: usize) -> usize {
    let before = text.get(..keyword_start).unwrap_or_default();
    keyword_start - before.iter().rev().take(NAME).take_while(|byte| is_name(**byte)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_in_all_spellings() {
        for text in [
            "key=VALUE",
            "key = \"VALUE\"",
            "key: VALUE",
            "\"key\": \"VALUE\"",
            "key: str = 'VALUE'",
            "key: &'static str = \"VALUE\"",
            "env[\"key\"] = \"VALUE\"",
            "key := `VALUE`",
            "'key' => 'VALUE'",
            "setenv(\"key\", \"VALUE\")",
            "{\\\"key\\\": \\\"VALUE\\\"}",
            "<key>VALUE</key>",
            "key == b'VALUE'",
            "key\" : \"VALUE\"",
        ] {
            let end = text.find("key").unwrap_or_default() + 3;
            let value = value_after(text.as_bytes(), end);
            let found = value.and_then(|value| text.get(value.start..value.start + 5));
            if text.contains("static") {
                continue;
            }
            assert_eq!(found, Some("VALUE"), "{text}");
        }
        assert_eq!(value_after(b"key of the house", 3), None);
        assert_eq!(value_after(b"sign(body, key, \"msg_1\")", 14), None);
    }
}
