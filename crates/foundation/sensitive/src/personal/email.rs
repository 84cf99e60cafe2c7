//! E-mail addresses: the unquoted form of RFC 5321, section 4.1.2, with a host name that has a top-level domain.

use std::ops::Range;

/// Most bytes of the part before the `@` (RFC 5321, section 4.5.3.1.1), doubled for letters beyond ASCII.
const LOCAL: usize = 128;
/// Most bytes of the domain (section 4.5.3.1.2).
const DOMAIN: usize = 255;

/// The address around the `@` at `at`.
pub(crate) fn around(text: &str, at: usize) -> Option<Range<usize>> {
    let (before, after) = (text.get(..at)?, text.get(at + 1..)?);
    let start = local(before)?;
    let length = domain(after)?;
    let local = before.get(start..)?;
    let is_remote = local == "git" && after.get(length..)?.starts_with(':');
    (!is_remote).then_some(start..at + 1 + length)
}

/// Where the local part at the end of `before` begins.
fn local(before: &str) -> Option<usize> {
    let is_part = |character: char| character.is_alphanumeric() || "._%+'-&".contains(character);
    let mut start = before.len();
    for (index, character) in before.char_indices().rev() {
        if !is_part(character) || before.len() - index > LOCAL {
            break;
        }
        start = index;
    }
    let text = before.get(start..)?;
    let trimmed = text.trim_start_matches(['.', '\'', '-', '%', '&', '+']);
    (!trimmed.is_empty()).then(|| before.len() - trimmed.len())
}

/// Bytes of the domain that `after` begins with.
fn domain(after: &str) -> Option<usize> {
    let is_part = |character: char| character.is_alphanumeric() || character == '-' || character == '.';
    let mut end = 0;
    for (index, character) in after.char_indices() {
        if !is_part(character) || index >= DOMAIN {
            break;
        }
        end = index + character.len_utf8();
    }
    let name = after.get(..end)?.split("..").next()?.trim_end_matches(['.', '-']);
    let (host, top) = name.rsplit_once('.')?;
    let is_top = top.chars().count() >= 2 && top.chars().all(char::is_alphabetic) || top.starts_with("xn--");
    (is_top && !host.is_empty() && !host.starts_with(['.', '-'])).then_some(name.len())
}
