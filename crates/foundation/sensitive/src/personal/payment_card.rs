//! Payment card numbers: ISO/IEC 7812-1, with its check digit, in the groups that are printed on cards.

use super::numbers::{Probe, digits, groups, may_begin, may_end, run};

/// Digits in groups: as most cards print them, with three more, and as American Express and Diners Club do.
const GROUPS: [&[usize]; 6] =
    [&[4, 4, 4, 4], &[4, 4, 4, 4, 3], &[4, 4, 4, 4, 2], &[4, 4, 4, 4, 1], &[4, 6, 5], &[4, 6, 4]];

/// The number that begins at `at`.
pub(super) fn probe(text: &[u8], at: usize) -> Probe {
    let first = run(text, at, 20);
    let is_cut = at + first >= text.len();
    if first == 0 || !may_begin(text, at) || first >= 4 && !is_issued(text.get(at..at + 4).unwrap_or_default()) {
        return Probe::NONE;
    }
    let mut all = Probe { end: None, is_open: is_cut && first < 20 };
    if (13..=19).contains(&first) && may_end(text, at + first) {
        all = all.or(judged(text, at, Probe::found(at + first)));
    }
    for sizes in GROUPS {
        all = all.or(judged(text, at, groups(text, at, sizes)));
    }
    all
}

fn judged(text: &[u8], at: usize, probe: Probe) -> Probe {
    let holds = |end: &usize| text.get(at..*end).is_some_and(is_luhn);
    Probe { end: probe.end.filter(holds), ..probe }
}

/// The first four digits of networks that issue cards to people: Visa, Mastercard, American Express, Discover, JCB,
/// Diners Club, UnionPay, Maestro.
fn is_issued(first: &[u8]) -> bool {
    let value = digits(first).fold(0, |value, digit| value * 10 + digit);
    matches!(value, 3000..=3059 | 3400..=3499 | 3528..=3589 | 3600..=3999 | 4000..=4999 | 5000..=6999 | 2221..=2720)
}

/// The check of Luhn (US patent 2,950,048; ISO/IEC 7812-1, annex B).
fn is_luhn(number: &[u8]) -> bool {
    let sum: u32 = digits(number)
        .rev()
        .enumerate()
        .map(|(index, digit)| match (index % 2, digit * 2) {
            (0, _) => digit,
            (_, double) if double > 9 => double - 9,
            (_, double) => double,
        })
        .sum();
    sum.is_multiple_of(10)
}
