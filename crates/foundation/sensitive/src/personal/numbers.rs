//! Digits in groups, on text that may go on.

/// What begins at a place of a text that may go on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Probe {
    /// The end of what is there.
    pub(crate) end: Option<usize>,
    /// Whether text to come could make it one, or a longer one.
    pub(crate) is_open: bool,
}

impl Probe {
    pub(crate) const NONE: Self = Self { end: None, is_open: false };
    pub(crate) const OPEN: Self = Self { end: None, is_open: true };

    pub(crate) fn found(end: usize) -> Self {
        Self { end: Some(end), is_open: false }
    }

    /// The longer of two, open if either is.
    pub(crate) fn or(self, other: Self) -> Self {
        Self { end: self.end.max(other.end), is_open: self.is_open || other.is_open }
    }
}

/// Whether a number can begin at `at`: not inside a word, not behind a decimal point.
pub(crate) fn may_begin(text: &[u8], at: usize) -> bool {
    match text.get(..at).unwrap_or_default() {
        [.., last] if last.is_ascii_alphanumeric() || *last == b'_' => false,
        [.., digit, b'.'] if digit.is_ascii_digit() => false,
        _ => true,
    }
}

/// Whether a number can end before `at`.
pub(crate) fn may_end(text: &[u8], at: usize) -> bool {
    text.get(at).is_none_or(|next| !next.is_ascii_alphanumeric() && *next != b'_')
}

/// Bytes of the sign that parts groups of digits at `at`: space, hyphen, point, and their unbreakable kin.
pub(crate) fn separator(text: &[u8], at: usize) -> usize {
    match text.get(at..).unwrap_or_default() {
        [b' ' | b'-' | b'.', ..] => 1,
        // U+00A0
        [0xc2, 0xa0, ..] => 2,
        // U+202F, and U+2010 to U+2013
        [0xe2, 0x80, 0xaf | 0x90..=0x93, ..] => 3,
        _ => 0,
    }
}

/// Digits from `at` on, at most `limit`.
pub(crate) fn run(text: &[u8], at: usize, limit: usize) -> usize {
    text.get(at..).unwrap_or_default().iter().take(limit).take_while(|byte| byte.is_ascii_digit()).count()
}

/// Groups of exactly so many digits, parted by one and the same sign.
pub(crate) fn groups(text: &[u8], at: usize, sizes: &[usize]) -> Probe {
    let mut place = at;
    let mut sign: Option<&[u8]> = None;
    for (index, size) in sizes.iter().enumerate() {
        if index > 0 {
            let length = separator(text, place);
            let here = text.get(place..place + length).unwrap_or_default();
            if place >= text.len() {
                return Probe::OPEN;
            }
            if length == 0 || sign.is_some_and(|sign| sign != here) {
                return Probe::NONE;
            }
            sign = Some(here);
            place += length;
        }
        let digits = run(text, place, *size);
        place += digits;
        if digits < *size {
            return if place >= text.len() { Probe::OPEN } else { Probe::NONE };
        }
    }
    if may_end(text, place) { Probe::found(place) } else { Probe::NONE }
}

/// The digits of `text` as numbers, without what parts them.
pub(crate) fn digits(text: &[u8]) -> impl DoubleEndedIterator<Item = u32> + '_ {
    text.iter().filter(|byte| byte.is_ascii_digit()).map(|byte| u32::from(byte - b'0'))
}
