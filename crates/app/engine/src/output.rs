//! Results on their way out: no secret in what is shown, and no special file in the way of what is stored.
//!
//! A file takes its place by renaming, so that it is whole or not there. Renaming onto a device, a
//! pipe or a folder would put a plain file in its place: as root even `/dev/null` can be lost to that.

use std::io;
use std::path::Path;

use bartizan_sensitive::{Proof, Stream};

/// The text without secrets that are known by their form, wherever they came from: names of files and
/// members, arguments in a trace, metadata. They are ASCII, so JSON stays JSON.
pub fn without_secrets(text: String) -> String {
    let (mut stream, mut found) = (Stream::new(), Vec::new());
    stream.push(text.as_bytes(), &mut found);
    stream.finish(&mut found);
    found.retain(|one| one.proof >= Proof::Structure);
    if found.is_empty() {
        return text;
    }
    let mut shown = String::with_capacity(text.len());
    let mut from = 0;
    for one in &found {
        let range = (usize::try_from(one.secret.start), usize::try_from(one.secret.end));
        let (Ok(start), Ok(end)) = range else { continue };
        // Escapes of JSON end before a secret begins and begin behind it.
        let (Some(before), Some(secret)) = (text.get(from..start), text.get(start..end)) else { continue };
        if secret.contains(['\\', '"', '\n']) {
            continue;
        }
        shown.push_str(before);
        shown.push_str(&one.redacted.to_string());
        from = end;
    }
    shown.push_str(text.get(from..).unwrap_or_default());
    shown
}

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
