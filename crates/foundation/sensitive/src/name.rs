//! What the name of a value says about it: names that speak of secrets and hold none.

use memchr::memmem;

/// Whether `secret` is a hash by the words around it: lockfiles, checksums of downloads, commits.
pub(crate) fn is_hash_context(before: &[u8], name: &[u8], secret: &[u8]) -> bool {
    const WORDS: &[&[u8]] = &[
        b"sha1",
        b"sha256",
        b"sha-256",
        b"sha384",
        b"sha512",
        b"md5",
        b"hash",
        b"checksum",
        b"digest",
        b"integrity",
        b"commit",
        b"etag",
        b"revision",
        b"fingerprint",
        b"blake2",
        b"blake3",
    ];
    let line = before.iter().rposition(|byte| *byte == b'\n').and_then(|at| before.get(at..)).unwrap_or(before);
    let around = [line, b" ", name].concat().to_ascii_lowercase();
    let is_hash = matches!(secret.len(), 32 | 40 | 64 | 96 | 128) && secret.iter().all(u8::is_ascii_hexdigit);
    let is_encoded = secret.len() >= 27 && secret.len().is_multiple_of(4) && secret.ends_with(b"=");
    (is_hash || is_encoded) && WORDS.iter().any(|word| memmem::find(&around, word).is_some())
}

/// Whether a generic name or value is of the public kind: identifiers, counts, paths, words, code.
pub(crate) fn is_vetoed(name: &[u8], secret: &[u8]) -> bool {
    const NAMES: &[&[u8]] = &[
        b"public",
        b"pubkey",
        b"tokenizer",
        b"tokeniz",
        b"token_type",
        b"tokentype",
        b"token_id",
        b"tokenid",
        b"tokens",
        b"hash",
        b"digest",
        b"_name",
        b"-name",
        b"keyname",
        b"_path",
        b"_file",
        b"_dir",
        b"_url",
        b"_uri",
        b"endpoint",
        b"_len",
        b"_size",
        b"_count",
        b"_type",
        b"_field",
        b"_regex",
        b"pattern",
        b"label",
        b"secretary",
        b"keyword",
        b"secret_id",
        b"version",
        b"_class",
        b"_ref",
        b"_arn",
        b"format",
        b"prefix",
        b"policy",
        b"uuid",
        b"_prompt",
        b"_hint",
        b"_help",
        b"_error",
        b"_msg",
        b"_message",
        b"csrf",
        b"xsrf",
        b"sitekey",
        b"site_key",
        b"publishable",
    ];
    let name = name.to_ascii_lowercase();
    NAMES.iter().any(|word| memmem::find(&name, word).is_some()) || is_ordinary(secret)
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
