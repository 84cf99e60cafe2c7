//! safetensors: a length, a JSON header, and bytes that the header must account for exactly.
//!
//! The format runs no code. What can be wrong is that two readers understand the header
//! differently, that a reader trusts offsets that lie, or that metadata is used as code.

use std::collections::BTreeSet;
use std::fmt;

use bartizan_core::{Completeness, Component, ComponentKind, Finding, Link, Rule, Severity, printable};
use bartizan_inspect::{Contents, Findings, Format, Inspect, Limits, Source};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

use crate::template::{Purpose, sign_in};

const LINKS: &[Link] = &[Link::Atlas("AML.T0010.003"), Link::Cwe(1284)];
const REMEDY: &str =
    "Do not load it; fetch it again or ask the publisher for a file written by the safetensors library.";

/// The header does not fit the file or is not a header.
pub const LYING_HEADER: Rule = Rule {
    id: "BZ-STN-001",
    title: "safetensors header is not what its length says",
    severity: Severity::Medium,
    explanation: "The file states a header length that exceeds the file or the format's limit of 100 MB, or the header is \
        not the JSON object that the format demands. Readers without a check allocate what is stated.",
    remedy: REMEDY,
    links: LINKS,
};

/// Tensors overlap, leave gaps or point outside.
pub const LYING_OFFSETS: Rule = Rule {
    id: "BZ-STN-002",
    title: "safetensors tensors do not tile the file",
    severity: Severity::Medium,
    explanation: "The format demands that tensors cover the data without gap, overlap or excess. Overlaps and offsets \
        beyond the file make careless readers read other memory; gaps hide data from every reader.",
    remedy: REMEDY,
    links: LINKS,
};

/// A key occurs twice.
pub const DUPLICATE_KEY: Rule = Rule {
    id: "BZ-STN-003",
    title: "safetensors header names a tensor twice",
    severity: Severity::Medium,
    explanation: "JSON readers keep the first or the last of two equal keys: two programs load different weights from one \
        file, and a check by one says nothing about the other.",
    remedy: REMEDY,
    links: &[Link::Atlas("AML.T0010.003"), Link::Cwe(436)],
};

/// Type and shape do not give the size.
pub const LYING_SHAPE: Rule = Rule {
    id: "BZ-STN-004",
    title: "safetensors tensor's shape and size disagree",
    severity: Severity::Medium,
    explanation: "The data type is unknown, or shape times element size overflows or differs from the bytes that the \
        tensor is given.",
    remedy: REMEDY,
    links: LINKS,
};

/// Metadata reads like a script.
pub const SCRIPT_IN_METADATA: Rule = Rule {
    id: "BZ-STN-005",
    title: "safetensors metadata reads like a script",
    severity: Severity::Medium,
    explanation: "Metadata is free text and loaders ignore it, yet it is shown on web pages and sometimes passed to \
        programs. This one holds what looks like a command or code.",
    remedy: "Read the metadata before anything else does.",
    links: &[Link::Atlas("AML.T0010.003"), Link::Cwe(94)],
};

/// Metadata names an address to fetch from or report to.
pub const ADDRESS_IN_METADATA: Rule = Rule {
    id: "BZ-STN-006",
    title: "safetensors metadata names an address to call",
    severity: Severity::Low,
    explanation: "A key that speaks of a download, callback or payload holds a web address. Loaders ignore metadata; a \
        program that acts on it would fetch from, or report to, whoever wrote the file.",
    remedy: "Check the address, and that nothing acts on it.",
    links: &[Link::Atlas("AML.T0010.003"), Link::Cwe(829)],
};

/// Every rule about safetensors.
pub const RULES: &[&Rule] =
    &[&LYING_HEADER, &LYING_OFFSETS, &DUPLICATE_KEY, &LYING_SHAPE, &SCRIPT_IN_METADATA, &ADDRESS_IN_METADATA];

/// What the key of such an address speaks of.
const CALLS: &[&str] = &["callback", "download", "payload", "webhook", "exfil", "beacon"];

