//! SHA-256 of models, over every byte of the file.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use bartizan_core::{Completeness, Component, ComponentKind, Digest};
use bartizan_signing::Hasher;

use super::Scanned;

/// Bytes read at a time: small enough to stay in the processor's nearest cache between the copy and the hash.
const CHUNK: usize = 32 << 10;

/// Gives the model that the file is its digest, and models within it the file's as `container-sha-256`; a file that
/// can't be read to its end is incomplete.
pub(super) fn add(path: &Path, scanned: &mut Scanned) {
    let name = scanned.file.path.clone();
    let is_within = |path: &str| path.strip_prefix(&name).is_some_and(|rest| rest.starts_with('!'));
    let is_in_file = |part: &Component| {
        part.kind == ComponentKind::Model && (part.location.path == name || is_within(&part.location.path))
    };
    if !scanned.components.iter().any(is_in_file) {
        return;
    }
    match sha256(path, scanned.file.bytes) {
        Ok(digest) => {
            for part in scanned.components.iter_mut().filter(|part| is_in_file(part)) {
                if part.location.path == name {
                    part.digest = Some(digest);
                } else {
                    *part = part.clone().derived("container-sha-256", digest.hex());
                }
            }
        }
        Err(reason) => {
            let so_far = std::mem::take(&mut scanned.file.completeness);
            scanned.file.completeness = so_far.and(Completeness::Partial(reason));
        }
    }
}

/// The digest of the file, which must have the stated length.
pub(crate) fn sha256(path: &Path, length: u64) -> Result<Digest, String> {
    let unreadable = |error: std::io::Error| format!("can't be read to its end: {error}");
    let mut file = File::open(path).map_err(unreadable)?;
    let mut hasher = Hasher::new();
    let mut chunk = vec![0; CHUNK];
    let mut read = 0;
    loop {
        let count = file.read(&mut chunk).map_err(unreadable)?;
        if count == 0 {
            break;
        }
        hasher.update(chunk.get(..count).unwrap_or_default());
        read += count as u64;
    }
    if read == length {
        Ok(hasher.finish())
    } else {
        Err(format!("changed while it was read: {length} bytes, then {read}"))
    }
}
