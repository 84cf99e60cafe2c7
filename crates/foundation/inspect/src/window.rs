//! Reading a source from front to back through a small buffer.

use crate::{ReadError, Source};

const CAPACITY: usize = 64 << 10;

/// A reading position in a [`Source`] with a buffer of 64 KiB.
#[derive(Debug)]
pub struct Window<'a> {
    source: &'a Source,
    buffer: Vec<u8>,
    base: u64,
    next: usize,
    limit: usize,
}

impl<'a> Window<'a> {
    /// A window that reads from `offset` on.
    pub fn new(source: &'a Source, offset: u64) -> Self {
        Self { source, buffer: Vec::new(), base: offset, next: 0, limit: 512 }
    }

    /// The offset of the next byte.
    pub fn position(&self) -> u64 {
        self.base + self.next as u64
    }

    /// How many bytes are left.
    pub fn left(&self) -> u64 {
        self.source.length().saturating_sub(self.position())
    }

    /// The next byte; `None` at the end.
    pub fn byte(&mut self) -> Result<Option<u8>, ReadError> {
        if let Some(byte) = self.buffer.get(self.next) {
            self.next += 1;
            return Ok(Some(*byte));
        }
        self.fill()?;
        let byte = self.buffer.get(self.next).copied();
        self.next += usize::from(byte.is_some());
        Ok(byte)
    }

    /// The next `N` bytes.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], ReadError> {
        let mut bytes = [0; N];
        for byte in &mut bytes {
            *byte = self.byte()?.ok_or(ReadError::End(self.source.length()))?;
        }
        Ok(bytes)
    }

    /// Appends the next `length` bytes to `out`; the caller bounds `length`.
    pub fn copy(&mut self, length: usize, out: &mut Vec<u8>) -> Result<(), ReadError> {
        if self.left() < length as u64 {
            return Err(ReadError::End(self.source.length()));
        }
        let mut missing = length;
        while missing > 0 {
            if self.next >= self.buffer.len() {
                self.fill()?;
            }
            let available = self.buffer.get(self.next..).unwrap_or_default();
            let part = available.get(..missing.min(available.len())).unwrap_or_default();
            if part.is_empty() {
                return Err(ReadError::End(self.position()));
            }
            out.extend_from_slice(part);
            self.next += part.len();
            missing -= part.len();
        }
        Ok(())
    }

    /// Passes over `length` bytes without reading them.
    pub fn skip(&mut self, length: u64) -> Result<(), ReadError> {
        if self.left() < length {
            return Err(ReadError::End(self.source.length()));
        }
        let buffered = (self.buffer.len() - self.next) as u64;
        if length <= buffered {
            self.next += usize::try_from(length).unwrap_or(0);
        } else {
            self.base = self.position() + length;
            self.buffer.clear();
            self.next = 0;
        }
        Ok(())
    }

    /// Reads up to and including the next line feed into `out` (without it), keeping at most
    /// `keep` bytes; the full length without the line feed is returned, `None` when there is none.
    pub fn line(&mut self, keep: usize, out: &mut Vec<u8>) -> Result<Option<u64>, ReadError> {
        let mut length = 0_u64;
        loop {
            if self.next >= self.buffer.len() {
                self.fill()?;
            }
            let available = self.buffer.get(self.next..).unwrap_or_default();
            if available.is_empty() {
                return Ok(None);
            }
            let end = available.iter().position(|byte| *byte == b'\n');
            let part = available.get(..end.unwrap_or(available.len())).unwrap_or_default();
            let room = keep.saturating_sub(out.len()).min(part.len());
            out.extend_from_slice(part.get(..room).unwrap_or_default());
            length += part.len() as u64;
            self.next += part.len() + usize::from(end.is_some());
            if end.is_some() {
                return Ok(Some(length));
            }
        }
    }

    fn fill(&mut self) -> Result<(), ReadError> {
        let position = self.position();
        self.buffer.resize(self.limit, 0);
        self.base = position;
        self.next = 0;
        let count = self.source.read_at(&mut self.buffer, position);
        self.buffer.truncate(*count.as_ref().unwrap_or(&0));
        self.limit = (self.limit * 8).min(CAPACITY);
        count.map(|_| ())
    }
}
