//! TensorFlow SavedModels (`saved_model.proto`, `graph.proto`): graphs of operators, some of which
//! read and write files or call Python.

use std::collections::{BTreeMap, BTreeSet};

use bartizan_core::{Completeness, Component, ComponentKind, Finding, Link, Rule, Severity, printable};
use bartizan_inspect::{Findings, Format, Inspect, Limits, Source};

use crate::keras;
use crate::protobuf::{Content, Fields, text};

/// An operator calls Python.
pub const PYTHON_OPERATOR: Rule = Rule {
    id: "BZ-TFM-001",
    title: "SavedModel calls Python",
    severity: Severity::High,
    explanation: "The graph holds an operator that calls a Python function registered in the process that runs it. The \
        function is not in the file: it comes with the code that the model needs.",
    remedy: "Do not run it unless you know which function is called.",
    links: &[Link::Atlas("AML.T0010.003"), Link::Owasp("LLM03:2025"), Link::Cwe(94)],
};

/// An operator reads or writes files.
pub const FILE_OPERATOR: Rule = Rule {
    id: "BZ-TFM-002",
    title: "SavedModel reads or writes files",
    severity: Severity::High,
    explanation: "The graph holds an operator that opens files by name. Running the model can read secrets into its output \
        or overwrite files of the user that runs it.",
    remedy: "Run it only in a sandbox without secrets, or ask for a model without file operators.",
    links: &[Link::Atlas("AML.T0010.003"), Link::Cwe(73)],
};

/// An operator is not TensorFlow's own.
pub const CUSTOM_OPERATOR: Rule = Rule {
    id: "BZ-TFM-003",
    title: "SavedModel needs a native library of its own",
    severity: Severity::Low,
    explanation: "The graph names an operator in a namespace that TensorFlow does not have: to run it, someone must load a \
        native library, which is code.",
    remedy: "Get the library from a source that you trust, or a model without custom operators.",
    links: &[Link::Atlas("AML.T0010.003"), Link::Cwe(829)],
};

/// Every rule about SavedModels.
pub const RULES: &[&Rule] = &[&PYTHON_OPERATOR, &FILE_OPERATOR, &CUSTOM_OPERATOR];

const PYTHON: &[&str] = &["PyFunc", "PyFuncStateless", "EagerPyFunc", "FuncToPy"];
/// Operators that take a file name (TensorFlow 2.18, `tensorflow/core/ops/*.cc`). `SaveV2`, `RestoreV2` and
/// `MergeV2Checkpoints` are in every model, for its own variables.
const FILES: &[&str] = &[
    "ReadFile",
    "WriteFile",
    "MatchingFiles",
    "CopyFile",
    "DeleteFile",
    "WholeFileReader",
    "WholeFileReaderV2",
    "TextLineReader",
    "TextLineReaderV2",
    "FixedLengthRecordReader",
    "FixedLengthRecordReaderV2",
    "TFRecordReader",
    "TFRecordReaderV2",
    "LMDBReader",
    "TextLineDataset",
    "TFRecordDataset",
    "FixedLengthRecordDataset",
    "FixedLengthRecordDatasetV2",
    "CSVDataset",
    "CSVDatasetV2",
    "SqlDataset",
    "LMDBDataset",
    "SaveDataset",
    "SaveDatasetV2",
    "LoadDataset",
    "DatasetToTFRecord",
    "SnapshotDataset",
    "SnapshotDatasetV2",
    "CacheDataset",
    "CacheDatasetV2",
    "CreateSummaryFileWriter",
    "CreateSummaryDbWriter",
    "ImportEvent",
    "DebugIdentityV2",
    "DebugIdentityV3",
    "DecodeProtoV2",
    "FileSystemSetConfiguration",
];
const DEPTH: u32 = 16;

/// Checks the operators of SavedModels and the configurations beside them.
#[derive(Clone, Copy, Debug, Default)]
pub struct SavedModel;

