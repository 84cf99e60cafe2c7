//! Switches by which frameworks for models and agents drop a protection.

use super::super::call::Call;
use super::super::rules::SAFETY_OFF;
use super::super::value::Value;
use super::Verdict;

/// Keywords that mean the same in whatever call they stand.
const DANGEROUS_KEYWORDS: &[&str] = &[
    "allow_dangerous_deserialization",
    "allow_dangerous_code",
    "allow_dangerous_requests",
    "allow_unsafe_code",
    "enable_unsafe_deserialization",
    "allow_code_execution",
];

/// Objects whose making or calling gives a model an interpreter or drops a check.
const DANGEROUS_CALLS: &[(&str, &str)] = &[
    ("keras.config.enable_unsafe_deserialization", "lets Keras run code of Lambda layers"),
    ("keras.saving.enable_unsafe_deserialization", "lets Keras run code of Lambda layers"),
    ("PythonREPLTool", "gives the model a Python interpreter in this process"),
    ("PythonAstREPLTool", "gives the model a Python interpreter in this process"),
    ("PythonREPL", "runs Python in this process"),
    ("ShellTool", "gives the model a shell"),
    ("PALChain", "runs what the model writes as Python"),
    ("LocalPythonExecutor", "runs what the model writes in this process"),
];

/// A protection that is switched off by name.
pub(super) fn safety_off(call: &Call) -> Option<Verdict> {
    if let Some(keyword) =
        DANGEROUS_KEYWORDS.iter().find(|keyword| call.keyword(keyword).is_some_and(|value| value.is(true)))
    {
        return Some(Verdict::new(&SAFETY_OFF, format!("`{}` with `{keyword}=True`", call.shown())));
    }
    let library_knows =
        ["langchain", "smolagents", "keras", "tensorflow"].iter().any(|known| call.library().starts_with(known));
    let dangerous = DANGEROUS_CALLS.iter().find(|(name, _)| {
        call.path == *name || call.method() == *name && library_knows || call.path.ends_with(name) && name.contains('.')
    });
    if let Some((_, effect)) = dangerous {
        return Some(Verdict::new(&SAFETY_OFF, format!("`{}` {effect}", call.shown())));
    }
    if call.keyword("use_docker").is_some_and(|value| value.is(false)) {
        return Some(Verdict::new(
            &SAFETY_OFF,
            format!("`{}` with `use_docker=False` runs generated code on this machine", call.shown()),
        ));
    }
    let imports = call.keyword("additional_authorized_imports")?;
    let everything = imports.as_text() == Some("*");
    everything.then(|| Verdict::new(&SAFETY_OFF, format!("`{}` lets generated code import everything", call.shown())))
}

/// `code_execution_config={"use_docker": False}` and other settings that are given as a dictionary.
pub(in crate::source) fn dangerous_entry(key: &str, value: &Value) -> Option<Verdict> {
    let is_dangerous = DANGEROUS_KEYWORDS.contains(&key) && value.is(true) || key == "use_docker" && value.is(false);
    is_dangerous.then(|| {
        Verdict::new(&SAFETY_OFF, format!("a setting `{key}`: {}", if value.is(true) { "True" } else { "False" }))
    })
}