/// The reference implementation's limit.
const LARGEST_HEADER: u64 = 100_000_000;
/// What is read here; headers of real models stay below 10 MB.
const READ_HEADER: u64 = 16 << 20;

/// Checks the structure of safetensors files.
#[derive(Clone, Copy, Debug, Default)]
pub struct Safetensors;

impl Inspect for Safetensors {
    fn name(&self) -> &'static str {
        "safetensors"
    }

    fn claims(&self, _: &Source, format: Format) -> bool {
        format == Format::Safetensors
    }

    fn inspect(&self, source: &Source, findings: &mut Findings) -> Completeness {
        let length = source.head(8).try_into().map_or(0, u64::from_le_bytes);
        let start = 8_u64.saturating_add(length);
        if length > LARGEST_HEADER || start > source.length() {
            let message = format!("the header is stated to be {length} bytes, the file has {}", source.length());
            findings.push(Finding::new(&LYING_HEADER, source.at(0), &message).with_identity("length"));
            return Completeness::Partial("the safetensors header can't be read".to_owned());
        }
        if length > READ_HEADER {
            return Completeness::Partial(format!("a safetensors header of {length} bytes is not read"));
        }
        let bytes = match source.read(8, usize::try_from(length).unwrap_or(0)) {
            Ok(bytes) => bytes,
            Err(error) => return Completeness::Partial(format!("the safetensors header can't be read: {error}")),
        };
        match serde_json::from_slice::<Header>(&bytes) {
            Ok(header) => {
                Checked { source, findings, data: source.length() - start }.header(&header);
                findings.component(component(source, &header));
                findings.describe(|contents| header.describe(contents));
            }
            Err(error) => {
                let message = format!("the header is not understood: {}", printable(&error.to_string()));
                findings.push(Finding::new(&LYING_HEADER, source.at(8), &message).with_identity("json"));
                return Completeness::Partial("the safetensors header is not understood".to_owned());
            }
        }
        Completeness::Complete
    }
}

fn component(source: &Source, header: &Header) -> Component {
    let elements = |tensor: &Tensor| tensor.shape.iter().try_fold(1_u64, |all, side| all.checked_mul(*side));
    let parameters: u64 = header.tensors.iter().filter_map(|(_, tensor)| elements(tensor)).fold(0, u64::saturating_add);
    let component = Component::new(ComponentKind::Model, source.name(), source.whole())
        .derived("format", "safetensors")
        .derived("tensors", header.tensors.len().to_string())
        .derived("parameters", parameters.to_string());
    let metadata = header.metadata.iter().filter(|(key, text)| key.len() <= 64 && text.len() <= 256).take(32);
    metadata.fold(component, |component, (key, text)| {
        let key = if key == "license" { "licence".to_owned() } else { format!("metadata:{}", printable(key)) };
        component.claimed(&key, printable(text))
    })
}

struct Checked<'a, 'v> {
    source: &'a Source,
    findings: &'a mut Findings<'v>,
    data: u64,
}

impl Checked<'_, '_> {
    fn report(&mut self, rule: &'static Rule, name: &str, message: &str) {
        let name: String = printable(name).chars().take(100).collect();
        let finding = Finding::new(rule, self.source.at(8), &format!("`{name}` {message}"));
        self.findings.push(finding.with_identity(&name));
    }

