//! Text from outside that is run.

use bartizan_core::Severity;

use super::super::call::Call;
use super::super::rules::{DOWNLOAD_RUN, MODEL_OUTPUT_RUN, TOOL_RUNS_ARGUMENT};
use super::super::value::{Source, Value};
use super::Verdict;

/// Functions that run their first argument as Python.
const INTERPRETERS: &[&str] = &[
    "eval",
    "exec",
    "builtins.eval",
    "builtins.exec",
    "runpy.run_path",
    "code.InteractiveInterpreter().runcode",
    "code.InteractiveInterpreter().runsource",
    "pandas.eval",
];

/// Functions that hand their first argument to a shell.
const SHELLS: &[&str] = &[
    "os.system",
    "os.popen",
    "subprocess.getoutput",
    "subprocess.getstatusoutput",
    "asyncio.create_subprocess_shell",
    "commands.getoutput",
    "pty.spawn",
];

/// Functions that start a program, and a shell if `shell=True`.
const STARTERS: &[&str] =
    &["subprocess.run", "subprocess.call", "subprocess.check_call", "subprocess.check_output", "subprocess.Popen"];

/// Functions that run a file of that name.
const PROGRAMS: &[&str] =
    &["os.execv", "os.execvp", "os.execl", "os.execlp", "os.startfile", "asyncio.create_subprocess_exec"];

/// `eval`, `exec`, shells and started programs, whose text comes from a model, a tool call or the network.
pub(super) fn foreign_text_is_run(call: &Call) -> Option<Verdict> {
    let name = call.path.as_str();
    let text = dangerous_argument(name, call)?;
    if let Some(entry) = text.origins.get(Source::ToolArgument) {
        let message = format!("`{name}` of {}", entry.what);
        return Some(Verdict::new(&TOOL_RUNS_ARGUMENT, message).from(entry));
    }
    if let Some(entry) = text.origins.get(Source::Model) {
        let message = format!("`{name}` of what `{}` says", entry.what);
        return Some(Verdict::new(&MODEL_OUTPUT_RUN, message).likely().from(entry));
    }
    let entry = text.origins.get(Source::Download)?;
    let message = format!("`{name}` of what `{}` brought", entry.what);
    Some(Verdict::new(&DOWNLOAD_RUN, message).with_severity(Severity::High).from(entry))
}

/// The argument that decides what is run.
fn dangerous_argument<'a>(name: &str, call: &'a Call) -> Option<&'a Value> {
    if INTERPRETERS.contains(&name) || SHELLS.contains(&name) || PROGRAMS.contains(&name) {
        return call.arguments.first().or_else(|| call.keywords.first().map(|(_, value)| value));
    }
    if !STARTERS.contains(&name) {
        return None;
    }
    let first = call.argument(0, "args")?;
    let Some(command) = &call.command else { return Some(first) };
    let program = command.first()?;
    let interpreter = program.as_text().map(|program| program.rsplit('/').next().unwrap_or(program));
    let is_interpreter = interpreter.is_some_and(|program| {
        matches!(program, "sh" | "bash" | "zsh" | "dash" | "cmd" | "cmd.exe" | "powershell" | "pwsh" | "node" | "perl")
            || program.starts_with("python")
    }) || program.path.as_deref() == Some("sys.executable");
    if call.keyword("shell").is_some_and(|value| value.is(true)) {
        return Some(first);
    }
    if is_interpreter {
        let flag =
            command.iter().position(|part| matches!(part.as_text(), Some("-c" | "-e" | "/c" | "-Command" | "-lc")))?;
        return command.get(flag + 1);
    }
    (!program.origins.is_empty()).then_some(program)
}
