//! Shell commands of notebooks and programs.

use bartizan_core::Severity;

use super::checks::Verdict;
use super::rules::{SHELL_DOWNLOAD_RUN, SHELL_INSTALL};
use crate::shell::{Command, Pipeline, commands, downloads_and_runs};

/// What there is to say about a script.
pub(super) fn judge(pipelines: &[Pipeline]) -> Vec<Verdict> {
    let run = downloads_and_runs(pipelines).map(|what| Verdict::new(&SHELL_DOWNLOAD_RUN, what));
    let installs = pipelines.iter().flatten().filter_map(installation);
    run.into_iter().chain(installs).collect()
}

/// What there is to say about a magic command of IPython, without its `%`.
pub(super) fn judge_magic(line: &str) -> Vec<Verdict> {
    let line = line.trim_start_matches('%');
    let (name, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    match name {
        "pip" | "conda" | "mamba" | "uv" => judge(&commands(line)),
        "sx" | "system" | "sc" | "bash" | "sh" | "script" => judge(&commands(rest)),
        "run" | "load" | "loadpy" if rest.contains("://") => {
            let address = rest.split_whitespace().find(|word| word.contains("://")).unwrap_or(rest);
            vec![Verdict::new(&SHELL_DOWNLOAD_RUN, format!("`%{name}` of `{address}`"))]
        }
        _ => Vec::new(),
    }
}

/// `pip install` and its kin from a place that does not vouch for the package.
fn installation(command: &Command) -> Option<Verdict> {
    let mut arguments = command.arguments().iter().map(String::as_str).peekable();
    let installs = match command.program() {
        "pip" | "pip3" | "uv" | "pipx" | "conda" | "mamba" | "poetry" => true,
        program if program.starts_with("python") => {
            arguments.next_if_eq(&"-m").is_some()
                && arguments.next_if(|module| matches!(*module, "pip" | "uv")).is_some()
        }
        _ => false,
    };
    let arguments: Vec<&str> = arguments.collect();
    if !installs || !arguments.iter().any(|argument| matches!(*argument, "install" | "add" | "download")) {
        return None;
    }
    let install = |what: String| Some(Verdict::new(&SHELL_INSTALL, what));
    let value_of = |flag: &str| {
        arguments.iter().position(|argument| *argument == flag).and_then(|at| arguments.get(at + 1).copied())
    };
    for flag in ["--trusted-host", "--allow-insecure-host"] {
        if let Some(host) = value_of(flag) {
            return install(format!("`{flag} {host}`: its certificate is not checked"));
        }
    }
    let unprotected = |address: &&&str| address.contains("http://") && !is_loopback(address);
    if let Some(address) = arguments.iter().find(unprotected) {
        return install(format!("`{}` without encryption", without_password(address)));
    }
    let from_branch = arguments.iter().find(|address| {
        let Some((_, rest)) = address.split_once("git+") else { return false };
        let revision =
            rest.split(['#', '&']).next().and_then(|rest| rest.rsplit_once('@')).map(|(_, revision)| revision);
        !revision.is_some_and(|revision| revision.len() == 40 && revision.bytes().all(|byte| byte.is_ascii_hexdigit()))
    });
    let address = from_branch?;
    let message = format!("`{}` without a commit", without_password(address));
    Some(Verdict { severity: Severity::Low, ..Verdict::new(&SHELL_INSTALL, message) })
}

fn is_loopback(address: &str) -> bool {
    ["http://localhost", "http://127.", "http://[::1]"].iter().any(|start| address.contains(start))
}

/// An address without user and password.
fn without_password(address: &str) -> String {
    match address.split_once("://") {
        Some((scheme, rest)) => {
            let host_ends = rest.find('/').unwrap_or(rest.len());
            let at = rest.get(..host_ends).and_then(|host| host.rfind('@')).map_or(0, |at| at + 1);
            format!("{scheme}://{}", rest.get(at..).unwrap_or_default())
        }
        None => address.to_owned(),
    }
}