    fn header(&mut self, header: &Header) {
        let mut names = BTreeSet::new();
        for (name, _) in &header.tensors {
            if !names.insert(name) {
                self.report(&DUPLICATE_KEY, name, "is named more than once");
            }
        }
        let mut keys = BTreeSet::new();
        for (key, text) in &header.metadata {
            if !keys.insert(key) {
                self.report(&DUPLICATE_KEY, key, "is named more than once in the metadata");
            }
            if let Some(sign) = sign_in(text, Purpose::Metadata).or_else(|| sign_in(key, Purpose::Metadata)) {
                self.report(&SCRIPT_IN_METADATA, key, &format!("holds `{}`", sign.trim()));
            }
            let is_address = text.starts_with("http://") || text.starts_with("https://");
            if is_address && CALLS.iter().any(|word| key.to_ascii_lowercase().contains(word)) {
                let text: String = text.chars().take(80).collect();
                self.report(&ADDRESS_IN_METADATA, key, &format!("holds `{text}`"));
            }
        }
        let mut ranges = Vec::new();
        for (name, tensor) in &header.tensors {
            let [start, end] = tensor.data_offsets;
            if start > end || end > self.data {
                let message = format!("lies at {start}..{end} of {} bytes of data", self.data);
                self.report(&LYING_OFFSETS, name, &message);
                continue;
            }
            if tensor.size() != Some(end - start) {
                let dtype: String = printable(&tensor.dtype).chars().take(20).collect();
                self.report(&LYING_SHAPE, name, &format!("of type {dtype} does not fill its {} bytes", end - start));
            }
            ranges.push((start, end, name));
        }
        ranges.sort_unstable();
        let mut position = 0;
        for (start, end, name) in ranges {
            if start < position && start < end {
                self.report(&LYING_OFFSETS, name, "overlaps another tensor");
            } else if start > position {
                self.report(&LYING_OFFSETS, name, &format!("follows {} bytes of no tensor", start - position));
            }
            position = position.max(end);
        }
        if position < self.data {
            let message = format!("is followed by {} bytes of no tensor", self.data - position);
            self.report(&LYING_OFFSETS, "the last tensor", &message);
        }
    }
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Tensor {
    dtype: String,
    shape: Vec<u64>,
    data_offsets: [u64; 2],
}

impl Tensor {
    /// Bytes that type and shape ask for; types as in safetensors 0.8.
    fn size(&self) -> Option<u64> {
        let bits: u64 = match self.dtype.as_str() {
            "F4" => 4,
            "F6_E2M3" | "F6_E3M2" => 6,
            "BOOL" | "U8" | "I8" | "F8_E5M2" | "F8_E4M3" | "F8_E8M0" | "F8_E4M3FNUZ" | "F8_E5M2FNUZ" => 8,
            "I16" | "U16" | "F16" | "BF16" => 16,
            "I32" | "U32" | "F32" => 32,
            "F64" | "I64" | "U64" | "C64" => 64,
            _ => return None,
        };
        let bits = self.shape.iter().try_fold(bits, |product, side| product.checked_mul(*side))?;
        (bits % 8 == 0).then_some(bits / 8)
    }
}

/// All entries in order, equal keys included.
#[derive(Default)]
struct Header {
    tensors: Vec<(String, Tensor)>,
    metadata: Vec<(String, String)>,
}

impl Header {
    fn describe(&self, contents: &mut Contents) {
        for (name, tensor) in &self.tensors {
            contents.tensor(bartizan_inspect::Tensor {
                name: name.clone(),
                element: tensor.dtype.clone(),
                shape: tensor.shape.clone(),
                bytes: tensor.data_offsets[1].checked_sub(tensor.data_offsets[0]),
            });
        }
        self.metadata.iter().for_each(|(key, text)| contents.text(key, text));
    }
}

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Header;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of tensors")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
                let mut header = Header::default();
                while let Some(key) = map.next_key::<String>()? {
                    if key == "__metadata__" {
                        header.metadata.extend(map.next_value::<Texts>()?.0);
                    } else {
                        let tensor = map.next_value()?;
                        header.tensors.push((key, tensor));
                    }
                }
                Ok(header)
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

struct Texts(Vec<(String, String)>);

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Texts;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of strings")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Texts, A::Error> {
                let mut texts = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    texts.push(entry);
                }
                Ok(Texts(texts))
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

/// Reads arbitrary bytes as safetensors; must neither panic nor run away.
pub fn fuzz_one(bytes: &[u8]) {
    let source = Source::from_bytes("fuzz.safetensors", bytes.to_vec(), Limits::default());
    let _ = Safetensors.inspect(&source, &mut Findings::new());
}
