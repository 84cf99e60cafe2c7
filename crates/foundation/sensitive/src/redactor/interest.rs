//! Units of text, and the signs in them that something may have to be masked.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::LazyLock;

use super::key_block::BlockKind;
use super::rules::Redaction;
use crate::keywords::Keywords;
use crate::kind::Kind;
use crate::kinds::kinds;
use crate::personal::begins_digits;

/// Units behind that of the keyword which patterns with white space in them may take, such as `Bearer …` or
/// `PrivateKey = …`.
pub(super) const WORDS: u8 = 3;

/// Bytes that are looked at together for digits and `@`.
const BLOCK: usize = 64;

/// A sign, and where it stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    pub(super) at: usize,
    pub(super) sign: Sign,
}

/// What may have to be masked.
#[derive(Clone, Copy, Debug)]
pub(super) enum Sign {
    /// An `@`.
    At,
    /// The first of some digits.
    Digits,
    /// A keyword of kinds of secrets, with its end and what they take of the text behind it.
    Keyword(usize, Span),
}

/// How far the kinds of a keyword reach beyond its unit.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Span {
    /// Not at all: what may be a secret holds the keyword.
    pub(super) inside: bool,
    /// To a value behind a sign.
    pub(super) assigns: bool,
    /// Over [`WORDS`].
    pub(super) words: bool,
    /// To the end of a private key.
    pub(super) block: Option<BlockKind>,
}

impl Mark {
    pub(super) fn shift(&mut self, by: usize) {
        self.at = self.at.saturating_sub(by);
        if let Sign::Keyword(end, _) = &mut self.sign {
            *end = end.saturating_sub(by);
        }
    }
}

/// The keywords of all kinds, each up to its first white space.
pub(super) struct Interest {
    keywords: Keywords,
    spans: Vec<Span>,
}

impl Interest {
    pub(super) fn shared() -> &'static Self {
        static SHARED: LazyLock<Interest> = LazyLock::new(Interest::new);
        &SHARED
    }

    fn new() -> Self {
        let all = || kinds().iter().flat_map(|kind| kind.keywords.iter().map(|word| (*kind, head(word))));
        let mut words: Vec<&'static str> = all().map(|(_, word)| word).collect();
        words.sort_unstable();
        words.dedup();
        let span = |word: &&'static str| {
            all().filter(|(_, other)| other == word).fold(Span::default(), |span, (kind, word)| Span {
                inside: span.inside || !kind.is_named(),
                assigns: span.assigns || kind.is_named(),
                words: span.words || has_space(kind),
                block: span.block.or_else(|| BlockKind::behind(word)),
            })
        };
        let spans = words.iter().map(span).collect();
        Self { spans, keywords: Keywords::new(words) }
    }

    /// Adds the signs in `range` of `text`, which holds whole units, in order.
    pub(super) fn gather(&self, text: &str, range: Range<usize>, rules: &Redaction, marks: &mut VecDeque<Mark>) {
        let text = text.as_bytes().get(..range.end).unwrap_or_default();
        let before = marks.len();
        if rules.secrets {
            self.keywords.find(text, range.start, range.end, |keyword| {
                let span = self.spans.get(keyword.index).copied().unwrap_or_default();
                marks.push_back(Mark { at: keyword.start, sign: Sign::Keyword(keyword.end, span) });
            });
        }
        let new = text.get(range.clone()).unwrap_or_default();
        if !rules.personal_data {
            return;
        }
        let keywords = marks.len();
        for (block, bytes) in new.chunks(BLOCK).enumerate().filter(|(_, bytes)| has_number_or_at(bytes)) {
            for (at, byte) in bytes.iter().enumerate().map(|(at, byte)| (at + range.start + block * BLOCK, *byte)) {
                match byte {
                    b'@' => marks.push_back(Mark { at, sign: Sign::At }),
                    b'0'..=b'9' if begins_digits(text, at) => marks.push_back(Mark { at, sign: Sign::Digits }),
                    _ => {}
                }
            }
        }
        if keywords > before {
            marks.make_contiguous().get_mut(before..).unwrap_or_default().sort_by_key(|mark| mark.at);
        }
    }
}

/// Without a branch in the loop, so that many bytes are compared at once.
fn has_number_or_at(bytes: &[u8]) -> bool {
    bytes.iter().fold(false, |any, byte| any | byte.is_ascii_digit() | (*byte == b'@'))
}

fn head(word: &'static str) -> &'static str {
    word.find(' ').and_then(|space| word.get(..=space)).unwrap_or(word)
}

/// Whether a pattern takes white space; classes that exclude it don't.
fn has_space(kind: &Kind) -> bool {
    let pattern = kind.pattern.replace(r"[^\s", "[");
    !kind.is_named() && (pattern.contains(r"\s") || pattern.contains(' ')) && !pattern.contains("PRIVATE KEY")
}

/// The end of the first unit that begins at `from`, where it is complete.
pub(super) fn first_unit(text: &str, from: usize) -> Option<usize> {
    let rest = text.get(from..)?;
    let candidate = |byte: &u8| is_white(*byte) || *byte >= 0xe0;
    let mut at = 0;
    loop {
        at += rest.as_bytes().get(at..)?.iter().position(candidate)?;
        let character = rest.get(at..)?.chars().next()?;
        at += character.len_utf8();
        if is_separator(character) {
            return Some(from + at);
        }
    }
}

/// The end of the last complete unit in `text`, if it lies behind `from`.
pub(super) fn last_unit(text: &str, from: usize) -> Option<usize> {
    let rest = text.get(from..)?;
    let (at, character) = rest.char_indices().rev().find(|(_, character)| is_separator(*character))?;
    Some(from + at + character.len_utf8())
}

/// White space as patterns understand it, and scripts that are written without: Thai, Lao, Myanmar, Khmer, and
/// everything from the first of the Chinese and Japanese blocks on, emoji included.
fn is_separator(character: char) -> bool {
    u8::try_from(character).is_ok_and(is_white)
        || matches!(character, '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{2e80}'..)
}

fn is_white(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}
