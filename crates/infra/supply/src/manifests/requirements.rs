//! pip's requirements and constraints files.
//!
//! <https://pip.pypa.io/en/stable/reference/requirements-file-format/> and PEP 508. Files that are
//! named with `-r` and `-c` are followed where a scan would not meet them by their own name.

use std::collections::BTreeSet;

use bartizan_core::Digest;
use bartizan_inspect::Source;

use super::dependency::{Dependency, Index, Manifest, Origin, Unreadable};
use crate::ecosystem::Ecosystem;

/// Files that may be named from one another.
const MOST_FILES: usize = 100;
/// Bytes of a further file.
const LARGEST: u64 = 8 << 20;

/// Whether a file is known as a list of requirements by its name.
pub(super) fn is_named_so(path: &str) -> bool {
    let mut parts = path.rsplit(['/', '!']);
    let file = parts.next().unwrap_or_default().to_ascii_lowercase();
    let Some(stem) = file.strip_suffix(".txt").or_else(|| file.strip_suffix(".in")) else { return false };
    let in_folder = parts.next().is_some_and(|folder| folder.eq_ignore_ascii_case("requirements"));
    in_folder || stem.contains("requirements") || stem == "constraints" || stem.ends_with("-constraints")
}

/// Reads a file and those it names.
pub(super) fn read(source: &Source, text: &str) -> Result<Vec<(Source, Manifest)>, Unreadable> {
    let mut done = Vec::new();
    let mut seen = BTreeSet::from([source.name().to_owned()]);
    let mut waiting = vec![(source.clone(), text.to_owned())];
    while let Some((source, text)) = waiting.pop() {
        let mut manifest = parse(&text);
        for named in std::mem::take(&mut manifest.named) {
            if named.target.contains("://") {
                manifest.file.partly(format!("line {}: `{}` is not fetched", named.line, named.target));
                continue;
            }
            let Some(other) = source.beside(&named.target) else {
                let reason = format!("line {}: `{}` is not a file below the scanned folder", named.line, named.target);
                manifest.file.partly(reason);
                continue;
            };
            // Whatever bears a known name is met by the walk itself.
            if is_named_so(other.name()) || !seen.insert(other.name().to_owned()) {
                continue;
            }
            match other.read(0, usize::try_from(other.length().min(LARGEST)).unwrap_or(0)) {
                Ok(bytes) if seen.len() <= MOST_FILES && other.length() <= LARGEST => {
                    waiting.push((other, String::from_utf8_lossy(&bytes).into_owned()));
                }
                Ok(_) => manifest.file.partly(format!("line {}: `{}` is not followed", named.line, named.target)),
                Err(error) => manifest.file.partly(format!("line {}: `{}`: {error}", named.line, named.target)),
            }
        }
        done.push((source, manifest.file));
    }
    Ok(done)
}

#[derive(Default)]
struct Parsed {
    file: Manifest,
    named: Vec<Named>,
}

struct Named {
    target: String,
    line: u64,
}

fn parse(text: &str) -> Parsed {
    let mut parsed = Parsed { file: Manifest { is_installed_from: true, ..Manifest::default() }, named: Vec::new() };
    let text = text.trim_start_matches('\u{feff}');
    for (line, logical) in logical_lines(text) {
        let logical = without_comment(&logical);
        if logical.is_empty() {
            continue;
        }
        if logical.starts_with('-') {
            option(line, logical, &mut parsed);
        } else {
            match requirement(line, logical) {
                Some(dependency) => parsed.file.dependencies.push(dependency),
                None if is_path(logical) => {}
                None => {
                    let shown: String = bartizan_core::printable(logical).chars().take(80).collect();
                    parsed.file.partly(format!("line {line}: `{shown}` is no requirement"));
                }
            }
        }
    }
    parsed
}

/// Lines, those that end with a backslash joined with the next.
fn logical_lines(text: &str) -> Vec<(u64, String)> {
    let mut lines = Vec::new();
    let mut open: Option<(u64, String)> = None;
    for (number, line) in (1..).zip(text.lines()) {
        let (first, mut joined) = open.take().unwrap_or_else(|| (number, String::new()));
        match line.strip_suffix('\\') {
            Some(part) if !line.trim_start().starts_with('#') => {
                joined.push_str(part);
                joined.push(' ');
                open = Some((first, joined));
            }
            _ => {
                joined.push_str(line);
                lines.push((first, joined));
            }
        }
    }
    lines.extend(open);
    lines
}

