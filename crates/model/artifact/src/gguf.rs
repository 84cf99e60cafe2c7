//! GGUF: counts, typed key-value pairs, tensor descriptions, tensor data (ggml `docs/gguf.md`).

use bartizan_core::{Completeness, Component, ComponentKind, Finding, Link, Rule, Severity, printable};
use bartizan_inspect::{Findings, Format, Inspect, Limits, ReadError, Source, Tensor, Window};

use crate::template::{LONGEST, judged};

const LINKS: &[Link] = &[Link::Atlas("AML.T0010.003"), Link::Cwe(1284)];
const REMEDY: &str = "Do not load it; fetch it again and compare its digest with the publisher's.";

/// Counts or lengths exceed the file.
pub const LYING_COUNT: Rule = Rule {
    id: "BZ-GGU-001",
    title: "GGUF header states more than the file holds",
    severity: Severity::Medium,
    explanation: "A count or length in the header is larger than the bytes that are left could hold. Loaders that allocate \
        first overflow or run out of memory; several memory-safety bugs of GGUF loaders began so.",
    remedy: REMEDY,
    links: LINKS,
};

/// Tensors lie outside the file.
pub const LYING_OFFSET: Rule = Rule {
    id: "BZ-GGU-002",
    title: "GGUF tensor lies outside the file",
    severity: Severity::Medium,
    explanation: "A tensor's offset or size points beyond the end of the file, its dimensions overflow, or its offset is \
        not aligned: loaders that map the file read memory that is not theirs.",
    remedy: REMEDY,
    links: LINKS,
};

/// A chat template reaches for Python.
pub const HOSTILE_TEMPLATE: Rule = Rule {
    id: "BZ-GGU-003",
    title: "Chat template reaches out of its sandbox",
    severity: Severity::High,
    explanation: "The chat template is a Jinja program that runs for every prompt. This one names Python internals or \
        commands, which templates use only to break out of the renderer.",
    remedy: "Do not load it with a renderer that is not sandboxed; ask for the template's source.",
    links: &[
        Link::Atlas("AML.T0010.003"),
        Link::Owasp("LLM03:2025"),
        Link::Cwe(1336),
        Link::Advisory("CVE-2024-34359"),
    ],
};

/// Every rule about GGUF.
pub const RULES: &[&Rule] = &[&LYING_COUNT, &LYING_OFFSET, &HOSTILE_TEMPLATE];

/// Checks the structure of GGUF files.
#[derive(Clone, Copy, Debug, Default)]
pub struct Gguf;

impl Inspect for Gguf {
    fn name(&self) -> &'static str {
        "gguf"
    }

    fn claims(&self, _: &Source, format: Format) -> bool {
        format == Format::Gguf
    }

    fn inspect(&self, source: &Source, findings: &mut Findings) -> Completeness {
        let mut reader = Reader { source, window: Window::new(source, 4), findings, alignment: 32, unread: None };
        match reader.file() {
            Ok(()) => reader.unread.map_or(Completeness::Complete, Completeness::Partial),
            Err(Stop::Lie(what)) => {
                let at = source.at(reader.window.position());
                findings.push(Finding::new(&LYING_COUNT, at, &what).with_identity(&what));
                Completeness::Partial(format!("the GGUF header can't be followed: {what}"))
            }
            Err(Stop::Unread(reason)) => Completeness::Partial(format!("the GGUF header can't be followed: {reason}")),
        }
    }
}

enum Stop {
    Lie(String),
    Unread(String),
}

impl From<ReadError> for Stop {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::End(_) => Self::Lie("the file ends within its header".to_owned()),
            error => Self::Unread(error.to_string()),
        }
    }
}

struct Reader<'a, 'v> {
    source: &'a Source,
    window: Window<'a>,
    findings: &'a mut Findings<'v>,
    alignment: u64,
    /// What was not understood on the way.
    unread: Option<String>,
}

/// A tensor as the header describes it.
struct Described {
    name: String,
    offset: u64,
    size: Option<u64>,
    overflows: bool,
    elements: u64,
    shape: Vec<u64>,
    kind: u32,
}

