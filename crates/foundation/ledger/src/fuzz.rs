//! Everything here that reads bytes from outside, for the fuzzers.

use std::path::Path;

use bartizan_core::Secret;
use bartizan_signing::{NoteVerifier, SigningKey, VerifyingKey};
use bartizan_storage::Journal;

use crate::checkpoint::Checkpoint;
use crate::proof_file::verify_proof;
use crate::{bundle, entry, nodes, segment};

/// Feeds the bytes to every parser of the crate; none may panic, whatever they are.
pub fn fuzz_one(bytes: &[u8]) {
    let path = Path::new("fuzz");
    if let Ok(replay) = Journal::parse(bytes, path, segment::MAGIC, segment::VERSION) {
        for record in &replay.records {
            let _ = segment::parse(record);
        }
    }
    let _ = segment::parse(bytes);
    let _ = bundle::split(bytes);
    let _ = entry::decode(0, bytes);
    let _ = nodes::parse_hashes(path, bytes, 2);
    let _ = Checkpoint::unverified(bytes);
    let key =
        SigningKey::from_seed(&Secret::new([1; 32])).map_or(VerifyingKey::from_bytes([0; 32]), |key| key.public());
    if let Ok(verifier) = NoteVerifier::new("fuzz/log", key) {
        let text = String::from_utf8_lossy(bytes);
        let _ = verify_proof(&text, &verifier);
        let _ = Checkpoint::verify(bytes, &verifier);
        let _ = text.parse::<NoteVerifier>();
    }
}
