//! Configuration files of AI tools: which there are, and what is looked at in them.

use bartizan_core::Completeness;
use bartizan_inspect::{Area, Findings, Format, Inspect, Source};

use super::names::ends_with;
use super::server::Server;
use super::weakness::Weakness;
use super::{approval, document, hidden, launch, traffic, wording};
use crate::yaml::Node;

/// Inspects the settings of AI tools and the editors around them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Configuration;

/// Files by the end of their path; `*` stands for a part of a file's name.
const FILES: &[&str] = &[
    ".mcp.json",
    "mcp.json",
    "*_mcp.json",
    "mcp_config.json",
    "mcp_settings.json",
    "*_mcp_settings.json",
    "claude_desktop_config.json",
    ".claude.json",
    ".claude/settings*.json",
    ".claude-plugin/plugin.json",
    "hooks/hooks.json",
    ".cursor/hooks.json",
    ".cursor/cli.json",
    ".gemini/settings.json",
    "gemini-extension.json",
    ".qwen/settings.json",
    ".codex/config.toml",
    ".continue/config.json",
    ".continue/config.yaml",
    ".continue/config.yml",
    ".continue/mcpservers/*.yaml",
    ".continue/mcpservers/*.json",
    ".amazonq/*.json",
    ".amazonq/cli-agents/*.json",
    ".kiro/settings/*.json",
    "opencode.json",
    "opencode.jsonc",
    "crush.json",
    ".zed/settings.json",
    ".vscode/settings.json",
    ".vscode/tasks.json",
    "*.code-workspace",
];

/// Keys under which tool servers stand.
const SERVERS: &[&str] =
    &["mcpServers", "mcp_servers", "context_servers", "servers", "mcp", "mcp.servers", "modelContextProtocolServers"];
/// Keys whose value is a command that the tool runs by itself.
const HELPERS: &[&str] =
    &["apiKeyHelper", "awsAuthRefresh", "awsCredentialExport", "otelHeadersHelper", "gcpAuthRefresh"];
/// Keys whose value is an address.
const ADDRESSES: &[&str] = &["url", "httpUrl", "serverUrl", "apiBase", "base_url", "baseURL", "baseUrl", "endpoint"];

/// Bytes of a JSON file of any name in which tool servers are looked for before it is read.
const HEAD: usize = 4096;

impl Inspect for Configuration {
    fn name(&self) -> &'static str {
        "agent-configuration"
    }

    fn area(&self) -> Area {
        Area::Agents
    }

    fn claims(&self, source: &Source, format: Format) -> bool {
        if !matches!(format, Format::Text | Format::Unknown) {
            return false;
        }
        let name = source.name().to_ascii_lowercase();
        let is_named_so = FILES.iter().any(|file| ends_with(&name, file));
        is_named_so
            || (matches!(format, Format::Text)
                && (name.ends_with(".json") || name.ends_with(".jsonc"))
                && memchr::memmem::find(&source.head(HEAD), b"\"mcpServers\"").is_some())
    }

    fn inspect(&self, source: &Source, findings: &mut Findings) -> Completeness {
        let text = match document::text(source) {
            Ok(text) => text,
            Err(problem) => return Completeness::Partial(problem),
        };
        let name = source.name().to_ascii_lowercase();
        let settings = match document::parse(&name, &text) {
            Ok(settings) => settings,
            Err((line, problem)) => return Completeness::Partial(format!("line {line}: {problem}")),
        };
        let mut weaknesses = Vec::new();
        approval::sandbox(&settings, &mut weaknesses);
        // Some files hold the servers without a key around them.
        let is_list =
            name.ends_with("mcp.json") && !settings.entries().iter().any(|(key, _)| SERVERS.contains(&key.as_str()));
        let part = if is_list { Part::Servers } else { Part::Settings };
        walk(&settings, part, &mut weaknesses);
        hidden::judge(&text, 1, &mut weaknesses);
        for weakness in weaknesses {
            findings.push(weakness.finding(source));
        }
        Completeness::Complete
    }
}

/// What a part of a configuration is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part<'a> {
    Settings,
    Servers,
    Hooks(&'a str),
    Tasks,
}

/// Depth is bounded by the readers.
fn walk<'a>(node: &'a Node, part: Part<'a>, weaknesses: &mut Vec<Weakness>) {
    for item in node.items() {
        match part {
            Part::Servers => server("without a name", item, weaknesses),
            Part::Tasks => approval::task(item, weaknesses),
            Part::Settings | Part::Hooks(_) => {}
        }
        walk(item, part, weaknesses);
    }
    for (key, value) in node.entries() {
        approval::entry(key, value, weaknesses);
        match key.as_str() {
            "env" | "environment" | "set" => traffic::environment(value, weaknesses),
            "headers" | "http_headers" => traffic::headers(value, weaknesses),
            _ => {}
        }
        let text = value.text();
        if let Some(url) = text.filter(|_| ADDRESSES.contains(&key.as_str())) {
            traffic::address(url, value.line, weaknesses);
        }
        match part {
            Part::Servers if !matches!(key.as_str(), "inputs" | "transport") => server(key, value, weaknesses),
            Part::Hooks(event) if matches!(key.as_str(), "command" | "bash" | "powershell") => {
                if let Some(command) = text {
                    approval::hook(event, command, value.line, weaknesses);
                }
            }
            _ => {}
        }
        if let Some(command) = text.filter(|_| HELPERS.contains(&key.as_str())) {
            approval::hook(key, command, value.line, weaknesses);
        }
        walk(value, within(key, part), weaknesses);
    }
}

/// What the value of a key is about.
fn within<'a>(key: &'a str, part: Part<'a>) -> Part<'a> {
    match key {
        "hooks" => Part::Hooks("hooks"),
        "statusLine" | "fileSuggestion" | "subagentStatusLine" => Part::Hooks(key),
        "tasks" => Part::Tasks,
        "inputs" => Part::Settings,
        _ if SERVERS.contains(&key) => Part::Servers,
        _ => match part {
            Part::Hooks("hooks") => Part::Hooks(key),
            part => part,
        },
    }
}

fn server(name: &str, node: &Node, weaknesses: &mut Vec<Weakness>) {
    // Continue puts the command one level deeper.
    let node = node.get("transport").filter(|transport| transport.get("command").is_some()).unwrap_or(node);
    let name = node.get("name").and_then(Node::text).unwrap_or(name);
    let server = Server::read(name, node);
    if server.words.is_empty() {
        return;
    }
    launch::judge(&server, weaknesses);
    weaknesses.extend(wording::command(&format!("server `{name}`"), server.line, &server.text()));
    traffic::arguments(&server.words, server.line, weaknesses);
    approval::arguments(&server.words, server.line, weaknesses);
}
