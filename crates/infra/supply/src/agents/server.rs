//! Tool servers as the configurations of different tools describe them.

use super::shell;
use crate::yaml::{Content, Node};

/// One server, or one other command with its arguments.
#[derive(Debug, Default)]
pub(super) struct Server<'a> {
    /// What the configuration calls it.
    pub(super) name: String,
    /// Its line.
    pub(super) line: u64,
    /// The words that start it, the program first; none where it is only an address.
    pub(super) words: Vec<&'a str>,
}

impl<'a> Server<'a> {
    /// Reads one from an object with `command` and `args`; `command` may also be a whole line, a list,
    /// or an object with `path` and `args`.
    pub(super) fn read(name: &str, node: &'a Node) -> Self {
        let mut words = Vec::new();
        match node.get("command").map(|command| &command.content) {
            Some(Content::Text(line)) if node.get("args").is_none() => words.extend(line.split_whitespace()),
            Some(Content::Text(program)) => words.push(program.as_str()),
            Some(Content::List(items)) => words.extend(items.iter().filter_map(Node::text)),
            Some(Content::Map(_)) => {
                let command = node.get("command");
                words.extend(command.and_then(|command| command.get("path")?.text()));
                words.extend(texts(command.and_then(|command| command.get("args"))));
            }
            Some(Content::Null) | None => {}
        }
        words.extend(texts(node.get("args")));
        Self { name: name.to_owned(), line: node.line, words }
    }

    /// The program and its arguments, past what only starts another program.
    pub(super) fn invocation(&self) -> Option<(String, &[&'a str])> {
        let mut words = self.words.as_slice();
        loop {
            let (first, rest) = words.split_first()?;
            let name = shell::program(first);
            words = match name.as_str() {
                "env" | "sudo" | "nohup" | "exec" => {
                    let is_prefix = |word: &&&str| word.starts_with('-') || word.contains('=');
                    rest.get(rest.iter().take_while(is_prefix).count()..)?
                }
                // How Windows starts what is no program by itself.
                "cmd" if rest.first().is_some_and(|flag| flag.eq_ignore_ascii_case("/c")) => rest.get(1..)?,
                _ => return Some((name, rest)),
            };
        }
    }

    /// All words as a line.
    pub(super) fn text(&self) -> String {
        self.words.join(" ")
    }
}

fn texts(list: Option<&Node>) -> impl Iterator<Item = &str> {
    list.map(Node::items).unwrap_or_default().iter().filter_map(Node::text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agents::jsonc;

    #[test]
    fn all_forms_of_a_command_give_the_same_words() {
        for text in [
            r#"{"command": "npx", "args": ["-y", "x"]}"#,
            r#"{"command": "npx -y x"}"#,
            r#"{"command": ["npx", "-y", "x"]}"#,
            r#"{"command": {"path": "npx", "args": ["-y", "x"]}}"#,
            r#"{"command": "cmd.exe", "args": ["/C", "npx.cmd", "-y", "x"]}"#,
            r#"{"command": "/usr/bin/env", "args": ["A=b", "/opt/npx", "-y", "x"]}"#,
        ] {
            let node = jsonc::parse(text).unwrap();
            let server = Server::read("s", &node);
            assert_eq!(server.invocation(), Some(("npx".to_owned(), ["-y", "x"].as_slice())), "{text}");
        }
    }
}