impl Reader<'_, '_> {
    fn file(&mut self) -> Result<(), Stop> {
        let version = self.word()?;
        if !(2..=3).contains(&version) {
            return Err(Stop::Unread(format!("version {version} is not known")));
        }
        let (tensors, pairs) = (self.long()?, self.long()?);
        self.fits(tensors, 24, "tensors")?;
        self.fits(pairs, 13, "keys")?;
        for _ in 0..pairs {
            self.pair()?;
        }
        let mut described = Vec::new();
        for _ in 0..tensors {
            let tensor = self.tensor()?;
            if described.len() < 1 << 16 {
                described.push(tensor);
            }
        }
        let alignment = self.alignment.max(1);
        let start = self.window.position().div_ceil(alignment).saturating_mul(alignment);
        let elements = described.iter().fold(0_u64, |all, tensor| all.saturating_add(tensor.elements));
        let component = Component::new(ComponentKind::Model, self.source.name(), self.source.whole())
            .derived("format", "gguf")
            .derived("tensors", tensors.to_string())
            .derived("parameters", elements.to_string());
        self.findings.component(component);
        for tensor in described {
            self.check(&tensor, start);
            self.findings.describe(|contents| {
                contents.tensor(Tensor {
                    name: tensor.name,
                    element: element(tensor.kind),
                    // ggml counts dimensions from the fastest.
                    shape: tensor.shape.into_iter().rev().collect(),
                    bytes: tensor.size,
                });
            });
        }
        Ok(())
    }

    fn check(&mut self, tensor: &Described, start: u64) {
        let begin = start.saturating_add(tensor.offset);
        let end = begin.saturating_add(tensor.size.unwrap_or(0));
        let problem = if tensor.overflows {
            "has dimensions that overflow".to_owned()
        } else if end > self.source.length() {
            format!("ends at byte {end} of {}", self.source.length())
        } else if !tensor.offset.is_multiple_of(self.alignment.max(1)) {
            format!("starts at offset {}, which is not aligned to {}", tensor.offset, self.alignment)
        } else {
            return;
        };
        let finding = Finding::new(&LYING_OFFSET, self.source.at(begin), &format!("`{}` {problem}", tensor.name));
        self.findings.push(finding.with_identity(&tensor.name));
    }

    fn pair(&mut self) -> Result<(), Stop> {
        self.source.budget().operate(1).map_err(ReadError::from)?;
        let key = self.text(256)?;
        let kind = self.word()?;
        if key.contains("chat_template") || key.contains("prompt_template") {
            match kind {
                STRING => return self.template(&key),
                ARRAY => return self.templates(&key),
                _ => {}
            }
        }
        if kind == UNSIGNED && key == "general.alignment" {
            self.alignment = u64::from(self.word()?);
            return Ok(());
        }
        if self.findings.are_described() && kind == STRING {
            let value = self.text(1000)?;
            self.findings.describe(|contents| contents.text(&key, &value));
            return Ok(());
        }
        self.value(kind, 0)
    }

    /// Several templates under one key.
    fn templates(&mut self, key: &str) -> Result<(), Stop> {
        let (element, count) = (self.word()?, self.long()?);
        if element != STRING {
            return self.elements(element, count, 0);
        }
        self.fits(count, 8, "array elements")?;
        for _ in 0..count {
            self.source.budget().operate(1).map_err(ReadError::from)?;
            self.template(key)?;
        }
        Ok(())
    }

    fn template(&mut self, key: &str) -> Result<(), Stop> {
        let length = self.long()?;
        self.fits(length, 1, "bytes of text")?;
        let offset = self.window.position();
        self.window.skip(length)?;
        if length > LONGEST {
            self.unread.get_or_insert_with(|| format!("`{key}` is too long to be read"));
        }
        let bytes = self.source.read(offset, usize::try_from(length.min(LONGEST)).unwrap_or(0))?;
        let verdict = judged(&String::from_utf8_lossy(&bytes));
        if let Some(found) = verdict.reaches_out {
            let message = format!("`{key}` holds `{}`", printable(&found));
            self.findings.push(Finding::new(&HOSTILE_TEMPLATE, self.source.at(offset), &message));
        }
        if let Some(problem) = verdict.problem {
            self.unread.get_or_insert_with(|| format!("`{key}` is not understood: {problem}"));
        }
        Ok(())
    }

    fn value(&mut self, kind: u32, depth: u32) -> Result<(), Stop> {
        match kind {
            STRING => {
                let length = self.long()?;
                self.fits(length, 1, "bytes of text")?;
                Ok(self.window.skip(length)?)
            }
            ARRAY if depth < 4 => {
                let (element, count) = (self.word()?, self.long()?);
                self.elements(element, count, depth)
            }
            kind => match width(kind) {
                Some(width) => Ok(self.window.skip(width)?),
                None => Err(Stop::Lie(format!("value type {kind} does not exist"))),
            },
        }
    }

