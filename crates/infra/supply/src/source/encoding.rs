//! The encoding that a Python file declares.
//!
//! Python decodes a file as its first or second line says (PEP 263) before it reads the program. In some
//! encodings a comment's bytes are a line of code: what is read here would not be what runs.

/// Encodings, in Python's spelling without separators, in which every ASCII byte is that character.
const WITH_ASCII: &[&str] = &[
    "utf8",
    "utf8sig",
    "u8",
    "cp65001",
    "ascii",
    "usascii",
    "646",
    "latin1",
    "l1",
    "latin",
    "iso88591",
    "88591",
    "iso885915",
    "latin9",
    "iso88592",
    "latin2",
    "iso88595",
    "iso88597",
    "iso88599",
    "latin5",
    "cp1250",
    "cp1251",
    "cp1252",
    "cp1254",
    "windows1250",
    "windows1251",
    "windows1252",
    "koi8r",
    "koi8u",
    "macroman",
    "eucjp",
    "euckr",
    "gb2312",
    "cp437",
    "cp850",
    "cp866",
];

/// The name in the first two lines, where one stands: `coding` and `:` or `=` in a comment.
pub(super) fn declared(bytes: &[u8]) -> Option<String> {
    // Lines end in any of three ways; empty ones are passed over, which looks at more and not at less.
    let mut lines = bytes.split(|byte| matches!(byte, b'\n' | b'\r')).filter(|line| !line.is_empty());
    let (first, second) = (lines.next()?, lines.next());
    named(first).or_else(|| named(second?))
}

fn named(line: &[u8]) -> Option<String> {
    let start = line.iter().position(|byte| !matches!(byte, b' ' | b'\t' | b'\x0c'))?;
    let comment = line.get(start..)?.strip_prefix(b"#")?;
    memchr::memmem::find_iter(comment, b"coding").find_map(|at| {
        let rest = comment.get(at + 6..)?;
        let rest = rest.strip_prefix(b":").or_else(|| rest.strip_prefix(b"="))?;
        let blanks = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        let is_name = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        let name: String = rest.get(blanks..)?.iter().take_while(is_name).map(|byte| char::from(*byte)).collect();
        Some(name).filter(|name| !name.is_empty())
    })
}

/// Whether ASCII means ASCII in it, by a list of well-known ones.
pub(super) fn holds_ascii(name: &str) -> bool {
    let mut plain = name.to_ascii_lowercase().replace(['-', '_', '.'], "");
    // Emacs writes the line ends behind the name.
    for ends in ["unix", "dos", "mac"] {
        if let Some(stem) = plain.strip_suffix(ends).filter(|stem| !stem.is_empty()) {
            plain = stem.to_owned();
        }
    }
    WITH_ASCII.contains(&plain.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_two_lines_may_name_an_encoding() {
        assert_eq!(declared(b"# -*- coding: utf-7 -*-\nx").as_deref(), Some("utf-7"));
        assert_eq!(declared(b"#!/usr/bin/python\n# vim: set fileencoding=latin-1 :\n").as_deref(), Some("latin-1"));
        assert_eq!(declared(b"\x0c # coding=unicode_escape").as_deref(), Some("unicode_escape"));
        assert_eq!(declared(b"#!x\r# coding: utf-7\r").as_deref(), Some("utf-7"));
        for none in [b"x = 1 # coding: utf-7\n".as_slice(), b"a\nb\n# coding: utf-7", b"", b"# encoding utf-7"] {
            assert_eq!(declared(none), None, "{none:?}");
        }
        assert!(
            ["UTF-8", "utf_8", "Latin-1", "iso-8859-15", "utf-8-unix", "cp1252"].iter().all(|name| holds_ascii(name))
        );
        assert!(
            !["utf-7", "unicode_escape", "raw_unicode_escape", "utf-16", "rot13", "hz", "unix"]
                .iter()
                .any(|name| holds_ascii(name))
        );
    }
}
