//! What makes a finding the same finding tomorrow.

use aws_lc_rs::digest::{SHA256, digest};
use bartizan_core::{Digest, Finding};

/// `bz1:` and 32 hex digits over rule, path and identity of the finding: unchanged when bytes move
/// within the file.
pub fn fingerprint(finding: &Finding) -> String {
    let mut input = Vec::new();
    for part in [finding.rule.id, &finding.location.path, &finding.identity] {
        input.extend_from_slice(&(part.len() as u64).to_le_bytes());
        input.extend_from_slice(part.as_bytes());
    }
    let hash = digest(&SHA256, &input);
    let hex = <[u8; 32]>::try_from(hash.as_ref()).map(|bytes| Digest::from_bytes(bytes).hex()).unwrap_or_default();
    format!("bz1:{}", hex.get(..32).unwrap_or(&hex))
}
