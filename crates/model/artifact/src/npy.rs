//! One NumPy array (`numpy/lib/format.py`): a header in Python syntax, then data, which is a pickle
//! when the elements are objects.

use bartizan_core::{Completeness, Finding, Link, Rule, Severity};
use bartizan_inspect::{Findings, Format, Inspect, Limits, Source, Tensor};

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
    let numbers = std::str::from_utf8(&header).ok().filter(|_| length <= 64 << 10).and_then(numbers);
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
    let Some(bytes) = numbers else {
        let objects = source.slice("objects", data, source.length().saturating_sub(data));
        findings.child(objects.loaded_as(Format::Pickle));
        return Ok(None);
    };
    bytes.map(|bytes| Some(data.saturating_add(bytes))).ok_or("where the array ends is not known")
}

/// What somebody wrote to the same file after the array: who loads again gets it.
fn behind(source: &Source, end: u64, findings: &mut Findings) {
    let Some(left) = source.length().checked_sub(end).filter(|left| *left > 0) else { return };
    let message = format!("{left} bytes follow the end of the array");
    findings.push(Finding::new(&TRAILING_BYTES, source.at(end), &message));
    findings.child(source.slice(&format!("bytes@{end}"), end, left));
}

/// Structures within structures that are followed.
const DEPTH: u32 = 8;

/// Bytes of an array of numbers, times, characters or structures of those, whose header reads as NumPy writes it:
/// `None` for any other, `Some(None)` where the size of a number depends on the machine.
#[expect(clippy::option_option, reason = "an array of unknown length is still one of numbers")]
fn numbers(header: &str) -> Option<Option<u64>> {
    let (size, rest) = element(header.trim_end().strip_prefix("{'descr': ")?, 0)?;
    let shape = ["False", "True"]
        .into_iter()
        .find_map(|order| rest.strip_prefix(&format!(", 'fortran_order': {order}, 'shape': ("))?.strip_suffix('}'));
    let shape = shape?.trim_end_matches([',', ' ']).strip_suffix(')')?;
    is_shape(shape).then(|| size.and_then(|size| times(size, shape)))
}

fn is_shape(shape: &str) -> bool {
    shape.chars().all(|c| c.is_ascii_digit() || matches!(c, ',' | ' ' | 'L'))
}

fn times(size: u64, shape: &str) -> Option<u64> {
    let sides = shape.split(',').map(|side| side.trim().trim_end_matches('L')).filter(|side| !side.is_empty());
    sides.into_iter().try_fold(size, |size, side| size.checked_mul(side.parse().ok()?))
}

/// One descriptor: its size, and what follows it.
fn element(text: &str, depth: u32) -> Option<(Option<u64>, &str)> {
    let Some(mut rest) = text.strip_prefix('[') else {
        let (descriptor, rest) = quoted(text)?;
        return Some((scalar(descriptor)?, rest));
    };
    if depth >= DEPTH {
        return None;
    }
    let mut size = Some(0_u64);
    while let Some(field) = rest.strip_prefix('(') {
        let field = match field.strip_prefix('(') {
            Some(titled) => quoted(quoted(titled)?.1.strip_prefix(", ")?)?.1.strip_prefix(')')?,
            None => quoted(field)?.1,
        };
        let (mut part, mut after) = element(field.strip_prefix(", ")?, depth + 1)?;
        if let Some(shape) = after.strip_prefix(", (") {
            let (shape, behind) = shape.split_once(')')?;
            if !is_shape(shape) {
                return None;
            }
            part = part.and_then(|part| times(part, shape));
            after = behind;
        }
        size = size.zip(part).and_then(|(size, part)| size.checked_add(part));
        rest = after.strip_prefix(')')?;
        rest = rest.strip_prefix(", ").unwrap_or(rest);
    }
    Some((size, rest.strip_prefix(']')?))
}

/// A literal without escapes, and what follows it.
fn quoted(text: &str) -> Option<(&str, &str)> {
    text.strip_prefix('\'')?.split_once('\'').filter(|(inside, _)| !inside.contains('\\'))
}

/// The size of a descriptor such as `<f8` or `<M8[ns]`.
#[expect(clippy::option_option, reason = "a number of unknown size is still one")]
fn scalar(descriptor: &str) -> Option<Option<u64>> {
    let mut characters = descriptor.trim_start_matches(['<', '>', '|', '=']).chars();
    let kind = characters.next().filter(|kind| "?bBhHiIlLqQefdgFDGcSUVaMmu".contains(*kind))?;
    let rest = characters.as_str();
    let unit = rest.trim_start_matches(|digit: char| digit.is_ascii_digit());
    let digits = rest.strip_suffix(unit).unwrap_or_default();
    let inside = unit.strip_prefix('[').and_then(|unit| unit.strip_suffix(']'));
    if !unit.is_empty() && !inside.is_some_and(|unit| unit.chars().all(|c| c.is_ascii_alphanumeric() || c == '/')) {
        return None;
    }
    let number: Option<u64> = if digits.is_empty() { None } else { digits.parse().ok() };
    Some(match (kind, number) {
        ('U', number) => number.unwrap_or(0).checked_mul(4),
        ('S' | 'a' | 'V', number) => Some(number.unwrap_or(0)),
        (_, Some(size)) => Some(size),
        ('?' | 'b' | 'B', None) => Some(1),
        ('h' | 'H' | 'e', None) => Some(2),
        ('i' | 'I' | 'f', None) => Some(4),
        ('q' | 'Q' | 'd' | 'F' | 'M' | 'm', None) => Some(8),
        ('D', None) => Some(16),
        _ => None,
    })
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

/// Reads arbitrary bytes as arrays; must neither panic nor run away.
pub fn fuzz_one(bytes: &[u8]) {
    for start in [&b""[..], b"\x93NUMPY\x01\0", b"\x93NUMPY\x01\0\x76\0{'descr': "] {
        let source = Source::from_bytes("fuzz.npy", [start, bytes].concat(), Limits::default());
        let _ = Npy.inspect(&source, &mut Findings::new());
    }
}
