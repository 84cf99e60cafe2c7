//! Texts that agents obey: instruction files, rules, skills, prompts, and descriptions of tools.

use bartizan_core::{Completeness, Link, Rule, Severity};
use bartizan_inspect::{Area, Findings, Format, Inspect, Source};

use super::names::ends_with;
use super::passage::{Passage, paragraphs};
use super::shell::{self, Deed};
use super::weakness::{Weakness, shortened};
use super::{approval, document, hidden, wording};
use crate::yaml::Node;

/// Instructions bring a program in.
pub const DOWNLOAD_COMMAND: Rule = Rule {
    id: "BZ-AGT-016",
    title: "Instructions have an agent run what it downloads or decodes",
    severity: Severity::High,
    explanation: "Agents carry out the commands that such a file names. What runs is decided by whoever controls the address at \
        that moment, or is written so that nobody can read it.",
    remedy: "Name a package with a version, or a script in the repository.",
    links: &[Link::Atlas("AML.T0011.002"), Link::Atlas("AML.T0051.001"), Link::Owasp("LLM03:2025"), Link::Cwe(494)],
};

/// A skill may run anything.
pub const UNRESTRICTED_SKILL: Rule = Rule {
    id: "BZ-AGT-017",
    title: "Skill or command may use every tool unasked",
    severity: Severity::Medium,
    explanation: "`allowed-tools` of a skill are used without asking the user. With all commands among them, whatever the skill \
        reads decides what runs.",
    remedy: "Name the commands that it needs, such as `Bash(cargo test:*)`.",
    links: &[Link::Atlas("AML.T0053"), Link::Owasp("LLM06:2025"), Link::Cwe(732)],
};

/// Inspects texts that agents obey.
#[derive(Clone, Copy, Debug, Default)]
pub struct Instructions;

/// Files by the end of their path.
const FILES: &[&str] = &[
    "claude.md",
    "claude.local.md",
    "agents.md",
    "agents.override.md",
    "agent.md",
    "gemini.md",
    "qwen.md",
    "warp.md",
    "skill.md",
    "*.mdc",
    ".cursorrules",
    ".windsurfrules",
    ".clinerules",
    ".roorules",
    ".goosehints",
    "copilot-instructions.md",
    "*.prompt.md",
    "*.instructions.md",
    "*.chatmode.md",
    "*.agent.md",
    ".junie/guidelines.md",
];

/// Folders whose texts are instructions.
const FOLDERS: &[&str] = &[
    ".claude/commands/",
    ".claude/agents/",
    ".claude/skills/",
    ".claude/rules/",
    ".claude/output-styles/",
    ".agents/skills/",
    ".codex/prompts/",
    ".codex/skills/",
    ".gemini/commands/",
    ".cursor/rules/",
    ".cursor/commands/",
    ".windsurf/rules/",
    ".windsurf/workflows/",
    ".clinerules/",
    ".roo/rules",
    ".roo/commands/",
    ".kiro/steering/",
    ".amazonq/rules/",
    ".continue/rules/",
    ".continue/prompts/",
    ".opencode/command/",
    ".opencode/agent/",
    ".github/prompts/",
    ".github/instructions/",
    ".github/chatmodes/",
    ".github/agents/",
    ".github/skills/",
];

/// Installers that their projects tell everybody to run so, by host and the beginning of the path.
const INSTALLERS: &[&str] = &[
    "https://sh.rustup.rs",
    "https://static.rust-lang.org/",
    "https://www.npmjs.com/install.sh",
    "https://astral.sh/",
    "https://bun.sh/",
    "https://bun.com/",
    "https://deno.land/",
    "https://get.docker.com",
    "https://install.python-poetry.org",
    "https://get.pnpm.io/",
    "https://get.volta.sh",
    "https://mise.run",
    "https://pixi.sh/",
    "https://nixos.org/nix/",
    "https://install.determinate.systems/",
    "https://ollama.com/install",
    "https://claude.ai/install",
    "https://deb.nodesource.com/",
    "https://rpm.nodesource.com/",
    "https://get.sdkman.io",
    "https://fnm.vercel.app/",
    "https://foundry.paradigm.xyz",
    "https://raw.githubusercontent.com/nvm-sh/nvm/",
    "https://raw.githubusercontent.com/Homebrew/install/",
    "https://raw.githubusercontent.com/helm/helm/",
    "https://just.systems/",
    "https://fly.io/install",
    "https://cursor.com/install",
    "https://pyenv.run",
    "https://proto.moonrepo.dev/",
    "https://get.k3s.io",
    "https://tailscale.com/install",
    "https://starship.rs/install",
    "https://rustwasm.github.io/wasm-pack/",
    "https://get.helm.sh/",
    "https://opencode.ai/install",
    "https://sh.vector.dev",
    "https://raw.githubusercontent.com/golangci/golangci-lint/",
    "https://golangci-lint.run/",
];

