//! A token in compact form (RFC 7515, section 7.1), parsed and bounded, but not yet believed.

use serde_json::Value;

use super::fault::TokenFault;
use super::object::{decode, object};

/// Largest token in bytes.
const TOKEN_BYTES: usize = 8192;
/// Longest `kid` in bytes.
const KEY_ID_BYTES: usize = 256;

/// Header parameters that would make a verifier fetch or trust a key that the sender chose, or read
/// the token otherwise (RFC 7515, section 4.1; RFC 7516; RFC 7797).
const REFUSED: [&str; 10] = ["crit", "jku", "jwk", "x5u", "x5c", "b64", "zip", "enc", "epk", "cty"];

/// A token whose form is right. Nothing that it says is believed yet.
pub struct Token<'a> {
    /// Header and claims as they came: the bytes that are signed.
    pub(super) signed: &'a str,
    pub(super) algorithm: String,
    pub(super) key: String,
    pub(super) claims: Value,
    pub(super) signature: Vec<u8>,
}

impl<'a> Token<'a> {
    /// Reads a token.
    ///
    /// # Errors
    /// The first thing that is not as it must be.
    pub fn parse(text: &'a str) -> Result<Self, TokenFault> {
        if text.len() > TOKEN_BYTES {
            return Err(TokenFault::TooLarge);
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(TokenFault::Malformed)?;
        let (header, claims) = signed.split_once('.').ok_or(TokenFault::Malformed)?;
        let part = |text: &str| decode(text).filter(|bytes| !bytes.is_empty()).ok_or(TokenFault::Malformed);
        let header = object(&part(header)?).ok_or(TokenFault::Malformed)?;
        let claims = object(&part(claims)?).ok_or(TokenFault::Malformed)?;
        // Decoded first, so that a token without a signature is refused for what its header says.
        let signature = decode(signature).ok_or(TokenFault::Malformed)?;
        if REFUSED.iter().any(|name| header.get(name).is_some()) {
            return Err(TokenFault::Header);
        }
        match header.get("typ").map(Value::as_str) {
            None => {}
            Some(Some(kind)) if is_access_token(kind) => {}
            Some(_) => return Err(TokenFault::Type),
        }
        let algorithm = header.get("alg").and_then(Value::as_str).ok_or(TokenFault::Algorithm)?.to_owned();
        let key = header.get("kid").and_then(Value::as_str).filter(|key| (1..=KEY_ID_BYTES).contains(&key.len()));
        let key = key.ok_or(TokenFault::KeyUnnamed)?.to_owned();
        Ok(Self { signed, algorithm, key, claims, signature })
    }

    /// Whom the token names as its issuer: good for choosing what it is held against, and no more.
    pub fn unverified_issuer(&self) -> Option<&str> {
        self.claims.get("iss").and_then(Value::as_str)
    }

    /// Name of the key that it says it is signed with.
    pub fn key(&self) -> &str {
        &self.key
    }
}

/// `typ` of a JWT (RFC 7519, section 5.1) or of an access token (RFC 9068, section 2.1); media types
/// ignore case.
fn is_access_token(kind: &str) -> bool {
    ["JWT", "at+jwt", "application/at+jwt"].iter().any(|known| kind.eq_ignore_ascii_case(known))
}

/// Feeds arbitrary bytes to the token parser; for fuzzing.
pub fn fuzz_one(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(token) = Token::parse(text)
    {
        assert!(text.len() <= TOKEN_BYTES && text.matches('.').count() == 2, "a token has three parts");
        let _ = (token.unverified_issuer(), token.key());
    }
}
