//! Judges one candidate: from the keyword that led to it to a match, or nothing.

use std::sync::{LazyLock, OnceLock};

use regex_automata::meta::Regex;
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input, Span};

use crate::assignment::{Value, name_start, value_after};
use crate::checksum::Verdict;
use crate::entropy::entropy;
use crate::keywords::{Keyword, Keywords};
use crate::kind::{Anchor, Family, Kind};
use crate::kinds::kinds;
use crate::name::{is_hash_context, is_vetoed};
use crate::placeholder::is_placeholder;

/// Why something is taken for a secret, from the weakest reason.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Proof {
    /// It looks random, and its name says secret.
    Entropy,
    /// It has the right form, and a vendor's name stands beside it.
    Context,
    /// It has a form that only such secrets have.
    Structure,
    /// Its checksum, signature or embedded structure holds.
    Checksum,
}

impl Proof {
    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Entropy => "entropy",
            Self::Context => "context",
            Self::Structure => "structure",
            Self::Checksum => "checksum",
        }
    }
}

/// Bytes before a keyword that may matter.
pub(crate) const BEHIND: usize = 160;

/// Every kind's keywords in one filter, every kind's pattern compiled when it is first needed.
pub struct Matcher {
    keywords: Keywords,
    kinds_of: Vec<Vec<usize>>,
    patterns: Vec<OnceLock<Regex>>,
    reach: usize,
}

/// Something that was judged a secret, as ranges of the text at hand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Candidate {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) secret: (usize, usize),
    pub(crate) prefix: usize,
    pub(crate) proof: Proof,
}

impl Matcher {
    /// The matcher for all kinds; built on first use, in a few milliseconds.
    pub fn shared() -> &'static Self {
        static SHARED: LazyLock<Matcher> = LazyLock::new(Matcher::new);
        &SHARED
    }

    fn new() -> Self {
        let mut words: Vec<&str> = kinds().iter().flat_map(|kind| kind.keywords).copied().collect();
        words.sort_unstable();
        words.dedup();
        let kinds_of = words
            .iter()
            .map(|word| (0..kinds().len()).filter(|kind| kinds().get(*kind).is_some_and(|k| k.keywords.contains(word))))
            .map(Iterator::collect)
            .collect();
        Self {
            keywords: Keywords::new(words),
            kinds_of,
            patterns: kinds().iter().map(|_| OnceLock::new()).collect(),
            reach: kinds().iter().map(|kind| kind.reach).max().unwrap_or(0),
        }
    }

    /// Bytes after a keyword that may matter.
    pub(crate) fn reach(&self) -> usize {
        self.reach
    }

    /// Where the keywords stand.
    pub(crate) fn keywords(&self) -> &Keywords {
        &self.keywords
    }

    /// The kinds that `keyword` may lead to, as indices into [`kinds`].
    pub(crate) fn kinds_of(&self, keyword: Keyword) -> &[usize] {
        self.kinds_of.get(keyword.index).map_or(&[], Vec::as_slice)
    }

    fn pattern(&self, index: usize, kind: &Kind) -> Option<&Regex> {
        let cell = self.patterns.get(index)?;
        Some(cell.get_or_init(|| {
            let boundary = match kind.anchor {
                Anchor::Name | Anchor::Literal => r#"(?:["'`\s,;)}\]<>&\\|#]|\z)"#,
                Anchor::Loose => "",
                _ => r"(?:[^0-9A-Za-z_]|\z)",
            };
            Regex::builder()
                .syntax(syntax::Config::new().unicode(false).utf8(false))
                .build(&format!("(?P<whole>{}){boundary}", kind.pattern))
                .unwrap_or_else(|error| panic!("the pattern of {} is none: {error}", kind.id))
        }))
    }

    /// Whether a secret of the kind stands where `keyword` was found.
    pub(crate) fn judge(&self, index: usize, text: &[u8], keyword: Keyword) -> Option<Candidate> {
        let kind = *kinds().get(index)?;
        let text = text.get(..text.len().min(keyword.end.saturating_add(kind.reach)))?;
        let (from, value) = begin(kind, text, keyword)?;
        let pattern = self.pattern(index, kind)?;
        let input = Input::new(text).range(from..).anchored(Anchored::Yes);
        let end = pattern.search_half(&input)?.offset();
        let has_part = kind.pattern.contains("(?P<s>");
        let (whole, span) = if has_part || end == text.len() {
            let mut captures = pattern.create_captures();
            pattern.search_captures(&input, &mut captures);
            let whole = captures.get_group_by_name("whole")?;
            (whole, captures.get_group_by_name("s").unwrap_or(whole))
        } else {
            // Groups cost more than all the rest: without a part of its own the match ends before the boundary.
            let boundary = usize::from(kind.anchor != Anchor::Loose);
            let whole = Span { start: from, end: end.checked_sub(boundary)? };
            (whole, whole)
        };
        let secret = text.get(span.start..span.end)?;
        let proof = proof(kind, text, keyword, value, secret)?;
        let prefix = if span.start == keyword.start { keyword.end - keyword.start } else { 0 };
        let start = if value.is_some() { keyword.start } else { whole.start };
        Some(Candidate { start, end: whole.end, secret: (span.start, span.end), prefix, proof })
    }
}

