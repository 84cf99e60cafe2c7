//! Proof that a token carries within itself: checksums, signatures and encoded structure.
//!
//! Sources: GitHub's post on token formats (2021: CRC-32 in base 62 over the random part; npm and others took
//! it over), GitLab's design document on routable tokens, BIP 173 (Bech32, used by age), RFC 7519 (JWT),
//! RFC 4253 section 6.6 (SSH keys).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::entropy::entropy;

/// What a token says about itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// A checksum or embedded structure holds: chance is all but excluded.
    Proven,
    /// Nothing speaks against it.
    Plausible,
    /// It can't be one.
    Refuted,
}

fn proven_if(holds: bool) -> Verdict {
    if holds { Verdict::Proven } else { Verdict::Refuted }
}

/// The form has no checksum.
pub(crate) fn none(_: &[u8]) -> Verdict {
    Verdict::Plausible
}

/// The pattern holds a mark that nothing else has.
pub(crate) fn marked(_: &[u8]) -> Verdict {
    Verdict::Proven
}

/// Lower case, upper case and digits: words, names and hashes in hexadecimal lack one of them.
pub(crate) fn mixed(secret: &[u8]) -> Verdict {
    let has = |class: fn(&u8) -> bool| secret.iter().any(class);
    if has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase) && has(u8::is_ascii_digit) {
        Verdict::Plausible
    } else {
        Verdict::Refuted
    }
}

/// Letters and digits both.
pub(crate) fn alphanumeric(secret: &[u8]) -> Verdict {
    let letters = secret.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
    let digits = secret.iter().filter(|byte| byte.is_ascii_digit()).count();
    if letters >= 2 && digits >= 2 { Verdict::Plausible } else { Verdict::Refuted }
}

/// More than three and a half bits per character, hexadecimal digits apart: those reach four at most.
pub(crate) fn spread(secret: &[u8]) -> Verdict {
    if secret.iter().all(u8::is_ascii_hexdigit) || entropy(secret) >= 3.5 {
        Verdict::Plausible
    } else {
        Verdict::Refuted
    }
}

/// Letters of both cases.
pub(crate) fn both_cases(secret: &[u8]) -> Verdict {
    let lower = secret.iter().filter(|byte| byte.is_ascii_lowercase()).count();
    let upper = secret.iter().filter(|byte| byte.is_ascii_uppercase()).count();
    if lower >= 4 && upper >= 4 { Verdict::Plausible } else { Verdict::Refuted }
}

/// A password that is more than a word: the words that stand for one are not.
pub(crate) fn password(secret: &[u8]) -> Verdict {
    let lower = secret.to_ascii_lowercase();
    let is_word = secret.iter().all(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'-' | b'.'));
    let names_itself = [
        b"password".as_slice(),
        b"passwd",
        b"secret",
        b"pass",
        b"token",
        b"user",
        b"test",
        b"guest",
        b"postgres",
        b"root",
        b"admin",
        b"default",
        b"null",
        b"none",
    ]
    .iter()
    .any(|word| lower.starts_with(word) && lower.len() <= word.len() + 4);
    let is_code = secret.iter().any(|byte| matches!(byte, b'(' | b')' | b'[' | b']'));
    let has_digit = secret.iter().any(u8::is_ascii_digit);
    if is_word || names_itself || is_code || !has_digit { Verdict::Refuted } else { Verdict::Plausible }
}

/// `user:password` in base 64, printable.
pub(crate) fn basic_credentials(secret: &[u8]) -> Verdict {
    let Ok(plain) = base64::engine::general_purpose::STANDARD.decode(secret) else { return Verdict::Refuted };
    match plain.iter().position(|byte| *byte == b':') {
        Some(at) if at > 0 && at + 3 < plain.len() && plain.iter().all(|byte| (0x20..0x7f).contains(byte)) => {
            Verdict::Plausible
        }
        _ => Verdict::Refuted,
    }
}

/// The storage emulator's key is public: every installation has the same.
pub(crate) fn azure_storage(secret: &[u8]) -> Verdict {
    if secret.starts_with(b"Eby8vdM02xNO") { Verdict::Refuted } else { Verdict::Plausible }
}

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The last six characters are the CRC-32 of what lies between `_` and them, in base 62.
pub(crate) fn base62_crc(secret: &[u8]) -> Verdict {
    let body = secret.iter().rposition(|byte| *byte == b'_').and_then(|at| secret.get(at + 1..)).unwrap_or(secret);
    let Some((random, stated)) = body.split_last_chunk::<6>() else { return Verdict::Refuted };
    proven_if(&base62_checksum(random) == stated)
}

/// CRC-32 of `bytes` as six characters of base 62.
pub(crate) fn base62_checksum(bytes: &[u8]) -> [u8; 6] {
    let mut rest = crc32fast::hash(bytes);
    let mut text = [b'0'; 6];
    for place in text.iter_mut().rev() {
        *place = BASE62.get((rest % 62) as usize).copied().unwrap_or(b'0');
        rest /= 62;
    }
    text
}

