//! The public keys of an issuer: a JWK set (RFC 7517) reduced to what one algorithm can use.
//!
//! A key that does not fit is left out, so that an issuer may list encryption keys and keys of other
//! algorithms beside those that are meant for us. Two usable keys of one name are both left out.

use std::collections::HashMap;
use std::fmt;

use aws_lc_rs::signature::{ParsedPublicKey, RsaPublicKeyComponents};
use serde_json::Value;
use thiserror::Error;

use super::algorithm::{Algorithm, KeyShape};
use super::object::{decode, object};

/// Most keys in one set.
const KEYS: usize = 64;
/// Longest `kid` in bytes.
const KEY_ID_BYTES: usize = 256;
/// Shortest and longest RSA modulus in bits (RFC 7518, section 3.3; the limit of the provider).
const MODULUS_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;
/// Smallest public exponent: 65537 (FIPS 186-5, appendix A.1.1).
const SMALLEST_EXPONENT: u64 = 65_537;

/// Why a document is not a set of keys.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
pub enum KeySetError {
    /// Not `{"keys": […]}` in JSON that all parsers read alike.
    #[error("the document is not a JWK set")]
    Malformed,
    /// More keys than anybody needs.
    #[error("the document has more than 64 keys")]
    TooMany,
    /// No key that can be used with the pinned algorithm.
    #[error("the document has no key that fits the pinned algorithm")]
    Empty,
}

/// Keys by name. Never empty.
pub struct KeySet {
    keys: HashMap<String, ParsedPublicKey>,
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.keys.keys()).finish()
    }
}

impl KeySet {
    /// Reads a JWK set and keeps what `algorithm` can use.
    ///
    /// # Errors
    /// The document is not one, or has no such key.
    pub fn parse(bytes: &[u8], algorithm: Algorithm) -> Result<Self, KeySetError> {
        let document = object(bytes).ok_or(KeySetError::Malformed)?;
        let listed = document.get("keys").and_then(Value::as_array).ok_or(KeySetError::Malformed)?;
        if listed.len() > KEYS {
            return Err(KeySetError::TooMany);
        }
        let mut keys: HashMap<String, Option<ParsedPublicKey>> = HashMap::new();
        for (name, key) in listed.iter().filter_map(|jwk| usable(jwk, algorithm)) {
            keys.entry(name).and_modify(|held| *held = None).or_insert(Some(key));
        }
        let keys: HashMap<_, _> = keys.into_iter().filter_map(|(name, key)| Some((name, key?))).collect();
        if keys.is_empty() { Err(KeySetError::Empty) } else { Ok(Self { keys }) }
    }

    /// How many keys there are.
    pub fn count(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is a key of exactly that name.
    pub fn has(&self, name: &str) -> bool {
        self.keys.contains_key(name)
    }

    pub(super) fn key(&self, name: &str) -> Option<&ParsedPublicKey> {
        self.keys.get(name)
    }
}

/// Name and key, where the JWK is meant for verifying with this algorithm and can be.
fn usable(jwk: &Value, algorithm: Algorithm) -> Option<(String, ParsedPublicKey)> {
    let text = |name: &str| jwk.get(name).and_then(Value::as_str);
    let name = text("kid").filter(|name| (1..=KEY_ID_BYTES).contains(&name.len()))?;
    let fits = |name: &str, expected: &str| jwk.get(name).is_none_or(|value| value.as_str() == Some(expected));
    let verifies = jwk.get("key_ops").is_none_or(|operations| {
        operations.as_array().is_some_and(|operations| operations.iter().any(|operation| operation == "verify"))
    });
    // Whoever publishes a private key has published it to everybody.
    let is_private = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"].iter().any(|name| jwk.get(name).is_some());
    if !fits("use", "sig") || !fits("alg", algorithm.as_str()) || !verifies || is_private {
        return None;
    }
    let number = |name: &str| text(name).and_then(decode);
    let key = match algorithm.key_shape() {
        KeyShape::Rsa(parameters) if text("kty") == Some("RSA") => {
            let (n, e) = (number("n")?, number("e")?);
            if !MODULUS_BITS.contains(&bits(&n)) || !is_exponent(&e) {
                return None;
            }
            RsaPublicKeyComponents { n, e }.to_parsed_public_key(parameters).ok()?
        }
        KeyShape::Ec(verification, curve, length) if text("kty") == Some("EC") && text("crv") == Some(curve) => {
            let (x, y) = (number("x")?, number("y")?);
            if x.len() != length || y.len() != length {
                return None;
            }
            // SEC 1, section 2.3.3: an uncompressed point. The provider refuses one that is not on the curve.
            let point = [&[4], x.as_slice(), y.as_slice()].concat();
            ParsedPublicKey::new(verification, point).ok()?
        }
        KeyShape::Ed25519(verification) if text("kty") == Some("OKP") && text("crv") == Some("Ed25519") => {
            ParsedPublicKey::new(verification, number("x").filter(|x| x.len() == 32)?).ok()?
        }
        _ => return None,
    };
    Some((name.to_owned(), key))
}

/// Bits of a big-endian number without leading zeros; 0 when it has one.
fn bits(number: &[u8]) -> usize {
    let first = number.first().copied().unwrap_or_default();
    if first == 0 { 0 } else { number.len() * 8 - first.leading_zeros() as usize }
}

fn is_exponent(e: &[u8]) -> bool {
    let value = e.iter().fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
    (1..=4).contains(&e.len()) && e.first() != Some(&0) && value >= SMALLEST_EXPONENT && value % 2 == 1
}

/// Feeds arbitrary bytes to the key set parser; for fuzzing.
pub fn fuzz_one(bytes: &[u8]) {
    for algorithm in [Algorithm::RS256, Algorithm::PS512, Algorithm::ES256, Algorithm::ES384, Algorithm::EdDSA] {
        if let Ok(set) = KeySet::parse(bytes, algorithm) {
            assert!((1..=KEYS).contains(&set.count()), "a set has keys, and not too many");
        }
    }
}
