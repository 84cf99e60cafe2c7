//! API keys: `bz_<12 characters>_<43 characters>`.
//!
//! The first part is public and names the key in logs and lists; the second is 256 random bits.
//! Only the secret's SHA-256 is stored: a slow hash protects weak secrets, and these are not weak.

use bartizan_core::{Digest, Secret, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::error::AccessError;

/// Letters of the public part: no vowels, so no words, and nothing that looks like something else.
const ALPHABET: &[u8; 32] = b"23456789bcdfghjkmnpqrstvwxzBCDFG";

/// Whether a byte is one of them: a table, so that the answer takes as long for each.
const LETTERS: [bool; 256] = {
    let mut letters = [false; 256];
    let mut index = 0;
    while index < ALPHABET.len() {
        letters[ALPHABET[index] as usize] = true;
        index += 1;
    }
    letters
};

/// A key as it is stored.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ApiKey {
    /// `bz_` and 12 characters: public, unique.
    pub prefix: String,
    /// SHA-256 of the secret part.
    pub hash: Digest,
    /// Whose.
    pub principal: String,
    /// When it was made.
    pub created: Timestamp,
    /// When it ends by itself.
    #[serde(default)]
    pub expires: Option<Timestamp>,
}

/// A key that was just made: the only moment its secret exists here.
pub struct IssuedKey {
    /// As it is stored.
    pub key: ApiKey,
    /// The whole key, to be shown once.
    pub secret: Secret<String>,
}

impl IssuedKey {
    /// Makes a key for `principal`.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn new(principal: &str, created: Timestamp, expires: Option<Timestamp>) -> Result<Self, AccessError> {
        let prefix = format!("bz_{}", random_word(12)?);
        let bytes: [u8; 32] = random()?;
        let secret = Secret::new(URL_SAFE_NO_PAD.encode(bytes));
        let hash = hash(secret.expose());
        let whole = Secret::new(format!("{prefix}_{}", secret.expose()));
        let key = ApiKey { prefix, hash, principal: principal.to_owned(), created, expires };
        Ok(Self { key, secret: whole })
    }
}

/// Splits what a client presented into public prefix and secret. `None` when it has not the form of a key.
pub(crate) fn split(presented: &str) -> Option<(&str, &str)> {
    let (prefix, secret) = presented.split_at_checked(15)?;
    let secret = secret.strip_prefix('_')?;
    let well_formed = prefix.starts_with("bz_")
        && prefix.bytes().skip(3).all(|b| LETTERS.get(usize::from(b)) == Some(&true))
        && secret.len() == 43
        && secret.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    well_formed.then_some((prefix, secret))
}

pub(crate) fn hash(secret: &str) -> Digest {
    bartizan_signing::digest(secret.as_bytes())
}

pub(crate) fn random<const N: usize>() -> Result<[u8; N], AccessError> {
    bartizan_signing::random_bytes().map_err(|_| AccessError::Secret)
}

/// `length` random characters of the alphabet; 5 bits each.
pub(crate) fn random_word(length: usize) -> Result<String, AccessError> {
    Ok(word(&random()?, length))
}

/// The first `length` bytes as characters of the alphabet; 5 bits each.
pub(crate) fn word(bytes: &[u8; 32], length: usize) -> String {
    bytes
        .iter()
        .take(length)
        .filter_map(|byte| ALPHABET.get(usize::from(byte & 31)))
        .map(|letter| char::from(*letter))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issued_key_can_be_taken_apart_again() {
        let issued = IssuedKey::new("prn_1", Timestamp::default(), None).unwrap();
        let (prefix, secret) = split(issued.secret.expose()).unwrap();
        assert_eq!(prefix, issued.key.prefix);
        assert_eq!(hash(secret), issued.key.hash);
    }

    #[test]
    fn what_is_not_a_key_is_not_taken_for_one() {
        for text in ["", "bz_", "bz_222222222222", "bz_222222222222_short", "sk_222222222222_", "bz_22222222222é_x"] {
            assert!(split(text).is_none(), "{text}");
        }
    }
}
