//! What an agent may do without being asked, and what runs without anybody asking for it.

use bartizan_core::{Link, Rule, Severity};

use super::launch::foreign_program;
use super::weakness::{Weakness, shortened};
use super::wording;
use crate::yaml::Node;

/// Nobody is asked any more.
pub const NO_APPROVAL: Rule = Rule {
    id: "BZ-AGT-008",
    title: "Approval of an agent's actions is switched off",
    severity: Severity::High,
    explanation: "The setting lets the agent run commands or tools without a person who looks. One instruction that is hidden in an \
        issue, a page or a dependency is then carried out at once, for everybody who opens the folder.",
    remedy: "Remove the setting from the shared file, and allow single commands instead of all.",
    links: &[Link::Atlas("AML.T0081"), Link::Atlas("AML.T0053"), Link::Owasp("LLM06:2025"), Link::Cwe(862)],
};

/// A command that the tool runs by itself.
pub const HOOK: Rule = Rule {
    id: "BZ-AGT-009",
    title: "Agent configuration runs commands by itself",
    severity: Severity::Low,
    explanation: "Hooks run at events of the tool, such as its start or the use of a tool, with the rights of the user and without \
        being asked. They are code, and want to be reviewed as code.",
    remedy: "Read the command and what it starts; accept it with an ignore once it was reviewed.",
    links: &[Link::Atlas("AML.T0081"), Link::Owasp("LLM06:2025"), Link::Cwe(78)],
};

/// A task that starts when a folder is opened.
pub const RUNS_ON_OPEN: Rule = Rule {
    id: "BZ-AGT-010",
    title: "Task runs when the folder is opened",
    severity: Severity::Medium,
    explanation: "An editor that trusts the folder runs the task before anybody has read a line of it. Attackers put it into \
        repositories that people are asked to look at.",
    remedy: "Remove `runOn: folderOpen`; let people start the task.",
    links: &[Link::Atlas("AML.T0011.002"), Link::Cwe(829)],
};

/// Judges one entry of the configuration; `is_server` within a tool server.
pub(super) fn entry(key: &str, value: &Node, weaknesses: &mut Vec<Weakness>) {
    if let Some((severity, what)) = switched_off(key, value) {
        weaknesses.push(Weakness::new(&NO_APPROVAL, value.line, what).at(severity));
    }
}

fn switched_off(key: &str, value: &Node) -> Option<(Severity, String)> {
    let text = value.text().unwrap_or_default();
    let is_true = text == "true";
    let lower = key.to_ascii_lowercase();
    let high = |what: String| Some((Severity::High, what));
    match lower.as_str() {
        "autoapprove" | "alwaysallow" | "autoapprovetools" | "auto_approve" | "always_allow" => {
            if is_true || text == "*" || value.items().iter().any(|item| item.text() == Some("*")) {
                return high(format!("`{key}` lets every tool run unasked"));
            }
            let tools: Vec<&str> = value.items().iter().filter_map(Node::text).collect();
            (!tools.is_empty())
                .then(|| (Severity::Low, format!("`{key}` lets {} run unasked", shortened(&tools.join(", ")))))
        }
        "trust" if is_true => high("`trust` lets every tool of the server run unasked".to_owned()),
        "allow" => {
            let tool = value.items().iter().filter_map(Node::text).find(|tool| is_any_command(tool))?;
            high(format!("`{tool}` is allowed unasked"))
        }
        "defaultmode" | "permissionmode" if text == "bypassPermissions" => {
            high(format!("`{key}` is `{text}`: nothing is asked"))
        }
        "approvalmode" | "defaultapprovalmode" | "approval-mode" if text == "yolo" => {
            high(format!("`{key}` is `{text}`: nothing is asked"))
        }
        "enableallprojectmcpservers"
        | "skipdangerousmodepermissionprompt"
        | "yolo"
        | "always_allow_tool_actions"
        | "chat.tools.autoapprove"
        | "chat.tools.global.autoapprove"
            if is_true =>
        {
            high(format!("`{key}` is switched on"))
        }
        "chat.tools.terminal.autoapprove" => {
            let every = value.entries().iter().find(|(pattern, is_on)| {
                matches!(pattern.as_str(), "*" | "/.*/" | "/^.*$/" | "/.*/s") && is_on.text() == Some("true")
            })?;
            high(format!("`{key}` lets every command run unasked (`{}`)", every.0))
        }
        // opencode: one word for all tools, or a word for each.
        "permission" => {
            let each = value.entries().iter().find(|(tool, word)| {
                let inner = word.get("*").and_then(Node::text).or_else(|| word.text());
                matches!(tool.as_str(), "bash" | "*") && inner == Some("allow")
            });
            match each {
                Some((tool, _)) => high(format!("`permission` allows `{tool}` unasked")),
                None if text == "allow" => high("`permission` allows every tool unasked".to_owned()),
                None => None,
            }
        }
        _ if lower.starts_with("dangerously") && is_true => high(format!("`{}` is switched on", shortened(key))),
        _ => None,
    }
}

