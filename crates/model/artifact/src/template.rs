//! Text inside model files that code will interpret: chat templates and metadata.

use bartizan_inspect::{ReadError, Source};

/// Bytes of one text that are looked at; longer texts are looked at in overlapping pieces.
const PIECE: usize = 64 << 10;
const OVERLAP: usize = 64;

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

/// The first sign of code in the text at `offset`, if any.
pub(crate) fn sign(
    source: &Source,
    offset: u64,
    length: u64,
    purpose: Purpose,
) -> Result<Option<&'static str>, ReadError> {
    let mut start = 0;
    while start < length {
        let piece = usize::try_from(length - start).map_or(PIECE, |left| left.min(PIECE));
        let bytes = source.read(offset.saturating_add(start), piece)?;
        if let Some(found) = sign_in(&String::from_utf8_lossy(&bytes), purpose) {
            return Ok(Some(found));
        }
        start += if piece > OVERLAP { piece - OVERLAP } else { piece } as u64;
        if (piece as u64) < PIECE as u64 {
            break;
        }
    }
    Ok(None)
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
