//! The way from an entry's hash to the signed root, one step at a time.
//!
//! The verdict is the library's ([`verify_proof`], which reads nothing but the proof's text and the
//! log's key); the steps retrace it so that a reader can follow, or repeat it with a hash tool.

use bartizan_core::Digest;
use bartizan_ledger::{LedgerReader, leaf_hash, node_hash, prove, verify_proof};

use super::failure::Failure;

/// One hash joined to another.
pub(super) struct Step {
    /// Whether the sibling stands left of what was reached so far.
    pub(super) sibling_left: bool,
    pub(super) sibling: String,
    pub(super) joined: String,
}

/// A proof as a page shows it.
pub(super) struct Proof {
    pub(super) leaf: String,
    pub(super) bytes: usize,
    pub(super) steps: Vec<Step>,
    pub(super) reached: String,
    pub(super) root: String,
    pub(super) size: u64,
    pub(super) origin: String,
    pub(super) signer: String,
    pub(super) checkpoint: String,
    /// Whether the steps end at the checkpoint's root.
    pub(super) reaches: bool,
    /// Why the proof does not hold, where it does not.
    pub(super) problem: Option<String>,
}

/// Makes the proof of an entry and checks it as a stranger would.
pub(super) fn retrace(reader: &LedgerReader, index: u64) -> Result<Proof, Failure> {
    let entry = reader.entry(index)?;
    let siblings = reader.inclusion_proof(index, reader.size())?;
    let verifier = reader.verifier()?;
    let checkpoint = reader.checkpoint();
    let leaf = leaf_hash(&entry.bytes);
    let (steps, reached) = walk(leaf, index, checkpoint.size, &siblings);
    let problem = match verify_proof(&prove(reader, index)?, &verifier) {
        Ok(proven) if proven.entry == entry => None,
        Ok(_) => Some("the proof speaks of another entry".to_owned()),
        Err(error) => Some(error.to_string()),
    };
    Ok(Proof {
        leaf: leaf.hex(),
        bytes: entry.bytes.len(),
        steps,
        reached: reached.hex(),
        root: checkpoint.root.hex(),
        size: checkpoint.size,
        origin: checkpoint.origin.clone(),
        signer: verifier.name().to_owned(),
        checkpoint: String::from_utf8_lossy(reader.signed_checkpoint()).into_owned(),
        reaches: reached == checkpoint.root,
        problem,
    })
}

/// RFC 9162, section 2.1.3.2, with every intermediate hash kept.
fn walk(leaf: Digest, index: u64, size: u64, siblings: &[Digest]) -> (Vec<Step>, Digest) {
    let (mut position, mut last, mut reached) = (index, size.saturating_sub(1), leaf);
    let mut steps = Vec::with_capacity(siblings.len());
    for sibling in siblings {
        let sibling_left = position & 1 == 1 || position == last;
        if sibling_left {
            reached = node_hash(sibling, &reached);
            while position & 1 == 0 && position != 0 {
                position >>= 1;
                last >>= 1;
            }
        } else {
            reached = node_hash(&reached, sibling);
        }
        position >>= 1;
        last >>= 1;
        steps.push(Step { sibling_left, sibling: sibling.hex(), joined: reached.hex() });
    }
    (steps, reached)
}
