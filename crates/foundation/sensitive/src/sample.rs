//! Synthetic secrets from templates: random, well-formed, and nobody's.
//!
//! No secret stands in our source, not even an invented one: other scanners, and our own, would
//! rightly stop at it. A template names its random parts: `sk-ant-api03-{w:93}AA` holds 93 characters of
//! `[A-Za-z0-9_-]`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::checksum::{age_from, base36_checksum, base62_checksum};

const LOWER: &str = "abcdefghijklmnopqrstuvwxyz";
const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const DIGITS: &str = "0123456789";

/// Fills in `template`; the same `seed` gives the same text.
///
/// `{class:count}` is that many characters of a class: `w` letters, digits, `_` and `-`; `a` letters and
/// digits; `L` letters; `l` and `u` digits with lower- or upper-case letters; `x` lower-case letters; `X` upper-case;
/// `h` and `H` hexadecimal digits; `d` decimal ones; `b` base 32; `B` base 64. `{crc62}` is 30 letters and
/// digits with their checksum, `{gitlab}`, `{age}`, `{jwt}` and `{basic}` are tokens of that name. Anything else
/// stands for itself.
///
/// ```
/// let text = bartizan_sensitive::sample("key-{h:8}", 1);
/// assert_eq!(text.len(), 12);
/// assert_eq!(text, bartizan_sensitive::sample("key-{h:8}", 1));
/// ```
pub fn sample(template: &str, seed: u64) -> String {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut text = String::new();
    let mut rest = template;
    while let Some(open) = rest.find('{') {
        let (before, after) = rest.split_at(open);
        text.push_str(before);
        let part = after.find('}').and_then(|close| Some((close, fill(after.get(1..close)?, &mut random)?)));
        if let Some((close, part)) = part {
            text.push_str(&part);
            rest = after.get(close + 1..).unwrap_or_default();
        } else {
            text.push('{');
            rest = after.get(1..).unwrap_or_default();
        }
    }
    text + rest
}

fn fill(part: &str, random: &mut Random) -> Option<String> {
    match part {
        "crc62" => {
            let body = random.text(&format!("{DIGITS}{UPPER}{LOWER}"), 30);
            let sum = base62_checksum(body.as_bytes()).map(char::from);
            Some(body + &String::from_iter(sum))
        }
        "gitlab" => {
            let body = format!("glpat-{}.01.0r", random.text(&format!("{DIGITS}{UPPER}{LOWER}"), 27));
            let sum = base36_checksum(body.as_bytes()).map(char::from);
            Some(body + &String::from_iter(sum))
        }
        "age" => Some(age_from(&(0..52).map(|_| random.below(32) as u8).collect::<Vec<_>>())),
        "basic" => {
            let password = random.text(&format!("{DIGITS}{UPPER}{LOWER}"), 20);
            Some(base64::engine::general_purpose::STANDARD.encode(format!("deploy:{password}")))
        }
        "jwt" => {
            let header = URL_SAFE_NO_PAD.encode(br#"{"alg":"HS256","typ":"JWT"}"#);
            let claims = format!(r#"{{"sub":"{}","iat":{}}}"#, random.text(LOWER, 8), random.text("123456789", 9));
            let signature = random.text(&format!("{DIGITS}{UPPER}{LOWER}"), 43);
            Some(format!("{header}.{}.{signature}", URL_SAFE_NO_PAD.encode(claims)))
        }
        _ => {
            let (class, count) = part.split_once(':')?;
            let alphabet = match class {
                "w" => format!("{DIGITS}{UPPER}{LOWER}-_"),
                "L" => format!("{UPPER}{LOWER}"),
                "a" => format!("{DIGITS}{UPPER}{LOWER}"),
                "l" => format!("{DIGITS}{LOWER}"),
                "u" => format!("{DIGITS}{UPPER}"),
                "x" => LOWER.to_owned(),
                "X" => UPPER.to_owned(),
                "h" => "0123456789abcdef".to_owned(),
                "H" => "0123456789ABCDEF".to_owned(),
                "d" => DIGITS.to_owned(),
                "b" => format!("{UPPER}234567"),
                "B" => format!("{DIGITS}{UPPER}{LOWER}+/"),
                _ => return None,
            };
            Some(random.text(&alphabet, count.parse::<usize>().ok().filter(|count| *count <= 1 << 16)?))
        }
    }
}

/// xorshift64* (Vigna 2016): reproducible, never a source of real keys.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % limit.max(1)
    }

    fn text(&mut self, alphabet: &str, count: usize) -> String {
        let alphabet = alphabet.as_bytes();
        let mut text = String::with_capacity(count);
        while text.len() < count {
            let index = self.below(alphabet.len() as u64) as usize;
            text.push(char::from(alphabet.get(index).copied().unwrap_or(b'0')));
        }
        text
    }
}
