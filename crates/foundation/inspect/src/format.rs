//! What bytes are, judged by the bytes. Names and extensions decide nothing here.

use std::fmt;

use crate::Source;

/// A kind of content.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Format {
    /// No bytes at all.
    Empty,
    /// Python pickle with a protocol header (protocol 2 and later).
    Pickle,
    /// ZIP, and so PyTorch, `.npz`, `.keras`, `.skops`.
    Zip,
    /// safetensors.
    Safetensors,
    /// ONNX (a `ModelProto`).
    Onnx,
    /// GGUF.
    Gguf,
    /// One NumPy array.
    Npy,
    /// HDF5, and so Keras `.h5`.
    Hdf5,
    /// TensorFlow SavedModel.
    SavedModel,
    /// TensorFlow Lite.
    TfLite,
    /// Core ML (a `Model`), `.mlmodel`.
    CoreMl,
    /// GGML before GGUF.
    Ggml,
    /// 7-Zip.
    SevenZip,
    /// RAR.
    Rar,
    /// tar.
    Tar,
    /// gzip.
    Gzip,
    /// bzip2.
    Bzip2,
    /// xz.
    Xz,
    /// The `.lzma` format from before xz.
    Lzma,
    /// Zstandard.
    Zstandard,
    /// LZ4 frame.
    Lz4,
    /// zlib stream, as joblib writes.
    Zlib,
    /// A picture.
    Image,
    /// A program or library for the processor.
    Executable,
    /// Text.
    Text,
    /// None of these.
    Unknown,
}