/// Whether the address is one of [`INSTALLERS`], or lies below one: no other host begins with it.
fn is_usual_installer(address: &str) -> bool {
    INSTALLERS.iter().any(|known| {
        address.strip_prefix(known).is_some_and(|rest| {
            let names_host_only = known.matches('/').count() == 2;
            rest.is_empty()
                || known.ends_with('/')
                || rest.starts_with(['/', '?', '#'])
                || !names_host_only && rest.starts_with(['.', '-'])
        })
    })
}

/// Bytes of a JSON file of any name in which descriptions of tools are looked for before it is read.
const HEAD: usize = 8192;

impl Inspect for Instructions {
    fn name(&self) -> &'static str {
        "agent-instructions"
    }

    fn area(&self) -> Area {
        Area::Agents
    }

    fn claims(&self, source: &Source, format: Format) -> bool {
        if !matches!(format, Format::Text | Format::Unknown) {
            return false;
        }
        let name = source.name().to_ascii_lowercase();
        is_text(&name) || is_card(&name) || (format == Format::Text && describes_tools(source, &name))
    }

    fn inspect(&self, source: &Source, findings: &mut Findings) -> Completeness {
        let text = match document::text(source) {
            Ok(text) => text,
            Err(problem) => return Completeness::Partial(problem),
        };
        let mut weaknesses = Vec::new();
        let name = source.name().to_ascii_lowercase();
        let completeness = if is_text(&name) {
            markdown(&text, &mut weaknesses);
            Completeness::Complete
        } else {
            match document::parse(&name, &text) {
                Ok(node) => {
                    descriptions(&node, &mut weaknesses);
                    Completeness::Complete
                }
                Err((line, problem)) => Completeness::Partial(format!("line {line}: {problem}")),
            }
        };
        for weakness in weaknesses {
            findings.push(weakness.finding(source));
        }
        completeness
    }
}

fn is_text(name: &str) -> bool {
    let in_folder = FOLDERS.iter().any(|folder| {
        name.match_indices(folder)
            .any(|(at, _)| name.get(..at).is_some_and(|start| start.is_empty() || start.ends_with(['/', '!'])))
    });
    let is_readable = [".md", ".mdc", ".txt", ".toml"].iter().any(|ending| name.ends_with(ending));
    FILES.iter().any(|file| ends_with(name, file)) || (in_folder && is_readable)
}

fn is_card(name: &str) -> bool {
    [".well-known/agent.json", ".well-known/agent-card.json", "agent-card.json"]
        .iter()
        .any(|file| ends_with(name, file))
}

/// Whether a JSON file looks like the answer to `tools/list`.
fn describes_tools(source: &Source, name: &str) -> bool {
    if !name.ends_with(".json") {
        return false;
    }
    let head = source.head(HEAD);
    let has = |key: &[u8]| memchr::memmem::find(&head, key).is_some();
    (has(b"\"inputSchema\"") || has(b"\"input_schema\"")) && has(b"\"description\"")
}

fn markdown(text: &str, weaknesses: &mut Vec<Weakness>) {
    hidden::judge(text, 1, weaknesses);
    let (shown, comments) = comments(text);
    for comment in &comments {
        let before = weaknesses.len();
        wording::comment(comment, weaknesses);
        if weaknesses.len() == before {
            weaknesses.extend(foreign_program(&comment.text, comment.line(0)));
        }
    }
    for passage in paragraphs(&shown) {
        wording::judge(&passage, weaknesses);
    }
    commands(&shown, weaknesses);
    weaknesses.extend(skill(text));
}

/// The text without its comments, line by line as before, and the comments.
fn comments(text: &str) -> (String, Vec<Passage>) {
    let (mut shown, mut comments) = (String::with_capacity(text.len()), Vec::new());
    let (mut rest, mut line) = (text, 1);
    while let Some((before, behind)) = rest.split_once("<!--") {
        line += newlines(before);
        let (comment, after) = behind.split_once("-->").unwrap_or((behind, ""));
        comments.push(Passage::new(comment, line));
        shown.push_str(before);
        let count = newlines(comment);
        shown.extend((0..count).map(|_| '\n'));
        line += count;
        rest = after;
    }
    shown.push_str(rest);
    // `[//]: # (text)` is a link that nothing refers to.
    let is_reference = |line: &&str| {
        line.trim_start().starts_with("[//]:") || line.trim_start().to_ascii_lowercase().starts_with("[comment]:")
    };
    comments.extend(
        (1..).zip(shown.lines()).filter(|(_, line)| is_reference(line)).map(|(at, line)| Passage::new(line, at)),
    );
    (shown, comments)
}

