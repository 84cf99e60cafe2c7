//! Go's module files.

use super::dependency::{Dependency, Manifest, Origin, Unreadable};
use crate::ecosystem::Ecosystem;

/// Reads `go.mod` (<https://go.dev/ref/mod#go-mod-file>): what it requires is what is built, at least
/// in the main module.
pub(super) fn read(text: &str) -> Result<Manifest, Unreadable> {
    let mut dependencies: Vec<Dependency> = Vec::new();
    let mut replaced = Vec::new();
    let mut block: Option<&str> = None;
    for (number, line) in (1..).zip(text.lines()) {
        let content = line.split("//").next().unwrap_or_default().trim();
        if content.is_empty() {
            continue;
        }
        if content == ")" {
            block = None;
            continue;
        }
        let (verb, rest) = match block {
            Some(verb) => (verb, content),
            None => content.split_once(char::is_whitespace).unwrap_or((content, "")),
        };
        if block.is_none() && rest.trim() == "(" {
            block = Some(verb);
            continue;
        }
        let words: Vec<&str> = rest.split_whitespace().map(|word| word.trim_matches(['"', '`'])).collect();
        match (verb, words.as_slice()) {
            ("require", [name, version]) => {
                let mut dependency = Dependency::new(Ecosystem::Go, name, number).at_version(version);
                dependency.is_hashed = false;
                dependencies.push(dependency);
            }
            ("replace", [name, "=>", target @ ..] | [name, _, "=>", target @ ..]) => {
                replaced.push(((*name).to_owned(), own(target), number));
            }
            ("replace" | "require", _) => return Err(Unreadable::at(number, format!("`{verb}` is not understood"))),
            ("module" | "go" | "toolchain" | "godebug" | "exclude" | "retract" | "tool" | "ignore", _) => {}
            _ => return Err(Unreadable::at(number, format!("`{verb}` is unknown"))),
        }
    }
    for (name, target, line) in replaced {
        for dependency in dependencies.iter_mut().filter(|dependency| dependency.name == name) {
            dependency.line = line;
            match target.as_slice() {
                [other, version] => {
                    dependency.name.clone_from(other);
                    dependency.version = Some(version.clone());
                }
                _ => dependency.origin = Origin::Local,
            }
        }
    }
    Ok(Manifest::lock(dependencies))
}

fn own(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requirements_and_replacements_are_read() {
        let text = "module example.org/me\n\ngo 1.22\n\nrequire example.org/a v1.2.3 // indirect\nrequire (\n\texample.org/b v0.1.0\n\
                    \texample.org/c v2.0.0+incompatible\n)\nreplace example.org/b => ../b\nreplace example.org/c v2.0.0 => \
                    example.org/fork v2.1.0\n";
        let manifest = read(text).unwrap();
        let found: Vec<_> = manifest
            .dependencies
            .iter()
            .map(|one| {
                (one.name.as_str(), one.version.as_deref().unwrap_or_default(), one.line, one.origin == Origin::Local)
            })
            .collect();
        assert_eq!(
            found,
            [
                ("example.org/a", "v1.2.3", 5, false),
                ("example.org/b", "v0.1.0", 10, true),
                ("example.org/fork", "v2.1.0", 11, false)
            ]
        );
        assert_eq!(read("module x\nrequire x\n").unwrap_err().line, Some(2));
    }
}
