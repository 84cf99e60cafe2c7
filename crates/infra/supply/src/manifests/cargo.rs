//! Cargo's lockfile, versions 1 to 4.

use serde::Deserialize;
use toml::Spanned;

use super::dependency::{Dependency, Lines, Manifest, Origin, Unreadable};
use crate::ecosystem::Ecosystem;

/// The registry as lockfiles name it, by its two protocols.
const REGISTRY: [&str; 2] =
    ["registry+https://github.com/rust-lang/crates.io-index", "sparse+https://index.crates.io/"];

#[derive(Deserialize)]
struct Lock {
    #[serde(default)]
    package: Vec<Package>,
    root: Option<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: Spanned<String>,
    version: String,
    source: Option<String>,
    checksum: Option<String>,
    #[serde(default)]
    dependencies: Vec<String>,
}

/// Reads a lockfile.
pub(super) fn read(text: &str) -> Result<Manifest, Unreadable> {
    let lock: Lock = toml::from_str(text).map_err(|error| unreadable(text, &error))?;
    let mut lines = Lines::of(text);
    let packages = lock.package.into_iter().chain(lock.root);
    Ok(Manifest::lock(packages.map(|package| package.dependency(&mut lines)).collect()))
}

/// Where TOML is broken.
pub(super) fn unreadable(text: &str, error: &toml::de::Error) -> Unreadable {
    match error.span() {
        Some(span) => Unreadable::at(Lines::of(text).at(span.start), error.message()),
        None => Unreadable::new(error.message()),
    }
}

impl Package {
    fn dependency(self, lines: &mut Lines<'_>) -> Dependency {
        let line = lines.at(self.name.span().start);
        let mut dependency = Dependency::new(Ecosystem::CratesIo, self.name.as_ref(), line).at_version(&self.version);
        dependency.origin = match self.source.as_deref() {
            None => Origin::Local,
            Some(source) if REGISTRY.contains(&source) => Origin::Registry,
            Some(source) if source.starts_with("git+") => Origin::parse(source),
            // Another registry: its packages only share names with the public ones.
            Some(source) => Origin::Url(source.to_owned()),
        };
        dependency.is_hashed = self.checksum.is_some();
        dependency.digest = self.checksum.and_then(|checksum| format!("sha256:{checksum}").parse().ok());
        // `name`, `name version` or `name version (source)`.
        let name_of = |text: &String| {
            let mut words = text.split(' ');
            match (words.next(), words.next()) {
                (Some(name), Some(version)) => format!("{name}@{version}"),
                _ => text.clone(),
            }
        };
        dependency.requires = self.dependencies.iter().map(name_of).collect();
        dependency
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_read_with_line_origin_and_checksum() {
        let text = format!(
            "version = 4\n\n[[package]]\nname = \"a\"\nversion = \"1.0.0\"\nsource = \"{}\"\nchecksum = \"{}\"\n\
             dependencies = [\n \"b 2.0.0\",\n]\n\n[[package]]\nname = \"b\"\nversion = \"2.0.0\"\n",
            REGISTRY[0],
            "0".repeat(64)
        );
        let manifest = read(&text).unwrap();
        let [a, b] = manifest.dependencies.as_slice() else { panic!("{manifest:?}") };
        assert_eq!(
            (a.line, &a.origin, a.digest.is_some(), a.requires.as_slice()),
            (4, &Origin::Registry, true, &["b@2.0.0".to_owned()][..])
        );
        assert_eq!((b.line, &b.origin), (13, &Origin::Local));
    }

    #[test]
    fn a_broken_lockfile_is_named_with_its_line() {
        assert_eq!(read("version = 4\n\n[[package]\n").unwrap_err().line, Some(3));
        assert!(read("[[package]]\nname = \"x\"\n").is_err());
    }
}
