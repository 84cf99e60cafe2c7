//! Files that a user names for a result.
//!
//! A result takes its place by renaming, so that it is whole or not there. Renaming onto a device, a
//! pipe or a folder would put a plain file in its place: as root even `/dev/null` can be lost to that.

use std::io;
use std::path::Path;

/// Refuses a place that is taken by anything but a plain file, followed through links.
///
/// # Errors
/// What is there is a device, a pipe, a socket or a folder.
pub(crate) fn refuse_special_file(path: &Path) -> io::Result<()> {
    match path.metadata() {
        Ok(found) if !found.is_file() => {
            Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no plain file; give another --output"))
        }
        _ => Ok(()),
    }
}