/// CRC-32 of `bytes` as seven characters of base 36.
pub(crate) fn base36_checksum(bytes: &[u8]) -> [u8; 7] {
    let mut rest = crc32fast::hash(bytes);
    let mut text = [b'0'; 7];
    for place in text.iter_mut().rev() {
        *place = b"0123456789abcdefghijklmnopqrstuvwxyz".get((rest % 36) as usize).copied().unwrap_or(b'0');
        rest /= 36;
    }
    text
}

/// A routable GitLab token ends with the CRC-32 of all before it; older ones have none.
pub(crate) fn gitlab(secret: &[u8]) -> Verdict {
    match secret.split_last_chunk::<7>() {
        Some((rest, stated)) if secret.contains(&b'.') && &base36_checksum(rest) == stated => Verdict::Proven,
        _ => Verdict::Plausible,
    }
}

/// A JSON object with an `alg` in the first of three base64url parts.
pub(crate) fn json_web_token(secret: &[u8]) -> Verdict {
    let object = |part: Option<&[u8]>| -> Option<serde_json::Value> {
        let bytes = URL_SAFE_NO_PAD.decode(part?).ok()?;
        serde_json::from_slice::<serde_json::Value>(&bytes).ok().filter(serde_json::Value::is_object)
    };
    let mut parts = secret.split(|byte| *byte == b'.');
    let header = object(parts.next());
    let claims = object(parts.next());
    proven_if(
        claims.is_some() && header.is_some_and(|header| header.get("alg").is_some_and(serde_json::Value::is_string)),
    )
}

/// Bech32 with the human-readable part `age-secret-key-` (any case).
pub(crate) fn age(secret: &[u8]) -> Verdict {
    let lower = secret.to_ascii_lowercase();
    let Some(split) = lower.iter().rposition(|byte| *byte == b'1') else { return Verdict::Refuted };
    let (Some(name), Some(data)) = (lower.get(..split), lower.get(split + 1..)) else { return Verdict::Refuted };
    let values = data.iter().map(|byte| BECH32.iter().position(|known| known == byte).unwrap_or(0) as u8);
    proven_if(bech32_polymod(name, values) == 1)
}

const BECH32: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";

fn bech32_polymod(name: &[u8], data: impl Iterator<Item = u8>) -> u32 {
    const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    let high = name.iter().map(|byte| byte >> 5);
    let low = name.iter().map(|byte| byte & 31);
    high.chain(std::iter::once(0)).chain(low).chain(data).fold(1_u32, |sum, value| {
        let top = sum >> 25;
        let mut sum = (sum & 0x01ff_ffff) << 5 ^ u32::from(value);
        for (bit, term) in GENERATOR.iter().enumerate() {
            if top >> bit & 1 == 1 {
                sum ^= term;
            }
        }
        sum
    })
}

/// The data and checksum characters of an age secret key whose data are `values` (five bits each).
pub(crate) fn age_from(values: &[u8]) -> String {
    let padded = values.iter().copied().chain([0; 6]);
    let sum = bech32_polymod(b"age-secret-key-", padded) ^ 1;
    let sum = (0..6).map(|place| (sum >> (5 * (5 - place)) & 31) as u8);
    let character = |value: u8| char::from(BECH32.get(usize::from(value & 31)).copied().unwrap_or(b'q'));
    format!("AGE-SECRET-KEY-1{}", values.iter().copied().chain(sum).map(character).collect::<String>())
        .to_ascii_uppercase()
}

/// The twelve-digit account that an AWS access key id names; `None` for ids from before 2019, which
/// name none. The layout was found by Aidan Steele and Tal Be'ery (2020).
pub fn aws_account(id: &[u8]) -> Option<u64> {
    let body = id.get(4..14)?;
    let bits = body.iter().try_fold(0_u64, |bits, byte| {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'2'..=b'7' => byte - b'2' + 26,
            _ => return None,
        };
        Some(bits << 5 | u64::from(value))
    })?;
    let names_account = bits >> 49 & 1 == 1;
    let account = (bits >> 2 & 0x7fff_ffff_ff80) >> 7;
    (names_account && account < 1_000_000_000_000).then_some(account)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_tokens_bear_their_checksum() {
        let withdrawn = concat!("ghp_", "zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ", "0mLq17");
        assert_eq!(base62_crc(withdrawn.as_bytes()), Verdict::Proven);
        assert_eq!(base62_crc(withdrawn.replace('Q', "q").as_bytes()), Verdict::Refuted);
    }

    #[test]
    fn an_access_key_id_names_its_account() {
        assert_eq!(aws_account(concat!("ASIA", "QNZGKIQY56JQ7WML").as_bytes()), Some(29_608_264_753));
        assert_eq!(aws_account(concat!("AKIA", "IOSFODNN7EXAMPLE").as_bytes()), None);
    }

    #[test]
    fn a_changed_age_key_is_refused() {
        let key = age_from(&[7; 52]);
        assert_eq!(age(key.as_bytes()), Verdict::Proven);
        assert_eq!(age(key.replacen('8', "9", 1).as_bytes()), Verdict::Refuted);
    }
}
