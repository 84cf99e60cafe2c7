//! Ed25519 (RFC 8032).

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use bartizan_core::Secret;

use crate::error::SigningError;
use crate::symmetric::random_secret;

/// Bytes of a signature.
pub const SIGNATURE_LENGTH: usize = 64;

/// A private key. It can't be printed.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    public: VerifyingKey,
}

impl SigningKey {
    /// A new random key.
    pub fn generate() -> Result<Self, SigningError> {
        Self::from_seed(&random_secret()?)
    }

    /// The key with this seed (RFC 8032, section 5.1.5).
    pub fn from_seed(seed: &Secret<[u8; 32]>) -> Result<Self, SigningError> {
        let pair =
            Ed25519KeyPair::from_seed_unchecked(seed.expose()).map_err(|_| SigningError::Provider("make a key"))?;
        let mut public = [0; 32];
        let bytes = pair.public_key().as_ref();
        if bytes.len() != public.len() {
            return Err(SigningError::Provider("make a key"));
        }
        public.copy_from_slice(bytes);
        Ok(Self { pair, public: VerifyingKey(public) })
    }

    /// The signature over the message.
    pub fn sign(&self, message: &[u8]) -> Result<[u8; SIGNATURE_LENGTH], SigningError> {
        let signature = self.pair.try_sign(message).map_err(|_| SigningError::Provider("sign"))?;
        signature.as_ref().try_into().map_err(|_| SigningError::Provider("sign"))
    }

    /// The public half.
    pub fn public(&self) -> VerifyingKey {
        self.public
    }
}

/// A public key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct VerifyingKey([u8; 32]);

impl VerifyingKey {
    /// The key with these bytes; bytes that are no key verify nothing.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether the holder of the private key signed exactly this message.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.0).verify(message, signature).is_ok()
    }
}