/// A `#` begins a comment at the start or after white space; elsewhere it belongs to a URL.
fn without_comment(line: &str) -> &str {
    let bytes = line.as_bytes();
    let start = memchr::memchr_iter(b'#', bytes)
        .find(|at| at.checked_sub(1).and_then(|before| bytes.get(before)).is_none_or(u8::is_ascii_whitespace));
    line.get(..start.unwrap_or(line.len())).unwrap_or(line).trim()
}

fn option(line: u64, text: &str, parsed: &mut Parsed) {
    let (name, value) = match text.split_once(|c: char| c == '=' || c.is_whitespace()) {
        Some((name, value)) => (name, value.trim().trim_matches(['"', '\''])),
        // `-rother.txt` is `-r other.txt`.
        None if !text.starts_with("--") && text.is_char_boundary(2) => text.split_at(2.min(text.len())),
        None => (text, ""),
    };
    match name {
        "-r" | "--requirement" | "-c" | "--constraint" => {
            parsed.named.push(Named { target: value.to_owned(), line });
        }
        "-i" | "--index-url" | "--pypi-url" | "--extra-index-url" | "-f" | "--find-links" => {
            let is_extra = name == "--extra-index-url";
            let index = Index { url: value.to_owned(), line, is_extra, is_explicit: false };
            parsed.file.indexes.push(index);
        }
        "-e" | "--editable" => {
            if let Some(mut dependency) = requirement(line, value).or_else(|| bare_url(line, value)) {
                dependency.specifier = format!("-e {}", dependency.specifier);
                parsed.file.dependencies.push(dependency);
            }
        }
        "--no-index"
        | "--no-binary"
        | "--only-binary"
        | "--prefer-binary"
        | "--require-hashes"
        | "--pre"
        | "--trusted-host"
        | "--use-feature"
        | "--process-dependency-links"
        | "--no-deps" => {}
        _ => parsed.file.partly(format!("line {line}: the option `{}` is unknown", bartizan_core::printable(name))),
    }
}

/// A requirement of PEP 508, a bare URL, or the name in one, with pip's options behind it.
pub(super) fn requirement(line: u64, text: &str) -> Option<Dependency> {
    let (text, hashes) = without_options(text);
    if let Some(dependency) = bare_url(line, text) {
        return Some(with_hashes(dependency, &hashes));
    }
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))).unwrap_or(text.len());
    let (name, rest) = text.split_at_checked(end)?;
    if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) || !name.ends_with(|c: char| c.is_ascii_alphanumeric()) {
        return None;
    }
    let mut rest = rest.trim_start();
    if let Some(extras) = rest.strip_prefix('[') {
        rest = extras.split_once(']')?.1.trim_start();
    }
    let mut dependency = Dependency::new(Ecosystem::PyPi, name, line);
    if let Some(url) = rest.strip_prefix('@') {
        let url = url.trim().split(" ;").next().unwrap_or_default().trim();
        dependency.origin = Origin::parse(url);
        dependency.is_hashed = url.contains("#sha256=") || url.contains("#sha512=");
        url.clone_into(&mut dependency.specifier);
        return Some(with_hashes(dependency, &hashes));
    }
    let specifier = rest.split(';').next().unwrap_or_default().trim();
    let specifier = specifier.strip_prefix('(').and_then(|inner| inner.strip_suffix(')')).unwrap_or(specifier).trim();
    if !is_specifier(specifier) {
        return None;
    }
    dependency.version = exact(specifier).map(str::to_owned);
    specifier.clone_into(&mut dependency.specifier);
    Some(with_hashes(dependency, &hashes))
}

fn is_specifier(text: &str) -> bool {
    text.is_empty()
        || text.split(',').map(str::trim).all(|clause| {
            clause.is_empty()
                || ["===", "==", "~=", "!=", "<=", ">=", "<", ">"].iter().any(|operator| {
                    clause.strip_prefix(operator).is_some_and(|version| {
                        let version = version.trim();
                        !version.is_empty() && !version.contains(char::is_whitespace) && !version.starts_with('=')
                    })
                })
        })
}

/// The version of `==1.2.3` or `===1.2.3`.
pub(super) fn exact(specifier: &str) -> Option<&str> {
    let version = specifier.strip_prefix("===").or_else(|| specifier.strip_prefix("=="))?.trim();
    let is_exact = !version.is_empty() && !version.contains([',', '*', '=', ' ']);
    is_exact.then_some(version)
}

/// The text before ` --hash=…` and other options of a line, and the hashes.
fn without_options(text: &str) -> (&str, Vec<&str>) {
    let (text, options) = match text.find(" --") {
        Some(at) => text.split_at_checked(at).unwrap_or((text, "")),
        None => (text, ""),
    };
    let words = options.split_whitespace().map(|word| word.strip_prefix("--hash").unwrap_or(word));
    let hashes = words.filter_map(|word| word.strip_prefix('=').or(Some(word))).filter(|word| word.contains(':'));
    (text.trim(), hashes.collect())
}

