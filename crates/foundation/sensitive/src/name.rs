//! What the name of a value says about it: names that speak of secrets and hold none.

use std::sync::LazyLock;

use memchr::memmem;

use crate::keywords::Keywords;

/// Whether `secret` is a hash by the words around it: lockfiles, checksums of downloads, commits.
pub(crate) fn is_hash_context(before: &[u8], name: &[u8], secret: &[u8]) -> bool {
    static WORDS: LazyLock<Keywords> = LazyLock::new(|| {
        Keywords::new(vec![
            "sha1",
            "sha256",
            "sha-256",
            "sha384",
            "sha512",
            "md5",
            "hash",
            "checksum",
            "digest",
            "integrity",
            "commit",
            "etag",
            "revision",
            "fingerprint",
            "blake2",
            "blake3",
        ])
    });
    let line = before.iter().rposition(|byte| *byte == b'\n').and_then(|at| before.get(at..)).unwrap_or(before);
    let is_hash = matches!(secret.len(), 32 | 40 | 64 | 96 | 128) && secret.iter().all(u8::is_ascii_hexdigit);
    let is_encoded = secret.len() >= 27 && secret.len().is_multiple_of(4) && secret.ends_with(b"=");
    (is_hash || is_encoded) && (WORDS.is_any_in(line) || WORDS.is_any_in(name))
}

/// Whether a generic name or value is of the public kind: identifiers, counts, paths, words, code.
pub(crate) fn is_vetoed(name: &[u8], secret: &[u8]) -> bool {
    static NAMES: LazyLock<Keywords> = LazyLock::new(|| {
        Keywords::new(vec![
            "public",
            "pubkey",
            "tokenizer",
            "tokeniz",
            "token_type",
            "tokentype",
            "token_id",
            "tokenid",
            "tokens",
            "hash",
            "digest",
            "_name",
            "-name",
            "keyname",
            "_path",
            "_file",
            "_dir",
            "_url",
            "_uri",
            "endpoint",
            "_len",
            "_size",
            "_count",
            "_type",
            "_field",
            "_regex",
            "pattern",
            "label",
            "secretary",
            "keyword",
            "secret_id",
            "version",
            "_class",
            "_ref",
            "_arn",
            "format",
            "prefix",
            "policy",
            "uuid",
            "_prompt",
            "_hint",
            "_help",
            "_error",
            "_msg",
            "_message",
            "csrf",
            "xsrf",
            "sitekey",
            "site_key",
            "publishable",
        ])
    });
    NAMES.is_any_in(name) || is_ordinary(secret)
}

/// UUIDs, dates, paths, dotted or dashed words, identifiers in camel case: nothing random.
fn is_ordinary(secret: &[u8]) -> bool {
    let letters = secret.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
    let digits = secret.iter().filter(|byte| byte.is_ascii_digit()).count();
    let is_uuid = secret.len() == 36 && [8, 13, 18, 23].iter().all(|at| secret.get(*at) == Some(&b'-'));
    let starts_path = secret.starts_with(b"/") || secret.starts_with(b"./") || secret.starts_with(b"~/");
    is_uuid || starts_path || letters < 2 || digits < 2 || memmem::find(secret, b"://").is_some() || is_worded(secret)
}

/// Whether the value is made of words: long runs of letters of one case between separators.
fn is_worded(secret: &[u8]) -> bool {
    let mut worded = 0;
    for word in secret.split(|byte| !byte.is_ascii_alphabetic()) {
        let lower = word.iter().skip(1).filter(|byte| byte.is_ascii_lowercase()).count();
        let vowels = word.iter().filter(|byte| b"aeiouyAEIOUY".contains(byte)).count();
        let is_even = lower + 1 >= word.len() || word.iter().all(u8::is_ascii_uppercase);
        if word.len() >= 4 && is_even && vowels * 5 >= word.len() {
            worded += word.len();
        }
    }
    worded * 2 > secret.len()
}
