//! Secrets in text: what they look like, and a matcher that finds them in a stream.
//!
//! A [`Kind`] is a row of data: keywords, a pattern, a floor of entropy, a checksum. All keywords are looked
//! for at once; where one stands, the kind's pattern is tried right there, without
//! backtracking and over a bounded stretch of text; then entropy, checksum, placeholders and the name of the
//! value decide. So the time is linear in the text, and memory is constant.
//!
//! [`Stream`] takes text in pieces of any size: where they are cut changes nothing. A [`Match`] says what was
//! found and where; it shows the vendor's prefix and a keyed fingerprint, never the secret.
//!
//! [`Redactor`] masks secrets and [`PersonalKind`]s in text on its way to a reader, piece by piece.
//!
//! Knows bytes, no files: what is scanned, and what a match means for the reader, is up to the caller.
//!
//! ```
//! use bartizan_sensitive::{find, sample};
//!
//! let text = format!("OPENAI_API_KEY={}", sample("sk-proj-{a:74}T3BlbkFJ{a:74}", 1));
//! let found = find(text.as_bytes());
//! assert_eq!(found[0].kind.id, "openai-api-key");
//! assert_eq!(found[0].redacted.to_string(), "sk-… (164 characters)");
//! ```

mod assignment;
mod checksum;
mod entropy;
mod keywords;
mod kind;
mod kinds;
mod matcher;
mod name;
mod personal;
mod placeholder;
mod redact;
mod redactor;
mod sample;
mod stream;

pub use checksum::aws_account;
pub use entropy::entropy;
pub use kind::{Family, Kind};
pub use kinds::kinds;
pub use matcher::{Matcher, Proof};
pub use personal::{PersonalKind, personal_kinds};
pub use redact::{Fingerprint, FingerprintKey, Redacted};
pub use redactor::{Redaction, Redactor, WINDOW};
pub use sample::sample;
pub use stream::{Match, Stream, find};

/// Masks arbitrary text in arbitrary pieces; must neither panic nor depend on the pieces.
pub fn fuzz_redactor(bytes: &[u8]) {
    let (cuts, text) = bytes.split_at(bytes.len().min(8));
    let text = String::from_utf8_lossy(text);
    let rules = std::sync::Arc::new(Redaction::default());
    let (mut whole, mut pieces) = (String::new(), String::new());
    let mut redactor = Redactor::new(&rules);
    redactor.push(&text, &mut whole);
    redactor.finish(&mut whole);
    let mut rest = &*text;
    for cut in cuts.iter().cycle() {
        let at = rest.floor_char_boundary((usize::from(*cut) + 4).min(rest.len()));
        let (piece, after) = rest.split_at(at);
        redactor.push(piece, &mut pieces);
        rest = after;
        if rest.is_empty() {
            break;
        }
    }
    redactor.finish(&mut pieces);
    assert_eq!(whole, pieces, "where text is cut must change nothing");
}

/// Looks for secrets in arbitrary bytes; must neither panic nor run away.
pub fn fuzz_one(bytes: &[u8]) {
    let _ = find(bytes);
}