impl Format {
    /// The word for people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Pickle => "pickle",
            Self::Zip => "zip",
            Self::Safetensors => "safetensors",
            Self::Onnx => "onnx",
            Self::Gguf => "gguf",
            Self::Npy => "npy",
            Self::Hdf5 => "hdf5",
            Self::SavedModel => "saved-model",
            Self::TfLite => "tflite",
            Self::CoreMl => "coreml",
            Self::Ggml => "ggml",
            Self::SevenZip => "7z",
            Self::Rar => "rar",
            Self::Tar => "tar",
            Self::Gzip => "gzip",
            Self::Bzip2 => "bzip2",
            Self::Xz => "xz",
            Self::Lzma => "lzma",
            Self::Zstandard => "zstandard",
            Self::Lz4 => "lz4",
            Self::Zlib => "zlib",
            Self::Image => "image",
            Self::Executable => "executable",
            Self::Text => "text",
            Self::Unknown => "unknown",
        }
    }

    /// Whether such content can be, or can hold, a model: not looking into it is a gap.
    pub const fn may_hold_a_model(self) -> bool {
        !matches!(self, Self::Empty | Self::Image | Self::Executable | Self::Text | Self::Unknown)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Signatures at the start, from the formats' own specifications.
const MAGIC: &[(&[u8], Format)] = &[
    (b"PK\x03\x04", Format::Zip),
    (b"PK\x05\x06", Format::Zip),
    (b"GGUF", Format::Gguf),
    (b"\x93NUMPY", Format::Npy),
    (b"\x89HDF\r\n\x1a\n", Format::Hdf5),
    (b"7z\xbc\xaf\x27\x1c", Format::SevenZip),
    (b"Rar!\x1a\x07", Format::Rar),
    (b"\x1f\x8b", Format::Gzip),
    (b"BZh", Format::Bzip2),
    (b"\xfd7zXZ\0", Format::Xz),
    (b"\x28\xb5\x2f\xfd", Format::Zstandard),
    (b"\x04\x22\x4d\x18", Format::Lz4),
    (b"lmgg", Format::Ggml),
    (b"fmgg", Format::Ggml),
    (b"tjgg", Format::Ggml),
    (b"\x89PNG", Format::Image),
    (b"\xff\xd8\xff", Format::Image),
    (b"GIF8", Format::Image),
    (b"\x7fELF", Format::Executable),
    (b"MZ\x90\0", Format::Executable),
    (b"\xcf\xfa\xed\xfe", Format::Executable),
];

/// Says what the bytes are.
pub fn recognise(source: &Source) -> Format {
    if source.length() == 0 {
        return Format::Empty;
    }
    let head = source.head(512);
    if let Some((_, format)) = MAGIC.iter().find(|(magic, _)| head.starts_with(magic)) {
        return *format;
    }
    if let Some(format) = behind_skippable_frames(source) {
        return format;
    }
    if is_safetensors(&head, source.length()) {
        return Format::Safetensors;
    }
    if let [0x80, 0..=0x1f, ..] = head.as_slice() {
        return Format::Pickle;
    }
    if head.get(257..262) == Some(b"ustar") {
        return Format::Tar;
    }
    if head.get(4..8) == Some(b"TFL3") {
        return Format::TfLite;
    }
    if let Some(format) = protobuf_model(source) {
        return format;
    }
    if ends_like_a_zip(source) {
        return Format::Zip;
    }
    if is_core_ml(source) {
        return Format::CoreMl;
    }
    if is_lzma(&head) {
        return Format::Lzma;
    }
    if matches!(head.as_slice(), [0x78, 0x01 | 0x5e | 0x9c | 0xda, ..]) || old_joblib(&head).is_some() {
        return Format::Zlib;
    }
    if is_text(&head) { Format::Text } else { Format::Unknown }
}

/// Whether people and loaders would take a file of that name for a model. Only ever makes a
/// verdict more careful.
pub fn named_like_a_model(name: &str) -> bool {
    const EXTENSIONS: &[&str] = &[
        "pt",
        "pth",
        "ckpt",
        "bin",
        "pkl",
        "pickle",
        "dill",
        "joblib",
        "npy",
        "npz",
        "onnx",
        "gguf",
        "ggml",
        "safetensors",
        "h5",
        "hdf5",
        "keras",
        "pb",
        "tflite",
        "mar",
        "nemo",
        "skops",
        "mlmodel",
        "pdparams",
    ];
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    EXTENSIONS.iter().any(|known| known.eq_ignore_ascii_case(extension))
}

/// Frames that decoders of Zstandard and LZ4 pass over (RFC 8878, 3.1.2), and what lies behind them.
fn behind_skippable_frames(source: &Source) -> Option<Format> {
    const MOST: usize = 1024;
    let mut offset = 0_u64;
    for _ in 0..MOST {
        let head = source.read(offset, 8).unwrap_or_default();
        match head.as_slice() {
            [0x50..=0x5f, 0x2a, 0x4d, 0x18, a, b, c, d] => {
                offset += 8 + u64::from(u32::from_le_bytes([*a, *b, *c, *d]));
            }
            [0x04, 0x22, 0x4d, 0x18, ..] if offset > 0 => return Some(Format::Lz4),
            _ => break,
        }
    }
    (offset > 0).then_some(Format::Zstandard)
}

/// Where the zlib stream starts in what joblib wrote before 0.10: `ZF`, the length in hexadecimal, padded to nineteen
/// characters, or twenty from Python 2 (`joblib/numpy_pickle_compat.py`, `read_zfile`).
pub(crate) fn old_joblib(head: &[u8]) -> Option<u64> {
    const START: usize = 2 + 19;
    let rest = head.strip_prefix(b"ZF")?;
    let start = if rest.get(START - 2) == Some(&b' ') { START + 1 } else { START };
    let length = rest.get(..START - 2)?;
    let is_number = length.iter().all(|byte| {
        byte.is_ascii_hexdigit()
            || byte.is_ascii_whitespace()
            || matches!(byte, b'x' | b'X' | b'_' | b'+' | b'-' | b'L')
    });
    // Any window that zlib knows, and a check over both bytes (RFC 1950, 2.2).
    let is_zlib = |pair: &[u8]| match pair {
        [method, flags] => method & 0x8f == 8 && (u16::from(*method) << 8 | u16::from(*flags)) % 31 == 0,
        _ => false,
    };
    (is_number && head.get(start..start + 2).is_some_and(is_zlib)).then_some(start as u64)
}

/// Eight bytes of header length, then a JSON object (safetensors format description).
fn is_safetensors(head: &[u8], length: u64) -> bool {
    let Some((size, rest)) = head.split_first_chunk::<8>() else { return false };
    let size = u64::from_le_bytes(*size);
    let object = rest.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
    object && size >= 2 && (size <= length || size < 1 << 40)
}

/// Properties as every tool writes them, a dictionary of a power of two or half more, and a length that
/// is unknown or below 256 GiB: what `file` and liblzma's auto-detection go by.
fn is_lzma(head: &[u8]) -> bool {
    let Some(([0x5d, a, b, c, d], rest)) = head.split_first_chunk::<5>() else { return false };
    let Some((length, [0, ..])) = rest.split_first_chunk::<8>() else { return false };
    let (dictionary, length) = (u32::from_le_bytes([*a, *b, *c, *d]), u64::from_le_bytes(*length));
    let usual = dictionary.is_power_of_two() || (dictionary % 3 == 0 && (dictionary / 3).is_power_of_two());
    usual && (length == u64::MAX || length < 1 << 38)
}

/// The end-of-central-directory record, at most a comment of 64 KiB before the end: what Python's
/// `zipfile` looks for, whatever the file starts with.
pub(crate) fn ends_like_a_zip(source: &Source) -> bool {
    const RECORD: u64 = 22;
    let tail = source.length().min(RECORD + 0xffff);
    let Ok(tail) = usize::try_from(tail) else { return false };
    let bytes = source.read(source.length() - tail as u64, tail).unwrap_or_default();
    let start = source.length() - tail as u64;
    let word = |at: usize| bytes.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes);
    // The four bytes alone stand in many a program: the directory that the record names must lie before it.
    memchr::memmem::find_iter(&bytes, b"PK\x05\x06").any(|at| match (word(at + 12), word(at + 16)) {
        (Some(u32::MAX), _) | (_, Some(u32::MAX)) => true,
        (Some(size), Some(offset)) => u64::from(size) + u64::from(offset) <= start + at as u64,
        // Cut off within the record.
        _ => true,
    })
}