fn with_hashes(mut dependency: Dependency, hashes: &[&str]) -> Dependency {
    dependency.is_hashed |= !hashes.is_empty();
    if let [only] = hashes {
        dependency.digest = only.parse::<Digest>().ok();
    }
    dependency
}

/// A URL without a name before it; the name is in `#egg=` or in the name of the wheel.
fn bare_url(line: u64, text: &str) -> Option<Dependency> {
    let scheme = text.split_once("://").map(|(scheme, _)| scheme)?;
    if scheme.contains(|c: char| !(c.is_ascii_alphanumeric() || c == '+')) {
        return None;
    }
    let (address, fragment) = text.split_once('#').unwrap_or((text, ""));
    let fragment_name = fragment.split('&').find_map(|field| field.strip_prefix("egg="));
    let file = address.rsplit('/').next().unwrap_or_default();
    let (mut name, mut version) = (fragment_name.unwrap_or_default(), None);
    if let (true, Some(wheel)) = (name.is_empty(), file.strip_suffix(".whl")) {
        let mut fields = wheel.split('-');
        name = fields.next().unwrap_or_default();
        version = fields.next();
    } else if name.is_empty() {
        let repository = file.split('@').next().unwrap_or(file);
        name = repository.strip_suffix(".git").or_else(|| repository.split(".tar").next()).unwrap_or(repository);
    }
    let name = name.split('[').next().unwrap_or_default();
    let mut dependency = Dependency::new(Ecosystem::PyPi, if name.is_empty() { "unnamed" } else { name }, line);
    dependency.origin = Origin::parse(text);
    dependency.version = version.map(str::to_owned);
    dependency.is_hashed = fragment.contains("sha256=") || fragment.contains("sha512=");
    text.clone_into(&mut dependency.specifier);
    Some(dependency)
}

fn is_path(text: &str) -> bool {
    text.starts_with(['.', '/', '~']) || text.ends_with(".whl") || text.ends_with(".tar.gz") || text.ends_with(".zip")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(text: &str) -> Dependency {
        let parsed = parse(text);
        assert_eq!(parsed.file.completeness, bartizan_core::Completeness::Complete, "{text}");
        assert_eq!(parsed.file.dependencies.len(), 1, "{text}");
        parsed.file.dependencies.into_iter().next().unwrap()
    }

    #[test]
    fn every_shape_of_requirement_is_understood() {
        let hash = "a".repeat(64);
        let pinned = only(&format!("Torch [a,b] == 2.1.0 ; python_version > '3' \\\n  --hash=sha256:{hash}  # why\n"));
        assert_eq!((pinned.name.as_str(), pinned.version.as_deref(), pinned.line), ("Torch", Some("2.1.0"), 1));
        assert!(pinned.is_hashed && pinned.digest.is_some());
        assert_eq!(only("x (>=1,<2)").specifier, ">=1,<2");
        assert_eq!(only("x==1.*").version, None);
        assert_eq!(only("x===1.0-odd").version.as_deref(), Some("1.0-odd"));
        let git = only("pkg @ git+https://example.org/a/pkg.git@v1.0");
        assert!(matches!(git.origin, Origin::Git { is_fixed: false, .. }));
        let git = only(&format!("-e git+ssh://git@example.org/a/pkg.git@{}#egg=Pkg", "b".repeat(40)));
        assert!(matches!(git.origin, Origin::Git { is_fixed: true, .. }), "{git:?}");
        assert_eq!(git.name, "Pkg");
        let wheel = only("https://example.org/w/torch-2.0.0%2Bcpu-cp311-cp311-linux_x86_64.whl#sha256=00");
        assert_eq!((wheel.name.as_str(), wheel.is_hashed), ("torch", true));
    }

    #[test]
    fn what_is_no_requirement_is_said_with_its_line() {
        let parsed = parse("a==1\n\n<<<<<<< HEAD\n");
        let bartizan_core::Completeness::Partial(reason) = parsed.file.completeness else { panic!("not partial") };
        assert!(reason.starts_with("line 3: "), "{reason}");
    }

    #[test]
    fn names_of_requirements_files_are_known() {
        for name in [
            "requirements.txt",
            "a/requirements-dev.txt",
            "dev_requirements.in",
            "requirements/base.txt",
            "constraints.txt",
            "x.zip!requirements.txt",
        ] {
            assert!(is_named_so(name), "{name}");
        }
        for name in ["notes.txt", "requirements.md", "data/constraints.json"] {
            assert!(!is_named_so(name), "{name}");
        }
    }
}
