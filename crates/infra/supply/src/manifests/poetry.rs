//! Python lockfiles in TOML: poetry.lock, uv.lock and pdm.lock, which differ in a few keys.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;
use toml::Spanned;

use super::cargo::unreadable;
use super::dependency::{Dependency, Lines, Manifest, Origin, Scope, Unreadable, is_commit};
use crate::ecosystem::Ecosystem;

#[derive(Deserialize)]
struct Lock {
    #[serde(default)]
    package: Vec<Package>,
    metadata: Option<Metadata>,
}

/// Hashes stood here until poetry 1.2 and pdm 2.
#[derive(Deserialize)]
struct Metadata {
    #[serde(default)]
    files: toml::Table,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Package {
    name: Spanned<String>,
    #[serde(default)]
    version: Option<String>,
    source: Option<Source>,
    sdist: Option<File>,
    #[serde(default)]
    wheels: Vec<File>,
    #[serde(default)]
    files: Vec<File>,
    dependencies: Option<Requires>,
    #[serde(default)]
    optional: bool,
    category: Option<String>,
    #[serde(default)]
    groups: Vec<String>,
    // pdm names these at the package itself.
    git: Option<String>,
    revision: Option<String>,
    url: Option<String>,
    path: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Requires {
    Table(BTreeMap<String, IgnoredAny>),
    List(Vec<Required>),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Required {
    Name { name: String, version: Option<String> },
    Text(String),
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Source {
    #[serde(rename = "type")]
    kind: Option<String>,
    git: Option<String>,
    url: Option<String>,
    resolved_reference: Option<String>,
    path: Option<IgnoredAny>,
    editable: Option<IgnoredAny>,
    directory: Option<IgnoredAny>,
    #[serde(rename = "virtual")]
    virtual_: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct File {
    hash: Option<String>,
}

/// Reads a lockfile.
pub(super) fn read(text: &str) -> Result<Manifest, Unreadable> {
    let lock: Lock = toml::from_str(text).map_err(|error| unreadable(text, &error))?;
    let mut lines = Lines::of(text);
    let old: Vec<String> = lock
        .metadata
        .map(|metadata| metadata.files.into_iter())
        .into_iter()
        .flatten()
        .filter(|(_, files)| files.as_array().is_some_and(|files| !files.is_empty()))
        .map(|(name, _)| Ecosystem::PyPi.canonical(name.split(' ').next().unwrap_or(&name)))
        .collect();
    Ok(Manifest::lock(lock.package.into_iter().map(|package| package.dependency(&mut lines, &old)).collect()))
}

impl Package {
    fn dependency(self, lines: &mut Lines<'_>, old: &[String]) -> Dependency {
        let line = lines.at(self.name.span().start);
        let name = self.name.into_inner();
        let mut dependency = Dependency::new(Ecosystem::PyPi, &name, line);
        dependency.version = self.version.filter(|version| !version.is_empty());
        let hashes: Vec<&str> =
            self.sdist.iter().chain(&self.wheels).chain(&self.files).filter_map(|file| file.hash.as_deref()).collect();
        dependency.is_hashed = !hashes.is_empty() || old.contains(&Ecosystem::PyPi.canonical(&name));
        if let [only] = hashes.as_slice() {
            dependency.digest = only.parse().ok();
        }
        let is_development = self.category.as_deref() == Some("dev")
            || (!self.groups.is_empty()
                && !self.groups.iter().any(|group| matches!(group.as_str(), "main" | "default")));
        dependency.scope = match (is_development, self.optional) {
            (true, _) => Scope::Development,
            (false, true) => Scope::Optional,
            (false, false) => Scope::Runtime,
        };
        dependency.origin = match (self.source, self.git, self.url, self.path) {
            (Some(source), ..) => source.origin(),
            (None, Some(url), ..) => Origin::Git { url, is_fixed: self.revision.as_deref().is_some_and(is_commit) },
            (None, None, Some(url), _) => Origin::Url(url),
            (None, None, None, Some(_)) => Origin::Local,
            (None, None, None, None) => Origin::Registry,
        };
        dependency.requires = match self.dependencies {
            None => Vec::new(),
            Some(Requires::Table(table)) => table.into_keys().collect(),
            Some(Requires::List(list)) => list.into_iter().filter_map(Required::name).collect(),
        };
        dependency
    }
}

impl Required {
    fn name(self) -> Option<String> {
        match self {
            Self::Name { name, version: Some(version) } => Some(format!("{name}@{version}")),
            Self::Name { name, version: None } => Some(name),
            Self::Text(text) => {
                let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')));
                text.get(..end.unwrap_or(text.len())).filter(|name| !name.is_empty()).map(str::to_owned)
            }
        }
    }
}

impl Source {
    fn origin(self) -> Origin {
        // uv names the kind by the key, poetry by `type`.
        if self.path.is_some() || self.editable.is_some() || self.directory.is_some() || self.virtual_.is_some() {
            return Origin::Local;
        }
        if let Some(url) = self.git {
            let is_fixed = url.rsplit_once('#').is_some_and(|(_, revision)| is_commit(revision));
            return Origin::Git { url, is_fixed };
        }
        match (self.kind.as_deref(), self.url) {
            (Some("git"), url) => Origin::Git {
                url: url.unwrap_or_default(),
                is_fixed: self.resolved_reference.as_deref().is_some_and(is_commit),
            },
            (Some("directory" | "file"), _) => Origin::Local,
            (Some("url") | None, Some(url)) => Origin::Url(url),
            _ => Origin::Registry,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(text: &str) -> Vec<Dependency> {
        read(text).unwrap().dependencies
    }

    #[test]
    fn uv_poetry_and_pdm_are_read_alike() {
        let uv = read_all(
            "version = 1\n[[package]]\nname = \"torch\"\nversion = \"2.1.0\"\nsource = { registry = \"https://pypi.org/simple\" }\n\
             dependencies = [{ name = \"sympy\" }]\nwheels = [{ url = \"u\", hash = \"sha256:00\" }]\n\
             [[package]]\nname = \"mine\"\nversion = \"0.1.0\"\nsource = { editable = \".\" }\n",
        );
        let poetry = read_all(
            "[[package]]\nname = \"torch\"\nversion = \"2.1.0\"\noptional = false\n\
             files = [{file = \"f\", hash = \"sha256:00\"}]\n\n[package.dependencies]\nsympy = \">=1\"\n",
        );
        let pdm = read_all(
            "[[package]]\nname = \"torch\"\nversion = \"2.1.0\"\ngroups = [\"default\"]\ndependencies = [\"sympy>=1\"]\n\
             files = [{file = \"f\", hash = \"sha256:00\"}]\n",
        );
        for first in [uv.first(), poetry.first(), pdm.first()] {
            let first = first.unwrap();
            assert_eq!((first.name.as_str(), first.version.as_deref()), ("torch", Some("2.1.0")));
            assert_eq!((first.is_hashed, first.scope), (true, Scope::Runtime));
            assert_eq!(first.requires, ["sympy"]);
        }
        assert_eq!(uv.get(1).map(|one| &one.origin), Some(&Origin::Local));
    }
}
