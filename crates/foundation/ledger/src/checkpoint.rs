//! What a log says of itself at one moment (C2SP tlog-checkpoint).

use bartizan_core::Digest;
use bartizan_signing::{NoteVerifier, SignedNote};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::error::LedgerError;

/// Origin, size and root of a log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Checkpoint {
    /// Which log.
    pub origin: String,
    /// How many entries.
    pub size: u64,
    /// The root of the tree over them.
    pub root: Digest,
}

impl Checkpoint {
    /// The text that is signed.
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root.as_bytes()))
    }

    /// Reads the text of a note. Lines after the third are extensions and left alone.
    pub fn parse(text: &str) -> Result<Self, LedgerError> {
        let refuse = |line: usize, problem| LedgerError::Checkpoint { line, problem };
        let mut lines = text.lines();
        let origin = lines.next().filter(|line| !line.is_empty()).ok_or_else(|| refuse(1, "no origin"))?;
        let size = lines.next().ok_or_else(|| refuse(2, "no size"))?;
        let root = lines.next().ok_or_else(|| refuse(3, "no root hash"))?;
        let canonical = size.bytes().all(|b| b.is_ascii_digit()) && (size == "0" || !size.starts_with('0'));
        let size = size.parse().ok().filter(|_| canonical).ok_or_else(|| refuse(2, "size is not a number"))?;
        let root = decode_hash(root).ok_or_else(|| refuse(3, "root is not 32 bytes of base64"))?;
        Ok(Self { origin: origin.to_owned(), size, root })
    }

    /// Reads a signed checkpoint after its signature was checked.
    pub fn verify(note: &[u8], verifier: &NoteVerifier) -> Result<Self, LedgerError> {
        let checkpoint = Self::parse(verifier.verify(note)?.text())?;
        if checkpoint.origin == verifier.name() {
            Ok(checkpoint)
        } else {
            Err(LedgerError::Checkpoint { line: 1, problem: "origin is not the signer's name" })
        }
    }

    /// Reads a signed checkpoint without checking who signed it: for logs whose key is not known.
    pub fn unverified(note: &[u8]) -> Result<Self, LedgerError> {
        Self::parse(SignedNote::split(note)?.text())
    }
}

/// One hash in base64.
pub(crate) fn decode_hash(text: &str) -> Option<Digest> {
    let bytes: [u8; 32] = STANDARD.decode(text).ok()?.try_into().ok()?;
    Some(Digest::from_bytes(bytes))
}
