//! JSON as Python's `json.loads` takes it from bytes: more encodings and literals than the standard has.

use bartizan_core::printable;
use bartizan_inspect::{Format, Source};
use serde_json::Value;

/// An encoding, as `json.detect_encoding` names them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Encoding {
    Utf8,
    Utf16 { is_big: bool },
    Utf32 { is_big: bool },
}

/// Reads a value, or says why not.
pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Value, String> {
    let text = decode(bytes).ok_or("its encoding is broken")?;
    serde_json::from_str(&text)
        .or_else(|_| serde_json::from_str(&without_python(&text)))
        .map_err(|error| printable(&error.to_string()))
}

/// The first characters, whatever encoding they are in.
pub(crate) fn head(source: &Source, length: usize) -> String {
    let bytes = source.head(length);
    match detect(&bytes).0 {
        Encoding::Utf8 => String::from_utf8_lossy(&bytes).into_owned(),
        // What is cut off at the end is no character.
        encoding => {
            let width = if matches!(encoding, Encoding::Utf16 { .. }) { 2 } else { 4 };
            let whole = bytes.len() / width * width;
            decode_lossy(bytes.get(..whole).unwrap_or_default())
        }
    }
}

/// Whether a source is text, or an object of JSON in an encoding that text does not usually have.
pub(crate) fn is_text(source: &Source, format: Format) -> bool {
    if format == Format::Text {
        return true;
    }
    format == Format::Unknown
        && detect(&source.head(4)).0 != Encoding::Utf8
        && head(source, 512).trim_start().starts_with(['{', '['])
}

/// `json.detect_encoding`, and how many bytes the byte order mark has.
fn detect(bytes: &[u8]) -> (Encoding, usize) {
    match bytes {
        [0, 0, 0xfe, 0xff, ..] => (Encoding::Utf32 { is_big: true }, 4),
        [0xff, 0xfe, 0, 0, ..] => (Encoding::Utf32 { is_big: false }, 4),
        [0xfe, 0xff, ..] => (Encoding::Utf16 { is_big: true }, 2),
        [0xff, 0xfe, ..] => (Encoding::Utf16 { is_big: false }, 2),
        [0xef, 0xbb, 0xbf, ..] => (Encoding::Utf8, 3),
        [0, 0, _, _, ..] => (Encoding::Utf32 { is_big: true }, 0),
        [0, _, _, _, ..] | [0, _] => (Encoding::Utf16 { is_big: true }, 0),
        [_, 0, 0, 0, ..] => (Encoding::Utf32 { is_big: false }, 0),
        [_, 0, _, _, ..] | [_, 0] => (Encoding::Utf16 { is_big: false }, 0),
        _ => (Encoding::Utf8, 0),
    }
}

fn decode(bytes: &[u8]) -> Option<String> {
    let (encoding, mark) = detect(bytes);
    let text = bytes.get(mark..).unwrap_or_default();
    match encoding {
        Encoding::Utf8 => String::from_utf8(text.to_vec()).ok(),
        Encoding::Utf16 { .. } => (text.len() % 2 == 0).then(|| decode_lossy(bytes)),
        Encoding::Utf32 { .. } => (text.len() % 4 == 0).then(|| decode_lossy(bytes)),
    }
}

/// Python lets surrogates without a partner pass: here they become another character.
fn decode_lossy(bytes: &[u8]) -> String {
    let (encoding, mark) = detect(bytes);
    let text = bytes.get(mark..).unwrap_or_default();
    match encoding {
        Encoding::Utf8 => String::from_utf8_lossy(text).into_owned(),
        Encoding::Utf16 { is_big } => {
            let units = text.as_chunks::<2>().0.iter();
            let units = units.map(|pair| if is_big { u16::from_be_bytes(*pair) } else { u16::from_le_bytes(*pair) });
            char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
        }
        Encoding::Utf32 { is_big } => {
            let units = text.as_chunks::<4>().0.iter();
            let units = units.map(|four| if is_big { u32::from_be_bytes(*four) } else { u32::from_le_bytes(*four) });
            units.map(|unit| char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
        }
    }
}

/// The same text without what only Python takes: `NaN`, `Infinity`, and surrogates without a partner.
fn without_python(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut rest, mut in_text) = (text, false);
    while let Some(first) = rest.chars().next() {
        let mut taken = first.len_utf8();
        if in_text {
            if first == '\\' {
                let escape = rest.get(1..).unwrap_or_default();
                match surrogate(rest) {
                    Some(0xd800..=0xdbff) if matches!(rest.get(6..).and_then(surrogate), Some(0xdc00..=0xdfff)) => {
                        taken = 12;
                    }
                    Some(0xd800..=0xdfff) => {
                        out.push_str("\\ufffd");
                        rest = rest.get(6..).unwrap_or_default();
                        continue;
                    }
                    _ => taken += escape.chars().next().map_or(0, char::len_utf8),
                }
            }
            in_text = first != '"';
        } else {
            let word = ["NaN", "Infinity", "-Infinity"].into_iter().find(|word| rest.starts_with(word));
            if let Some(word) = word {
                out.push_str("null");
                rest = rest.get(word.len()..).unwrap_or_default();
                continue;
            }
            in_text = first == '"';
        }
        out.push_str(rest.get(..taken).unwrap_or_default());
        rest = rest.get(taken..).unwrap_or_default();
    }
    out
}

/// The number of an escape `\uXXXX`.
fn surrogate(text: &str) -> Option<u32> {
    u32::from_str_radix(text.strip_prefix("\\u")?.get(..4)?, 16).ok()
}
