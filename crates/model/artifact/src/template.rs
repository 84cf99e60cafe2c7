//! Text inside model files that code will interpret: chat templates and metadata.

use crate::jinja::{self, Verdict};

/// Longest template that is read.
pub(crate) const LONGEST: u64 = 4 << 20;

/// Attribute names and calls that have no place in a chat template: each is a step of the known
/// ways out of Jinja's sandbox (CVE-2024-34359 and its variants).
const TEMPLATE_SIGNS: &[&str] = &[
    "__class__",
    "__globals__",
    "__builtins__",
    "__subclasses__",
    "__mro__",
    "__base__",
    "__import__",
    "__init__",
    "__getattribute__",
    "__reduce__",
    "__dict__",
    "__code__",
    "import os",
    "os.system",
    "os.popen",
    "popen(",
    "subprocess",
    "eval(",
    "exec(",
    "getattr(",
    "attr('__",
    "attr(\"__",
    "|attr(",
    "lipsum",
    "cycler.",
    "joiner.",
    "\\x5f\\x5f",
    "request.application",
    "self._TemplateReference",
    "/etc/passwd",
];

/// Signs of a script in text that should describe a model.
const SCRIPT_SIGNS: &[&str] = &[
    "<script",
    "javascript:",
    "import os",
    "import subprocess",
    "os.system",
    "subprocess.",
    "eval(",
    "exec(",
    "__import__",
    "rm -rf",
    "/bin/sh",
    "/bin/bash",
    "bash -i",
    "curl http",
    "wget http",
    "powershell",
    "cmd.exe",
    "base64 -d",
    "b64decode",
    "nc -e",
    "; cat ",
    "| sh",
    "$(",
];

/// What a text is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Purpose {
    /// A Jinja template that the runtime renders.
    Template,
    /// A description.
    Metadata,
}

/// What a template is: how it reaches out of its sandbox, and why it could not be read to the end.
pub(crate) fn judged(text: &str) -> Verdict {
    let verdict = jinja::judge(text);
    match sign_in(&evaluated(text), Purpose::Template) {
        Some(sign) => Verdict { reaches_out: Some(sign.trim().to_owned()), ..verdict },
        None => verdict,
    }
}

/// What stands between `{{` and `}}` or `{%` and `%}`, comments left out; an open block reaches to the end. Only what Jinja evaluates
/// counts: a template of source code may well say `__init__`.
fn evaluated(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(['{']) {
        let block = rest.get(start..).unwrap_or_default();
        let end = match block.as_bytes().get(1) {
            Some(b'{') => "}}",
            Some(b'%') => "%}",
            Some(b'#') => {
                rest = block.find("#}").and_then(|end| block.get(end + 2..)).unwrap_or_default();
                continue;
            }
            _ => {
                rest = block.get(1..).unwrap_or_default();
                continue;
            }
        };
        let length = block.find(end).map_or(block.len(), |place| place + 2);
        out.push_str(block.get(..length).unwrap_or_default());
        out.push('\n');
        rest = block.get(length..).unwrap_or_default();
    }
    out
}

/// The first sign of code in `text`, if any. Letter case and blanks around dots hide nothing.
pub(crate) fn sign_in(text: &str, purpose: Purpose) -> Option<&'static str> {
    let text = text.to_ascii_lowercase();
    let signs = match purpose {
        Purpose::Template => TEMPLATE_SIGNS,
        Purpose::Metadata => SCRIPT_SIGNS,
    };
    signs.iter().find(|sign| text.contains(&sign.to_ascii_lowercase())).copied()
}
