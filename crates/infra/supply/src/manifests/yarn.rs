//! Yarn's lockfiles: the format of its own until version 1, YAML since.

use super::dependency::{Dependency, Manifest, Origin, Unreadable};
use crate::ecosystem::Ecosystem;
use crate::yaml::{self, Node};

/// Reads a lockfile of any version.
pub(super) fn read(text: &str) -> Result<Manifest, Unreadable> {
    if text.lines().any(|line| line.starts_with("__metadata:")) { berry(text) } else { classic(text) }
}

fn berry(text: &str) -> Result<Manifest, Unreadable> {
    let lock = yaml::parse(text).map_err(|(line, problem)| Unreadable::at(line, problem))?;
    let mut dependencies = Vec::new();
    for (key, package) in lock.entries().iter().filter(|(key, _)| key != "__metadata") {
        let field = |name: &str| package.get(name).and_then(Node::text);
        let resolution = field("resolution").unwrap_or(key);
        let Some(name) = name(resolution) else {
            return Err(Unreadable::at(package.line, "an entry has no name"));
        };
        let reference = resolution.get(name.len() + 1..).unwrap_or_default();
        let mut dependency = Dependency::new(Ecosystem::Npm, name, package.line);
        dependency.origin = match reference {
            reference if reference.starts_with("npm:") || reference.starts_with("patch:") => Origin::Registry,
            reference if reference.starts_with("workspace:") => Origin::Local,
            reference => Origin::parse(reference),
        };
        dependency = dependency.at_version(field("version").unwrap_or_default());
        dependency.is_hashed = field("checksum").is_some();
        let required = package.get("dependencies").map(Node::entries).unwrap_or_default();
        dependency.requires = required.iter().map(|(name, _)| name.clone()).collect();
        dependencies.push(dependency);
    }
    Ok(Manifest::lock(dependencies))
}

/// The name before the `@` of a range; scopes begin with one themselves.
fn name(pattern: &str) -> Option<&str> {
    let at = pattern.get(1..)?.find('@')? + 1;
    pattern.get(..at)
}

fn classic(text: &str) -> Result<Manifest, Unreadable> {
    let mut dependencies: Vec<Dependency> = Vec::new();
    let mut in_dependencies = false;
    for (number, line) in (1..).zip(text.lines()) {
        let content = line.trim();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        let indent = line.len() - line.trim_start().len();
        if indent == 0 {
            let pattern = content.trim_end_matches(':').split(", ").next().unwrap_or_default().trim_matches('"');
            let name = name(pattern).filter(|_| content.ends_with(':'));
            let Some(name) = name else { return Err(Unreadable::at(number, "is no entry of a lockfile")) };
            // `alias@npm:real@1.0.0` installs another package under a name.
            let real = pattern.split_once("@npm:").and_then(|(_, real)| self::name(real));
            dependencies.push(Dependency::new(Ecosystem::Npm, real.unwrap_or(name), number));
            in_dependencies = false;
            continue;
        }
        let Some(entry) = dependencies.last_mut() else {
            return Err(Unreadable::at(number, "stands before the first entry"));
        };
        let (key, value) = content.split_once(' ').unwrap_or((content, ""));
        let value = value.trim().trim_matches('"');
        match (indent, key) {
            (2, "version") => entry.version = Some(value.to_owned()),
            (2, "resolved") => {
                entry.origin = super::npm::origin(value);
                entry.is_hashed |= value.contains('#') && entry.origin == Origin::Registry;
            }
            (2, "integrity") => entry.is_hashed = true,
            (2, _) => in_dependencies = matches!(key, "dependencies:" | "optionalDependencies:"),
            _ if in_dependencies => entry.requires.push(key.trim_matches('"').to_owned()),
            _ => {}
        }
    }
    if let Some(entry) = dependencies.iter().find(|entry| entry.version.is_none()) {
        return Err(Unreadable::at(entry.line, "an entry has no version"));
    }
    Ok(Manifest::lock(dependencies))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classic_and_berry_are_read_alike() {
        let classic = read(
            "# yarn lockfile v1\n\n\"@a/b@^1.0.0\", \"@a/b@^1.1.0\":\n  version \"1.2.3\"\n  resolved \
             \"https://registry.yarnpkg.com/@a/b/-/b-1.2.3.tgz#abc\"\n  integrity sha512-x\n  dependencies:\n    c \"^2\"\n",
        );
        let berry = read(
            "__metadata:\n  version: 8\n\"@a/b@npm:^1.0.0, @a/b@npm:^1.1.0\":\n  version: 1.2.3\n  resolution: \
             \"@a/b@npm:1.2.3\"\n  dependencies:\n    c: \"npm:^2\"\n  checksum: 10/abc\n\"app@workspace:.\":\n  \
             version: 0.0.0-use.local\n  resolution: \"app@workspace:.\"\n",
        );
        for manifest in [&classic, &berry] {
            let first = manifest.as_ref().unwrap().dependencies.first().unwrap();
            assert_eq!((first.name.as_str(), first.version.as_deref(), first.line), ("@a/b", Some("1.2.3"), 3));
            assert!(first.is_hashed && first.origin == Origin::Registry);
            assert_eq!(first.requires, ["c"]);
        }
        assert_eq!(berry.unwrap().dependencies.last().map(|last| last.origin.clone()), Some(Origin::Local));
        assert_eq!(read("<<<<<<< HEAD\n").unwrap_err().line, Some(1));
    }
}
