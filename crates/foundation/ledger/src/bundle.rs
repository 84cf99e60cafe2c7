//! Entry bundles: each entry behind its length as big-endian `u16` (C2SP tlog-tiles).

/// Adds one entry.
pub(crate) fn push(bundle: &mut Vec<u8>, entry: &[u8]) {
    // Entries are at most 16 KiB: `entry::encode` refuses longer ones.
    let length = u16::try_from(entry.len()).unwrap_or(u16::MAX);
    bundle.extend_from_slice(&length.to_be_bytes());
    bundle.extend_from_slice(entry);
}

/// The entries; an error names the byte where a length does not fit.
pub(crate) fn split(bundle: &[u8]) -> Result<Vec<&[u8]>, usize> {
    let mut entries = Vec::new();
    let mut rest = bundle;
    while !rest.is_empty() {
        let at = bundle.len() - rest.len();
        let (length, tail) = rest.split_first_chunk().ok_or(at)?;
        let (entry, tail) = tail.split_at_checked(usize::from(u16::from_be_bytes(*length))).ok_or(at)?;
        entries.push(entry);
        rest = tail;
    }
    Ok(entries)
}
