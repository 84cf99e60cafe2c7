//! Signature algorithms (RFC 7518, section 3; RFC 8037) that an issuer can be pinned to.
//!
//! There is no symmetric algorithm and no `none` among them, so no token can ask for one.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, EcdsaVerificationAlgorithm, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384,
    RSA_PSS_2048_8192_SHA512, RsaParameters, VerificationAlgorithm,
};
use serde::{Deserialize, Serialize};

/// One signature algorithm.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize, Serialize)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    RS256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    RS384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    RS512,
    /// RSASSA-PSS with SHA-256.
    PS256,
    /// RSASSA-PSS with SHA-384.
    PS384,
    /// RSASSA-PSS with SHA-512.
    PS512,
    /// ECDSA on P-256 with SHA-256.
    ES256,
    /// ECDSA on P-384 with SHA-384.
    ES384,
    /// Ed25519.
    EdDSA,
}

/// The shape of the keys that an algorithm takes.
pub(super) enum KeyShape {
    /// `kty` RSA.
    Rsa(&'static RsaParameters),
    /// `kty` EC on the named curve, whose coordinates have that many bytes.
    Ec(&'static EcdsaVerificationAlgorithm, &'static str, usize),
    /// `kty` OKP on Ed25519.
    Ed25519(&'static dyn VerificationAlgorithm),
}

impl Algorithm {
    /// The name in a token's `alg`, which is compared exactly.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RS256 => "RS256",
            Self::RS384 => "RS384",
            Self::RS512 => "RS512",
            Self::PS256 => "PS256",
            Self::PS384 => "PS384",
            Self::PS512 => "PS512",
            Self::ES256 => "ES256",
            Self::ES384 => "ES384",
            Self::EdDSA => "EdDSA",
        }
    }

    pub(super) fn key_shape(self) -> KeyShape {
        match self {
            Self::RS256 => KeyShape::Rsa(&RSA_PKCS1_2048_8192_SHA256),
            Self::RS384 => KeyShape::Rsa(&RSA_PKCS1_2048_8192_SHA384),
            Self::RS512 => KeyShape::Rsa(&RSA_PKCS1_2048_8192_SHA512),
            Self::PS256 => KeyShape::Rsa(&RSA_PSS_2048_8192_SHA256),
            Self::PS384 => KeyShape::Rsa(&RSA_PSS_2048_8192_SHA384),
            Self::PS512 => KeyShape::Rsa(&RSA_PSS_2048_8192_SHA512),
            Self::ES256 => KeyShape::Ec(&ECDSA_P256_SHA256_FIXED, "P-256", 32),
            Self::ES384 => KeyShape::Ec(&ECDSA_P384_SHA384_FIXED, "P-384", 48),
            Self::EdDSA => KeyShape::Ed25519(&ED25519),
        }
    }
}
