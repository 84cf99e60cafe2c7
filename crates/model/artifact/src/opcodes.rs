//! Pickle opcodes and their arguments, protocols 0 to 5 (CPython `Lib/pickletools.py`).

use bartizan_inspect::{ReadError, Window};
use thiserror::Error;

/// Bytes of a string argument that are kept; no module or attribute name is longer.
const KEPT: usize = 512;

/// An opcode's argument. Strings lie in [`Lexer::text`].
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Argument {
    Nothing,
    Integer(i64),
    /// Characters; `whole` says whether all of them are kept.
    Text {
        whole: bool,
    },
    Bytes {
        offset: u64,
        length: u64,
    },
    /// Two lines, module and name, with `\n` between them.
    Global,
}

/// One opcode where it stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Operation {
    pub(crate) code: u8,
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) argument: Argument,
}

/// The program can't be read on.
#[derive(Debug, Error)]
pub(crate) enum LexError {
    #[error("the pickle ends before STOP")]
    End,
    #[error("{0:#04x} is no opcode")]
    NoOpcode(u8),
    #[error("{} has an argument that no unpickler accepts", name(*.0))]
    Argument(u8),
    #[error("{0}")]
    Unreadable(String),
}

impl From<ReadError> for LexError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::End(_) => Self::End,
            error => Self::Unreadable(error.to_string()),
        }
    }
}

/// Reads operations one after another.
pub(crate) struct Lexer<'a> {
    window: Window<'a>,
    text: Vec<u8>,
}

impl<'a> Lexer<'a> {
    pub(crate) fn new(window: Window<'a>) -> Self {
        Self { window, text: Vec::new() }
    }

    /// The string argument of the last operation.
    pub(crate) fn text(&self) -> &[u8] {
        &self.text
    }

    pub(crate) fn position(&self) -> u64 {
        self.window.position()
    }

    /// Passes over bytes that are no opcodes.
    pub(crate) fn skip(&mut self, length: u64) -> Result<(), LexError> {
        Ok(self.window.skip(length)?)
    }

    /// The next byte, which is no opcode.
    pub(crate) fn byte(&mut self) -> Result<u8, LexError> {
        self.window.byte()?.ok_or(LexError::End)
    }

    pub(crate) fn next(&mut self) -> Result<Operation, LexError> {
        let start = self.window.position();
        let code = self.window.byte()?.ok_or(LexError::End)?;
        let argument = self.argument(code)?;
        Ok(Operation { code, start, end: self.window.position(), argument })
    }

    fn argument(&mut self, code: u8) -> Result<Argument, LexError> {
        Ok(match code {
            b'('
            | b'.'
            | b'0'
            | b'1'
            | b'2'
            | b'N'
            | b'Q'
            | b'R'
            | b'a'
            | b'b'
            | b'd'
            | b'}'
            | b'e'
            | b'l'
            | b']'
            | b'o'
            | b's'
            | b't'
            | b')'
            | b'u'
            | 0x81
            | 0x85..=0x89
            | 0x8f..=0x94
            | 0x97
            | 0x98 => Argument::Nothing,
            b'K' | b'h' | b'q' | 0x80 | 0x82 => Argument::Integer(self.unsigned::<1>()?),
            b'M' | 0x83 => Argument::Integer(self.unsigned::<2>()?),
            b'J' | 0x84 => Argument::Integer(i64::from(i32::from_le_bytes(self.window.array()?))),
            b'j' | b'r' => Argument::Integer(self.unsigned::<4>()?),
            0x95 => Argument::Integer(self.unsigned::<8>()?),
            b'G' => {
                self.window.skip(8)?;
                Argument::Nothing
            }
            b'I' | b'g' | b'p' => self.decimal(code)?,
            b'F' | b'L' => {
                self.line()?;
                Argument::Nothing
            }
            b'P' => {
                let whole = self.line()?;
                Argument::Text { whole }
            }
            b'S' => self.quoted(code)?,
            b'V' => {
                let whole = self.line()?;
                self.text = raw_unicode_escape(&self.text);
                Argument::Text { whole }
            }
            b'c' | b'i' => self.global(code)?,
            b'U' | 0x8c => self.counted_text::<1>(code)?,
            b'X' | b'T' => self.counted_text::<4>(code)?,
            0x8d => self.counted_text::<8>(code)?,
            b'C' => self.counted_bytes::<1>(code)?,
            b'B' => self.counted_bytes::<4>(code)?,
            0x8e | 0x96 => self.counted_bytes::<8>(code)?,
            0x8a => self.long::<1>(code)?,
            0x8b => self.long::<4>(code)?,
            code => return Err(LexError::NoOpcode(code)),
        })
    }

