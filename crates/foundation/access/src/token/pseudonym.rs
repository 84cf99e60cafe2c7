//! Opaque names for those who come with tokens.
//!
//! A subject can be an e-mail address, so it never stands in ledger, logs or metrics. Names are
//! HMAC-SHA-256 under a key of the installation: the same subject always has the same name here,
//! and nobody without the key can guess whose it is.

use bartizan_core::Secret;

use crate::key::word;

/// Makes names.
#[derive(Clone)]
pub struct Pseudonyms {
    key: Secret<[u8; 32]>,
}

impl Pseudonyms {
    /// Names under that key.
    pub fn new(key: Secret<[u8; 32]>) -> Self {
        Self { key }
    }

    /// The id of the principal whom issuer `iss`, configured as `name`, calls `subject` in `claim`:
    /// `NAME:` and 26 characters, 130 bits.
    pub fn principal(&self, name: &str, iss: &str, claim: &str, subject: &str) -> String {
        format!("{name}:{}", self.word(&["token-principal", iss, claim, subject], 26))
    }

    /// The name of the token that issuer `iss` gave that `jti`: `tok_` and 16 characters, 80 bits.
    pub fn token(&self, iss: &str, jti: &str) -> String {
        format!("tok_{}", self.word(&["token-jti", iss, jti], 16))
    }

    /// The name of a token without `jti`: of what is signed, because some signatures can be written in two ways.
    pub(super) fn signed(&self, iss: &str, signed: &str) -> String {
        format!("tok_{}", self.word(&["token-signed", iss, signed], 16))
    }

    /// Parts are told apart by their lengths.
    fn word(&self, parts: &[&str], length: usize) -> String {
        let mut message = Vec::new();
        for part in parts {
            message.extend((part.len() as u64).to_be_bytes());
            message.extend(part.as_bytes());
        }
        word(&bartizan_signing::hmac_sha256(self.key.expose(), &message), length)
    }
}
