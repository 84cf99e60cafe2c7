//! Lines of keys and strings, for formats whose parser forgets where things stood.

use std::collections::HashMap;

/// The first line of each quoted string and of each bare word at the start of a line.
pub(super) struct KeyLines<'a>(HashMap<&'a str, u64>);

impl<'a> KeyLines<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        let mut lines = HashMap::new();
        for (number, line) in (1..).zip(text.lines()) {
            let trimmed = line.trim_start();
            let end = trimmed.find(|c: char| c.is_whitespace() || matches!(c, '=' | ':' | '"' | '\'' | '[' | ','));
            if let Some(word) = trimmed.get(..end.unwrap_or(trimmed.len())).filter(|word| !word.is_empty()) {
                lines.entry(word).or_insert(number);
            }
            let mut rest = trimmed;
            while let Some((quote, behind)) =
                rest.find(['"', '\'']).and_then(|at| rest.split_at_checked(at)?.1.split_at_checked(1))
            {
                let Some((inside, after)) = behind.split_once(quote) else { break };
                lines.entry(inside).or_insert(number);
                rest = after;
            }
        }
        Self(lines)
    }

    /// The line; 0, the file as a whole, where it is not found.
    pub(super) fn line(&self, key: &str) -> u64 {
        self.0.get(key).copied().unwrap_or_default()
    }
}
