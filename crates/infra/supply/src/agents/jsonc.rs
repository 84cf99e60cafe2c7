//! JSON as editors read it: with comments and trailing commas.
//!
//! Every entry of an object is kept, also where a key stands twice: readers differ in which one they take,
//! and an attacker picks the one that nobody reviewed.

use crate::yaml::{Content, Node, Problem};

/// Levels of nesting that are followed; settings stay below ten.
const DEPTH: usize = 64;

/// Reads a text; one of nothing but space and comments is [`Content::Null`], as editors take it.
pub(super) fn parse(text: &str) -> Result<Node, Problem> {
    let mut reader = Reader { text: text.strip_prefix('\u{feff}').unwrap_or(text), at: 0, line: 1 };
    reader.skip()?;
    if reader.peek().is_none() {
        return Ok(Node { line: 1, content: Content::Null });
    }
    let node = reader.value(0)?;
    reader.skip()?;
    match reader.peek() {
        None => Ok(node),
        Some(_) => Err(reader.problem("goes on behind its end")),
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    line: u64,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn problem(&self, what: &str) -> Problem {
        (self.line, what.to_owned())
    }

    fn pass(&mut self, count: usize) {
        let passed = self.text.as_bytes().get(self.at..self.at + count).unwrap_or_default();
        self.line += memchr::memchr_iter(b'\n', passed).count() as u64;
        self.at += count;
    }

    fn skip(&mut self) -> Result<(), Problem> {
        loop {
            let rest = self.rest();
            let count = if rest.starts_with("//") {
                rest.find('\n').unwrap_or(rest.len())
            } else if rest.starts_with("/*") {
                rest.find("*/").ok_or_else(|| self.problem("a comment has no end"))? + 2
            } else {
                rest.find(|c: char| !c.is_ascii_whitespace()).unwrap_or(rest.len())
            };
            if count == 0 {
                return Ok(());
            }
            self.pass(count);
        }
    }

    fn value(&mut self, depth: usize) -> Result<Node, Problem> {
        if depth > DEPTH {
            return Err(self.problem(&format!("nested deeper than {DEPTH} levels")));
        }
        let line = self.line;
        let content = match self.peek() {
            Some(b'{') => Content::Map(self.entries(depth)?),
            Some(b'[') => Content::List(self.items(depth)?),
            Some(b'"') => Content::Text(self.string()?),
            _ => self.word()?,
        };
        Ok(Node { line, content })
    }

    fn entries(&mut self, depth: usize) -> Result<Vec<(String, Node)>, Problem> {
        let mut entries = Vec::new();
        self.pass(1);
        while !self.ends(b'}')? {
            let line = self.line;
            let key = self.string()?;
            self.skip()?;
            if self.peek() != Some(b':') {
                return Err(self.problem("`:` is missing behind a key"));
            }
            self.pass(1);
            self.skip()?;
            let value = self.value(depth + 1)?;
            entries.push((key, Node { line, ..value }));
            self.separate(b'}')?;
        }
        Ok(entries)
    }

    fn items(&mut self, depth: usize) -> Result<Vec<Node>, Problem> {
        let mut items = Vec::new();
        self.pass(1);
        while !self.ends(b']')? {
            items.push(self.value(depth + 1)?);
            self.separate(b']')?;
        }
        Ok(items)
    }

    /// Whether the list or object ends here; its end is passed.
    fn ends(&mut self, end: u8) -> Result<bool, Problem> {
        self.skip()?;
        let is_end = self.peek() == Some(end);
        if is_end {
            self.pass(1);
        }
        Ok(is_end)
    }

    fn separate(&mut self, end: u8) -> Result<(), Problem> {
        self.skip()?;
        match self.peek() {
            Some(b',') => self.pass(1),
            Some(byte) if byte == end => {}
            _ => return Err(self.problem("a comma or an end is missing")),
        }
        Ok(())
    }

    fn string(&mut self) -> Result<String, Problem> {
        let rest = self.rest();
        let mut is_escaped = false;
        let end = rest.bytes().enumerate().skip(1).find(|(_, byte)| {
            let is_end = *byte == b'"' && !is_escaped;
            is_escaped = *byte == b'\\' && !is_escaped;
            is_end
        });
        let quoted = rest.starts_with('"').then_some(end).flatten().and_then(|(end, _)| rest.get(..=end));
        let Some(quoted) = quoted else { return Err(self.problem("a string is missing or has no end")) };
        let string = serde_json::from_str(quoted).map_err(|error| (self.line, error.to_string()))?;
        let length = quoted.len();
        self.pass(length);
        Ok(string)
    }

    /// A number, `true`, `false` or `null`.
    fn word(&mut self) -> Result<Content, Problem> {
        let rest = self.rest();
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '+' | '-' | '.'));
        let word = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
        match serde_json::from_str(word) {
            Ok(serde_json::Value::Null) => {
                self.pass(4);
                Ok(Content::Null)
            }
            Ok(serde_json::Value::Bool(_) | serde_json::Value::Number(_)) => {
                let text = word.to_owned();
                self.pass(text.len());
                Ok(Content::Text(text))
            }
            _ => Err(self.problem("a value is missing")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_trailing_commas_are_read_and_lines_are_kept() {
        let node =
            parse("\u{feff}// first\n{ /* a\n b */ \"a\": [1, \"x//y\\\"\", true,],\n\"b\": null, }\n// end").unwrap();
        let a = node.get("a").unwrap();
        assert_eq!(a.line, 3);
        assert_eq!(a.items().iter().filter_map(Node::text).collect::<Vec<_>>(), ["1", "x//y\"", "true"]);
        assert_eq!(node.get("b").map(|node| (node.line, &node.content)), Some((4, &Content::Null)));
        assert_eq!(parse(" // nothing\n").unwrap().content, Content::Null);
    }

    #[test]
    fn a_key_that_stands_twice_is_kept_twice() {
        assert_eq!(parse("{\"a\": 1, \"a\": 2}").unwrap().entries().len(), 2);
    }

    #[test]
    fn what_no_editor_reads_is_refused_with_its_line() {
        for text in ["{", "{\"a\" 1}", "[1 2]", "[,]", "{a: 1}", "\"x", "{}{}", "/* x", "tru", "\"\\ud800\""] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert_eq!(parse("{\n\"a\":\n}").map_err(|(line, _)| line), Err(3));
    }

    #[test]
    fn bottomless_nesting_is_refused() {
        assert!(parse(&"[".repeat(1_000_000)).is_err());
        assert!(parse(&"{\"a\":".repeat(1_000_000)).is_err());
    }
}
