//! What a line of shell does, as far as its words say: pipelines, substitutions, and whether something is
//! downloaded and run.

/// A simple command: its words, and the scripts of `$(…)`, `<(…)` and back-ticks among them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Command {
    pub(crate) words: Vec<String>,
    pub(crate) substitutions: Vec<String>,
}

/// Commands of which each reads what the one before writes.
pub(crate) type Pipeline = Vec<Command>;

/// Longer scripts are read up to here.
const LONGEST: usize = 256 << 10;
/// Scripts within scripts.
const DEEPEST: u32 = 4;

impl Command {
    /// The program, without path and without what starts it (`sudo`, `env X=1`, `nohup` …).
    pub(crate) fn program(&self) -> &str {
        self.rest().first().map_or("", |word| base(word))
    }

    /// The program's arguments.
    pub(crate) fn arguments(&self) -> &[String] {
        self.rest().get(1..).unwrap_or_default()
    }

    fn rest(&self) -> &[String] {
        let starts = |word: &String| {
            let is_assignment = word.split_once('=').is_some_and(|(name, _)| {
                !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            });
            is_assignment
                || matches!(
                    base(word),
                    "sudo"
                        | "doas"
                        | "env"
                        | "nohup"
                        | "exec"
                        | "command"
                        | "time"
                        | "nice"
                        | "xargs"
                        | "then"
                        | "do"
                        | "else"
                )
        };
        let mut at = 0;
        while let Some(word) = self.words.get(at) {
            // `sudo -E bash`
            if starts(word) || at > 0 && word.starts_with('-') {
                at += 1;
            } else {
                break;
            }
        }
        self.words.get(at..).unwrap_or_default()
    }

    fn downloads(&self) -> bool {
        matches!(
            self.program().to_ascii_lowercase().as_str(),
            "curl"
                | "wget"
                | "fetch"
                | "aria2c"
                | "http"
                | "https"
                | "lynx"
                | "iwr"
                | "irm"
                | "invoke-webrequest"
                | "invoke-restmethod"
                | "gdown"
        )
    }

    fn interprets(&self) -> bool {
        let program = self.program().to_ascii_lowercase();
        matches!(
            program.as_str(),
            "sh" | "bash"
                | "zsh"
                | "dash"
                | "ksh"
                | "ash"
                | "fish"
                | "perl"
                | "ruby"
                | "node"
                | "php"
                | "iex"
                | "invoke-expression"
                | "powershell"
                | "pwsh"
                | "osascript"
                | "deno"
                | "bun"
        ) || program.starts_with("python")
    }

    fn evaluates(&self) -> bool {
        self.interprets() || matches!(self.program(), "eval" | "source" | ".")
    }
}

fn base(word: &str) -> &str {
    word.rsplit('/').next().unwrap_or(word)
}

/// The pipelines of a script.
pub(crate) fn commands(script: &str) -> Vec<Pipeline> {
    let end = script.char_indices().map(|(at, _)| at).find(|at| *at >= LONGEST).unwrap_or(script.len());
    let mut reading = Reading { rest: script.get(..end).unwrap_or_default().chars().peekable(), ..Reading::default() };
    reading.read();
    reading.pipelines
}

/// What a script downloads and runs, in words; `None` where it does not.
pub(crate) fn downloads_and_runs(pipelines: &[Pipeline]) -> Option<String> {
    look(pipelines, 0)
}

fn look(pipelines: &[Pipeline], depth: u32) -> Option<String> {
    if depth > DEEPEST {
        return None;
    }
    let mut saved: Vec<String> = Vec::new();
    for pipeline in pipelines {
        let mut fetched: Option<&Command> = None;
        for command in pipeline {
            if let Some(by) = fetched.filter(|_| command.interprets()) {
                return Some(format!("`{}` into `{}`", by.program(), command.program()));
            }
            if command.evaluates() {
                for script in &command.substitutions {
                    let inner = commands(script);
                    if inner.iter().flatten().any(Command::downloads) {
                        return Some(format!("`{}` of a download", command.program()));
                    }
                }
                if let Some(found) = scripts_of(command).find_map(|script| look(&commands(script), depth + 1)) {
                    return Some(found);
                }
                if let Some(file) =
                    command.arguments().iter().find(|argument| saved.iter().any(|name| base(argument) == name))
                {
                    return Some(format!("`{}` of the download `{}`", command.program(), base(file)));
                }
            }
            if let Some(word) =
                command.words.first().filter(|word| word.contains('/') && saved.iter().any(|name| base(word) == name))
            {
                return Some(format!("the download `{}`", base(word)));
            }
            if command.downloads() {
                fetched = Some(command);
                saved.extend(saves(command));
            }
        }
    }
    let scripts = pipelines.iter().flatten().flat_map(|command| &command.substitutions);
    scripts.map(|script| commands(script)).find_map(|inner| look(&inner, depth + 1))
}

/// What `sh -c SCRIPT` and `eval SCRIPT` run.
fn scripts_of(command: &Command) -> impl Iterator<Item = &str> {
    let arguments = command.arguments();
    let after_flag = arguments
        .iter()
        .zip(arguments.iter().skip(1))
        .filter(|(flag, _)| flag.starts_with('-') && flag.ends_with('c') || flag.eq_ignore_ascii_case("-command"));
    let evaluated = arguments.iter().filter(|_| command.program() == "eval");
    after_flag.map(|(_, script)| script.as_str()).chain(evaluated.map(String::as_str))
}

