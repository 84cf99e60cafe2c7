//! International bank account numbers: ISO 13616, with the length of each country and the check modulo 97.

use super::numbers::{Probe, may_begin, may_end, separator};

/// Characters of a country's numbers, from the registry that SWIFT keeps for ISO 13616.
const LENGTHS: &str = "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 \
DK18 DO28 EE20 EG29 ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 \
KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 \
PS29 PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 \
YE30";

/// The number whose country code begins at `at`.
pub(super) fn probe(text: &[u8], at: usize) -> Probe {
    let [first, second, third, rest @ ..] = text.get(at..).unwrap_or_default() else { return Probe::NONE };
    let is_digit = |byte: Option<&u8>| byte.is_none_or(u8::is_ascii_digit);
    let has_country = first.is_ascii_alphabetic() && second.is_ascii_alphabetic();
    if !has_country || !third.is_ascii_digit() || !is_digit(rest.first()) || !may_begin(text, at) {
        return Probe::NONE;
    }
    let country = [first.to_ascii_uppercase(), second.to_ascii_uppercase()];
    let Some(length) = length(country) else { return Probe::NONE };
    let mut characters = Vec::with_capacity(length);
    let mut place = at;
    loop {
        match text.get(place) {
            Some(byte) if byte.is_ascii_alphanumeric() => {
                characters.push(byte.to_ascii_uppercase());
                place += 1;
                if characters.len() == length {
                    break;
                }
            }
            Some(_) => {
                let sign = separator(text, place);
                if sign == 0 {
                    return Probe::NONE;
                }
                place += sign;
                if text.get(place).is_some_and(|next| !next.is_ascii_alphanumeric()) {
                    return Probe::NONE;
                }
            }
            None => return Probe::OPEN,
        }
    }
    if may_end(text, place) && remainder(&characters) == 1 { Probe::found(place) } else { Probe::NONE }
}

fn length(country: [u8; 2]) -> Option<usize> {
    let row = LENGTHS.split(' ').find(|row| row.as_bytes().starts_with(&country))?;
    row.get(2..)?.parse().ok()
}

/// ISO 7064, MOD 97-10, with the first four characters moved to the end and letters as 10 to 35.
fn remainder(characters: &[u8]) -> u32 {
    let (head, tail) = characters.split_at(characters.len().min(4));
    tail.iter().chain(head).fold(0, |value, byte| match byte {
        b'0'..=b'9' => (value * 10 + u32::from(byte - b'0')) % 97,
        _ => (value * 100 + u32::from(byte.wrapping_sub(b'A')) + 10) % 97,
    })
}
