//! Watches the bytes of a connection for requests whose end two parsers would see at different places
//! (request smuggling; RFC 9112, sections 6.1 and 6.3).
//!
//! The HTTP library repairs what the standard lets it repair: of `Content-Length` beside `Transfer-Encoding` it
//! follows the latter. What it repaired can't be seen in the request that it hands on, and something in front
//! of this door may have repaired it otherwise. So the bytes are followed on their way in, and a connection on which
//! the framing was ambiguous once is refused whatever it asks.

use std::io::IoSlice;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Whether the framing of a connection was ambiguous, shared by its reader and its requests.
#[derive(Clone, Default)]
pub(crate) struct Ambiguity(Arc<AtomicBool>);

impl Ambiguity {
    /// Whether it was, so far.
    pub(crate) fn is_seen(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A connection whose incoming bytes are followed.
pub(crate) struct Framed<S> {
    stream: S,
    framing: Framing,
    ambiguity: Ambiguity,
}

impl<S> Framed<S> {
    /// Follows what comes in by `stream`.
    pub(crate) fn new(stream: S, ambiguity: Ambiguity) -> Self {
        Self { stream, framing: Framing::default(), ambiguity }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Framed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        let new = buffer.filled().get(before..).unwrap_or_default();
        if !new.is_empty() && !self.framing.follow(new) {
            self.ambiguity.0.store(true, Ordering::Relaxed);
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Framed<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// Bytes of a line that are kept across reads: more than any framing field has.
const KEPT: usize = 128;

/// Where in the sequence of messages the bytes are.
#[derive(Default)]
struct Framing {
    place: Place,
    /// What has come of a line that has not ended, as far as it is kept, and its last byte so far.
    line: Vec<u8>,
    last: Option<u8>,
    is_line_long: bool,
    declared: Option<Declared>,
    is_request_line_seen: bool,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Place {
    #[default]
    Head,
    Body(u64),
    ChunkSize,
    ChunkData(u64),
    Trailer,
    /// Ambiguous: nothing behind it can be told apart.
    Lost,
}

/// What a head says about its body.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Declared {
    Length(u64),
    Chunked,
}

impl Framing {
    /// Takes in what came next; false from the first ambiguity on.
    fn follow(&mut self, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() {
            match self.place {
                Place::Lost => return false,
                Place::Body(left) => {
                    let left = skip(&mut bytes, left);
                    self.place = if left == 0 { Place::Head } else { Place::Body(left) };
                }
                Place::ChunkData(left) => {
                    let left = skip(&mut bytes, left);
                    self.place = if left == 0 { Place::ChunkSize } else { Place::ChunkData(left) };
                }
                Place::Head | Place::ChunkSize | Place::Trailer => match memchr::memchr(b'\n', bytes) {
                    None => {
                        self.keep(bytes);
                        return true;
                    }
                    Some(end) => {
                        let (line, rest) = bytes.split_at(end);
                        bytes = rest.get(1..).unwrap_or_default();
                        self.keep(line);
                        let kept = std::mem::take(&mut self.line);
                        let next = self.read(&kept);
                        self.line = kept;
                        self.line.clear();
                        (self.last, self.is_line_long) = (None, false);
                        self.place = next.unwrap_or(Place::Lost);
                    }
                },
            }
        }
        self.place != Place::Lost
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = KEPT - self.line.len().min(KEPT);
        self.is_line_long |= bytes.len() > room;
        self.last = bytes.last().copied().or(self.last);
        self.line.extend_from_slice(bytes.get(..room.min(bytes.len())).unwrap_or_default());
    }

    /// Reads a line that has ended, of which `line` is what was kept.
    fn read(&mut self, line: &[u8]) -> Option<Place> {
        // A line feed alone ends a line for some parsers and not for others.
        if self.last != Some(b'\r') {
            return None;
        }
        let is_long = self.is_line_long;
        let line = if is_long { line } else { line.strip_suffix(b"\r").unwrap_or(line) };
        match self.place {
            Place::Head if line.is_empty() && !self.is_request_line_seen => Some(Place::Head),
            Place::Head if line.is_empty() => {
                self.is_request_line_seen = false;
                Some(match self.declared.take() {
                    None | Some(Declared::Length(0)) => Place::Head,
                    Some(Declared::Length(length)) => Place::Body(length),
                    Some(Declared::Chunked) => Place::ChunkSize,
                })
            }
            Place::Head if !self.is_request_line_seen => {
                self.is_request_line_seen = true;
                Some(Place::Head)
            }
            Place::Head => self.field(line, is_long).then_some(Place::Head),
            Place::ChunkSize => {
                let digits = line.split(|byte| *byte == b';').next().unwrap_or_default();
                let size = u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
                let has_sign = digits.first().is_none_or(|byte| !byte.is_ascii_hexdigit());
                // The two bytes behind the data end their line.
                let data = size.checked_add(2)?;
                (!has_sign).then_some(if size == 0 { Place::Trailer } else { Place::ChunkData(data) })
            }
            Place::Trailer => Some(if line.is_empty() { Place::Head } else { Place::Trailer }),
            Place::Body(_) | Place::ChunkData(_) | Place::Lost => None,
        }
    }

    /// Reads a header field; false where it makes the framing ambiguous.
    fn field(&mut self, line: &[u8], is_long: bool) -> bool {
        // A line that begins with white space goes on with the one before, for some (RFC 9112, section 5.2).
        if matches!(line.first(), Some(b' ' | b'\t')) {
            return false;
        }
        let Some(colon) = memchr::memchr(b':', line) else { return is_long };
        let (name, value) = line.split_at(colon);
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        let name = name.trim_ascii_end();
        let declared = if name.eq_ignore_ascii_case(b"content-length") {
            let digits = value.iter().all(u8::is_ascii_digit);
            std::str::from_utf8(value).ok().filter(|_| digits).and_then(|text| text.parse().ok()).map(Declared::Length)
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            value.eq_ignore_ascii_case(b"chunked").then_some(Declared::Chunked)
        } else {
            return true;
        };
        // Once, whatever it says: a second one is for one parser and the first for another.
        !is_long && declared.is_some() && std::mem::replace(&mut self.declared, declared).is_none()
    }
}

/// Skips at most `left` bytes; how many are still to come.
fn skip(bytes: &mut &[u8], left: u64) -> u64 {
    let taken = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
    *bytes = bytes.get(taken..).unwrap_or_default();
    left - taken as u64
}

/// Follows arbitrary bytes whole and byte by byte; must neither panic nor differ. For fuzzing.
pub(crate) fn fuzz_one(bytes: &[u8]) {
    let whole = Framing::default().follow(bytes);
    let mut framing = Framing::default();
    let pieces = bytes.chunks(1).fold(true, |_, piece| framing.follow(piece));
    assert_eq!(whole, pieces);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether the bytes are taken for plain, whatever the pieces they come in.
    fn is_plain(bytes: &[u8]) -> bool {
        fuzz_one(bytes);
        for size in [2, 3, 7, 50] {
            let mut framing = Framing::default();
            let mut plain = true;
            bytes.chunks(size).for_each(|piece| plain = framing.follow(piece));
            assert_eq!(plain, Framing::default().follow(bytes), "pieces of {size}");
        }
        Framing::default().follow(bytes)
    }

    #[test]
    fn plain_messages_are_followed_one_behind_the_other() {
        let get = "GET /v2 HTTP/1.1\r\nhost: x\r\n\r\n";
        let sized = "POST /v2 HTTP/1.1\r\nContent-Length: 5\r\n\r\na: \n\n";
        let chunked = "POST /v2 HTTP/1.1\r\ntransfer-encoding: Chunked\r\n\r\n5;x=y\r\n\n\n\n\n\n\r\nA\r\n0123456789\r\n0\r\nt: 1\r\n\r\n";
        assert!(is_plain([get, sized, chunked, "\r\n", sized, chunked, get].concat().as_bytes()));
        let long = format!("GET /v2 HTTP/1.1\r\nx-long: {}\r\n{}: 1\r\n\r\n", "a".repeat(500), "b".repeat(300));
        assert!(is_plain([&long, sized, get].concat().as_bytes()));
    }

    #[test]
    fn what_two_parsers_frame_differently_is_seen_at_once() {
        let heads = [
            "content-length: 5\r\ntransfer-encoding: chunked\r\n",
            "transfer-encoding: chunked\r\ncontent-length: 5\r\n",
            "content-length: 5\r\ncontent-length: 5\r\n",
            "content-length: 5, 5\r\n",
            "content-length: +5\r\n",
            "content-length:\r\n",
            "content-length: 99999999999999999999999\r\n",
            "transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n",
            "transfer-encoding: xchunked\r\n",
            "transfer-encoding: gzip, chunked\r\n",
            "transfer-encoding : chunked\r\ncontent-length: 5\r\n",
            "x: y\r\n content-length: 5\r\n",
            "content-length: 5\n",
            "no colon\r\n",
        ];
        for head in heads {
            let message = format!("POST /v2 HTTP/1.1\r\nhost: x\r\n{head}\r\n0\r\n\r\n");
            assert!(!is_plain(message.as_bytes()), "{head:?}");
            let second = format!("GET /v2 HTTP/1.1\r\nhost: x\r\n\r\n{message}");
            assert!(!is_plain(second.as_bytes()), "{head:?}, second");
        }
        for chunk in
            ["-1\r\n", "\r\n", "0x5\r\n", "5\n12345\n", "ffffffffffffffff\r\n", "fffffffffffffffff\r\n", " 5\r\n"]
        {
            let message = format!("POST /v2 HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n{chunk}");
            assert!(!is_plain(message.as_bytes()), "{chunk:?}");
        }
    }

    #[test]
    fn damaged_messages_neither_panic_nor_depend_on_their_pieces() {
        let seed = b"POST /v2 HTTP/1.1\r\ncontent-length: 3\r\n\r\nabcPOST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n";
        let mut state = 11_u64;
        let mut below = |limit: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            usize::try_from(state >> 33).unwrap_or(0) % limit.max(1)
        };
        let rounds = if std::env::var_os("BARTIZAN_LONG").is_some() { 2_000_000 } else { 50_000 };
        for _ in 0..rounds {
            let mut bytes = seed.to_vec();
            for _ in 0..=below(4) {
                let at = below(bytes.len());
                match below(3) {
                    0 => bytes[at] = b"\r\n:0af; \xff"[below(9)],
                    1 => drop(bytes.remove(at)),
                    _ => bytes.insert(at, b"\r\n:0af; \xff"[below(9)]),
                }
            }
            fuzz_one(&bytes);
        }
    }
}
