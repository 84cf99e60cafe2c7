//! One NumPy array (`numpy/lib/format.py`): a header in Python syntax, then data, which is a pickle
//! when the elements are objects.

use bartizan_core::{Completeness, Finding, Link, Rule, Severity};
use bartizan_inspect::{Findings, Format, Inspect, Source, Tensor};

/// Bytes follow the array.
pub const TRAILING_BYTES: Rule = Rule {
    id: "BZ-NPY-001",
    title: "Bytes follow the end of the array",
    severity: Severity::Medium,
    explanation: "The header says how long the array is, and the file is longer. Programs that call `numpy.load` on the \
        same open file again, or seek there, read what follows, which may be a pickle. It was inspected.",
    remedy: "Find out what the bytes are for.",
    links: &[Link::Atlas("AML.T0010.003"), Link::Cwe(502)],
};

/// Every rule about NumPy arrays.
pub const RULES: &[&Rule] = &[&TRAILING_BYTES];

const MAGIC: &[u8] = b"\x93NUMPY";
/// Arrays in one file that are followed.
const ARRAYS: usize = 10_000;

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
        let mut start = 0;
        for _ in 0..ARRAYS {
            match array(source, start, findings) {
                Ok(Some(end)) => start = end,
                Ok(None) => return Completeness::Complete,
                Err(reason) => return Completeness::Partial(reason.to_owned()),
            }
            // Whoever calls `numpy.save` on one open file again and again writes one array behind the other.
            if source.read(start, MAGIC.len()).is_ok_and(|magic| magic == MAGIC) {
                continue;
            }
            behind(source, start, findings);
            return Completeness::Complete;
        }
        Completeness::Partial("too many arrays in one file".to_owned())
    }
}

/// The array at `start`, and where it ends; `None` when it reaches to the end of the source.
fn array(source: &Source, start: u64, findings: &mut Findings) -> Result<Option<u64>, &'static str> {
    let head = source.read(start, usize::try_from(source.length().saturating_sub(start).min(12)).unwrap_or(12));
    let head = head.unwrap_or_default();
    let (skipped, length) = match (head.get(6), head.get(8..10), head.get(8..12)) {
        (Some(1), Some([a, b]), _) => (10, u64::from(u16::from_le_bytes([*a, *b]))),
        (Some(2 | 3), _, Some([a, b, c, d])) => (12, u64::from(u32::from_le_bytes([*a, *b, *c, *d]))),
        _ => return Err("the npy header has an unknown version"),
    };
    let place = start.saturating_add(skipped);
    let Ok(header) = source.read(place, usize::try_from(length.min(64 << 10)).unwrap_or(0)) else {
        return Err("the npy header is cut off");
    };
    // NumPy unpickles when the dtype has objects. The header is a Python literal, in which such a dtype has
    // endless spellings (escapes, strings side by side, keys twice): only what NumPy itself writes is taken for
    // numbers.
    let simple = length <= 64 << 10 && std::str::from_utf8(&header).is_ok_and(holds_numbers);
    let data = place.saturating_add(length);
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
        let objects = source.slice("objects", data, source.length().saturating_sub(data));
        findings.child(objects.loaded_as(Format::Pickle));
        return Ok(None);
    }
    let bytes = std::str::from_utf8(&header).ok().and_then(array_length);
    bytes.map(|bytes| Some(data.saturating_add(bytes))).ok_or("where the array ends is not known")
}

/// What somebody wrote to the same file after the array: who loads again gets it.
fn behind(source: &Source, end: u64, findings: &mut Findings) {
    let Some(left) = source.length().checked_sub(end).filter(|left| *left > 0) else { return };
    let message = format!("{left} bytes follow the end of the array");
    findings.push(Finding::new(&TRAILING_BYTES, source.at(end), &message));
    findings.child(source.slice(&format!("bytes@{end}"), end, left));
}

/// Bytes of the array that a header as NumPy writes it describes; `None` where that depends on the machine.
fn array_length(header: &str) -> Option<u64> {
    let descriptor = field(header, "descr").trim_matches('\'').trim_start_matches(['<', '>', '|', '=']);
    let mut characters = descriptor.chars();
    let kind = characters.next()?;
    let digits = characters.as_str().split('[').next().unwrap_or_default();
    let number: Option<u64> = if digits.is_empty() { None } else { Some(digits.parse().ok()?) };
    let size = match (kind, number) {
        ('U', number) => number.unwrap_or(0).checked_mul(4)?,
        ('S' | 'a' | 'V', number) => number.unwrap_or(0),
        (_, Some(size)) => size,
        ('?' | 'b' | 'B', None) => 1,
        ('h' | 'H' | 'e', None) => 2,
        ('i' | 'I' | 'f', None) => 4,
        ('q' | 'Q' | 'd' | 'F' | 'M' | 'm', None) => 8,
        ('D', None) => 16,
        _ => return None,
    };
    let sides = field(header, "shape").split(',').map(|side| side.trim().trim_end_matches('L'));
    sides.filter(|side| !side.is_empty()).try_fold(size, |size, side| size.checked_mul(side.parse().ok()?))
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
