//! One NumPy array (`numpy/lib/format.py`): a header in Python syntax, then data, which is a pickle
//! when the elements are objects.

use bartizan_core::Completeness;
use bartizan_inspect::{Findings, Format, Inspect, Source, Tensor};

/// Hands the pickle of an object array on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Npy;

impl Inspect for Npy {
    fn name(&self) -> &'static str {
        "npy"
    }

    fn claims(&self, _: &Source, format: Format) -> bool {
        format == Format::Npy
    }

    fn inspect(&self, source: &Source, findings: &mut Findings) -> Completeness {
        let head = source.head(12);
        let (start, length) = match (head.get(6), head.get(8..10), head.get(8..12)) {
            (Some(1), Some([a, b]), _) => (10, u64::from(u16::from_le_bytes([*a, *b]))),
            (Some(2 | 3), _, Some([a, b, c, d])) => (12, u64::from(u32::from_le_bytes([*a, *b, *c, *d]))),
            _ => return Completeness::Partial("the npy header has an unknown version".to_owned()),
        };
        let Ok(header) = source.read(start, usize::try_from(length.min(64 << 10)).unwrap_or(0)) else {
            return Completeness::Partial("the npy header is cut off".to_owned());
        };
        // NumPy unpickles when the dtype has objects. The header is a Python literal: whatever could
        // spell such a dtype (`O`, `object`, a structure, an escape) counts.
        let spells = |word: &[u8]| header.windows(word.len()).any(|window| window == word);
        let simple = length <= 64 << 10 && ![&b"O"[..], b"object", b"[", b"\\"].into_iter().any(spells);
        let data = start + length;
        findings.describe(|contents| {
            let header = String::from_utf8_lossy(&header);
            contents.tensor(Tensor {
                name: source.file_name().strip_suffix(".npy").unwrap_or(source.file_name()).to_owned(),
                element: field(&header, "descr").trim_matches(['\'', '"']).to_owned(),
                shape: field(&header, "shape").split(',').filter_map(|side| side.trim().parse().ok()).collect(),
                bytes: source.length().checked_sub(data),
            });
        });
        if !simple {
            findings.child(source.slice("objects", data, source.length().saturating_sub(data)));
        }
        Completeness::Complete
    }
}

/// The value of a key of the header, a Python dictionary of literals, as it is spelled.
fn field<'a>(header: &'a str, key: &str) -> &'a str {
    let Some((_, rest)) = header.split_once(&format!("'{key}':")) else { return "" };
    let rest = rest.trim_start();
    match rest.strip_prefix('(') {
        Some(inside) => inside.split(')').next().unwrap_or_default(),
        None => rest.split([',', '}']).next().unwrap_or_default().trim(),
    }
}
