//! Conda's environments and conda-lock's lockfiles.

use super::dependency::{Dependency, Manifest, Scope, Unreadable};
use super::requirements::requirement;
use crate::ecosystem::Ecosystem;
use crate::yaml::{self, Content, Node};

fn parse(text: &str) -> Result<Node, Unreadable> {
    yaml::parse(text).map_err(|(line, problem)| Unreadable::at(line, problem))
}

/// Reads `environment.yml`.
pub(super) fn environment(text: &str) -> Result<Manifest, Unreadable> {
    let node = parse(text)?;
    let mut manifest = Manifest { is_installed_from: true, ..Manifest::default() };
    for item in node.get("dependencies").map(Node::items).unwrap_or_default() {
        match &item.content {
            Content::Text(text) => manifest.dependencies.push(specification(text, item.line)),
            Content::Map(_) => {
                for line in item.get("pip").map(Node::items).unwrap_or_default() {
                    match line.text().and_then(|text| requirement(line.line, text)) {
                        Some(dependency) => manifest.dependencies.push(dependency),
                        None => manifest.partly(format!("line {}: not a requirement that is understood", line.line)),
                    }
                }
            }
            Content::Null | Content::List(_) => manifest.partly(format!("line {}: no package", item.line)),
        }
    }
    Ok(manifest)
}

/// `channel::name=1.2.3=build`, `name==1.2.3`, `name >=1`: only two of these fix a version. One `=`
/// asks for whatever begins so, which for three parts is as good as exact.
fn specification(text: &str, line: u64) -> Dependency {
    let text = text.rsplit_once("::").map_or(text, |(_, name)| name).trim();
    let end =
        text.find(|c: char| c.is_whitespace() || matches!(c, '=' | '<' | '>' | '!' | '~' | '[')).unwrap_or(text.len());
    let (name, specifier) = text.split_at_checked(end).unwrap_or((text, ""));
    let mut dependency = Dependency::new(Ecosystem::Conda, name, line);
    let specifier = specifier.split('[').next().unwrap_or_default().trim();
    specifier.clone_into(&mut dependency.specifier);
    let exact = specifier.strip_prefix("==").or_else(|| {
        let (version, build) = specifier.strip_prefix('=').map(|rest| rest.split_once('=').unwrap_or((rest, "")))?;
        (!build.is_empty() || version.matches('.').count() >= 2).then_some(version)
    });
    let exact = exact.map(str::trim).filter(|version| !version.is_empty() && !version.contains(['*', ',', '|', ' ']));
    dependency.version = exact.map(|version| version.split('=').next().unwrap_or(version).to_owned());
    dependency
}

/// Reads `conda-lock.yml`.
pub(super) fn lock(text: &str) -> Result<Manifest, Unreadable> {
    let node = parse(text)?;
    let mut manifest = Manifest::lock(Vec::new());
    for package in node.get("package").map(Node::items).unwrap_or_default() {
        let field = |key: &str| package.get(key).and_then(Node::text);
        let (Some(name), Some(version)) = (field("name"), field("version")) else {
            return Err(Unreadable::at(package.line, "a package without name or version"));
        };
        let ecosystem = if field("manager") == Some("pip") { Ecosystem::PyPi } else { Ecosystem::Conda };
        let mut dependency = Dependency::new(ecosystem, name, package.line).at_version(version);
        let sha256 = package.get("hash").and_then(|hash| hash.get("sha256")).and_then(Node::text);
        dependency.is_hashed = package.get("hash").is_some_and(|hash| !hash.entries().is_empty());
        dependency.digest = sha256.and_then(|hex| format!("sha256:{hex}").parse().ok());
        dependency.scope = match (field("category"), field("optional")) {
            (Some("dev"), _) => Scope::Development,
            (_, Some("true")) => Scope::Optional,
            _ => Scope::Runtime,
        };
        let required = package.get("dependencies").map(Node::entries).unwrap_or_default();
        dependency.requires = required.iter().map(|(name, _)| name.clone()).collect();
        manifest.dependencies.push(dependency);
    }
    Ok(manifest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn environments_name_conda_and_pip_packages() {
        let manifest = environment(
            "channels: [conda-forge]\ndependencies:\n  - conda-forge::numpy=1.21.0=py39_0\n  - python=3.9\n  - pip:\n      - \
             torch==2.0.1\n  - scipy==1.7.0\n",
        )
        .unwrap();
        let found: Vec<_> = manifest
            .dependencies
            .iter()
            .map(|one| (one.ecosystem, one.name.as_str(), one.version.as_deref(), one.line))
            .collect();
        assert_eq!(
            found,
            [
                (Ecosystem::Conda, "numpy", Some("1.21.0"), 3),
                (Ecosystem::Conda, "python", None, 4),
                (Ecosystem::PyPi, "torch", Some("2.0.1"), 6),
                (Ecosystem::Conda, "scipy", Some("1.7.0"), 7),
            ]
        );
    }

    #[test]
    fn lockfiles_keep_digests() {
        let text = format!(
            "version: 1\npackage:\n- name: numpy\n  version: 1.21.0\n  manager: conda\n  hash:\n    sha256: {}\n  optional: false\n",
            "a".repeat(64)
        );
        let manifest = lock(&text).unwrap();
        assert!(manifest.dependencies.iter().all(|one| one.digest.is_some() && one.line == 3));
    }
}