    fn unsigned<const N: usize>(&mut self) -> Result<i64, LexError> {
        let bytes: [u8; N] = self.window.array()?;
        let value = bytes.iter().rev().fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
        Ok(i64::try_from(value).unwrap_or(i64::MAX))
    }

    /// `TypedLength`: CPython reads 4-byte lengths of `BINSTRING` and `LONG4` as signed.
    fn length<const N: usize>(&mut self, code: u8) -> Result<u64, LexError> {
        let length = self.unsigned::<N>()?;
        if matches!(code, b'T' | 0x8b) && length > i64::from(i32::MAX) {
            return Err(LexError::Argument(code));
        }
        let length = u64::try_from(length).unwrap_or(u64::MAX);
        if length > self.window.left() { Err(LexError::End) } else { Ok(length) }
    }

    fn counted_text<const N: usize>(&mut self, code: u8) -> Result<Argument, LexError> {
        let length = self.length::<N>(code)?;
        self.text.clear();
        let kept = usize::try_from(length).map_or(KEPT, |length| length.min(KEPT));
        self.window.copy(kept, &mut self.text)?;
        self.window.skip(length - kept as u64)?;
        Ok(Argument::Text { whole: length == kept as u64 })
    }

    fn counted_bytes<const N: usize>(&mut self, code: u8) -> Result<Argument, LexError> {
        let length = self.length::<N>(code)?;
        let offset = self.window.position();
        self.window.skip(length)?;
        Ok(Argument::Bytes { offset, length })
    }

    fn long<const N: usize>(&mut self, code: u8) -> Result<Argument, LexError> {
        let length = self.length::<N>(code)?;
        self.text.clear();
        let kept = usize::try_from(length).map_or(16, |length| length.min(16));
        self.window.copy(kept, &mut self.text)?;
        self.window.skip(length - kept as u64)?;
        Ok(Argument::Nothing)
    }

    fn line(&mut self) -> Result<bool, LexError> {
        self.text.clear();
        let length = self.window.line(KEPT, &mut self.text)?.ok_or(LexError::End)?;
        Ok(length == self.text.len() as u64)
    }

    fn decimal(&mut self, code: u8) -> Result<Argument, LexError> {
        if !self.line()? {
            return Err(LexError::Argument(code));
        }
        let digits = std::str::from_utf8(&self.text).unwrap_or_default().trim();
        match digits.parse() {
            Ok(value) => Ok(Argument::Integer(value)),
            // `INT` also carries integers that don't fit; a memo index doesn't.
            Err(_) if code == b'I' && is_long_integer(digits) => Ok(Argument::Nothing),
            Err(_) => Err(LexError::Argument(code)),
        }
    }

    fn global(&mut self, code: u8) -> Result<Argument, LexError> {
        let whole = self.line()?;
        let mut names = std::mem::take(&mut self.text);
        names.push(b'\n');
        self.text.clear();
        let whole = match self.window.line(KEPT, &mut self.text)? {
            Some(length) => whole && length == self.text.len() as u64,
            // At the end of the data unpicklers take what is left and drop its last byte as if it
            // were the line feed; then they import.
            None => self.text.pop().is_some() && self.text.len() < KEPT && whole,
        };
        names.extend_from_slice(&self.text);
        self.text = names;
        if whole && std::str::from_utf8(&self.text).is_ok() {
            Ok(Argument::Global)
        } else {
            Err(LexError::Argument(code))
        }
    }

    fn quoted(&mut self, code: u8) -> Result<Argument, LexError> {
        let whole = self.line()?;
        let text = self.text.trim_ascii_end();
        let inner = match text {
            [b'\'', inner @ .., b'\''] | [b'"', inner @ .., b'"'] => inner,
            [b'\'' | b'"', inner @ ..] if !whole => inner,
            _ => return Err(LexError::Argument(code)),
        };
        self.text = string_escape(inner);
        Ok(Argument::Text { whole })
    }
}

