//! A secret that was found, without the secret.

use std::fmt;

use aws_lc_rs::hmac;

/// How secrets are told apart without being shown: HMAC-SHA-256 under one key.
///
/// The default key is part of the program, so that two reports can be compared; whoever holds both a
/// report and a guess can then test the guess. Give a key of your own where short passwords matter.
pub struct FingerprintKey(hmac::Key);

impl FingerprintKey {
    /// A key of the caller's.
    pub fn new(bytes: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    /// The fingerprint of `secret`.
    pub fn fingerprint(&self, secret: &[u8]) -> Fingerprint {
        let tag = hmac::sign(&self.0, secret);
        Fingerprint(tag.as_ref().first_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes)))
    }
}

impl Default for FingerprintKey {
    fn default() -> Self {
        Self::new(b"bartizan secret fingerprint v1")
    }
}

/// The first 64 bits of a keyed hash of a secret: equal for equal secrets, of no use otherwise.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Fingerprint(u64);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// What may be shown of a secret.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Redacted {
    /// The vendor's prefix, which every secret of that kind begins with; empty when there is none.
    pub prefix: String,
    /// Bytes of the secret.
    pub length: usize,
    /// Which secret it is.
    pub fingerprint: Fingerprint,
}

impl fmt::Display for Redacted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}… ({} characters)", self.prefix, self.length)
    }
}
