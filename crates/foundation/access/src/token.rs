//! Access tokens of other identity providers: JSON Web Tokens (RFC 7519) in compact JWS form
//! (RFC 7515), as RFC 9068 and OpenID Connect providers issue them, checked by the rules of RFC 8725.
//!
//! A token is parsed and bounded ([`Token::parse`]); what it says of its issuer only chooses the
//! configuration it is held against. [`Issuer::authenticate`] verifies it with a key of that
//! issuer's [`KeySet`], under the one algorithm that the configuration pins, and turns it into a
//! caller. Nothing here fetches keys: the gateway does.

mod algorithm;
mod fault;
mod identity;
mod issuer;
mod jws;
mod key_set;
mod object;
mod pseudonym;
mod settings;

pub use algorithm::Algorithm;
pub use fault::TokenFault;
pub use issuer::Issuer;
pub use jws::{Token, fuzz_one as fuzz_token};
pub use key_set::{KeySet, KeySetError, fuzz_one as fuzz_key_set};
pub use pseudonym::Pseudonyms;
pub use settings::{Audience, IssuerError, IssuerSettings};
