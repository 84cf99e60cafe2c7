//! Keys, digests, signed notes and sealed files: all the cryptography that Bartizan's own formats
//! rest on, over one provider (aws-lc-rs). Signatures are checked over raw bytes before anything
//! in them is parsed.
//!
//! ```
//! use bartizan_signing::{NoteSigner, NoteVerifier, SigningKey};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let signer = NoteSigner::new("example/node", SigningKey::generate()?)?;
//! let note = signer.sign("example/node\n0\n")?;
//! let verifier: NoteVerifier = signer.verifier_key().parse()?;
//! assert_eq!(verifier.verify(note.as_bytes())?.text(), "example/node\n0\n");
//! # Ok(())
//! # }
//! ```

mod authority;
mod digest;
mod error;
mod key;
mod key_file;
mod note;
mod seal;
mod symmetric;

pub use authority::{AuthorityError, Issued, Purpose, SubjectName, issue, make_authority};
pub use digest::{Hasher, digest};
pub use error::SigningError;
pub use key::{SIGNATURE_LENGTH, SigningKey, VerifyingKey};
pub use key_file::{KeyKind, load_key, load_or_create_key, store_key};
pub use note::{NoteError, NoteSigner, NoteVerifier, SignedNote, key_id};
pub use seal::{SealError, open, seal};
pub use symmetric::{constant_time_equal, hmac_sha256, random_bytes, random_secret};