/// Where the pattern has to begin.
fn begin(kind: &Kind, text: &[u8], keyword: Keyword) -> Option<(usize, Option<Value>)> {
    let from = match kind.anchor {
        Anchor::Token | Anchor::Dashed | Anchor::Loose => keyword.start,
        Anchor::Back(length) => keyword.start.checked_sub(length)?,
        Anchor::Digits(limit) => {
            let before = text.get(..keyword.start)?;
            keyword.start - before.iter().rev().take(limit).take_while(|byte| byte.is_ascii_digit()).count()
        }
        Anchor::Name => {
            let value = value_after(text, keyword.end)?;
            return Some((value.start, Some(value)));
        }
        Anchor::Literal => {
            let value = value_after(text, keyword.end)?;
            return (value.quote.is_some() || fills_line(text, value)).then_some((value.start, Some(value)));
        }
    };
    let before = text.get(..from)?;
    match kind.anchor {
        Anchor::Loose => {}
        Anchor::Dashed if before.last() == Some(&b'-') => return None,
        _ if !begins_word(before) => return None,
        _ => {}
    }
    Some((from, None))
}

/// Whether a word can begin after `before`; an escape such as `\n`, `%22` or `\u0022` ends one.
fn begins_word(before: &[u8]) -> bool {
    match before {
        [] => true,
        [.., last] if !last.is_ascii_alphanumeric() && *last != b'_' => true,
        [.., b'\\', b'n' | b'r' | b't'] => true,
        [.., b'%', high, low] | [.., b'\\', b'u', _, _, high, low] | [.., b'\\', b'x', high, low] => {
            high.is_ascii_hexdigit() && low.is_ascii_hexdigit()
        }
        _ => false,
    }
}

/// Whether an unquoted value is all that follows on its line, as in `.env`, INI and YAML files, and its
/// name is all that stands before it.
fn fills_line(text: &[u8], value: Value) -> bool {
    if !value.is_plain {
        return false;
    }
    let rest = text.get(value.start..).unwrap_or_default();
    let length = rest.iter().take_while(|byte| !byte.is_ascii_whitespace()).count();
    let end = rest.get(length..).unwrap_or_default().iter().find(|byte| !matches!(byte, b' ' | b'\t' | b'\r'));
    let body = rest.get(..length).unwrap_or_default();
    let is_code = body.iter().any(|byte| {
        matches!(byte, b'(' | b')' | b'[' | b']' | b'{' | b'}' | b'<' | b'>' | b';' | b',' | b'"' | b'\'' | b'`' | b'$')
    });
    !is_code && matches!(end, None | Some(b'\n' | b'#'))
}

fn proof(kind: &Kind, text: &[u8], keyword: Keyword, value: Option<Value>, secret: &[u8]) -> Option<Proof> {
    if entropy(secret) < kind.entropy || is_placeholder(secret) {
        return None;
    }
    if let Some(value) = value {
        let start = name_start(text, keyword.start);
        let name = text.get(start..value.name_end).unwrap_or_default();
        let before = text.get(start.saturating_sub(64)..start).unwrap_or_default();
        if is_hash_context(before, name, secret) || kind.family == Family::Generic && is_vetoed(name, secret) {
            return None;
        }
    }
    match (kind.check)(secret) {
        Verdict::Proven => Some(Proof::Checksum),
        Verdict::Refuted => None,
        Verdict::Plausible if kind.family == Family::Generic => Some(Proof::Entropy),
        Verdict::Plausible if kind.is_named() => Some(Proof::Context),
        Verdict::Plausible => Some(Proof::Structure),
    }
}
