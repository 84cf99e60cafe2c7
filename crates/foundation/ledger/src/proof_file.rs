//! Proofs that travel without the ledger (C2SP tlog-proof): the entry, its inclusion proof and the
//! signed checkpoint, as text.

use bartizan_core::Digest;
use bartizan_signing::NoteVerifier;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::checkpoint::{Checkpoint, decode_hash};
use crate::entry::{self, Entry};
use crate::error::LedgerError;
use crate::merkle::leaf_hash;
use crate::proof::root_from_inclusion;
use crate::reader::LedgerReader;

const MAGIC: &str = "c2sp.org/tlog-proof@v1";
/// A tree of 2^63 entries has a proof of 63 hashes.
const MAX_HASHES: usize = 63;

/// What a proof shows: that this entry is in the log that signed this checkpoint.
#[derive(Clone, PartialEq, Debug)]
pub struct ProvenEntry {
    /// The checkpoint, whose signature was checked.
    pub checkpoint: Checkpoint,
    /// The entry, whose place under the checkpoint's root was checked.
    pub entry: Entry,
}

/// Writes the proof for an entry under the reader's checkpoint.
pub fn prove(reader: &LedgerReader, index: u64) -> Result<String, LedgerError> {
    let entry = reader.entry(index)?;
    let hashes = reader.inclusion_proof(index, reader.size())?;
    let mut text = format!("{MAGIC}\nextra {}\nindex {index}\n", STANDARD.encode(entry.bytes));
    for hash in hashes {
        text += &STANDARD.encode(hash.as_bytes());
        text.push('\n');
    }
    text.push('\n');
    text += &String::from_utf8_lossy(reader.signed_checkpoint());
    Ok(text)
}

/// Checks a proof with nothing but the log's verifier key.
pub fn verify_proof(text: &str, verifier: &NoteVerifier) -> Result<ProvenEntry, LedgerError> {
    let (head, note) = text.split_once("\n\n").ok_or(LedgerError::Proof("it holds no checkpoint"))?;
    let checkpoint = Checkpoint::verify(note.as_bytes(), verifier)?;
    let mut lines = head.lines();
    if lines.next() != Some(MAGIC) {
        return Err(LedgerError::Proof("line 1 is not `c2sp.org/tlog-proof@v1`"));
    }
    let extra = lines.next().and_then(|line| line.strip_prefix("extra "));
    let extra = extra.ok_or(LedgerError::Proof("line 2 does not hold the entry"))?;
    let bytes = STANDARD.decode(extra).map_err(|_| LedgerError::Proof("line 2 is not base64"))?;
    let index = lines.next().and_then(|line| line.strip_prefix("index "));
    let index = index
        .filter(|text| *text == "0" || !text.starts_with(['0', '+']))
        .and_then(|text| text.parse().ok())
        .ok_or(LedgerError::Proof("line 3 does not hold the index"))?;
    let hashes: Vec<Digest> = lines
        .take(MAX_HASHES + 1)
        .map(|line| decode_hash(line).ok_or(LedgerError::Proof("a line is not 32 bytes of base64")))
        .collect::<Result<_, _>>()?;
    let root = root_from_inclusion(&leaf_hash(&bytes), index, checkpoint.size, &hashes);
    if root != Some(checkpoint.root) {
        return Err(LedgerError::Proof("the entry and its hashes do not lead to the signed root"));
    }
    // Only now is the entry more than a claim.
    Ok(ProvenEntry { entry: entry::decode(index, &bytes)?, checkpoint })
}
