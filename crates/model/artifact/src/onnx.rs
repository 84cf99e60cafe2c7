//! ONNX models (`onnx.proto3`): a graph of operators and its weights.
//!
//! The graph itself runs no foreign code, but weights may lie in files that the model names, and
//! operators may come from libraries that the runtime has to load.

use std::collections::BTreeSet;

use bartizan_core::{Completeness, Component, ComponentKind, Finding, Link, Rule, Severity, printable};
use bartizan_inspect::{Findings, Format, Inspect, Limits, Source, Tensor};

use crate::protobuf::{Content, Fields, numbers, text};

const LINKS: &[Link] = &[Link::Atlas("AML.T0010.003"), Link::Cwe(1284)];

/// Weights are read from a path outside the model's folder.
pub const ESCAPING_DATA: Rule = Rule {
    id: "BZ-ONX-001",
    title: "ONNX model reads weights from outside its folder",
    severity: Severity::High,
    explanation: "A tensor's data lies in an external file whose path is absolute or climbs with `..`. Loading reads any \
        file that the process may read, and its content can leave through the model's output.",
    remedy: "Do not load it; the path must name a file beside the model.",
    links: &[Link::Atlas("AML.T0010.003"), Link::Cwe(22), Link::Advisory("CVE-2024-27318")],
};

/// An operator that runs Python.
pub const PYTHON_OPERATOR: Rule = Rule {
    id: "BZ-ONX-002",
    title: "ONNX model holds an operator that runs Python",
    severity: Severity::High,
    explanation: "The operator `PyOp` and its relatives call Python functions that the host registered.",
    remedy: "Do not load it unless you wrote the function that it calls.",
    links: &[Link::Atlas("AML.T0010.003"), Link::Cwe(94)],
};

/// An operator of an unknown domain.
pub const CUSTOM_DOMAIN: Rule = Rule {
    id: "BZ-ONX-003",
    title: "ONNX model needs operators of its own",
    severity: Severity::Low,
    explanation: "The model uses operators of a domain that neither ONNX nor the common runtimes define: to load it, \
        someone must load a native library, which is code.",
    remedy: "Get the library from a source that you trust, or a model without custom operators.",
    links: &[Link::Atlas("AML.T0010.003"), Link::Cwe(829)],
};

/// Weights do not fit their shape.
pub const LYING_SHAPE: Rule = Rule {
    id: "BZ-ONX-004",
    title: "ONNX tensor's shape and data disagree",
    severity: Severity::Medium,
    explanation: "The product of the dimensions overflows, a dimension is negative, or the shape asks for another number \
        of bytes than the tensor has: runtimes allocate by shape and copy by size.",
    remedy: "Do not load it; export the model again.",
    links: LINKS,
};

/// Every rule about ONNX.
pub const RULES: &[&Rule] = &[&ESCAPING_DATA, &PYTHON_OPERATOR, &CUSTOM_DOMAIN, &LYING_SHAPE];

/// Domains of the standard and of ONNX Runtime.
const KNOWN_DOMAINS: &[&str] = &["", "ai.onnx", "ai.onnx.ml", "ai.onnx.training", "ai.onnx.preview.training"];
/// Messages within messages: graphs in attributes of nodes in graphs.
const DEPTH: u32 = 40;

/// Checks the structure of ONNX models.
#[derive(Clone, Copy, Debug, Default)]
pub struct Onnx;

impl Inspect for Onnx {
    fn name(&self) -> &'static str {
        "onnx"
    }

    fn claims(&self, _: &Source, format: Format) -> bool {
        format == Format::Onnx
    }

    fn inspect(&self, source: &Source, findings: &mut Findings) -> Completeness {
        let mut walk = Walk { source, findings, seen: BTreeSet::new(), elements: 0, operators: 0 };
        let outcome = walk.message(Message::Model, 0, source.length(), 0);
        let component = Component::new(ComponentKind::Model, source.name(), source.whole())
            .derived("format", "onnx")
            .derived("operators", walk.operators.to_string())
            .derived("parameters", walk.elements.to_string());
        walk.findings.component(component);
        match outcome {
            Ok(()) => Completeness::Complete,
            Err(reason) => Completeness::Partial(format!("the ONNX model can't be followed: {reason}")),
        }
    }
}

