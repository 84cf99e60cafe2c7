//! Pipenv's lockfile.

use serde_json::Value;

use super::dependency::{Dependency, Index, Manifest, Origin, Scope, Unreadable, is_commit};
use super::keys::KeyLines;
use super::requirements::exact;
use crate::ecosystem::Ecosystem;

/// Reads a lockfile.
pub(super) fn read(text: &str) -> Result<Manifest, Unreadable> {
    let lock: Value = serde_json::from_str(text).map_err(|error| broken(&error))?;
    let Some(sections) = lock.as_object() else { return Err(Unreadable::at(1, "is not an object")) };
    let lines = KeyLines::of(text);
    let mut manifest = Manifest::lock(Vec::new());
    for (section, packages) in sections.iter().filter(|(section, _)| *section != "_meta") {
        for (name, package) in packages.as_object().into_iter().flatten() {
            let mut dependency = dependency(name, package, lines.line(name));
            if section != "default" {
                dependency.scope = Scope::Development;
            }
            manifest.dependencies.push(dependency);
        }
    }
    let sources = lock.pointer("/_meta/sources").and_then(Value::as_array);
    for (number, source) in sources.into_iter().flatten().enumerate() {
        let url = source.get("url").and_then(Value::as_str).unwrap_or_default();
        // Pipenv takes every package from the first source unless the package names another.
        let index = Index { url: url.to_owned(), line: lines.line(url), is_extra: number > 0, is_explicit: true };
        manifest.indexes.push(index);
    }
    Ok(manifest)
}

/// Where JSON is broken.
pub(super) fn broken(error: &serde_json::Error) -> Unreadable {
    Unreadable::at(error.line() as u64, error.to_string())
}

fn dependency(name: &str, package: &Value, line: u64) -> Dependency {
    let text = |key: &str| package.get(key).and_then(Value::as_str);
    let mut dependency = Dependency::new(Ecosystem::PyPi, name, line);
    let specifier = text("version").unwrap_or_default();
    dependency.version = exact(specifier).map(str::to_owned);
    specifier.clone_into(&mut dependency.specifier);
    let hashes: Vec<&str> =
        package.get("hashes").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    dependency.is_hashed = !hashes.is_empty();
    if let [only] = hashes.as_slice() {
        dependency.digest = only.parse().ok();
    }
    if let Some(url) = text("git") {
        dependency.origin = Origin::Git { url: url.to_owned(), is_fixed: text("ref").is_some_and(is_commit) };
    } else if let Some(url) = text("file") {
        dependency.origin = Origin::parse(url);
    } else if package.get("path").is_some() || package.get("editable").is_some() {
        dependency.origin = Origin::Local;
    }
    dependency
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sections_are_read_with_their_lines() {
        let text = "{\"_meta\": {\"sources\": [{\"url\": \"https://pypi.org/simple\"}]},\n\"default\": {\n\"torch\": {\"hashes\": [\"sha256:00\"], \"version\": \"==2.1.0\"}\n},\n\
                    \"develop\": {\"black\": {\"git\": \"https://example.org/black.git\", \"ref\": \"main\"}}}";
        let manifest = read(text).unwrap();
        let [torch, black] = manifest.dependencies.as_slice() else { panic!("{manifest:?}") };
        assert_eq!((torch.version.as_deref(), torch.line, torch.is_hashed), (Some("2.1.0"), 3, true));
        assert_eq!(black.scope, Scope::Development);
        assert!(matches!(black.origin, Origin::Git { is_fixed: false, .. }));
        assert_eq!(read("{\n\"default\": [\n").unwrap_err().line, Some(3));
    }
}
