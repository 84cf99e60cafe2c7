//! How tool servers are started: by which program, from where, confined by what.

use bartizan_core::{Link, Rule, Severity};

use super::container;
use super::package::{self, Pin};
use super::server::Server;
use super::shell;
use super::weakness::{Weakness, shortened};

/// A configuration brings a program in and runs it.
pub const FOREIGN_PROGRAM: Rule = Rule {
    id: "BZ-AGT-001",
    title: "Agent configuration downloads or decodes a program and runs it",
    severity: Severity::Critical,
    explanation: "The command stands in a file that a tool obeys when the folder is opened or the agent starts, and what it runs \
        is not in the repository: whoever controls the address, or wrote the encoded text, runs code as the developer.",
    remedy: "Remove the command. If the program is needed, add it to the repository or install a fixed version of it, and look \
        for what the command has already done on machines that opened the folder.",
    links: &[Link::Atlas("AML.T0081"), Link::Atlas("AML.T0011.002"), Link::Owasp("LLM03:2025"), Link::Cwe(494)],
};

/// A shell with a script in an argument.
pub const INLINE_SCRIPT: Rule = Rule {
    id: "BZ-AGT-002",
    title: "Tool server is started by a script within the configuration",
    severity: Severity::Medium,
    explanation: "A shell or interpreter gets its program as an argument: it can do anything beside starting the server, and people \
        who are asked to approve the server see little of it.",
    remedy: "Start the server's program itself, with its arguments as a list.",
    links: &[Link::Atlas("AML.T0081"), Link::Atlas("AML.T0050"), Link::Cwe(78)],
};

/// A package at whatever version is newest.
pub const UNPINNED_SERVER: Rule = Rule {
    id: "BZ-AGT-003",
    title: "Tool server is fetched at no fixed version",
    severity: Severity::Medium,
    explanation: "Each start fetches what the registry or repository offers at that moment and runs it with the agent's \
        credentials. A server that was reviewed yesterday can be another one today (a rug pull): no file changes here.",
    remedy: "Name the exact version (`package@1.2.3`, `package==1.2.3`), a commit, or an image's digest.",
    links: &[Link::Atlas("AML.T0109"), Link::Atlas("AML.T0010.005"), Link::Owasp("LLM03:2025"), Link::Cwe(1357)],
};

/// A container that contains nothing.
pub const UNCONFINED_CONTAINER: Rule = Rule {
    id: "BZ-AGT-004",
    title: "Container of a tool server is given the host",
    severity: Severity::High,
    explanation: "A container with all privileges, the host's file system, its network or the socket of the container engine is \
        no boundary: a tool that is tricked once owns the machine.",
    remedy: "Mount only the folders that the server needs, read-only where possible, and leave the flag out.",
    links: &[Link::Atlas("AML.T0105"), Link::Owasp("LLM06:2025"), Link::Cwe(250)],
};

/// A file server over everything.
pub const WHOLE_FILESYSTEM: Rule = Rule {
    id: "BZ-AGT-007",
    title: "Tool server is given the whole file system",
    severity: Severity::Medium,
    explanation: "The agent can read and write everything that the user can: keys, other projects, start-up files. One injected \
        instruction in a page or an issue is enough to use that.",
    remedy: "Name the project's folder instead.",
    links: &[Link::Atlas("AML.T0085.001"), Link::Owasp("LLM06:2025"), Link::Cwe(732)],
};

/// Judges how a server is started.
pub(super) fn judge(server: &Server<'_>, weaknesses: &mut Vec<Weakness>) {
    if let Some(weakness) = foreign_program(&format!("server `{}`", server.name), server.line, &server.text()) {
        weaknesses.push(weakness);
        return;
    }
    let Some((program, arguments)) = server.invocation() else { return };
    let Some(script) = inline_script(&program, arguments) else {
        return confinement(server, &program, arguments, weaknesses);
    };
    let severity = if reaches_out(&script) { Severity::High } else { Severity::Medium };
    let message = format!("server `{}` runs `{}` in {program}", server.name, shortened(&script));
    weaknesses.push(Weakness::new(&INLINE_SCRIPT, server.line, message).at(severity));
    // The script is a command line of its own, which may fetch a package.
    let inner = Server { name: server.name.clone(), line: server.line, words: script.split_whitespace().collect() };
    if let Some((program, arguments)) = inner.invocation() {
        confinement(&inner, &program, arguments, weaknesses);
    }
}

/// A command line that brings a program in and runs it, wherever it stands.
pub(super) fn foreign_program(what: &str, line: u64, text: &str) -> Option<Weakness> {
    let (deed, address) = shell::foreign_program(text)?;
    let from = if address.is_empty() { String::new() } else { format!(" from {}", shortened(&address)) };
    let message = format!("{what}: {}{from}: `{}`", deed.as_str(), shortened(text));
    Some(Weakness::new(&FOREIGN_PROGRAM, line, message))
}

