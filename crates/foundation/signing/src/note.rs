//! Signed notes (C2SP signed-note): text, a blank line, and signature lines
//! `— <key name> <base64 of key id and signature>`.

use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;

use crate::digest::digest;
use crate::error::SigningError;
use crate::key::{SigningKey, VerifyingKey};

/// Signature type of Ed25519.
const ED25519: u8 = 1;
/// Limits of what is parsed; a checkpoint with a dozen cosignatures is a tenth of each.
const MAX_NOTE: usize = 1 << 20;
const MAX_SIGNATURES: usize = 100;

/// Why a note or verifier key is not accepted.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum NoteError {
    /// The key's name can't stand in a note.
    #[error("key name `{0}` can't stand in a note; it must not be empty nor hold spaces or `+`")]
    Name(String),
    /// The text of a verifier key is malformed.
    #[error("`{0}` is not a verifier key; expected `<name>+<8 hex digits>+<base64>`")]
    VerifierKey(String),
    /// Not the shape of a signed note.
    #[error("not a signed note: {0}")]
    Malformed(&'static str),
    /// No signature line by this key.
    #[error("the note is not signed by `{0}`")]
    Unsigned(String),
    /// There is a signature by this key and it is wrong.
    #[error("the signature of `{0}` does not match the note's text")]
    WrongSignature(String),
}

/// The first 4 bytes of SHA-256 over name, newline, signature type and public key.
pub fn key_id(name: &str, key: &VerifyingKey) -> [u8; 4] {
    let mut bytes = name.as_bytes().to_vec();
    bytes.extend_from_slice(&[b'\n', ED25519]);
    bytes.extend_from_slice(key.as_bytes());
    let hash = digest(&bytes);
    let [a, b, c, d, ..] = *hash.as_bytes();
    [a, b, c, d]
}

fn check_name(name: &str) -> Result<(), NoteError> {
    let bad = name.is_empty() || name.chars().any(|c| c == '+' || c.is_whitespace() || c.is_control());
    if bad { Err(NoteError::Name(bartizan_core::printable(name))) } else { Ok(()) }
}

/// Signs notes under a name.
pub struct NoteSigner {
    name: String,
    key: SigningKey,
}

impl NoteSigner {
    /// The key under that name (for a log: its origin).
    pub fn new(name: &str, key: SigningKey) -> Result<Self, NoteError> {
        check_name(name)?;
        Ok(Self { name: name.to_owned(), key })
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The note with one signature. `text` must end with a newline.
    pub fn sign(&self, text: &str) -> Result<String, SigningError> {
        debug_assert!(text.ends_with('\n'));
        let mut signature = key_id(&self.name, &self.key.public()).to_vec();
        signature.extend_from_slice(&self.key.sign(text.as_bytes())?);
        Ok(format!("{text}\n\u{2014} {} {}\n", self.name, STANDARD.encode(signature)))
    }

    /// Who verifies this signer's notes.
    pub fn verifier(&self) -> NoteVerifier {
        NoteVerifier { name: self.name.clone(), key: self.key.public() }
    }

    /// The verifier key as text: `<name>+<key id>+<base64>`.
    pub fn verifier_key(&self) -> String {
        self.verifier().to_string()
    }
}

/// Verifies notes of one key. Read from and written as `<name>+<key id>+<base64>`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NoteVerifier {
    name: String,
    key: VerifyingKey,
}

impl NoteVerifier {
    /// The key under that name.
    pub fn new(name: &str, key: VerifyingKey) -> Result<Self, NoteError> {
        check_name(name)?;
        Ok(Self { name: name.to_owned(), key })
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Checks the signature over the raw text, before anything in it is parsed. Signatures by
    /// other keys are left alone.
    pub fn verify<'a>(&self, note: &'a [u8]) -> Result<SignedNote<'a>, NoteError> {
        let signed = SignedNote::split(note)?;
        let id = key_id(&self.name, &self.key);
        let mut found = false;
        for line in signed.signatures.lines() {
            let (name, signature) = split_signature(line)?;
            let Some((line_id, signature)) = signature.split_first_chunk::<4>() else {
                return Err(NoteError::Malformed("a signature is too short"));
            };
            if name == self.name && *line_id == id {
                if !self.key.verifies(signed.text.as_bytes(), signature) {
                    return Err(NoteError::WrongSignature(self.name.clone()));
                }
                found = true;
            }
        }
        if found { Ok(signed) } else { Err(NoteError::Unsigned(self.name.clone())) }
    }
}

impl std::fmt::Display for NoteVerifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut key = vec![ED25519];
        key.extend_from_slice(self.key.as_bytes());
        let id = u32::from_be_bytes(key_id(&self.name, &self.key));
        write!(f, "{}+{id:08x}+{}", self.name, STANDARD.encode(key))
    }
}

impl FromStr for NoteVerifier {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = || NoteError::VerifierKey(bartizan_core::printable(text));
        let mut parts = text.trim_end().splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(refuse());
        };
        check_name(name)?;
        let key = STANDARD.decode(key).map_err(|_| refuse())?;
        let (Some((&ED25519, key)), true) = (key.split_first(), key.len() == 33) else { return Err(refuse()) };
        let key = VerifyingKey::from_bytes(key.try_into().map_err(|_| refuse())?);
        let stated = u32::from_str_radix(id, 16).map_err(|_| refuse())?;
        if id.len() != 8 || stated != u32::from_be_bytes(key_id(name, &key)) {
            return Err(refuse());
        }
        Ok(Self { name: name.to_owned(), key })
    }
}

/// A note, split into text and signature lines. Only [`NoteVerifier::verify`] says that one is
/// genuine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SignedNote<'a> {
    text: &'a str,
    signatures: &'a str,
}

impl<'a> SignedNote<'a> {
    /// Splits at the last blank line. Says nothing about the signatures' truth.
    pub fn split(note: &'a [u8]) -> Result<Self, NoteError> {
        if note.len() > MAX_NOTE {
            return Err(NoteError::Malformed("it is longer than 1 MiB"));
        }
        let note = std::str::from_utf8(note).map_err(|_| NoteError::Malformed("it is not UTF-8"))?;
        if note.bytes().any(|b| b < 0x20 && b != b'\n') {
            return Err(NoteError::Malformed("it holds control characters"));
        }
        let at = note.rfind("\n\n").ok_or(NoteError::Malformed("it has no blank line"))?;
        let (Some(text), Some(signatures)) = (note.get(..=at), note.get(at + 2..)) else {
            return Err(NoteError::Malformed("it has no blank line"));
        };
        if signatures.is_empty() || !signatures.ends_with('\n') {
            return Err(NoteError::Malformed("it does not end with a signature line"));
        }
        if signatures.lines().count() > MAX_SIGNATURES {
            return Err(NoteError::Malformed("it has more than 100 signatures"));
        }
        Ok(Self { text, signatures })
    }

    /// The signed text, with its final newline.
    pub fn text(&self) -> &'a str {
        self.text
    }

    /// The signature lines.
    pub fn signatures(&self) -> &'a str {
        self.signatures
    }
}

/// Name and decoded bytes of a signature line.
fn split_signature(line: &str) -> Result<(&str, Vec<u8>), NoteError> {
    let malformed = || NoteError::Malformed("a signature line is not `— <name> <base64>`");
    let rest = line.strip_prefix("\u{2014} ").ok_or_else(malformed)?;
    let (name, signature) = rest.split_once(' ').ok_or_else(malformed)?;
    let signature = STANDARD.decode(signature).map_err(|_| malformed())?;
    Ok((name, signature))
}
