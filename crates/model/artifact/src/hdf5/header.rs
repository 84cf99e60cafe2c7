//! Object headers of HDF5 and the messages in them (specification, section IV.A).

use bartizan_inspect::Source;

use super::heap::{global, symbol_table};
use super::layout::{Cursor, Layout, number};

/// What a message says about its object.
#[derive(Debug)]
pub(super) enum Message {
    /// A link to an object in this file.
    Child(String, u64),
    /// A link or data in another file.
    External(String, String),
    /// An attribute that is text.
    Attribute { name: String, value: Vec<u8>, offset: u64 },
    /// Dimensions of an array.
    Shape(Vec<u64>),
    /// Element type of an array.
    Type(String),
    /// Something that is not followed.
    Gap(String),
}

/// Blocks of one header that are followed.
const BLOCKS: usize = 1000;

/// All messages of the object whose header is at `address`.
pub(super) fn messages(source: &Source, layout: Layout, address: u64) -> Result<Vec<Message>, String> {
    let start = layout.read(source, address, 16)?;
    let mut out = Vec::new();
    let mut blocks: Vec<(u64, usize)> = Vec::new();
    let version = if start.starts_with(b"OHDR") { 2 } else { 1 };
    let mut flags = 0;
    if version == 2 {
        flags = start.get(5).copied().unwrap_or(0);
        let mut position = 6;
        position += if flags & 0x20 != 0 { 16 } else { 0 };
        position += if flags & 0x10 != 0 { 4 } else { 0 };
        let width = 1_usize << (flags & 3);
        let size = number(&layout.read(source, address + position, width)?);
        blocks.push((address + position + width as u64, usize::try_from(size).unwrap_or(usize::MAX)));
    } else {
        if start.first() != Some(&1) {
            return Err("the HDF5 file is damaged: no object header where one should be".to_owned());
        }
        blocks.push((address + 16, usize::try_from(number(start.get(8..12).unwrap_or_default())).unwrap_or(0)));
    }
    let mut done = 0;
    while let Some((address, length)) = blocks.pop() {
        done += 1;
        if done > BLOCKS {
            return Err("an HDF5 object header has too many blocks".to_owned());
        }
        let bytes = layout.read(source, address, length)?;
        let mut cursor = Cursor(&bytes);
        let least = if version == 2 { 4 + if flags & 4 != 0 { 2 } else { 0 } } else { 8 };
        while cursor.0.len() >= least {
            source.budget().operate(4).map_err(|exhausted| exhausted.to_string())?;
            let (kind, size, shared) = if version == 2 {
                let (kind, size, shared) = (cursor.number(1)?, cursor.size(2)?, cursor.number(1)?);
                cursor.take(least - 4)?;
                (kind, size, shared)
            } else {
                let (kind, size, shared) = (cursor.number(2)?, cursor.size(2)?, cursor.number(1)?);
                cursor.take(3)?;
                (kind, size, shared)
            };
            let at = address + (bytes.len() - cursor.0.len()) as u64;
            let body = cursor.take(size)?;
            if kind == 0x10 {
                let mut body = Cursor(body);
                let (next, size) = (body.number(layout.offset)?, body.size(layout.length)?);
                // Version 2 frames the block with a signature and a checksum.
                blocks.push(if version == 2 { (next + 4, size.saturating_sub(8)) } else { (next, size) });
            } else if shared & 2 != 0 && matches!(kind, 0x3 | 0xc) {
                out.push(Message::Gap("a shared HDF5 message is not followed".to_owned()));
            } else {
                message(source, layout, kind, body, at, &mut out)?;
            }
        }
    }
    Ok(out)
}

fn message(
    source: &Source,
    layout: Layout,
    kind: u64,
    body: &[u8],
    at: u64,
    out: &mut Vec<Message>,
) -> Result<(), String> {
    let mut cursor = Cursor(body);
    match kind {
        0x01 => out.push(Message::Shape(dimensions(layout, cursor)?)),
        0x03 => out.push(Message::Type(datatype(body)?.name)),
        0x02 | 0x15 => {
            cursor.take(1)?;
            let flags = cursor.number(1)?;
            if flags & 1 != 0 {
                cursor.take(if kind == 0x02 { 8 } else { 2 })?;
            }
            if !layout.is_undefined(cursor.number(layout.offset)?) {
                let what = if kind == 0x02 { "links" } else { "attributes" };
                out.push(Message::Gap(format!("densely stored HDF5 {what} are not followed")));
            }
        }
        0x06 => out.push(link(layout, cursor)?),
        0x07 => out.push(Message::External(String::new(), "an external data file".to_owned())),
        0x08 => {
            // Version 4 introduced virtual datasets, class 3, whose data lie in other files.
            let (version, class) = (cursor.number(1)?, cursor.number(1)?);
            if version >= 4 && class == 3 {
                out.push(Message::External(String::new(), "a virtual dataset".to_owned()));
            }
        }
        0x0c => attribute(source, layout, cursor, at, out)?,
        0x11 => {
            let (tree, heap) = (cursor.number(layout.offset)?, cursor.number(layout.offset)?);
            let children = symbol_table(source, layout, tree, heap)?;
            out.extend(children.into_iter().map(|(name, address)| Message::Child(name, address)));
        }
        _ => {}
    }
    Ok(())
}