/// The messages that lead to tensors and operators.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Message {
    Model,
    Graph,
    Node,
    Attribute,
    Tensor,
    SparseTensor,
    Training,
    Function,
}

impl Message {
    /// What the field of that number holds (onnx.proto3, release 1.17).
    const fn field(self, number: u64) -> Option<Self> {
        match (self, number) {
            (Self::Model, 7) | (Self::Attribute, 6 | 11) | (Self::Training, 1 | 2) => Some(Self::Graph),
            (Self::Model, 20) => Some(Self::Training),
            (Self::Model, 25) => Some(Self::Function),
            (Self::Graph, 1) | (Self::Function, 7) => Some(Self::Node),
            (Self::Graph, 5) | (Self::Attribute, 5 | 10) | (Self::SparseTensor, 1 | 2) => Some(Self::Tensor),
            (Self::Graph, 15) | (Self::Attribute, 22 | 23) => Some(Self::SparseTensor),
            (Self::Node, 5) | (Self::Function, 11) => Some(Self::Attribute),
            _ => None,
        }
    }
}

struct Walk<'a, 'v> {
    source: &'a Source,
    findings: &'a mut Findings<'v>,
    seen: BTreeSet<String>,
    elements: u64,
    operators: u64,
}

impl Walk<'_, '_> {
    fn report(&mut self, rule: &'static Rule, at: u64, message: &str) {
        if self.seen.len() < 1000 && self.seen.insert(format!("{}{message}", rule.id)) {
            self.findings.push(Finding::new(rule, self.source.at(at), message));
        }
    }

    fn message(&mut self, message: Message, start: u64, end: u64, depth: u32) -> Result<(), String> {
        if depth > DEPTH {
            return Err("graphs are nested too deeply".to_owned());
        }
        if message == Message::Tensor {
            return self.tensor(start, end);
        }
        let mut fields = Fields::new(self.source, start, end);
        let (mut operator, mut domain) = (String::new(), String::new());
        while let Some(field) = fields.next()? {
            match (message, field.number) {
                (Message::Model, 2 | 3 | 4 | 6) if self.findings.are_described() => {
                    let key = ["producer", "producer version", "domain", "", "description"];
                    let key = key
                        .get(usize::try_from(field.number).unwrap_or(0).saturating_sub(2))
                        .copied()
                        .unwrap_or_default();
                    let value = text(self.source, field.content, 1000);
                    self.findings.describe(|contents| contents.text(key, &value));
                }
                (Message::Model, 14) if self.findings.are_described() => self.metadata(field.content)?,
                (Message::Node, 4) => operator = text(self.source, field.content, 100),
                (Message::Node, 7) => domain = text(self.source, field.content, 100),
                _ => {}
            }
            if let (Some(inner), Content::Range { start, end }) = (message.field(field.number), field.content) {
                self.message(inner, start, end, depth + 1)?;
            }
        }
        if message == Message::Node {
            self.operators += 1;
            self.findings.describe(|contents| {
                let domain =
                    if KNOWN_DOMAINS.contains(&domain.as_str()) { String::new() } else { format!("{domain}::") };
                contents.operator(&format!("{domain}{operator}"));
            });
            self.operator(&operator, &domain, start);
        }
        Ok(())
    }

    fn operator(&mut self, operator: &str, domain: &str, at: u64) {
        if operator.starts_with("PyOp") || operator == "PythonOp" {
            self.report(&PYTHON_OPERATOR, at, &format!("operator `{}`", printable(operator)));
        } else if !KNOWN_DOMAINS.contains(&domain) && domain != "com.microsoft" && !domain.starts_with("com.microsoft.")
        {
            self.report(&CUSTOM_DOMAIN, at, &format!("operators of the domain `{}`", printable(domain)));
        }
    }

    /// `StringStringEntryProto` of the model: licence, author, whatever its makers wrote.
    fn metadata(&mut self, content: Content) -> Result<(), String> {
        let Content::Range { start, end } = content else { return Ok(()) };
        let mut fields = Fields::new(self.source, start, end);
        let (mut key, mut value) = (String::new(), String::new());
        while let Some(field) = fields.next()? {
            match field.number {
                1 => key = text(self.source, field.content, 100),
                2 => value = text(self.source, field.content, 1000),
                _ => {}
            }
        }
        self.findings.describe(|contents| contents.text(&key, &value));
        Ok(())
    }

