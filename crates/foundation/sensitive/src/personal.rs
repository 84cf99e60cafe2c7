//! Personal data that its form gives away: addresses, and numbers with a checksum or a rule of their own.
//!
//! Kept apart from [`crate::kinds`]: what a scan of files reports stays as it is.

mod email;
mod iban;
mod numbers;
mod payment_card;
mod phone;
mod social_security;

use std::ops::Range;

pub(crate) use numbers::Probe;

/// One kind of personal data.
#[derive(Debug)]
pub struct PersonalKind {
    /// Stable word, such as `payment-card`.
    pub id: &'static str,
    /// The name for people.
    pub title: &'static str,
    /// What stands in its place once it is masked.
    pub mask: &'static str,
    /// Text that holds one.
    pub examples: &'static [&'static str],
    /// Text that looks alike and holds none.
    pub counterexamples: &'static [&'static str],
    form: Form,
}

/// How a kind is looked for.
#[derive(Clone, Copy, Debug)]
enum Form {
    /// Around an `@`.
    Address,
    /// From a place at or just before the first of some digits.
    Number(fn(&[u8], usize) -> Probe),
}

/// Every kind of personal data; where two fit the same place, the first counts.
pub fn personal_kinds() -> &'static [PersonalKind] {
    &[
        PersonalKind {
            id: "email",
            title: "E-mail address",
            mask: "[EMAIL]",
            examples: &["jane.doe+news@mail.example.org", "<o'neil@example.co.uk>", "mailto:j\u{f6}rg@m\u{fc}ller.de"],
            counterexamples: &[
                "git@github.com:bartizan/bartizan",
                "lodash@4.17.21",
                "@scope/package",
                "a @ b.org",
                "user@localhost",
            ],
            form: Form::Address,
        },
        PersonalKind {
            id: "payment-card",
            title: "Payment card number",
            mask: "[PAYMENT-CARD]",
            examples: &[
                "4111111111111111",
                "5555 5555 5555 4444",
                "3782-822463-10005",
                "6011\u{a0}1111\u{a0}1111\u{a0}1117",
                "30569309025904",
            ],
            counterexamples: &[
                "4111111111111112",
                "1234 5678 9012 3456",
                "0.4111111111111111",
                "x4111111111111111",
                "4111 1111 1111 1112",
            ],
            form: Form::Number(payment_card::probe),
        },
        PersonalKind {
            id: "iban",
            title: "International bank account number",
            mask: "[IBAN]",
            examples: &[
                "DE89370400440532013000",
                "GB29 NWBK 6016 1331 9268 19",
                "FR14 2004 1010 0505 0001 3M02 606",
                "NO93-8601-1117-947",
            ],
            counterexamples: &[
                "DE88370400440532013000",
                "GB29 NWBK 6016",
                "XX89370400440532013000",
                "ADE89370400440532013000",
            ],
            form: Form::Number(iban::probe),
        },
        PersonalKind {
            id: "us-ssn",
            title: "US social security number",
            mask: "[US-SSN]",
            examples: &["219-09-9999", "536 90 4399", "536\u{2011}90\u{2011}4399"],
            counterexamples: &[
                "000-12-3456",
                "666-12-3456",
                "912-12-3456",
                "219-00-9999",
                "219-09-0000",
                "1219-09-9999",
                "219-09 9999",
            ],
            form: Form::Number(social_security::probe),
        },
        PersonalKind {
            id: "phone",
            title: "Telephone number",
            mask: "[PHONE]",
            examples: &[
                "+49 30 901820",
                "+1 (415) 555-2671",
                "(415) 555-2671",
                "415-555-2671",
                "415.555.2671",
                "+442079460018",
            ],
            counterexamples: &[
                "+5 points",
                "C++ 11 22 33 44",
                "115-555-2671",
                "415-055-2671",
                "2024-01-02",
                "x = 12 +4",
            ],
            form: Form::Number(phone::probe),
        },
    ]
}

/// Something that was found, as a range of the text at hand.
#[derive(Clone, Debug)]
pub(crate) struct PersonalMatch {
    pub(crate) kind: &'static PersonalKind,
    pub(crate) range: Range<usize>,
}

/// All personal data in `text` whose digits or `@` stand at `from` or behind, in order, none inside another.
pub(crate) fn find_personal(text: &str, from: usize) -> Vec<PersonalMatch> {
    let bytes = text.as_bytes();
    let mut found: Vec<PersonalMatch> = Vec::new();
    for (at, byte) in bytes.iter().enumerate().skip(from) {
        let best = match byte {
            b'@' => match_at(email::around(text, at), 0),
            b'0'..=b'9' if begins_digits(bytes, at) => number_at(bytes, at),
            _ => None,
        };
        let Some(best) = best else { continue };
        while found.last().is_some_and(|last| last.range.end > best.range.start && last.range.len() < best.range.len())
        {
            found.pop();
        }
        if found.last().is_none_or(|last| last.range.end <= best.range.start) {
            found.push(best);
        }
    }
    found
}

fn match_at(range: Option<Range<usize>>, index: usize) -> Option<PersonalMatch> {
    Some(PersonalMatch { kind: personal_kinds().get(index)?, range: range? })
}

/// The longest number that begins at these digits, or at a sign, a bracket or two letters before them.
fn number_at(text: &[u8], digits: usize) -> Option<PersonalMatch> {
    let mut best: Option<PersonalMatch> = None;
    for_each_start(text, digits, |start| {
        for kind in personal_kinds() {
            let Form::Number(probe) = kind.form else { continue };
            let Some(end) = probe(text, start).end else { continue };
            if best.as_ref().is_none_or(|best| best.range.len() < end - start) {
                best = Some(PersonalMatch { kind, range: start..end });
            }
        }
    });
    best
}

/// What the digits that begin at `digits` may still become, where `text` is cut off at its end.
pub(crate) fn number_probe(text: &[u8], digits: usize) -> Probe {
    let mut all = Probe::NONE;
    for_each_start(text, digits, |start| {
        for kind in personal_kinds() {
            if let Form::Number(probe) = kind.form {
                all = all.or(probe(text, start));
            }
        }
    });
    all
}

/// Whether the digit at `at` is the first of its run.
pub(crate) fn begins_digits(text: &[u8], at: usize) -> bool {
    at.checked_sub(1).and_then(|before| text.get(before)).is_none_or(|byte| !byte.is_ascii_digit())
}

/// Numbers begin at their first digit, at a sign or bracket before it, or at two letters before it.
fn for_each_start(text: &[u8], digits: usize, mut each: impl FnMut(usize)) {
    each(digits);
    match text.get(..digits).unwrap_or_default() {
        [.., b'+', b'('] => {
            each(digits - 2);
            each(digits - 1);
        }
        [.., b'+' | b'('] => each(digits - 1),
        [.., first, second] if first.is_ascii_alphabetic() && second.is_ascii_alphabetic() => each(digits - 2),
        _ => {}
    }
}
