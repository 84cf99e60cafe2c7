//! Decoders of compressed streams, behind one door.

use std::io::{self, BufRead as _, BufReader, Read};

use flate2::{Decompress, FlushDecompress, Status};

use crate::reader::Reader;

/// A way of compressing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Codec {
    /// RFC 1951, as in ZIP.
    Deflate,
    /// RFC 1950; joblib reads several streams in a row as one.
    Zlib,
    /// RFC 1952; several members in a row are one stream.
    Gzip,
    /// bzip2; several streams in a row are one.
    Bzip2,
    /// The .xz file format 1.2.1.
    Xz,
    /// The old `.lzma` format; Python's `lzma` reads several streams in a row as one.
    Lzma,
    /// LZMA as in ZIP (APPNOTE 5.8.8): version, size of properties, properties, data. The length of
    /// what comes out is told by the archive.
    ZipLzma(u64),
    /// RFC 8878.
    Zstandard,
    /// LZ4 frame format 1.6.
    Lz4,
}

/// Dictionary that an xz or lzma stream may ask for, in KiB: what `xz -9` writes, and a little.
const DICTIONARY: u32 = 66 << 10;
/// Window that a Zstandard frame may ask for: what every decoder must support (RFC 8878, 3.1.1.1.2)
/// and what `zstd --long` writes.
const ZSTANDARD_WINDOW: u64 = 128 << 20;
const BUFFER: usize = 32 << 10;

impl Codec {
    /// A reader of what comes out of `input`.
    pub(crate) fn decode(self, input: Reader) -> io::Result<Box<dyn Read>> {
        let mut input = BufReader::with_capacity(BUFFER, input);
        Ok(match self {
            Self::Deflate => Box::new(Inflate { input, engine: Decompress::new(false), is_zlib: false, ended: false }),
            Self::Zlib => Box::new(Inflate { input, engine: Decompress::new(true), is_zlib: true, ended: false }),
            Self::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(input)),
            Self::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(input)),
            Self::Xz => Box::new(lzma_rust2::XzReader::new_mem_limit(input, true, DICTIONARY)),
            Self::Lzma => {
                let input = Unread { unread: Vec::new(), input };
                Box::new(LzmaStreams { stream: Some(lzma_rust2::LzmaReader::new_mem_limit(input, DICTIONARY, None)?) })
            }
            Self::ZipLzma(length) => {
                let mut head = [0; 9];
                input.read_exact(&mut head)?;
                let [_, _, 5, 0, properties, a, b, c, d] = head else {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, "unknown LZMA properties"));
                };
                let dictionary = u32::from_le_bytes([a, b, c, d]);
                if dictionary > DICTIONARY << 10 {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, "the LZMA dictionary is too large"));
                }
                let decoder = lzma_rust2::LzmaReader::new_with_props(input, length, properties, dictionary, None);
                Box::new(decoder?)
            }
            Self::Zstandard => Box::new(ZstandardFrames { input, frame: None }),
            Self::Lz4 => Box::new(Lz4Frames { frames: lz4_flex::frame::FrameDecoder::new(input) }),
        })
    }
}

/// flate2's own reader takes the end of the input for the end of the stream; this one doesn't. Behind a zlib stream
/// another one is expected: whoever reads on would get at what stands there.
struct Inflate {
    input: BufReader<Reader>,
    engine: Decompress,
    is_zlib: bool,
    ended: bool,
}

impl Read for Inflate {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !self.ended && !buffer.is_empty() {
            let input = self.input.fill_buf()?;
            let at_end = input.is_empty();
            let before = (self.engine.total_in(), self.engine.total_out());
            let status = self.engine.decompress(input, buffer, FlushDecompress::None).map_err(io::Error::other)?;
            let consumed = self.engine.total_in() - before.0;
            let produced = self.engine.total_out() - before.1;
            self.input.consume(usize::try_from(consumed).unwrap_or(0));
            self.ended = status == Status::StreamEnd;
            if self.ended && self.is_zlib && !self.input.fill_buf()?.is_empty() {
                self.engine.reset(true);
                self.ended = false;
                if produced == 0 {
                    continue;
                }
            }
            if produced > 0 {
                return Ok(usize::try_from(produced).unwrap_or(0));
            }
            if !self.ended && (at_end || consumed == 0) {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(0)
    }
}

/// `.lzma` streams one after another.
struct LzmaStreams {
    stream: Option<lzma_rust2::LzmaReader<Unread>>,
}

/// Input of which the next stream gets back what the last one read too much.
struct Unread {
    unread: Vec<u8>,
    input: BufReader<Reader>,
}

impl Read for Unread {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.unread.is_empty() {
            return self.input.read(buffer);
        }
        let count = self.unread.as_slice().read(buffer)?;
        self.unread.drain(..count);
        Ok(count)
    }
}

impl Read for LzmaStreams {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(stream) = self.stream.as_mut().filter(|_| !buffer.is_empty()) {
            let count = stream.read(buffer)?;
            if count > 0 {
                return Ok(count);
            }
            let Some((mut input, unread)) = self.stream.take().map(lzma_rust2::LzmaReader::into_parts) else { break };
            input.unread.splice(..0, unread);
            if !(input.unread.is_empty() && input.input.fill_buf()?.is_empty()) {
                self.stream = Some(lzma_rust2::LzmaReader::new_mem_limit(input, DICTIONARY, None)?);
            }
        }
        Ok(0)
    }
}

/// LZ4 frames one after another: the decoder stops at the end of each.
struct Lz4Frames {
    frames: lz4_flex::frame::FrameDecoder<BufReader<Reader>>,
}

impl Read for Lz4Frames {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        const MOST_EMPTY: usize = 1 << 16;
        for _ in 0..MOST_EMPTY {
            let count = self.frames.read(buffer)?;
            if count > 0 || buffer.is_empty() || self.frames.get_mut().fill_buf()?.is_empty() {
                return Ok(count);
            }
        }
        Err(io::Error::new(io::ErrorKind::InvalidData, "too many empty frames"))
    }
}

/// Zstandard frames one after another, skippable ones left out.
struct ZstandardFrames {
    input: BufReader<Reader>,
    frame: Option<Box<ruzstd::decoding::FrameDecoder>>,
}

impl Read for ZstandardFrames {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.frame.is_none() {
                if self.input.fill_buf()?.is_empty() {
                    return Ok(0);
                }
                let mut decoder = Box::new(ruzstd::decoding::FrameDecoder::new());
                decoder.set_max_window_size(ZSTANDARD_WINDOW);
                match decoder.init(&mut self.input) {
                    Ok(()) => self.frame = Some(decoder),
                    Err(ruzstd::decoding::errors::FrameDecoderError::ReadFrameHeaderError(
                        ruzstd::decoding::errors::ReadFrameHeaderError::SkipFrame { length, .. },
                    )) => {
                        let skipped = io::copy(&mut self.input.by_ref().take(length.into()), &mut io::sink())?;
                        if skipped < u64::from(length) {
                            return Err(io::ErrorKind::UnexpectedEof.into());
                        }
                        continue;
                    }
                    Err(error) => return Err(io::Error::other(error)),
                }
            }
            let Some(decoder) = self.frame.as_mut() else { continue };
            while decoder.can_collect() < buffer.len() && !decoder.is_finished() {
                let wanted = ruzstd::decoding::BlockDecodingStrategy::UptoBytes(buffer.len());
                decoder.decode_blocks(&mut self.input, wanted).map_err(io::Error::other)?;
            }
            let count = decoder.read(buffer)?;
            if count > 0 {
                return Ok(count);
            }
            self.frame = None;
        }
    }
}