/// `Bash`, `Bash(*)`, `Bash(:*)`, `*`.
pub(super) fn is_any_command(tool: &str) -> bool {
    let (name, pattern) = tool.trim().split_once('(').unwrap_or((tool.trim(), ")"));
    let pattern = pattern.trim_end_matches(')').trim_matches([':', '*', ' ']);
    matches!(name, "Bash" | "*" | "Shell" | "ShellTool" | "run_shell_command") && pattern.is_empty()
}

/// Judges the arguments of a command: flags that switch approval off.
pub(super) fn arguments(words: &[&str], line: u64, weaknesses: &mut Vec<Weakness>) {
    let is_flag = |word: &&&str| word.starts_with("--dangerously-") || matches!(**word, "--yolo" | "--trust-all-tools");
    if let Some(flag) = words.iter().find(is_flag) {
        let message = format!("is started with `{}`", shortened(flag));
        weaknesses.push(Weakness::new(&NO_APPROVAL, line, message));
    }
}

/// Codex: no sandbox, and nobody who is asked.
pub(super) fn sandbox(settings: &Node, weaknesses: &mut Vec<Weakness>) {
    let text = |key: &str| settings.get(key).and_then(Node::text);
    let Some(mode) = settings.get("sandbox_mode").filter(|mode| mode.text() == Some("danger-full-access")) else {
        return;
    };
    let (severity, more) = match text("approval_policy") {
        Some("never") => (Severity::High, ", and nothing is asked"),
        _ => (Severity::Medium, ""),
    };
    let message = format!("commands run outside of any sandbox{more}");
    weaknesses.push(Weakness::new(&NO_APPROVAL, mode.line, message).at(severity));
}

/// Judges a command that the tool runs by itself.
pub(super) fn hook(event: &str, command: &str, line: u64, weaknesses: &mut Vec<Weakness>) {
    let what = format!("`{}` runs a command", shortened(event));
    if let Some(weakness) = wording::command(&what, line, command) {
        weaknesses.push(weakness);
        return;
    }
    weaknesses.push(
        foreign_program(&what, line, command)
            .unwrap_or_else(|| Weakness::new(&HOOK, line, format!("{what}: `{}`", shortened(command)))),
    );
}

/// Judges a task of an editor.
pub(super) fn task(task: &Node, weaknesses: &mut Vec<Weakness>) {
    let runs_on = task.get("runOptions").and_then(|options| options.get("runOn")?.text());
    if runs_on != Some("folderOpen") {
        return;
    }
    let words = |node: &Node| -> Vec<String> {
        let arguments = node
            .get("args")
            .map(Node::items)
            .unwrap_or_default()
            .iter()
            .filter_map(|item| item.text().or_else(|| item.get("value")?.text()).map(str::to_owned));
        node.get("command").and_then(Node::text).map(str::to_owned).into_iter().chain(arguments).collect()
    };
    let systems = ["linux", "osx", "windows"].into_iter().filter_map(|system| task.get(system));
    let name = task.get("label").or_else(|| task.get("taskName")).and_then(Node::text).unwrap_or("without a name");
    let what = format!("task `{}`", shortened(name));
    for command in std::iter::once(task).chain(systems).map(|node| words(node).join(" ")) {
        weaknesses.extend(foreign_program(&what, task.line, &command));
    }
    let command = shortened(&words(task).join(" "));
    weaknesses.push(Weakness::new(
        &RUNS_ON_OPEN,
        task.line,
        format!("{what} runs `{command}` as soon as the folder is opened"),
    ));
}
