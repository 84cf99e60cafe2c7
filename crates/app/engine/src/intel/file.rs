//! Reading files of a bounded size.

use std::io;
use std::path::Path;

use super::error::IntelError;

/// The bytes of a file that has at most `limit` of them.
pub(super) fn read(path: &Path, limit: u64) -> Result<Vec<u8>, IntelError> {
    let failed = |cause| IntelError::Io { action: "read", path: path.to_owned(), cause };
    let length = std::fs::metadata(path).map_err(failed)?.len();
    if length > limit {
        return Err(failed(io::Error::other(format!("{length} bytes, at most {limit} are read"))));
    }
    std::fs::read(path).map_err(failed)
}
