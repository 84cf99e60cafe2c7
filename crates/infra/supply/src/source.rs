//! Source code that loads models and acts on what they say: Python files and Jupyter notebooks.
//!
//! A program is parsed, not searched: names are followed through imports and assignments, and what comes from
//! the network, from a language model or from the caller of an agent's tool is followed to where it is loaded or run,
//! within one file. What is not followed (other files, containers, reflection) gives no finding: this
//! is a reviewer who reads one file at a time, not a proof.

mod call;
mod checks;
mod commands;
mod encoding;
mod nesting;
mod notebook;
mod origin;
mod program;
mod reader;
mod rules;
mod value;

use bartizan_core::{Completeness, Finding, Location, Position, printable};
use bartizan_inspect::{Area, Findings, Format, Inspect, Limits, Source};
use serde_json::json;

use checks::Verdict;
use program::Program;
pub use rules::*;

/// Longer files are data rather than programs.
const LONGEST: u64 = 8 << 20;

/// Python files.
#[derive(Clone, Copy, Debug, Default)]
pub struct Python;

/// Jupyter notebooks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Notebook;

impl Inspect for Python {
    fn name(&self) -> &'static str {
        "python"
    }

    fn area(&self) -> Area {
        Area::Source
    }

    fn claims(&self, source: &Source, format: Format) -> bool {
        let extension = source.file_name().rsplit_once('.').map_or("", |(_, extension)| extension);
        matches!(format, Format::Text | Format::Unknown)
            && (["py", "pyw", "pyi"].iter().any(|known| known.eq_ignore_ascii_case(extension))
                || extension.is_empty() && is_python_script(&source.head(80)))
    }

    fn inspect(&self, source: &Source, findings: &mut Findings) -> Completeness {
        let text = match text_of(source) {
            Ok(text) => text,
            Err(gap) => return gap,
        };
        let program = Program::python(text);
        if !program.may_matter() {
            return Completeness::Complete;
        }
        report(source, &program, findings)
    }
}

impl Inspect for Notebook {
    fn name(&self) -> &'static str {
        "notebook"
    }

    fn area(&self) -> Area {
        Area::Source
    }

    fn claims(&self, source: &Source, format: Format) -> bool {
        matches!(format, Format::Text | Format::Unknown)
            && source.file_name().rsplit_once('.').is_some_and(|(_, extension)| extension.eq_ignore_ascii_case("ipynb"))
    }

    fn inspect(&self, source: &Source, findings: &mut Findings) -> Completeness {
        let text = match text_of(source) {
            Ok(text) => text,
            Err(gap) => return gap,
        };
        let read = match notebook::read(&text) {
            Ok(read) => read,
            Err(reason) => return Completeness::Partial(reason),
        };
        for (line, verdict) in read.outputs.into_iter().chain(read.scripts) {
            findings.push(finding(source, line, None, None, &verdict));
        }
        match read.program {
            Some(program) if program.may_matter() => report(source, &program, findings),
            _ => Completeness::Complete,
        }
    }
}

fn is_python_script(head: &[u8]) -> bool {
    head.starts_with(b"#!")
        && memchr::memmem::find(head.split(|byte| *byte == b'\n').next().unwrap_or(head), b"python").is_some()
}

fn text_of(source: &Source) -> Result<String, Completeness> {
    if source.length() > LONGEST {
        return Err(Completeness::Partial(format!("source code is read up to {LONGEST} bytes")));
    }
    let bytes = source.read(0, usize::try_from(source.length()).unwrap_or(0));
    let bytes = bytes.map_err(|error| Completeness::Partial(format!("source code: {error}")))?;
    // The byte-order mark is no part of the program; encodings that hold ASCII change texts and comments only.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    match encoding::declared(bytes).filter(|name| !encoding::holds_ascii(name)) {
        Some(name) => {
            Err(Completeness::Partial(format!("source code in the encoding `{}` is not read", printable(&name))))
        }
        None => Ok(String::from_utf8_lossy(bytes).into_owned()),
    }
}

fn report(source: &Source, program: &Program, findings: &mut Findings) -> Completeness {
    let reading = program.read();
    let mut told = std::collections::BTreeSet::new();
    for hit in reading.hits {
        if told.insert((hit.line, hit.verdict.rule.id, hit.verdict.message.clone())) {
            findings.push(finding(source, hit.line, hit.cell, hit.from_line, &hit.verdict));
        }
    }
    reading.completeness
}

fn finding(source: &Source, line: u64, cell: Option<usize>, from_line: Option<u64>, verdict: &Verdict) -> Finding {
    let location = Location { path: source.name().to_owned(), position: Position::Line(line) };
    let message = match from_line.filter(|from| *from != line) {
        Some(from) => format!("{} (line {from})", verdict.message),
        None => verdict.message.clone(),
    };
    let mut finding = Finding::new(verdict.rule, location, &message)
        .with_severity(verdict.severity)
        .with_confidence(verdict.confidence)
        .with_identity(&verdict.message);
    if let Some(from) = &verdict.from {
        finding = finding.with_evidence("from", json!({"what": from.what.as_ref(), "line": from_line}));
    }
    if let Some(cell) = cell {
        finding = finding.with_evidence("cell", json!(cell));
    }
    finding
}

/// Reads arbitrary bytes as a program and as a notebook; must neither panic nor run away.
pub fn fuzz_one(bytes: &[u8]) {
    for (name, inspector) in [("fuzz.py", &Python as &dyn Inspect), ("fuzz.ipynb", &Notebook)] {
        let source = Source::from_bytes(name, bytes.to_vec(), Limits::default());
        let _ = inspector.inspect(&source, &mut Findings::new());
    }
}
