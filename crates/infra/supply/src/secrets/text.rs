//! Text as it comes from a file: its encoding, and the lines around a place in it.

use std::borrow::Cow;
use std::ops::Range;

/// How text is encoded, with what is left over from the piece before.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Encoding {
    /// UTF-8, Latin-1 or anything else in which ASCII is ASCII.
    Bytes,
    /// UTF-16 with a byte order mark.
    Utf16 {
        /// The more significant byte comes first.
        is_big_endian: bool,
        /// An incomplete unit or pair.
        rest: Vec<u8>,
    },
}

impl Encoding {
    /// Decides by the byte order mark.
    pub(super) fn of(head: &[u8]) -> Self {
        match head {
            [0xff, 0xfe, rest @ ..] if !rest.starts_with(&[0, 0]) => {
                Self::Utf16 { is_big_endian: false, rest: Vec::new() }
            }
            [0xfe, 0xff, ..] => Self::Utf16 { is_big_endian: true, rest: Vec::new() },
            _ => Self::Bytes,
        }
    }

    /// The next piece as UTF-8, or as it is.
    pub(super) fn decode<'a>(&mut self, piece: &'a [u8]) -> Cow<'a, [u8]> {
        let Self::Utf16 { is_big_endian, rest } = self else { return Cow::Borrowed(piece) };
        let bytes = [std::mem::take(rest).as_slice(), piece].concat();
        let mut pairs = bytes.chunks_exact(2);
        let mut units: Vec<u16> = pairs
            .by_ref()
            .filter_map(|pair| <[u8; 2]>::try_from(pair).ok())
            .map(|pair| if *is_big_endian { u16::from_be_bytes(pair) } else { u16::from_le_bytes(pair) })
            .collect();
        if let Some(high @ 0xd800..0xdc00) = units.last().copied() {
            units.pop();
            rest.extend(if *is_big_endian { high.to_be_bytes() } else { high.to_le_bytes() });
        }
        rest.extend_from_slice(pairs.remainder());
        Cow::Owned(String::from_utf16_lossy(&units).into_bytes())
    }
}

/// The last stretch of a text, with its place and line in the whole.
pub(super) struct Recent {
    text: Vec<u8>,
    base: u64,
    line: u64,
    /// A place in the kept text and the lines before it there: matches come almost in order.
    counted: (usize, u64),
    keep: usize,
}

/// Bytes of a line that are looked at on either side of a place.
const LINE: usize = 4096;

impl Recent {
    /// Keeps `lag` bytes and the lines they lie in.
    pub(super) fn new(lag: usize) -> Self {
        Self { text: Vec::new(), base: 0, line: 1, counted: (0, 0), keep: lag + 2 * LINE }
    }

    /// Takes a piece in and forgets what lies too far behind it.
    pub(super) fn push(&mut self, piece: &[u8]) {
        let excess = self.text.len().saturating_sub(self.keep);
        if excess >= self.keep {
            self.line += newlines(self.text.get(..excess));
            self.text.drain(..excess);
            self.base += excess as u64;
            self.counted = (0, 0);
        }
        self.text.extend_from_slice(piece);
    }

    fn index(&self, offset: u64) -> usize {
        usize::try_from(offset.saturating_sub(self.base)).unwrap_or(usize::MAX).min(self.text.len())
    }

    /// The line, from 1, of a place.
    pub(super) fn line_of(&mut self, offset: u64) -> u64 {
        let index = self.index(offset);
        let (from, lines) = if self.counted.0 <= index { self.counted } else { (0, 0) };
        self.counted = (index, lines + newlines(self.text.get(from..index)));
        self.line + self.counted.1
    }

    /// The text from the start of the line where `range` begins to the end of the line where it ends.
    pub(super) fn lines_around(&self, range: &Range<u64>) -> &[u8] {
        let (start, end) = (self.index(range.start), self.index(range.end));
        let before = self.text.get(start.saturating_sub(LINE)..start).unwrap_or_default();
        let after = self.text.get(end..self.text.len().min(end + LINE)).unwrap_or_default();
        let from = memchr::memrchr(b'\n', before).map_or(start - before.len(), |at| start - before.len() + at + 1);
        let to = memchr::memchr(b'\n', after).map_or(end + after.len(), |at| end + at);
        self.text.get(from..to).unwrap_or_default()
    }
}

fn newlines(text: Option<&[u8]>) -> u64 {
    memchr::memchr_iter(b'\n', text.unwrap_or_default()).count() as u64
}