fn is_long_integer(digits: &str) -> bool {
    let digits = digits.strip_prefix('-').unwrap_or(digits);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// Python's `raw-unicode-escape`: Latin-1 with `\uXXXX` and `\UXXXXXXXX`; here as UTF-8.
fn raw_unicode_escape(bytes: &[u8]) -> Vec<u8> {
    let mut out = String::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [first, tail @ ..] = rest {
        let digits = match (first, tail.first()) {
            (b'\\', Some(b'u')) => 4,
            (b'\\', Some(b'U')) => 8,
            _ => 0,
        };
        match tail.get(1..=digits).filter(|_| digits > 0).and_then(|hex| number(hex, 16)).and_then(char::from_u32) {
            Some(character) => {
                out.push(character);
                rest = tail.get(digits + 1..).unwrap_or_default();
            }
            None => {
                out.push(char::from(*first));
                rest = tail;
            }
        }
    }
    out.into_bytes()
}

/// The escapes of a Python 2 string literal.
fn string_escape(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [first, tail @ ..] = rest {
        rest = tail;
        let (b'\\', [kind, after @ ..]) = (first, tail) else {
            out.push(*first);
            continue;
        };
        rest = after;
        match kind {
            b'n' => out.push(b'\n'),
            b't' => out.push(b'\t'),
            b'r' => out.push(b'\r'),
            b'a' => out.push(7),
            b'b' => out.push(8),
            b'f' => out.push(12),
            b'v' => out.push(11),
            b'\\' | b'\'' | b'"' => out.push(*kind),
            b'x' => match after.get(..2).and_then(|hex| number(hex, 16)).and_then(|value| u8::try_from(value).ok()) {
                Some(byte) => {
                    out.push(byte);
                    rest = after.get(2..).unwrap_or_default();
                }
                None => out.extend_from_slice(b"\\x"),
            },
            b'0'..=b'7' => {
                let count = tail.iter().take(3).take_while(|byte| matches!(byte, b'0'..=b'7')).count();
                let value = tail.get(..count).and_then(|octal| number(octal, 8)).unwrap_or(0);
                out.push(value.to_le_bytes()[0]);
                rest = tail.get(count..).unwrap_or_default();
            }
            other => out.extend_from_slice(&[b'\\', *other]),
        }
    }
    out
}

fn number(digits: &[u8], radix: u32) -> Option<u32> {
    if !digits.iter().all(u8::is_ascii_alphanumeric) {
        return None;
    }
    u32::from_str_radix(std::str::from_utf8(digits).ok()?, radix).ok()
}

/// The name that CPython gives an opcode.
pub(crate) const fn name(code: u8) -> &'static str {
    match code {
        b'(' => "MARK",
        b'.' => "STOP",
        b'0' => "POP",
        b'1' => "POP_MARK",
        b'2' => "DUP",
        b'F' => "FLOAT",
        b'G' => "BINFLOAT",
        b'I' => "INT",
        b'J' => "BININT",
        b'K' => "BININT1",
        b'L' => "LONG",
        b'M' => "BININT2",
        b'N' => "NONE",
        b'P' => "PERSID",
        b'Q' => "BINPERSID",
        b'R' => "REDUCE",
        b'S' => "STRING",
        b'T' => "BINSTRING",
        b'U' => "SHORT_BINSTRING",
        b'V' => "UNICODE",
        b'X' => "BINUNICODE",
        b'B' => "BINBYTES",
        b'C' => "SHORT_BINBYTES",
        b'a' => "APPEND",
        b'b' => "BUILD",
        b'c' => "GLOBAL",
        b'd' => "DICT",
        b'}' => "EMPTY_DICT",
        b'e' => "APPENDS",
        b'g' => "GET",
        b'h' => "BINGET",
        b'i' => "INST",
        b'j' => "LONG_BINGET",
        b'l' => "LIST",
        b']' => "EMPTY_LIST",
        b'o' => "OBJ",
        b'p' => "PUT",
        b'q' => "BINPUT",
        b'r' => "LONG_BINPUT",
        b's' => "SETITEM",
        b't' => "TUPLE",
        b')' => "EMPTY_TUPLE",
        b'u' => "SETITEMS",
        0x80 => "PROTO",
        0x81 => "NEWOBJ",
        0x82 => "EXT1",
        0x83 => "EXT2",
        0x84 => "EXT4",
        0x85 => "TUPLE1",
        0x86 => "TUPLE2",
        0x87 => "TUPLE3",
        0x88 => "NEWTRUE",
        0x89 => "NEWFALSE",
        0x8a => "LONG1",
        0x8b => "LONG4",
        0x8c => "SHORT_BINUNICODE",
        0x8d => "BINUNICODE8",
        0x8e => "BINBYTES8",
        0x8f => "EMPTY_SET",
        0x90 => "ADDITEMS",
        0x91 => "FROZENSET",
        0x92 => "NEWOBJ_EX",
        0x93 => "STACK_GLOBAL",
        0x94 => "MEMOIZE",
        0x95 => "FRAME",
        0x96 => "BYTEARRAY8",
        0x97 => "NEXT_BUFFER",
        0x98 => "READONLY_BUFFER",
        _ => "?",
    }
}