    fn elements(&mut self, element: u32, count: u64, depth: u32) -> Result<(), Stop> {
        if let Some(width) = width(element) {
            self.fits(count, width, "array elements")?;
            return Ok(self.window.skip(count.saturating_mul(width))?);
        }
        self.fits(count, 8, "array elements")?;
        for index in 0..count {
            if index % 1024 == 0 {
                self.source.budget().operate(1024).map_err(ReadError::from)?;
            }
            self.value(element, depth + 1)?;
        }
        Ok(())
    }

    fn tensor(&mut self) -> Result<Described, Stop> {
        self.source.budget().operate(1).map_err(ReadError::from)?;
        let name = self.text(64)?;
        let sides = self.word()?;
        if sides > 8 {
            return Err(Stop::Lie(format!("a tensor has {sides} dimensions")));
        }
        let mut elements = Some(1_u64);
        let mut shape = Vec::new();
        for _ in 0..sides {
            let side = self.long()?;
            shape.push(side);
            elements = elements.and_then(|elements| elements.checked_mul(side));
        }
        let kind = self.word()?;
        let offset = self.long()?;
        let size = match (elements, block(kind)) {
            (Some(elements), Some((per, bytes))) => elements.div_ceil(per).checked_mul(bytes),
            _ => None,
        };
        let overflows = elements.is_none() || (size.is_none() && block(kind).is_some());
        Ok(Described { name, offset, size, overflows, elements: elements.unwrap_or(0), shape, kind })
    }

    fn fits(&self, count: u64, least: u64, what: &str) -> Result<(), Stop> {
        if count > self.window.left() / least {
            return Err(Stop::Lie(format!("{count} {what} are stated, {} bytes are left", self.window.left())));
        }
        Ok(())
    }

    fn text(&mut self, keep: u64) -> Result<String, Stop> {
        let length = self.long()?;
        self.fits(length, 1, "bytes of text")?;
        let kept = length.min(keep);
        let mut bytes = Vec::new();
        self.window.copy(usize::try_from(kept).unwrap_or(0), &mut bytes)?;
        self.window.skip(length - kept)?;
        Ok(printable(&String::from_utf8_lossy(&bytes)))
    }

    fn word(&mut self) -> Result<u32, Stop> {
        Ok(u32::from_le_bytes(self.window.array()?))
    }

    fn long(&mut self) -> Result<u64, Stop> {
        Ok(u64::from_le_bytes(self.window.array()?))
    }
}

const UNSIGNED: u32 = 4;
const STRING: u32 = 8;
const ARRAY: u32 = 9;

/// Bytes of a value of fixed width.
const fn width(kind: u32) -> Option<u64> {
    match kind {
        0 | 1 | 7 => Some(1),
        2 | 3 => Some(2),
        4..=6 => Some(4),
        10..=12 => Some(8),
        _ => None,
    }
}

/// Names of ggml types by number (`ggml/include/ggml.h`, `enum ggml_type`).
fn element(kind: u32) -> String {
    let name = match kind {
        0 => "F32",
        1 => "F16",
        2 => "Q4_0",
        3 => "Q4_1",
        6 => "Q5_0",
        7 => "Q5_1",
        8 => "Q8_0",
        10 => "Q2_K",
        11 => "Q3_K",
        12 => "Q4_K",
        13 => "Q5_K",
        14 => "Q6_K",
        24 => "I8",
        25 => "I16",
        26 => "I32",
        27 => "I64",
        28 => "F64",
        30 => "BF16",
        other => return format!("type {other}"),
    };
    name.to_owned()
}

/// Elements and bytes of one block of a ggml type (`ggml/src/ggml.c`, `type_traits`).
const fn block(kind: u32) -> Option<(u64, u64)> {
    match kind {
        0 | 26 => Some((1, 4)),
        1 | 25 | 30 => Some((1, 2)),
        2 => Some((32, 18)),
        3 => Some((32, 20)),
        6 => Some((32, 22)),
        7 => Some((32, 24)),
        8 => Some((32, 34)),
        10 => Some((256, 84)),
        11 => Some((256, 110)),
        12 => Some((256, 144)),
        13 => Some((256, 176)),
        14 => Some((256, 210)),
        24 => Some((1, 1)),
        27 | 28 => Some((1, 8)),
        _ => None,
    }
}

/// Reads arbitrary bytes as GGUF; must neither panic nor run away.
pub fn fuzz_one(bytes: &[u8]) {
    let source = Source::from_bytes("fuzz.gguf", bytes.to_vec(), Limits { operations: 1 << 20, ..Limits::default() });
    let _ = Gguf.inspect(&source, &mut Findings::new());
}
