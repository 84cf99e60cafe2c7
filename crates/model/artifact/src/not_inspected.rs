//! Models that are written as text, and that nobody here looks into: to say so is all that is done.
//!
//! They stay text for every other inspector, so that a file can't escape those by looking like one of these.

use bartizan_core::Completeness;
use bartizan_inspect::{Findings, Format, Inspect, Source};
use serde_json::Value;

/// Bytes in which the root element of an XML file must begin, and the most that a manifest may have.
const LONGEST: u64 = 1 << 20;

/// `OpenVINO` intermediate representations and manifests of Core ML packages.
#[derive(Clone, Copy, Debug, Default)]
pub struct NotInspected;

impl Inspect for NotInspected {
    fn name(&self) -> &'static str {
        "not-inspected"
    }

    fn claims(&self, source: &Source, format: Format) -> bool {
        format == Format::Text && kind(source).is_some()
    }

    fn inspect(&self, source: &Source, _: &mut Findings) -> Completeness {
        match kind(source) {
            Some(kind) => Completeness::Partial(format!("{kind} is recognised but not inspected")),
            None => Completeness::Complete,
        }
    }
}

fn kind(source: &Source) -> Option<&'static str> {
    let head = source.head(64);
    let start = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&head).trim_ascii_start();
    let length = usize::try_from(source.length().min(LONGEST)).ok()?;
    if start.starts_with(b"<") || start.is_empty() {
        return match root(&source.read(0, length).ok()?) {
            Some(root) => is_openvino(root).then_some("OpenVINO IR"),
            None => (source.length() > LONGEST).then_some("XML whose root element is far from its start"),
        };
    }
    let is_manifest = start.starts_with(b"{") && source.file_name() == "Manifest.json" && source.length() <= LONGEST;
    (is_manifest && is_core_ml_package(&source.read(0, length).ok()?)).then_some("a Core ML package")
}

/// An XML file from its root element on, behind declarations and comments, if they end in these bytes.
fn root(bytes: &[u8]) -> Option<&[u8]> {
    let mut rest = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    loop {
        rest = rest.trim_ascii_start();
        let end: &[u8] = if rest.starts_with(b"<?") {
            b"?>"
        } else if rest.starts_with(b"<!--") {
            b"-->"
        } else if rest.starts_with(b"<!") {
            b">"
        } else {
            return (!rest.is_empty()).then_some(rest);
        };
        let at = memchr::memmem::find(rest, end)?;
        rest = rest.get(at + end.len()..)?;
    }
}

/// `net` with a version: the root element of every intermediate representation.
fn is_openvino(root: &[u8]) -> bool {
    let Some(attributes) = root.strip_prefix(b"<net").filter(|rest| rest.first().is_some_and(u8::is_ascii_whitespace))
    else {
        return false;
    };
    let end = memchr::memchr(b'>', attributes).unwrap_or(attributes.len());
    attributes.get(..end).is_some_and(|attributes| memchr::memmem::find(attributes, b"version").is_some())
}

/// A manifest that names the root among the items of a model package (coremltools, "modelpackage").
fn is_core_ml_package(bytes: &[u8]) -> bool {
    let Ok(Value::Object(manifest)) = serde_json::from_slice(bytes) else { return false };
    manifest.contains_key("rootModelIdentifier") && manifest.contains_key("itemInfoEntries")
}