fn link(layout: Layout, mut cursor: Cursor<'_>) -> Result<Message, String> {
    cursor.take(1)?;
    let flags = cursor.number(1)?;
    let kind = if flags & 0x8 != 0 { cursor.number(1)? } else { 0 };
    if flags & 0x4 != 0 {
        cursor.take(8)?;
    }
    if flags & 0x10 != 0 {
        cursor.take(1)?;
    }
    let length = cursor.size(1 << (flags & 3))?;
    let name = String::from_utf8_lossy(cursor.take(length)?).into_owned();
    Ok(match kind {
        0 => Message::Child(name, cursor.number(layout.offset)?),
        64 => {
            let length = cursor.size(2)?;
            let target = cursor.take(length)?.get(1..).unwrap_or_default().split(|byte| *byte == 0).next();
            Message::External(name, String::from_utf8_lossy(target.unwrap_or_default()).into_owned())
        }
        _ => Message::Gap("a soft HDF5 link is not followed".to_owned()),
    })
}

struct Datatype {
    name: String,
    size: usize,
    /// Text of a stated length, or text that lies in a global heap.
    text: Option<bool>,
}

fn datatype(body: &[u8]) -> Result<Datatype, String> {
    let mut cursor = Cursor(body);
    let class = cursor.number(1)? & 0xf;
    let bits = cursor.number(3)?;
    let size = cursor.size(4)?;
    let (name, text) = match class {
        0 => (format!("{}{}", if bits & 8 == 0 { "uint" } else { "int" }, 8 * size), None),
        1 => (format!("float{}", 8 * size), None),
        3 => ("string".to_owned(), Some(false)),
        5 => ("opaque".to_owned(), Some(false)),
        9 if bits & 0xf == 1 => ("string".to_owned(), Some(true)),
        8 => ("enum".to_owned(), None),
        6 => ("compound".to_owned(), None),
        _ => (format!("class-{class}"), None),
    };
    Ok(Datatype { name, size, text })
}

fn dimensions(layout: Layout, mut cursor: Cursor<'_>) -> Result<Vec<u64>, String> {
    let version = cursor.number(1)?;
    let rank = cursor.number(1)?;
    cursor.take(if version == 1 { 6 } else { 2 })?;
    (0..rank.min(32)).map(|_| cursor.number(layout.length)).collect()
}

fn attribute(
    source: &Source,
    layout: Layout,
    mut cursor: Cursor<'_>,
    at: u64,
    out: &mut Vec<Message>,
) -> Result<(), String> {
    let length = cursor.0.len();
    let version = cursor.number(1)?;
    let flags = cursor.number(1)?;
    let (name, kind, space) = (cursor.size(2)?, cursor.size(2)?, cursor.size(2)?);
    if version == 3 {
        cursor.take(1)?;
    }
    let padded = |size: usize| if version == 1 { size.div_ceil(8) * 8 } else { size };
    let name_bytes = cursor.take(padded(name))?.split(|byte| *byte == 0).next().unwrap_or_default();
    let name = String::from_utf8_lossy(name_bytes).into_owned();
    let kind_bytes = cursor.take(padded(kind))?;
    let space_bytes = cursor.take(padded(space))?;
    if version > 1 && flags & 3 != 0 {
        out.push(Message::Gap(format!("the type of the HDF5 attribute `{name}` is shared and not followed")));
        return Ok(());
    }
    let kind = datatype(kind_bytes)?;
    let Some(in_heap) = kind.text else { return Ok(()) };
    let count = dimensions(layout, Cursor(space_bytes))?.iter().try_fold(1_u64, |all, side| all.checked_mul(*side));
    let count = count.ok_or("an HDF5 attribute has impossible dimensions")?.min(100_000);
    for _ in 0..count {
        let (bytes, offset) = if in_heap {
            cursor.take(4)?;
            let (heap, index) = (cursor.number(layout.offset)?, cursor.number(4)?);
            if heap == 0 || layout.is_undefined(heap) { (Vec::new(), 0) } else { global(source, layout, heap, index)? }
        } else {
            let offset = layout.base + at + (length - cursor.0.len()) as u64;
            (cursor.take(kind.size)?.to_vec(), offset)
        };
        let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        let value = bytes.get(..end).unwrap_or_default().to_vec();
        out.push(Message::Attribute { name: name.clone(), value, offset });
    }
    Ok(())
}
