//! YAML as a tree of texts that remember their lines.
//!
//! Scalars stay text: advisories and lockfiles mean the version `1.10`, not the number 1.1. Aliases
//! are refused, since a few bytes of them can stand for terabytes.

use saphyr_parser::{Event, Parser, ScalarStyle, StrInput};

/// Levels of nesting that are followed; lockfiles stay below ten.
const DEPTH: usize = 64;

/// One node.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Node {
    /// Its line, from 1.
    pub(crate) line: u64,
    /// What it is.
    pub(crate) content: Content,
}

/// What a node is.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Content {
    /// Nothing: an empty plain scalar, `~` or `null`.
    Null,
    /// Any other scalar, as it is written.
    Text(String),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in order.
    Map(Vec<(String, Node)>),
}

impl Node {
    /// The value of a key of a mapping.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        self.entries().iter().find(|(name, _)| name == key).map(|(_, node)| node)
    }

    /// The text of a scalar.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The entries of a mapping; none of anything else.
    pub(crate) fn entries(&self) -> &[(String, Self)] {
        match &self.content {
            Content::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a sequence; none of anything else.
    pub(crate) fn items(&self) -> &[Self] {
        match &self.content {
            Content::List(items) => items,
            _ => &[],
        }
    }
}

/// Why a text is not understood, and on which line.
pub(crate) type Problem = (u64, String);

/// The first document of a text; an empty text is [`Content::Null`].
pub(crate) fn parse(text: &str) -> Result<Node, Problem> {
    let mut reader = Reader { parser: Parser::new_from_str(text) };
    loop {
        let (line, event) = reader.next()?;
        match event {
            Event::StreamEnd => return Ok(Node { line: 1, content: Content::Null }),
            Event::StreamStart | Event::DocumentStart(_) | Event::Nothing => {}
            event => return reader.node(line, event, 0),
        }
    }
}

struct Reader<'a> {
    parser: Parser<'a, StrInput<'a>>,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<(u64, Event<'a>), Problem> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => Ok((span.start.line() as u64, event)),
            Some(Err(error)) => Err((error.marker().line() as u64, error.info().to_owned())),
            None => Ok((0, Event::StreamEnd)),
        }
    }

    fn node(&mut self, line: u64, event: Event<'a>, depth: usize) -> Result<Node, Problem> {
        if depth > DEPTH {
            return Err((line, format!("nested deeper than {DEPTH} levels")));
        }
        let content = match event {
            Event::Scalar(text, ScalarStyle::Plain, ..) if matches!(text.as_ref(), "" | "~" | "null") => Content::Null,
            Event::Scalar(text, ..) => Content::Text(text.into_owned()),
            Event::SequenceStart(..) => {
                let mut items = Vec::new();
                loop {
                    match self.next()? {
                        (_, Event::SequenceEnd) => break Content::List(items),
                        (line, event) => items.push(self.node(line, event, depth + 1)?),
                    }
                }
            }
            Event::MappingStart(..) => {
                let mut entries = Vec::new();
                loop {
                    let (line, event) = self.next()?;
                    if event == Event::MappingEnd {
                        break Content::Map(entries);
                    }
                    let key = match self.node(line, event, depth + 1)?.content {
                        Content::Text(key) => key,
                        Content::Null => String::new(),
                        _ => return Err((line, "a key is not a scalar".to_owned())),
                    };
                    let (_, event) = self.next()?;
                    let mut value = self.node(line, event, depth + 1)?;
                    value.line = line;
                    entries.push((key, value));
                }
            }
            Event::Alias(_) => return Err((line, "aliases are not followed".to_owned())),
            _ => return Err((line, "ends too early".to_owned())),
        };
        Ok(Node { line, content })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_stay_text_and_know_their_lines() {
        let node = parse("id: X\naffected:\n- versions: [1.10, \"0\"]\n  none: ~\n").unwrap();
        let affected = node.get("affected").unwrap();
        assert_eq!(affected.line, 2);
        let first = affected.items().first().unwrap();
        let versions: Vec<_> = first.get("versions").unwrap().items().iter().filter_map(Node::text).collect();
        assert_eq!(versions, ["1.10", "0"]);
        assert_eq!(first.get("none").map(|node| &node.content), Some(&Content::Null));
    }

    #[test]
    fn aliases_and_bottomless_nesting_are_refused() {
        assert!(parse("a: &x [1]\nb: *x\n").is_err());
        assert!(parse(&"[".repeat(10_000)).is_err());
        assert!(parse(&"- ".repeat(10_000)).is_err());
    }
}