impl Inspect for SavedModel {
    fn name(&self) -> &'static str {
        "saved-model"
    }

    fn claims(&self, source: &Source, format: Format) -> bool {
        format == Format::SavedModel
            || matches!(source.file_name(), "saved_model.pb" | "keras_metadata.pb" | "frozen_inference_graph.pb")
    }

    fn inspect(&self, source: &Source, findings: &mut Findings) -> Completeness {
        let root = match source.file_name() {
            "keras_metadata.pb" => Message::Metadata,
            "frozen_inference_graph.pb" => Message::Graph,
            _ => Message::SavedModel,
        };
        let mut walk = Walk { source, findings, operators: BTreeMap::new(), problems: BTreeSet::new() };
        let outcome = walk.message(root, 0, source.length(), 0);
        let Walk { operators, problems, .. } = walk;
        for (operator, (at, times)) in &operators {
            judge(source, operator, *at, *times, findings);
        }
        findings.describe(|contents| {
            operators.iter().for_each(|(operator, (_, times))| contents.operators_of(operator, *times));
        });
        if root != Message::Metadata {
            let count: u64 = operators.values().map(|(_, times)| times).sum();
            findings.component(
                Component::new(ComponentKind::Model, source.name(), source.whole())
                    .derived("format", "saved-model")
                    .derived("framework", "tensorflow")
                    .derived("operators", count.to_string()),
            );
        }
        let reason = outcome.err().or_else(|| problems.into_iter().next());
        reason.map_or(Completeness::Complete, |reason| {
            Completeness::Partial(format!("the SavedModel can't be followed: {reason}"))
        })
    }
}

/// The messages that lead to operators.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Message {
    SavedModel,
    MetaGraph,
    Graph,
    Library,
    Function,
    Node,
    Metadata,
    SavedObject,
}

impl Message {
    const fn field(self, number: u64) -> Option<Self> {
        match (self, number) {
            (Self::SavedModel, 2) => Some(Self::MetaGraph),
            (Self::MetaGraph, 2) => Some(Self::Graph),
            (Self::Graph, 2) => Some(Self::Library),
            (Self::Library, 1) => Some(Self::Function),
            (Self::Graph, 1) | (Self::Function, 3) => Some(Self::Node),
            (Self::Metadata, 1) => Some(Self::SavedObject),
            _ => None,
        }
    }
}

struct Walk<'a, 'v> {
    source: &'a Source,
    findings: &'a mut Findings<'v>,
    /// Where each operator stands first, and how often it does.
    operators: BTreeMap<String, (u64, u64)>,
    problems: BTreeSet<String>,
}

impl Walk<'_, '_> {
    fn message(&mut self, message: Message, start: u64, end: u64, depth: u32) -> Result<(), String> {
        if depth > DEPTH {
            return Err("messages are nested too deeply".to_owned());
        }
        let mut fields = Fields::new(self.source, start, end);
        while let Some(field) = fields.next()? {
            match (message, field.number, field.content) {
                (Message::Node, 2, content) => {
                    let operator = text(self.source, content, 100);
                    if self.operators.len() < 10_000 || self.operators.contains_key(&operator) {
                        self.operators.entry(operator).or_insert((start, 0)).1 += 1;
                    }
                }
                (Message::SavedObject, 4, Content::Range { start, end }) => self.configuration(start, end),
                (_, number, Content::Range { start, end }) => {
                    if let Some(inner) = message.field(number) {
                        self.message(inner, start, end, depth + 1)?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Keras writes the configuration of each layer as JSON (`saved_metadata.proto`).
    fn configuration(&mut self, start: u64, end: u64) {
        let length = usize::try_from(end - start).unwrap_or(usize::MAX).min(16 << 20);
        let json = self.source.read(start, length).unwrap_or_default();
        if let Err(reason) = keras::configuration(self.source, &json, self.findings) {
            self.problems.insert(reason);
        }
    }
}

fn judge(source: &Source, operator: &str, at: u64, times: u64, findings: &mut Findings) {
    let (rule, what) = if PYTHON.contains(&operator) {
        (&PYTHON_OPERATOR, "calls Python")
    } else if FILES.contains(&operator) {
        (&FILE_OPERATOR, "opens files or connections")
    } else if operator.contains('>') || !operator.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        (&CUSTOM_OPERATOR, "is not TensorFlow's own")
    } else {
        return;
    };
    let message = format!("operator `{}` {what}", printable(operator));
    let finding = Finding::new(rule, source.at(at), &message);
    findings.push(finding.with_evidence("times", times.into()));
}

/// Reads arbitrary bytes as a SavedModel; must neither panic nor run away.
pub fn fuzz_one(bytes: &[u8]) {
    let limits = Limits { operations: 1 << 20, ..Limits::default() };
    for name in ["saved_model.pb", "keras_metadata.pb"] {
        let source = Source::from_bytes(name, bytes.to_vec(), limits);
        let _ = SavedModel.inspect(&source, &mut Findings::new());
    }
}