/// Walks the top-level fields of a protocol-buffers message: an ONNX `ModelProto` has a graph (7) or
/// operator sets (8); a SavedModel has a version (1) and meta graphs (2) and nothing else.
fn protobuf_model(source: &Source) -> Option<Format> {
    let head = source.head(512);
    if !matches!(head.first(), Some(0x08 | 0x12 | 0x1a | 0x22 | 0x28 | 0x32 | 0x3a | 0x42 | 0x72)) {
        return None;
    }
    let (mut offset, mut seen, mut fields) = (0_u64, 0_u64, 0);
    while offset < source.length() && fields < 4096 {
        let record = source.read(offset, usize::try_from((source.length() - offset).min(20)).ok()?).ok()?;
        let (tag, used) = varint(&record)?;
        let rest = record.get(used..)?;
        let (field, wire) = (tag >> 3, tag & 7);
        let (value, width) = varint(rest)?;
        let expected = if matches!(field, 1 | 5) { 0 } else { 2 };
        if wire != expected || !matches!(field, 1..=8 | 14 | 20 | 25 | 26) {
            return None;
        }
        offset = offset.checked_add((used + width) as u64)?.checked_add(if wire == 2 { value } else { 0 })?;
        seen |= 1 << field;
        fields += 1;
    }
    let has = |field: u64| seen & 1 << field != 0;
    if has(7) || has(8) && has(1) {
        Some(Format::Onnx)
    } else if seen == 0b110 {
        Some(Format::SavedModel)
    } else {
        None
    }
}

/// Walks the top-level fields of a Core ML `Model` (`Model.proto` of coremltools): a specification version (1),
/// a description (2), and what the model is (200 to 3000).
fn is_core_ml(source: &Source) -> bool {
    if source.head(1) != [0x08] {
        return false;
    }
    let (mut offset, mut is_described, mut is_some_model) = (0_u64, false, false);
    for _ in 0..64 {
        if offset >= source.length() {
            break;
        }
        let length = usize::try_from((source.length() - offset).min(20)).unwrap_or(20);
        let record = source.read(offset, length).unwrap_or_default();
        let Some((tag, used)) = varint(&record) else { return false };
        let Some((value, width)) = record.get(used..).and_then(varint) else { return false };
        let bytes = match (tag >> 3, tag & 7) {
            (1 | 10, 0) => 0,
            (2 | 200..=3000, 2) => value,
            _ => return false,
        };
        is_described |= tag >> 3 == 2;
        is_some_model |= tag >> 3 >= 200;
        let Some(next) = offset.checked_add((used + width) as u64).and_then(|at| at.checked_add(bytes)) else {
            return false;
        };
        offset = next;
    }
    is_described && is_some_model
}

fn varint(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut value = 0_u64;
    for (index, byte) in bytes.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f).checked_shl(7 * u32::try_from(index).ok()?)?;
        if byte & 0x80 == 0 {
            return Some((value, index + 1));
        }
    }
    None
}

fn is_text(head: &[u8]) -> bool {
    let valid = match std::str::from_utf8(head) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none() && head.len() == 512,
    };
    valid && !head.contains(&0)
}
