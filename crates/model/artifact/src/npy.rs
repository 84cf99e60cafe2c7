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
        // NumPy unpickles when the dtype has objects. The header is a Python literal, in which such a dtype has
        // endless spellings (escapes, strings side by side, keys twice): only what NumPy itself writes is taken for
        // numbers.
        let simple = length <= 64 << 10 && std::str::from_utf8(&header).is_ok_and(holds_numbers);
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

/// Whether a header reads as NumPy writes it for an array of numbers, times or characters.
fn holds_numbers(header: &str) -> bool {
    let rest = header.trim_end().strip_prefix("{'descr': '").and_then(|rest| rest.split_once('\''));
    let Some((descriptor, rest)) = rest else { return false };
    let shape = ["False", "True"]
        .into_iter()
        .find_map(|order| rest.strip_prefix(&format!(", 'fortran_order': {order}, 'shape': ("))?.strip_suffix('}'));
    let shape = shape.and_then(|shape| shape.trim_end_matches([',', ' ']).strip_suffix(')'));
    let mut characters = descriptor.trim_start_matches(['<', '>', '|', '=']).chars();
    characters.next().is_some_and(|kind| "?bBhHiIlLqQefdgFDGcSUVaMmu".contains(kind))
        && unit(characters.as_str().trim_start_matches(|digit: char| digit.is_ascii_digit()))
        && shape.is_some_and(|shape| shape.chars().all(|c| c.is_ascii_digit() || matches!(c, ',' | ' ' | 'L')))
}

/// Whether nothing is left of a descriptor but the unit of a time, as in `<M8[ns]`.
fn unit(rest: &str) -> bool {
    let inside = rest.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    rest.is_empty() || inside.is_some_and(|unit| unit.chars().all(|c| c.is_ascii_alphanumeric() || c == '/'))
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
