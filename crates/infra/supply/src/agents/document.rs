//! A configuration file as a tree, whichever of the three notations it is written in.

use bartizan_inspect::Source;
use toml::de::{DeTable, DeValue};

use super::jsonc;
use crate::yaml::{self, Content, Node, Problem};

/// Bytes of a file that are read; what people and tools write stays below a hundredth of it.
const LARGEST: u64 = 8 << 20;

/// The text of a file; what is no UTF-8 is replaced, as agents do.
pub(super) fn text(source: &Source) -> Result<String, String> {
    if source.length() > LARGEST {
        return Err(format!("is larger than the {LARGEST} bytes that are read"));
    }
    let length = usize::try_from(source.length()).unwrap_or(usize::MAX);
    let bytes = source.read(0, length).map_err(|error| format!("can't be read: {error}"))?;
    source.budget().operate(bytes.len() as u64).map_err(|error| error.to_string())?;
    let units = |of: fn([u8; 2]) -> u16| -> Vec<u16> {
        bytes.chunks_exact(2).skip(1).filter_map(|pair| pair.try_into().ok()).map(of).collect()
    };
    Ok(match bytes.as_slice() {
        [0xff, 0xfe, ..] => String::from_utf16_lossy(&units(u16::from_le_bytes)),
        [0xfe, 0xff, ..] => String::from_utf16_lossy(&units(u16::from_be_bytes)),
        _ => String::from_utf8_lossy(&bytes).into_owned(),
    })
}

/// Reads a text in the notation that the file's name says; JSON where it says none.
pub(super) fn parse(name: &str, text: &str) -> Result<Node, Problem> {
    match name.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "toml" => toml(text),
        "yaml" | "yml" => yaml::parse(text),
        _ => jsonc::parse(text),
    }
}

fn toml(text: &str) -> Result<Node, Problem> {
    let breaks: Vec<usize> = memchr::memchr_iter(b'\n', text.as_bytes()).collect();
    let line = |at: usize| breaks.partition_point(|end| *end < at) as u64 + 1;
    match DeTable::parse(text) {
        Ok(table) => Ok(Node { line: 1, content: Content::Map(entries(table.get_ref(), &line)) }),
        Err(error) => Err((line(error.span().map_or(0, |span| span.start)), error.message().to_owned())),
    }
}

/// As deep as the parser goes, which has a limit of its own.
fn entries(table: &DeTable<'_>, line: &dyn Fn(usize) -> u64) -> Vec<(String, Node)> {
    let entry = |(key, value): (&toml::Spanned<_>, &toml::Spanned<DeValue<'_>>)| {
        let key: &toml::Spanned<std::borrow::Cow<'_, str>> = key;
        let node = Node { line: line(key.span().start), content: content(value.get_ref(), line) };
        (key.get_ref().to_string(), node)
    };
    table.iter().map(entry).collect()
}

fn content(value: &DeValue<'_>, line: &dyn Fn(usize) -> u64) -> Content {
    match value {
        DeValue::String(text) => Content::Text(text.to_string()),
        DeValue::Integer(number) => Content::Text(number.as_str().to_owned()),
        DeValue::Float(number) => Content::Text(number.as_str().to_owned()),
        DeValue::Boolean(is_true) => Content::Text(is_true.to_string()),
        DeValue::Datetime(time) => Content::Text(time.to_string()),
        DeValue::Array(items) => {
            let item = |item: &toml::Spanned<DeValue<'_>>| Node {
                line: line(item.span().start),
                content: content(item.get_ref(), line),
            };
            Content::List(items.iter().map(item).collect())
        }
        DeValue::Table(table) => Content::Map(entries(table, line)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_notations_give_the_same_tree() {
        let texts = [
            ("x.toml", "[servers.a]\ncommand = \"npx\"\n"),
            ("x.yaml", "servers:\n  a: {command: npx}\n"),
            ("x.json", "{\"servers\":\n{\"a\": {\"command\": \"npx\"}}}"),
        ];
        for (name, text) in texts {
            let node = parse(name, text).unwrap();
            let command = node.get("servers").and_then(|node| node.get("a")?.get("command")).unwrap();
            assert_eq!((command.text(), command.line), (Some("npx"), 2), "{name}");
        }
    }
}
