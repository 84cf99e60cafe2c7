//! A Python program, where its lines come from, and reading it.

use std::thread;

use bartizan_core::Completeness;
use ruff_python_ast::Mod;
use ruff_python_parser::{Mode, ParseOptions, parse_unchecked};

use super::checks::Verdict;
use super::nesting::is_shallow;
use super::reader::Reader;

/// Stack for parsing and reading a tree of the greatest depth that is let through.
const STACK: usize = 128 << 20;

/// Without one of these no check can have anything to say.
const TRIGGERS: &[&[u8]] = &[
    b"trust_remote_code",
    b"HF_DATASETS_TRUST",
    b"torch",
    b"from_pretrained",
    b"hf_hub",
    b"snapshot_download",
    b"load_dataset",
    b"pickle",
    b"joblib",
    b"dill",
    b"shelve",
    b"marshal",
    b"skops",
    b"mlflow",
    b"safe_mode",
    b"yaml",
    b"eval",
    b"exec",
    b"system",
    b"popen",
    b"subprocess",
    b"spawn",
    b"startfile",
    b"runpy",
    b"runcode",
    b"runsource",
    b"getoutput",
    b"verify",
    b"ssl",
    b"cert_reqs",
    b"assert_hostname",
    b"CA_BUNDLE",
    b"HTTPSVERIFY",
    b"dangerous",
    b"allow_code",
    b"allow_unsafe",
    b"PythonREPL",
    b"ShellTool",
    b"PythonAstREPL",
    b"PALChain",
    b"LocalPythonExecutor",
    b"unsafe_deserialization",
    b"use_docker",
    b"additional_authorized_imports",
];

/// A program with the line of the file, and the notebook's cell, for each of its lines.
pub(super) struct Program {
    text: String,
    mode: Mode,
    /// Of each line of `text`: line of the file and cell; empty where the text is the file.
    lines: Vec<(u64, usize)>,
}

/// A verdict at its place in the file.
pub(super) struct Placed {
    pub(super) line: u64,
    pub(super) cell: Option<usize>,
    pub(super) from_line: Option<u64>,
    pub(super) verdict: Verdict,
}

/// What reading gave.
pub(super) struct Reading {
    pub(super) hits: Vec<Placed>,
    pub(super) completeness: Completeness,
}

impl Program {
    /// A file.
    pub(super) fn python(text: String) -> Self {
        Self { text, mode: Mode::Module, lines: Vec::new() }
    }

    /// The code cells of a notebook, one after the other.
    pub(super) fn cells(text: String, lines: Vec<(u64, usize)>) -> Self {
        Self { text, mode: Mode::Ipython, lines }
    }

    /// Whether it names anything that a check looks for.
    pub(super) fn may_matter(&self) -> bool {
        let text = self.text.as_bytes();
        self.mode == Mode::Ipython || TRIGGERS.iter().any(|trigger| memchr::memmem::find(text, trigger).is_some())
    }

    /// Parses and reads it, on a thread of its own whose stack holds the deepest tree.
    pub(super) fn read(&self) -> Reading {
        if !is_shallow(&self.text, self.mode) {
            return partial("the program is nested too deep to be parsed".to_owned());
        }
        let read = thread::scope(|scope| {
            let builder = thread::Builder::new().stack_size(STACK);
            builder.spawn_scoped(scope, || self.read_here()).map(thread::ScopedJoinHandle::join)
        });
        match read {
            Ok(Ok(reading)) => reading,
            Ok(Err(_)) => partial("the parser failed on this program".to_owned()),
            Err(error) => partial(format!("no thread for parsing: {error}")),
        }
    }

    fn read_here(&self) -> Reading {
        let starts = line_starts(&self.text);
        let parsed = parse_unchecked(&self.text, ParseOptions::from(self.mode));
        let mut completeness = Completeness::Complete;
        if let Some(error) = parsed.errors().first() {
            let (line, _) = self.place(&starts, error.location.start().to_u32());
            let reason = format!("line {line} is not Python 3 that could be parsed; what could be was read");
            completeness = Completeness::Partial(reason);
        }
        let Mod::Module(module) = parsed.syntax() else {
            return partial("the program is no module".to_owned());
        };
        match Reader::read(&module.body) {
            Ok(hits) => {
                let hits = hits.into_iter().map(|hit| {
                    let (line, cell) = self.place(&starts, hit.offset);
                    let from = hit.verdict.from.as_ref().filter(|from| from.offset != u32::MAX);
                    let from_line = from.map(|from| self.place(&starts, from.offset).0);
                    Placed { line, cell, from_line, verdict: hit.verdict }
                });
                Reading { hits: hits.collect(), completeness }
            }
            Err(reason) => partial(reason.to_owned()),
        }
    }

    fn place(&self, starts: &[u32], offset: u32) -> (u64, Option<usize>) {
        let index = starts.partition_point(|start| *start <= offset).saturating_sub(1);
        match self.lines.get(index) {
            Some((line, cell)) => (*line, Some(*cell)),
            None => (index as u64 + 1, None),
        }
    }
}

fn partial(reason: String) -> Reading {
    Reading { hits: Vec::new(), completeness: Completeness::Partial(reason) }
}

fn line_starts(text: &str) -> Vec<u32> {
    let ends = memchr::memchr_iter(b'\n', text.as_bytes());
    std::iter::once(0).chain(ends.map(|at| u32::try_from(at + 1).unwrap_or(u32::MAX))).collect()
}