fn confinement(server: &Server<'_>, program: &str, arguments: &[&str], weaknesses: &mut Vec<Weakness>) {
    let name = &server.name;
    let mut add = |rule: &'static Rule, severity: Severity, message: String| {
        weaknesses.push(Weakness::new(rule, server.line, message).at(severity));
    };
    match package::fetched(program, arguments) {
        Some((what, Pin::Open)) => {
            let message = format!("server `{name}` runs `{}` at whatever version is newest", shortened(what));
            add(&UNPINNED_SERVER, Severity::Medium, message);
        }
        Some((what, Pin::OpenUnlessInstalled)) => {
            let message =
                format!("server `{name}` runs `{}`, at the newest version where none is installed", shortened(what));
            add(&UNPINNED_SERVER, Severity::Low, message);
        }
        Some((_, Pin::Fixed)) | None => {}
    }
    if let Some(container) = container::Container::read(program, arguments) {
        for opened in &container.opened {
            let message = format!("server `{name}` runs in a container with `{}`", shortened(opened));
            add(&UNCONFINED_CONTAINER, Severity::High, message);
        }
        if let Some(image) = container.image.filter(|image| !container::is_pinned(image)) {
            let message =
                format!("server `{name}` runs the image `{}` at whatever version is newest", shortened(image));
            add(&UNPINNED_SERVER, Severity::Medium, message);
        }
    }
    let is_file_server =
        |word: &&str| ["server-filesystem", "mcp/filesystem", "mcp-filesystem"].iter().any(|name| word.contains(name));
    if let Some(at) = server.words.iter().position(is_file_server) {
        let folders = server.words.get(at + 1..).unwrap_or_default();
        if let Some(folder) = folders.iter().find(|folder| is_everything(folder)) {
            add(&WHOLE_FILESYSTEM, Severity::Medium, format!("server `{name}` may use all of `{}`", shortened(folder)));
        }
    }
}

/// The script among the arguments of a shell or interpreter.
fn inline_script(program: &str, arguments: &[&str]) -> Option<String> {
    let takes: fn(&str) -> bool = if matches!(program, "cmd") {
        |flag| flag.eq_ignore_ascii_case("/c") || flag.eq_ignore_ascii_case("/k")
    } else if matches!(program, "powershell" | "pwsh") {
        |flag| flag.eq_ignore_ascii_case("-command") || flag.eq_ignore_ascii_case("-c")
    } else if shell::is_shell(program) {
        |flag| flag.starts_with('-') && !flag.starts_with("--") && flag.ends_with('c')
    } else if matches!(program, "node" | "nodejs" | "perl" | "ruby" | "bun") {
        |flag| matches!(flag, "-e" | "--eval" | "-pe" | "-p")
    } else if program.starts_with("python") {
        |flag| flag == "-c"
    } else {
        return None;
    };
    let at = arguments.iter().position(|word| takes(word))?;
    Some(arguments.get(at + 1..)?.join(" ")).filter(|script| !script.is_empty())
}

/// Whether a script fetches, sends or hides something.
fn reaches_out(script: &str) -> bool {
    let marks = [
        "curl", "wget", "http://", "https://", "base64", "eval", "/dev/tcp", "nc ", "iwr", "irm", "invoke-", "socket",
        "ssh ",
    ];
    let lower = script.to_ascii_lowercase();
    marks.iter().any(|mark| lower.contains(mark))
}

/// Whether a folder is the whole file system, or all that a user has.
pub(super) fn is_everything(folder: &str) -> bool {
    let bare = folder.trim_end_matches(['/', '\\', '*']);
    let parts: Vec<&str> = bare.split(['/', '\\']).collect();
    match parts.as_slice() {
        [""] => !folder.is_empty(),
        [one] => {
            let one = one.to_ascii_lowercase();
            let homes = ["~", "$home", "${home}", "${env:home}", "${userhome}", "%userprofile%", "${env:userprofile}"];
            homes.contains(&one.as_str()) || (one.len() == 2 && one.ends_with(':'))
        }
        ["", "home" | "Users" | "root" | "etc"] | ["", "home" | "Users", _] => true,
        [drive, users] | [drive, users, _] => {
            drive.ends_with(':') && drive.len() == 2 && users.eq_ignore_ascii_case("users")
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::is_everything;

    #[test]
    fn roots_and_homes_are_everything_and_projects_are_not() {
        for folder in ["/", "~", "~/", "$HOME", "${HOME}", "C:\\", "C:/Users/ada", "/home/ada", "/Users/ada/", "/root"]
        {
            assert!(is_everything(folder), "{folder}");
        }
        for folder in
            ["", ".", "./data", "/home/ada/project", "~/project", "${workspaceFolder}", "/srv/data", "D:\\work"]
        {
            assert!(!is_everything(folder), "{folder}");
        }
    }
}