    fn tensor(&mut self, start: u64, end: u64) -> Result<(), String> {
        let mut fields = Fields::new(self.source, start, end);
        let (mut sides, mut kind, mut raw) = (Vec::new(), 0, None);
        let mut name = String::new();
        while let Some(field) = fields.next()? {
            match (field.number, field.content) {
                (1, content) => sides.extend(numbers(self.source, content, 64)?),
                (2, Content::Number(value)) => kind = value,
                (8, content) if self.findings.are_described() => name = text(self.source, content, 1000),
                (9, Content::Range { start, end }) => raw = Some(end - start),
                (13, Content::Range { start, end }) => self.external(start, end)?,
                _ => {}
            }
        }
        self.findings.describe(|contents| {
            let element = ELEMENTS.get(usize::try_from(kind).unwrap_or(0)).copied().unwrap_or("?");
            contents.tensor(Tensor { name, element: element.to_owned(), shape: sides.clone(), bytes: raw });
        });
        let elements = sides
            .iter()
            .try_fold(1_u64, |product, side| i64::try_from(*side).ok().and_then(|_| product.checked_mul(*side)));
        self.elements = self.elements.saturating_add(elements.unwrap_or(0));
        let bits = match (elements, width(kind)) {
            (Some(elements), Some(bits)) => elements.checked_mul(bits),
            (elements, None) => elements,
            (None, _) => None,
        };
        match (bits.filter(|_| width(kind).is_some()).map(|bits| bits.div_ceil(8)), raw) {
            _ if bits.is_none() => {
                self.report(&LYING_SHAPE, start, "a tensor has dimensions that overflow or are negative");
            }
            (Some(needed), Some(raw)) if needed != raw => {
                let message = format!("a tensor whose shape needs {needed} bytes has {raw}");
                self.report(&LYING_SHAPE, start, &message);
            }
            _ => {}
        }
        Ok(())
    }

    /// `StringStringEntryProto`: where external data lies.
    fn external(&mut self, start: u64, end: u64) -> Result<(), String> {
        let mut fields = Fields::new(self.source, start, end);
        let (mut key, mut value) = (String::new(), String::new());
        while let Some(field) = fields.next()? {
            match field.number {
                1 => key = text(self.source, field.content, 100),
                2 => value = text(self.source, field.content, 4096),
                _ => {}
            }
        }
        let drive = value.as_bytes().get(1) == Some(&b':');
        let climbs = value.split(['/', '\\']).any(|part| part == "..");
        if key == "location" && (climbs || drive || value.starts_with(['/', '\\', '~'])) {
            let path: String = printable(&value).chars().take(120).collect();
            self.report(&ESCAPING_DATA, start, &format!("external data at `{path}`"));
        }
        Ok(())
    }
}

/// Names of `TensorProto.DataType` by number (onnx.proto3, release 1.17).
const ELEMENTS: &[&str] = &[
    "undefined",
    "float",
    "uint8",
    "int8",
    "uint16",
    "int16",
    "int32",
    "int64",
    "string",
    "bool",
    "float16",
    "double",
    "uint32",
    "uint64",
    "complex64",
    "complex128",
    "bfloat16",
    "float8e4m3fn",
    "float8e4m3fnuz",
    "float8e5m2",
    "float8e5m2fnuz",
    "uint4",
    "int4",
    "float4e2m1",
    "float8e8m0",
];

/// Bits of one element of a `TensorProto.DataType`; `None` where raw data has no fixed width.
const fn width(kind: u64) -> Option<u64> {
    match kind {
        2 | 3 | 9 | 17..=20 | 24 => Some(8),
        4 | 5 | 10 | 16 => Some(16),
        1 | 6 | 12 => Some(32),
        7 | 11 | 13 | 14 => Some(64),
        15 => Some(128),
        21..=23 => Some(4),
        _ => None,
    }
}

/// Reads arbitrary bytes as an ONNX model; must neither panic nor run away.
pub fn fuzz_one(bytes: &[u8]) {
    let source = Source::from_bytes("fuzz.onnx", bytes.to_vec(), Limits { operations: 1 << 20, ..Limits::default() });
    let _ = Onnx.inspect(&source, &mut Findings::new());
}
