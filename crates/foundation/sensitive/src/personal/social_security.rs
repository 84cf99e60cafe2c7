//! US social security numbers, by the ranges that the Social Security Administration never issues.

use super::numbers::{Probe, groups, may_begin};

/// The number that begins at `at`.
pub(super) fn probe(text: &[u8], at: usize) -> Probe {
    if !may_begin(text, at) {
        return Probe::NONE;
    }
    let probe = groups(text, at, &[3, 2, 4]);
    let goes_on = |end: usize| matches!(text.get(end..), Some([b'-', next, ..]) if next.is_ascii_digit());
    Probe { end: probe.end.filter(|end| !goes_on(*end) && is_issued(text.get(at..*end).unwrap_or_default())), ..probe }
}

/// No area 000, 666 or from 900 on, no group 00, no serial 0000 (SSA, randomization of 2011).
fn is_issued(number: &[u8]) -> bool {
    let digits: Vec<u8> = number.iter().copied().filter(u8::is_ascii_digit).collect();
    let [area @ .., a, b, c, d, e, f] = digits.as_slice() else { return false };
    let is_dotted = number.contains(&b'.');
    !is_dotted
        && area != b"000"
        && area != b"666"
        && area.first() != Some(&b'9')
        && [*a, *b] != *b"00"
        && [*c, *d, *e, *f] != *b"0000"
}
