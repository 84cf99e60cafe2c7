//! Randomness, message authentication and comparison.

use aws_lc_rs::{constant_time, hmac, rand};
use bartizan_core::Secret;
use zeroize::Zeroize;

use crate::error::SigningError;

/// HMAC-SHA-256 (RFC 2104).
pub fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut tag = [0; 32];
    tag.copy_from_slice(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message).as_ref());
    tag
}

/// Random bytes from the system.
pub fn random_bytes<const N: usize>() -> Result<[u8; N], SigningError> {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).map_err(|_| SigningError::Provider("draw random bytes"))?;
    Ok(bytes)
}

/// 32 random bytes for use as a key.
pub fn random_secret() -> Result<Secret<[u8; 32]>, SigningError> {
    let mut bytes = random_bytes::<32>()?;
    let secret = Secret::new(bytes);
    bytes.zeroize();
    Ok(secret)
}

/// Compares without telling by its duration where the two differ. (Their lengths are not secret.)
pub fn constant_time_equal(left: &[u8], right: &[u8]) -> bool {
    constant_time::verify_slices_are_equal(left, right).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tag_is_the_one_of_rfc_4231() {
        let tag = hmac_sha256(b"Jefe", b"what do ya want for nothing?");
        assert!(tag.starts_with(&[0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e]));
    }

    #[test]
    fn comparison_tells_equal_from_different() {
        assert!(constant_time_equal(b"same", b"same"));
        assert!(!constant_time_equal(b"same", b"sane"));
        assert!(!constant_time_equal(b"same", b"same and more"));
    }
}