fn newlines(text: &str) -> u64 {
    memchr::memchr_iter(b'\n', text.as_bytes()).count() as u64
}

/// Command lines in the text, joined where a backslash says so.
fn commands(text: &str, weaknesses: &mut Vec<Weakness>) {
    let mut joined = String::new();
    let mut first = 1;
    for (number, line) in (1..).zip(text.lines()) {
        if joined.is_empty() {
            first = number;
        }
        match line.trim_end().strip_suffix('\\') {
            Some(start) if joined.len() < 8192 => {
                joined.push_str(start);
                joined.push(' ');
                continue;
            }
            _ => joined.push_str(line),
        }
        let line = std::mem::take(&mut joined);
        weaknesses.extend(foreign_program(&line, first));
        if let Some(weakness) = wording::command("a command", first, &line) {
            let is_known = weaknesses.iter().any(|known| known.is_same_place(&weakness));
            weaknesses.extend((!is_known).then_some(weakness));
        }
    }
}

fn foreign_program(text: &str, line: u64) -> Option<Weakness> {
    let (deed, address) = shell::foreign_program(text)?;
    let lower = text.to_lowercase();
    let is_advised_against = ["never ", "don't ", "do not ", "avoid ", "instead of ", "must not ", "refuse "]
        .iter()
        .any(|word| lower.contains(word))
        && !["forget", "hesitate"].iter().any(|word| lower.contains(word));
    let is_usual = deed == Deed::Piped && is_usual_installer(&address);
    if deed == Deed::Saved || is_usual || is_advised_against {
        return None;
    }
    Some(Weakness::new(&DOWNLOAD_COMMAND, line, format!("{}: `{}`", deed.as_str(), shortened(text.trim()))))
}

/// `allowed-tools` of the front matter, on its line or as a list below it.
fn skill(text: &str) -> Option<Weakness> {
    let mut lines = (1..).zip(text.strip_prefix('\u{feff}').unwrap_or(text).lines());
    lines.next().filter(|(_, line)| line.trim_end() == "---")?;
    let front: Vec<(u64, &str)> = lines.take_while(|(_, line)| line.trim_end() != "---").take(1000).collect();
    let at =
        front.iter().position(|(_, line)| line.starts_with("allowed-tools:") || line.starts_with("allowed_tools:"))?;
    let (number, line) = front.get(at)?;
    let on_line = line.split_once(':').map_or("", |(_, value)| value);
    let below = front.get(at + 1..)?.iter().map(|(_, line)| line.trim()).take_while(|line| line.starts_with('-'));
    let below = below.map(|line| line.trim_start_matches('-'));
    let tools = on_line.split([',', ' ', '[', ']']).chain(below);
    let tool = tools
        .map(|tool| tool.trim_matches(|c: char| c.is_whitespace() || matches!(c, '"' | '\'')))
        .find(|tool| approval::is_any_command(tool))?;
    Some(Weakness::new(&UNRESTRICTED_SKILL, *number, format!("`{}` is allowed unasked", shortened(tool))))
}

/// Depth is bounded by the reader.
fn descriptions(node: &Node, weaknesses: &mut Vec<Weakness>) {
    for item in node.items() {
        descriptions(item, weaknesses);
    }
    for (_, value) in node.entries() {
        descriptions(value, weaknesses);
    }
    let Some(text) = node.text() else { return };
    hidden::judge(text, node.line, weaknesses);
    let passage = Passage::new(text, node.line).on_one_line();
    let before = weaknesses.len();
    wording::judge(&passage, weaknesses);
    let blocks = ["<important>", "<system>", "<critical>", "<instructions>", "[system]", "<|im_start|>"];
    let block = blocks.iter().find(|block| passage.text.contains(*block));
    if let Some(block) = block.filter(|_| weaknesses.len() == before) {
        let message = format!("the description of a tool gives orders in a block `{block}`");
        weaknesses.push(Weakness::new(&wording::COVERT_INSTRUCTION, node.line, message));
    }
    weaknesses.extend(text.lines().find_map(|line| foreign_program(line, node.line)));
}

#[cfg(test)]
mod tests {
    use super::is_usual_installer;

    #[test]
    fn another_host_is_not_taken_for_a_usual_installer() {
        for address in [
            "https://sh.rustup.rs",
            "https://sh.rustup.rs/x",
            "https://claude.ai/install.sh",
            "https://astral.sh/uv/install.sh",
        ] {
            assert!(is_usual_installer(address), "{address}");
        }
        for address in [
            "https://sh.rustup.rs.evil.example/x",
            "https://sh.rustup.rs@evil.example/x",
            "https://sh.rustup.rs-evil.example",
            "https://sh.rustup.rs:8443@evil.example",
            "http://sh.rustup.rs",
        ] {
            assert!(!is_usual_installer(address), "{address}");
        }
    }
}
