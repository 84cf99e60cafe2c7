//! What can be wrong with a token.

use thiserror::Error;

/// Why a token is not accepted. The client is told none of it: the word goes to ledger, metrics and rules.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
pub enum TokenFault {
    /// More bytes than a token needs.
    #[error("the token is larger than 8192 bytes")]
    TooLarge,
    /// Not three parts of canonical base64url around JSON objects without duplicate names.
    #[error("the token is not a compact JWS of JSON that all parsers read alike")]
    Malformed,
    /// A header that asks for more than a signature check, or brings its own key.
    #[error("the token's header has a parameter that is not accepted, such as `crit`, `jku` or `jwk`")]
    Header,
    /// Another kind of token.
    #[error("the token's `typ` is neither `JWT` nor `at+jwt`")]
    Type,
    /// Another algorithm than the one pinned.
    #[error("the token's `alg` is not the algorithm that its issuer is pinned to")]
    Algorithm,
    /// Nobody we know.
    #[error("the token's `iss` is not an issuer in `access.issuers`")]
    Issuer,
    /// No key named.
    #[error("the token names no key, or not by a short text")]
    KeyUnnamed,
    /// A key that the issuer does not have.
    #[error("the token's `kid` is not a usable key of its issuer")]
    KeyUnknown,
    /// The issuer's keys could not be had, or are too old.
    #[error("the issuer's keys are not there")]
    KeysUnavailable,
    /// Signed by somebody else, or changed.
    #[error("the signature is not one of the issuer's key")]
    Signature,
    /// For somebody else.
    #[error("the token's `aud` is not ours")]
    Audience,
    /// A token that would never end.
    #[error("the token has no `exp`")]
    NoExpiry,
    /// Too late.
    #[error("the token has expired")]
    Expired,
    /// Too early.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// Issued longer ago than the configuration accepts, or it does not say when.
    #[error("the token was issued too long ago, or does not say when")]
    TooOld,
    /// Nobody named.
    #[error("the token's principal claim is missing, or not a short text")]
    Principal,
}

impl TokenFault {
    /// A stable kebab-case word.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::TooLarge => "token-too-large",
            Self::Malformed => "token-malformed",
            Self::Header => "token-header",
            Self::Type => "token-type",
            Self::Algorithm => "token-algorithm",
            Self::Issuer => "token-issuer",
            Self::KeyUnnamed => "token-key-unnamed",
            Self::KeyUnknown => "token-key-unknown",
            Self::KeysUnavailable => "token-keys-unavailable",
            Self::Signature => "token-signature",
            Self::Audience => "token-audience",
            Self::NoExpiry => "token-no-expiry",
            Self::Expired => "token-expired",
            Self::NotYetValid => "token-not-yet-valid",
            Self::TooOld => "token-too-old",
            Self::Principal => "token-principal",
        }
    }
}
