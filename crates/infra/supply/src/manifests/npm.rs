//! npm's lockfiles, versions 1 to 3.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::dependency::{Dependency, Manifest, Origin, Scope, Unreadable};
use super::keys::KeyLines;
use super::pipfile::broken;
use crate::ecosystem::Ecosystem;

#[derive(Deserialize)]
struct Lock {
    packages: Option<Map<String, Value>>,
    dependencies: Option<Map<String, Value>>,
}

/// Reads `package-lock.json` or `npm-shrinkwrap.json`.
pub(super) fn read(text: &str) -> Result<Manifest, Unreadable> {
    let lock: Lock = serde_json::from_str(text).map_err(|error| broken(&error))?;
    let lines = KeyLines::of(text);
    let mut dependencies = Vec::new();
    if let Some(packages) = lock.packages {
        // The project itself stands under the empty path, a link beside what it leads to.
        for (path, package) in packages.iter().filter(|(path, package)| !path.is_empty() && !is_set(package, "link")) {
            let named = package.get("name").and_then(Value::as_str);
            let name = named.or_else(|| path.rsplit("node_modules/").next()).unwrap_or(path);
            let mut dependency = dependency(name, package, lines.line(path));
            if !path.contains("node_modules/") {
                dependency.origin = Origin::Local;
            }
            dependencies.push(dependency);
        }
    } else {
        let mut waiting: Vec<Map<String, Value>> = lock.dependencies.into_iter().collect();
        while let Some(level) = waiting.pop() {
            for (name, package) in level {
                dependencies.push(dependency(&name, &package, lines.line(&name)));
                if let Some(Value::Object(nested)) = package.get("dependencies") {
                    waiting.push(nested.clone());
                }
            }
        }
    }
    Ok(Manifest::lock(dependencies))
}

fn is_set(package: &Value, key: &str) -> bool {
    package.get(key).and_then(Value::as_bool).unwrap_or_default()
}

fn dependency(name: &str, package: &Value, line: u64) -> Dependency {
    let text = |key: &str| package.get(key).and_then(Value::as_str);
    let version = text("version").unwrap_or_default();
    let mut dependency = Dependency::new(Ecosystem::Npm, name, line);
    dependency.origin = match text("resolved") {
        Some(url) => origin(url),
        // Version 1 writes the address in place of the version.
        None if version.contains(':') => Origin::parse(version),
        None => Origin::Registry,
    };
    if version.starts_with(|c: char| c.is_ascii_digit()) {
        dependency.version = Some(version.to_owned());
    } else {
        version.clone_into(&mut dependency.specifier);
    }
    dependency.is_hashed = text("integrity").is_some() || matches!(dependency.origin, Origin::Git { .. });
    dependency.runs_on_install = is_set(package, "hasInstallScript");
    dependency.scope = match (is_set(package, "dev") || is_set(package, "devOptional"), is_set(package, "optional")) {
        (true, _) => Scope::Development,
        (false, true) => Scope::Optional,
        (false, false) => Scope::Runtime,
    };
    let required = package.get("requires").or_else(|| package.get("dependencies")).and_then(Value::as_object);
    dependency.requires = required.into_iter().flatten().map(|(name, _)| name.clone()).collect();
    dependency
}

/// Registries serve archives below `/-/`; everything else is somebody's URL.
pub(super) fn origin(url: &str) -> Origin {
    match Origin::parse(url) {
        Origin::Url(address) if address.contains("/-/") && address.starts_with("https:") => Origin::Registry,
        origin => origin,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_and_new_lockfiles_are_read() {
        let new = read(
            r#"{"lockfileVersion": 3, "packages": {"": {"name": "app"},
                "node_modules/@a/b": {"version": "1.2.3", "resolved": "https://registry.npmjs.org/@a/b/-/b-1.2.3.tgz",
                    "integrity": "sha512-x", "dev": true, "hasInstallScript": true},
                "node_modules/a/node_modules/c": {"version": "2.0.0", "resolved": "git+ssh://git@example.org/c.git#main"},
                "packages/mine": {"version": "0.1.0"}, "node_modules/mine": {"resolved": "packages/mine", "link": true}}}"#,
        )
        .unwrap();
        let [ab, c, mine] = new.dependencies.as_slice() else { panic!("{new:?}") };
        assert_eq!((ab.name.as_str(), ab.version.as_deref(), ab.line), ("@a/b", Some("1.2.3"), 2));
        assert!(ab.is_hashed && ab.runs_on_install && ab.scope == Scope::Development && ab.origin == Origin::Registry);
        assert!(matches!(c.origin, Origin::Git { is_fixed: false, .. }) && c.name == "c");
        assert_eq!(mine.origin, Origin::Local);
        let old = read(r#"{"dependencies": {"a": {"version": "1.0.0", "dependencies": {"b": {"version": "2.0.0"}}}}}"#);
        assert_eq!(old.unwrap().dependencies.len(), 2);
    }
}
