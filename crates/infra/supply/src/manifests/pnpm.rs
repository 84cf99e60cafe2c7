//! pnpm's lockfiles, versions 5 to 9.

use super::dependency::{Dependency, Manifest, Origin, Scope, Unreadable};
use crate::ecosystem::Ecosystem;
use crate::yaml::{self, Node};

/// Reads a lockfile.
pub(super) fn read(text: &str) -> Result<Manifest, Unreadable> {
    let lock = yaml::parse(text).map_err(|(line, problem)| Unreadable::at(line, problem))?;
    let mut manifest = Manifest::lock(Vec::new());
    for (key, package) in lock.get("packages").map(Node::entries).unwrap_or_default() {
        match name_and_version(key) {
            Some((name, version)) => manifest.dependencies.push(dependency(name, version, package)),
            None => {
                let shown: String = bartizan_core::printable(key).chars().take(80).collect();
                manifest.partly(format!("line {}: `{shown}` is no package with a version", package.line));
            }
        }
    }
    Ok(manifest)
}

/// `/name/1.0.0_peer` until version 5, `/name@1.0.0(peer)` in 6, `name@1.0.0` from 9.
fn name_and_version(key: &str) -> Option<(&str, &str)> {
    let is_old = key.starts_with('/');
    let key = key.strip_prefix('/').unwrap_or(key);
    let key = key.split('(').next().unwrap_or(key);
    let slashes = if key.starts_with('@') { 2 } else { 1 };
    let in_old = key.match_indices('/').nth(slashes - 1).map(|(at, _)| at);
    let in_new = key.get(1..)?.find('@').map(|at| at + 1);
    let at = if is_old { in_old.or(in_new)? } else { in_new? };
    let (name, version) = key.split_at_checked(at)?;
    let version = version.get(1..)?;
    let is_url = version.contains(':');
    Some((name, if is_url { version } else { version.split('_').next().unwrap_or(version) }))
}

fn dependency(name: &str, version: &str, package: &Node) -> Dependency {
    let text = |key: &str| package.get(key).and_then(Node::text);
    let is_set = |key: &str| text(key) == Some("true");
    let resolution = |key: &str| package.get("resolution").and_then(|node| node.get(key)).and_then(Node::text);
    let mut dependency = Dependency::new(Ecosystem::Npm, text("name").unwrap_or(name), package.line);
    let version = text("version").unwrap_or(version);
    if version.starts_with(|c: char| c.is_ascii_digit()) {
        dependency.version = Some(version.to_owned());
    } else {
        version.clone_into(&mut dependency.specifier);
    }
    dependency.is_hashed = resolution("integrity").is_some();
    dependency.runs_on_install = is_set("requiresBuild");
    dependency.origin = match (resolution("tarball"), resolution("repo"), resolution("directory")) {
        (_, _, Some(_)) => Origin::Local,
        (_, Some(url), _) => Origin::Git { url: url.to_owned(), is_fixed: resolution("commit").is_some() },
        (Some(url), ..) => super::npm::origin(url),
        (None, None, None) => Origin::Registry,
    };
    dependency.scope = match (is_set("dev"), is_set("optional")) {
        (true, _) => Scope::Development,
        (false, true) => Scope::Optional,
        (false, false) => Scope::Runtime,
    };
    let required = package.get("dependencies").map(Node::entries).unwrap_or_default();
    dependency.requires = required.iter().map(|(name, _)| name.clone()).collect();
    dependency
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_every_version_are_understood() {
        assert_eq!(name_and_version("/@a/b/1.0.0_react@17.0.2"), Some(("@a/b", "1.0.0")));
        assert_eq!(name_and_version("/@a/b@1.0.0(react@17.0.2)"), Some(("@a/b", "1.0.0")));
        assert_eq!(name_and_version("b@1.0.0-rc.1"), Some(("b", "1.0.0-rc.1")));
        assert_eq!(name_and_version("/b/1.0.0"), Some(("b", "1.0.0")));
    }
}