/// Names under which a download is kept.
fn saves(command: &Command) -> Vec<String> {
    let arguments = command.arguments();
    let flags: &[&str] = if command.program() == "wget" { &["-O", "--output-document"] } else { &["-o", "--output"] };
    let named = arguments.iter().zip(arguments.iter().skip(1)).filter(|(flag, _)| flags.contains(&flag.as_str()));
    let mut names: Vec<String> = named.map(|(_, name)| base(name).to_owned()).collect();
    if names.is_empty() {
        let addresses = arguments.iter().filter(|argument| argument.contains("://"));
        names.extend(addresses.map(|address| base(address.split(['?', '#']).next().unwrap_or(address)).to_owned()));
    }
    names.retain(|name| !name.is_empty() && name != "-");
    names
}

struct Reading<'a> {
    rest: std::iter::Peekable<std::str::Chars<'a>>,
    pipelines: Vec<Pipeline>,
    pipeline: Pipeline,
    command: Command,
    word: Option<String>,
}

impl Default for Reading<'_> {
    fn default() -> Self {
        Self {
            rest: "".chars().peekable(),
            pipelines: Vec::new(),
            pipeline: Pipeline::new(),
            command: Command::default(),
            word: None,
        }
    }
}

impl Reading<'_> {
    fn read(&mut self) {
        while let Some(c) = self.rest.next() {
            match c {
                '\\' => match self.rest.next() {
                    Some('\n') | None => {}
                    Some(escaped) => self.push(escaped),
                },
                '\'' => {
                    self.word.get_or_insert_default();
                    while let Some(c) = self.rest.next().filter(|c| *c != '\'') {
                        self.push(c);
                    }
                }
                '"' => self.quoted(),
                '$' if self.rest.peek() == Some(&'(') => self.substitution(),
                '<' if self.rest.peek() == Some(&'(') => self.substitution(),
                '`' => {
                    let script: String = self.rest.by_ref().take_while(|c| *c != '`').collect();
                    self.command.substitutions.push(script);
                }
                '#' if self.word.is_none() => while self.rest.next_if(|c| *c != '\n').is_some() {},
                '|' if self.rest.next_if_eq(&'|').is_none() => {
                    self.rest.next_if_eq(&'&');
                    self.end_command();
                }
                '|' | ';' | '&' | '\n' | '(' | ')' | '{' | '}' if !(matches!(c, '{' | '}') && self.word.is_some()) => {
                    self.end_pipeline();
                }
                c if c.is_whitespace() => self.end_word(),
                c => self.push(c),
            }
        }
        self.end_pipeline();
    }

    /// Within double quotes substitutions still run.
    fn quoted(&mut self) {
        self.word.get_or_insert_default();
        while let Some(c) = self.rest.next() {
            match c {
                '"' => break,
                '\\' => {
                    if let Some(escaped) = self.rest.next() {
                        self.push(escaped);
                    }
                }
                '$' if self.rest.peek() == Some(&'(') => self.substitution(),
                '`' => {
                    let script: String = self.rest.by_ref().take_while(|c| *c != '`').collect();
                    self.command.substitutions.push(script);
                }
                c => self.push(c),
            }
        }
    }

    /// Up to the parenthesis that closes the one that follows.
    fn substitution(&mut self) {
        self.rest.next();
        let (mut depth, mut script) = (1, String::new());
        for c in self.rest.by_ref() {
            match c {
                '(' => depth += 1,
                ')' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                break;
            }
            script.push(c);
        }
        self.command.substitutions.push(script);
    }

    fn push(&mut self, c: char) {
        self.word.get_or_insert_default().push(c);
    }

    fn end_word(&mut self) {
        self.command.words.extend(self.word.take());
    }

    fn end_command(&mut self) {
        self.end_word();
        let command = std::mem::take(&mut self.command);
        if !command.words.is_empty() || !command.substitutions.is_empty() {
            self.pipeline.push(command);
        }
    }

    fn end_pipeline(&mut self) {
        self.end_command();
        if !self.pipeline.is_empty() {
            self.pipelines.push(std::mem::take(&mut self.pipeline));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(script: &str) -> Option<String> {
        downloads_and_runs(&commands(script))
    }

    #[test]
    fn a_download_that_is_run_is_seen_in_every_spelling() {
        for script in [
            "curl -sSL https://x.example/i.sh | sh",
            "wget -qO- https://x.example/i.sh | sudo -E bash -s -- --yes",
            "curl https://x.example/i.py | tee log | python3 -",
            "bash -c \"$(curl -fsSL https://x.example/i.sh)\"",
            "bash <(curl -s https://x.example/i.sh)",
            "source <(wget -qO- https://x.example/env)",
            "eval `curl https://x.example/i.sh`",
            "sh -c 'curl https://x.example/i.sh | sh'",
            "cd /tmp && wget https://x.example/i.sh && sh i.sh",
            "curl -o setup.sh https://x.example/1 ; chmod +x setup.sh; ./setup.sh",
            "iwr https://x.example/i.ps1 | iex",
            "FOO=1 /usr/bin/curl x.example/i \\\n | /bin/bash",
            "echo `curl x.example/i.sh | sh`",
        ] {
            assert!(found(script).is_some(), "{script}");
        }
    }

    #[test]
    fn ordinary_commands_are_not_taken_for_it() {
        for script in [
            "curl -O https://x.example/data.tar.gz && tar xzf data.tar.gz",
            "curl https://x.example/health | jq .status",
            "wget https://x.example/data.csv\npython train.py data.csv.out",
            "echo 'curl https://x.example | sh'",
            "# curl https://x.example/i.sh | sh",
            "pip install -r requirements.txt && bash run.sh",
            "curl https://x.example || bash fallback.sh",
            "",
            "$(((((",
        ] {
            assert_eq!(found(script), None, "{script}");
        }
    }
}
