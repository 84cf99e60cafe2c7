//! Advisories as bytes: a tag is a byte, a number four or two, a text or list its length and then
//! its content.

use bartizan_core::Severity;

use super::record::{Advisory, Affected, Kind, Range, Until};
use crate::ecosystem::Ecosystem;

/// Bytes that are read from the front.
pub(super) struct Bytes<'a>(pub(super) &'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn number(&mut self) -> Option<u32> {
        self.take(4)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
    }

    pub(super) fn short(&mut self) -> Option<u16> {
        self.take(2)?.first_chunk().map(|bytes| u16::from_le_bytes(*bytes))
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    /// Lengths below 255 take one byte, others five.
    fn length(&mut self) -> Option<usize> {
        match self.byte()? {
            255 => self.number().map(|length| length as usize),
            length => Some(usize::from(length)),
        }
    }

    fn text(&mut self) -> Option<String> {
        let length = self.length()?;
        std::str::from_utf8(self.take(length)?).ok().map(str::to_owned)
    }

    fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let length = self.length()?;
        // Every item takes at least a byte, so that a lying length can't ask for memory.
        if length > self.0.len() {
            return None;
        }
        (0..length).map(|_| item(self)).collect()
    }
}

/// Appends a record of the source with that number.
pub(super) fn encode(advisory: &Advisory, source: u16, out: &mut Vec<u8>) {
    out.extend_from_slice(&source.to_le_bytes());
    let kind = Kind::ALL.iter().position(|kind| *kind == advisory.kind).unwrap_or_default();
    let severity = advisory.severity.and_then(|severity| Severity::ALL.iter().position(|one| *one == severity));
    out.extend([kind, severity.map_or(0, |at| at + 1)].map(|tag| u8::try_from(tag).unwrap_or_default()));
    for field in [&advisory.id, &advisory.vector, &advisory.summary, &advisory.modified] {
        text(field, out);
    }
    list(&advisory.aliases, out, text);
    list(&advisory.functions, out, text);
    list(&advisory.affected, out, |affected, out| {
        out.push(affected.ecosystem as u8);
        text(&affected.name, out);
        list(&affected.ranges, out, |range, out| {
            text(range.introduced.as_deref().unwrap_or_default(), out);
            let (tag, end) = match &range.until {
                Until::Open => (0, ""),
                Until::Fixed(version) => (1, version.as_str()),
                Until::Through(version) => (2, version.as_str()),
            };
            out.push(tag);
            text(end, out);
        });
        list(&affected.versions, out, text);
    });
}

/// Reads the next record and the number of its source.
pub(super) fn decode(bytes: &mut Bytes<'_>) -> Option<(u16, Advisory)> {
    let source = bytes.short()?;
    let kind = *Kind::ALL.get(usize::from(bytes.byte()?))?;
    let severity = match bytes.byte()? {
        0 => None,
        tag => Some(*Severity::ALL.get(usize::from(tag) - 1)?),
    };
    let (id, vector, summary, modified) = (bytes.text()?, bytes.text()?, bytes.text()?, bytes.text()?);
    let aliases = bytes.list(Bytes::text)?;
    let functions = bytes.list(Bytes::text)?;
    let affected = bytes.list(|bytes| {
        Some(Affected {
            ecosystem: *Ecosystem::ALL.get(usize::from(bytes.byte()?))?,
            name: bytes.text()?,
            ranges: bytes.list(range)?,
            versions: bytes.list(Bytes::text)?,
        })
    })?;
    Some((source, Advisory { id, aliases, kind, severity, vector, summary, modified, functions, affected }))
}

fn range(bytes: &mut Bytes<'_>) -> Option<Range> {
    let introduced = Some(bytes.text()?).filter(|version| !version.is_empty());
    let tag = bytes.byte()?;
    let end = bytes.text()?;
    let until = match tag {
        0 => Until::Open,
        1 => Until::Fixed(end),
        2 => Until::Through(end),
        _ => return None,
    };
    Some(Range { introduced, until })
}

fn length(length: usize, out: &mut Vec<u8>) {
    match u8::try_from(length) {
        Ok(short) if short < 255 => out.push(short),
        _ => {
            out.push(255);
            out.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
        }
    }
}

fn text(text: &(impl AsRef<str> + ?Sized), out: &mut Vec<u8>) {
    length(text.as_ref().len(), out);
    out.extend_from_slice(text.as_ref().as_bytes());
}

fn list<T>(items: &[T], out: &mut Vec<u8>, item: impl Fn(&T, &mut Vec<u8>)) {
    length(items.len(), out);
    for one in items {
        item(one, out);
    }
}
