//! What comes out of a compressed stream, as bytes that can be read anywhere.
//!
//! A stream is decoded once to learn its length and checksum. What fits the limit is kept in memory;
//! of a longer one only a stretch is, and it is decoded again from the start when somebody looks
//! further back. Inspectors read forward, so that this is rare, and the budget counts it.

use std::cell::RefCell;
use std::fmt;
use std::io::Read;

use crate::codec::Codec;
use crate::reader::Reader;
use crate::{ReadError, Source};

/// Bytes decoded at a time.
const CHUNK: usize = 64 << 10;
/// Decoded bytes kept behind the position of a stream that is too long for memory, and at its end.
const KEPT: usize = 1 << 20;

/// What decoding gave.
pub(crate) struct Unpacked {
    /// The decoded bytes, as far as they could be decoded.
    pub(crate) source: Source,
    /// CRC-32 of the decoded bytes, where all could be decoded.
    pub(crate) checksum: Option<u32>,
    /// Why not all could be decoded.
    pub(crate) problem: Option<String>,
    /// Whether it expands beyond measure.
    pub(crate) is_bomb: bool,
}

/// Decodes `packed`, which becomes the member `name` of `outer`.
pub(crate) fn unpack(outer: &Source, name: &str, packed: &Source, codec: Codec) -> Unpacked {
    let limits = *outer.budget().limits();
    let input = Reader::new(packed.clone());
    let consumed = input.watch();
    let mut decoder = match codec.decode(input) {
        Ok(decoder) => decoder,
        Err(error) => {
            let problem = Some(format!("can't be decoded: {error}"));
            return Unpacked { source: outer.decoded(name, Vec::new()), checksum: None, problem, is_bomb: false };
        }
    };
    let (mut memory, mut tail) = (Some(Vec::new()), Vec::new());
    let (mut length, mut checksum, mut is_bomb) = (0_u64, flate2::Crc::new(), false);
    let mut chunk = vec![0; CHUNK];
    let problem = loop {
        let part = match decoder.read(&mut chunk) {
            Ok(0) => break None,
            Ok(count) => chunk.get(..count).unwrap_or_default(),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => break Some(format!("the compressed data is damaged or cut off: {error}")),
        };
        length += part.len() as u64;
        checksum.update(part);
        if length > limits.member {
            if let Some(kept) = memory.take() {
                tail = kept.get(kept.len().saturating_sub(KEPT)..).unwrap_or_default().to_vec();
            }
            tail.extend_from_slice(part);
            if tail.len() >= 2 * KEPT {
                tail.drain(..tail.len() - KEPT);
            }
        } else if let Some(memory) = memory.as_mut() {
            memory.extend_from_slice(part);
        }
        if let Err(exhausted) = outer.budget().inflate(part.len() as u64) {
            break Some(exhausted.to_string());
        }
        if length > 1 << 20 && length / consumed.get().max(1) > limits.ratio {
            is_bomb = true;
            break Some("decompresses like a bomb".to_owned());
        }
    };
    let source = match memory {
        Some(bytes) => outer.decoded(name, bytes),
        None => outer.unpacked(name, Stream::new(packed.clone(), codec, length, tail), length),
    };
    Unpacked { source, checksum: problem.is_none().then(|| checksum.sum()), problem, is_bomb }
}

/// Decoded bytes that are too many for memory.
pub(crate) struct Stream {
    packed: Source,
    codec: Codec,
    length: u64,
    tail: Vec<u8>,
    running: RefCell<Option<Running>>,
}

struct Running {
    decoder: Box<dyn Read>,
    /// Offset after the last byte of `recent`.
    position: u64,
    recent: Vec<u8>,
}

impl Stream {
    fn new(packed: Source, codec: Codec, length: u64, tail: Vec<u8>) -> Self {
        Self { packed, codec, length, tail, running: RefCell::new(None) }
    }

    /// Reads what there is at `offset`, at most a full `buffer`.
    pub(crate) fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize, ReadError> {
        let tail_start = self.length - self.tail.len() as u64;
        if offset >= tail_start {
            return Ok(copy(&self.tail, offset - tail_start, buffer));
        }
        let mut running = self.running.borrow_mut();
        let reaches = |running: &Running| offset + running.recent.len() as u64 >= running.position;
        if !running.as_ref().is_some_and(reaches) {
            let decoder = self.codec.decode(Reader::new(self.packed.clone()))?;
            *running = Some(Running { decoder, position: 0, recent: Vec::new() });
        }
        let Some(running) = running.as_mut() else { return Ok(0) };
        while running.position <= offset {
            if running.advance(&self.packed)? == 0 {
                return Ok(0);
            }
        }
        let start = running.position - running.recent.len() as u64;
        Ok(copy(&running.recent, offset - start, buffer))
    }
}

impl Running {
    fn advance(&mut self, packed: &Source) -> Result<usize, ReadError> {
        if self.recent.len() >= 2 * KEPT {
            self.recent.drain(..self.recent.len() - KEPT);
        }
        let before = self.recent.len();
        self.recent.resize(before + CHUNK, 0);
        let read = self.decoder.read(self.recent.get_mut(before..).unwrap_or_default());
        let count = *read.as_ref().unwrap_or(&0);
        self.recent.truncate(before + count);
        self.position += count as u64;
        packed.budget().inflate(count as u64)?;
        Ok(read.map(|_| count)?)
    }
}

fn copy(from: &[u8], start: u64, to: &mut [u8]) -> usize {
    let available = usize::try_from(start).ok().and_then(|start| from.get(start..)).unwrap_or_default();
    let count = available.len().min(to.len());
    if let (Some(to), Some(from)) = (to.get_mut(..count), available.get(..count)) {
        to.copy_from_slice(from);
    }
    count
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").field("codec", &self.codec).field("length", &self.length).finish_non_exhaustive()
    }
}
