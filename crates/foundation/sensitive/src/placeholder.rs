//! Values that stand for a secret without being one.

use std::sync::LazyLock;

use memchr::memmem;

use crate::keywords::Keywords;

/// Whether `value` is a placeholder: a word for one, a variable, a repeated or counted-up sequence.
pub(crate) fn is_placeholder(value: &[u8]) -> bool {
    is_variable(value) || names_itself(value) || is_monotonous(value)
}

/// `${VAR}`, `$VAR`, `{{ var }}`, `<value>`, `%VAR%`, `***`.
fn is_variable(value: &[u8]) -> bool {
    const OPENINGS: &[&[u8]] = &[b"${", b"$(", b"{{", b"<", b"%(", b"#{", b"@{", b"__", b"***", b"...", b"{%"];
    OPENINGS.iter().any(|opening| value.starts_with(opening))
        || value.starts_with(b"%") && value.ends_with(b"%")
        || memmem::find(value, b"${").is_some()
        || memmem::find(value, b"{{").is_some()
        || memmem::find(value, b"***").is_some()
        || memmem::find(value, b"...").is_some()
        || matches!(value, [b'$', first, rest @ ..]
            if first.is_ascii_alphabetic() && rest.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_'))
}

/// Words that no generator of secrets writes by chance into a value of that length.
fn names_itself(value: &[u8]) -> bool {
    static WORDS: LazyLock<Keywords> = LazyLock::new(|| {
        Keywords::new(vec![
            "example",
            "placeholder",
            "changeme",
            "change_me",
            "change-me",
            "change_this",
            "replace",
            "redacted",
            "dummy",
            "insert",
            "your_",
            "your-",
            "yourapi",
            "yourkey",
            "yoursecret",
            "yourtoken",
            "my_secret",
            "my-secret",
            "mysecret",
            "mypassword",
            "not_real",
            "notreal",
            "not-real",
            "fake",
            "sample",
            "deadbeef",
            "cafebabe",
            "os.environ",
            "getenv",
            "process.env",
            "secrets.",
            "vault:",
            "arn:aws",
            "test_key",
            "testkey",
            "test-key",
            "test_token",
            "testtoken",
            "test-token",
        ])
    });
    WORDS.is_any_in(value.get(..value.len().min(256)).unwrap_or(value))
}

/// Fewer than five different characters, seven equal or counted-up ones in a row, or one half repeated.
fn is_monotonous(value: &[u8]) -> bool {
    let mut seen = [false; 256];
    for byte in value {
        if let Some(seen) = seen.get_mut(usize::from(*byte)) {
            *seen = true;
        }
    }
    if seen.iter().filter(|seen| **seen).count() < 5.min(value.len()) {
        return true;
    }
    let longest = |step: u8| {
        let (mut run, mut longest) = (1, 1);
        for pair in value.windows(2) {
            let [first, second] = pair else { continue };
            run = if first.wrapping_add(step) == *second { run + 1 } else { 1 };
            longest = longest.max(run);
        }
        longest
    };
    longest(0) >= 7 || longest(1) >= 7 || longest(255) >= 7
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_for_a_secret_is_none() {
        for value in [
            "${API_KEY}",
            "{{ token }}",
            "<your key>",
            "AKIAIOSFODNN7EXAMPLE",
            "xxxxxxxxxxxxxxxx",
            "sk-abcdefghijklmnop",
            "1234567890123456",
            "%API_KEY%",
            "$API_KEY",
            "changeme123",
            "abcabcabcabcabc",
        ] {
            assert!(is_placeholder(value.as_bytes()), "{value}");
        }
        assert!(!is_placeholder(b"q8Zr2LmV0aXk4TnB"));
    }
}
