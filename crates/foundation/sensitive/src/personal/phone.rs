//! Telephone numbers: international ones (ITU-T E.164: `+` and at most 15 digits), and those of North America in their
//! usual spellings (`(415) 555-2671`, `415-555-2671`, `415.555.2671`).

use super::numbers::{Probe, groups, may_begin, may_end, run, separator};

/// Digits of an international number: fewer than eight are a sum or a score.
const LEAST: usize = 8;
const MOST: usize = 15;

/// The number that begins at `at`.
pub(super) fn probe(text: &[u8], at: usize) -> Probe {
    match text.get(at) {
        _ if !may_begin(text, at) => Probe::NONE,
        Some(b'+') if text.get(..at).and_then(<[u8]>::last) != Some(&b'+') => international(text, at),
        Some(b'(') => bracketed(text, at),
        Some(b'2'..=b'9') => dashed(text, at),
        _ => Probe::NONE,
    }
}

fn international(text: &[u8], at: usize) -> Probe {
    let mut place = at + 1;
    let (mut count, mut end) = (0, None);
    loop {
        let signs = if count == 0 { usize::from(text.get(place) == Some(&b'(')) } else { signs(text, place) };
        let digits = run(text, place + signs, MOST + 1);
        if place + signs >= text.len() {
            return Probe { end, is_open: count < MOST };
        }
        if digits == 0 || count + digits > MOST || count == 0 && text.get(place + signs) == Some(&b'0') {
            return Probe { end, is_open: false };
        }
        place += signs + digits;
        count += digits;
        if !may_end(text, place) {
            return Probe { end, is_open: false };
        }
        if count >= LEAST {
            end = Some(place);
        }
    }
}

/// Bytes of at most two signs between digits.
fn signs(text: &[u8], at: usize) -> usize {
    let one = |at: usize| match text.get(at) {
        Some(b'(' | b')' | b'/') => 1,
        _ => separator(text, at),
    };
    let first = one(at);
    if first == 0 { 0 } else { first + one(at + first) }
}

/// `(415) 555-2671`
fn bracketed(text: &[u8], at: usize) -> Probe {
    let area = run(text, at + 1, 3);
    let close = at + 1 + area;
    if close >= text.len() {
        return Probe::OPEN;
    }
    if area != 3 || text.get(close) != Some(&b')') || !is_code(text, at + 1) {
        return Probe::NONE;
    }
    let local = close + 1 + separator(text, close + 1);
    if local >= text.len() {
        return Probe::OPEN;
    }
    if is_code(text, local) { groups(text, local, &[3, 4]) } else { Probe::NONE }
}

/// `415-555-2671`, `415.555.2671`; with mere spaces it could be any list of numbers.
fn dashed(text: &[u8], at: usize) -> Probe {
    let sign = at + 3;
    if text.get(sign) == Some(&b' ') {
        return Probe::NONE;
    }
    let probe = groups(text, at, &[3, 3, 4]);
    let exchange = sign + separator(text, sign);
    Probe { end: probe.end.filter(|_| is_code(text, exchange)), ..probe }
}

/// Area and exchange codes of the North American Numbering Plan begin with 2 to 9.
fn is_code(text: &[u8], at: usize) -> bool {
    matches!(text.get(at), Some(b'2'..=b'9'))
}
