//! Manifests and lockfiles of packages: what a project is made of.
//!
//! Each format has a reader that turns text into a [`Manifest`]; one [`Inspect`]or per format claims
//! files by name, adds the packages to the inventory and checks how they are pinned and where they
//! come from. A file that is not understood is never clean.

mod cargo;
pub mod checks;
mod conda;
mod dependency;
mod go;
mod installed;
mod keys;
mod npm;
mod pipfile;
mod place;
mod pnpm;
mod poetry;
mod project;
mod requirements;
mod yarn;

use std::collections::BTreeMap;

use bartizan_core::{Completeness, Component, ComponentKind, Rule, printable};
use bartizan_inspect::{Area, Findings, Format, Inspect, Limits, Source};

use dependency::{Dependency, Manifest, Unreadable};
use place::{place, without_password};

/// Every rule about manifests.
pub const RULES: &[&Rule] = checks::RULES;

/// Bytes of a file that are read; lockfiles of thousands of packages have a few MB.
const LARGEST: u64 = 64 << 20;

type Files = Result<Vec<(Source, Manifest)>, Unreadable>;

/// Inspects one format.
pub struct Reader {
    name: &'static str,
    claims: fn(&str) -> bool,
    read: fn(&Source, &str) -> Files,
}

/// pip's requirements and constraints.
pub const REQUIREMENTS: Reader =
    Reader { name: "requirements", claims: requirements::is_named_so, read: requirements::read };
/// Cargo's lockfile.
pub const CARGO_LOCK: Reader = Reader {
    name: "cargo-lock",
    claims: |path| is(path, "Cargo.lock"),
    read: |source, text| single(source, cargo::read(text)),
};
/// Poetry's lockfile.
pub const POETRY_LOCK: Reader = Reader {
    name: "poetry-lock",
    claims: |path| is(path, "poetry.lock"),
    read: |source, text| single(source, poetry::read(text)),
};
/// uv's lockfile.
pub const UV_LOCK: Reader = Reader {
    name: "uv-lock",
    claims: |path| is(path, "uv.lock"),
    read: |source, text| single(source, poetry::read(text)),
};
/// PDM's lockfile.
pub const PDM_LOCK: Reader = Reader {
    name: "pdm-lock",
    claims: |path| is(path, "pdm.lock"),
    read: |source, text| single(source, poetry::read(text)),
};
/// Pipenv's lockfile.
pub const PIPFILE_LOCK: Reader = Reader {
    name: "pipfile-lock",
    claims: |path| is(path, "Pipfile.lock"),
    read: |source, text| single(source, pipfile::read(text)),
};
/// What a Python project declares.
pub const PYPROJECT: Reader = Reader {
    name: "pyproject",
    claims: |path| is(path, "pyproject.toml"),
    read: |source, text| single(source, project::pyproject(text)),
};
/// What a setuptools project declares.
pub const SETUP_CFG: Reader = Reader {
    name: "setup-cfg",
    claims: |path| is(path, "setup.cfg"),
    read: |source, text| single(source, Ok(project::setup_cfg(text))),
};
/// Conda's environment.
pub const CONDA_ENVIRONMENT: Reader = Reader {
    name: "conda-environment",
    claims: |path| is(path, "environment.yml") || is(path, "environment.yaml"),
    read: |source, text| single(source, conda::environment(text)),
};
/// conda-lock's lockfile.
pub const CONDA_LOCK: Reader = Reader {
    name: "conda-lock",
    claims: |path| is(path, "conda-lock.yml") || is(path, "conda-lock.yaml"),
    read: |source, text| single(source, conda::lock(text)),
};
/// npm's lockfile.
pub const NPM_LOCK: Reader = Reader {
    name: "npm-lock",
    claims: |path| is(path, "package-lock.json") || is(path, "npm-shrinkwrap.json"),
    read: |source, text| single(source, npm::read(text)),
};
/// pnpm's lockfile.
pub const PNPM_LOCK: Reader = Reader {
    name: "pnpm-lock",
    claims: |path| is(path, "pnpm-lock.yaml"),
    read: |source, text| single(source, pnpm::read(text)),
};
/// Yarn's lockfile.
pub const YARN_LOCK: Reader = Reader {
    name: "yarn-lock",
    claims: |path| is(path, "yarn.lock"),
    read: |source, text| single(source, yarn::read(text)),
};
/// Go's module file.
pub const GO_MODULE: Reader = Reader {
    name: "go-module",
    claims: |path| is(path, "go.mod"),
    read: |source, text| single(source, go::read(text)),
};
/// An installed Python distribution, or one in a wheel.
pub const INSTALLED: Reader = Reader {
    name: "python-metadata",
    claims: |path| installed::is_metadata(path),
    read: |source, text| single(source, installed::read(text)),
};

/// Every inspector of manifests.
pub const INSPECTORS: &[&dyn Inspect] = &[
    &REQUIREMENTS,
    &CARGO_LOCK,
    &POETRY_LOCK,
    &UV_LOCK,
    &PDM_LOCK,
    &PIPFILE_LOCK,
    &PYPROJECT,
    &SETUP_CFG,
    &CONDA_ENVIRONMENT,
    &CONDA_LOCK,
    &NPM_LOCK,
    &PNPM_LOCK,
    &YARN_LOCK,
    &GO_MODULE,
    &INSTALLED,
];

fn is(path: &str, file: &str) -> bool {
    path.rsplit(['/', '!']).next() == Some(file)
}

fn single(source: &Source, read: Result<Manifest, Unreadable>) -> Files {
    read.map(|manifest| vec![(source.clone(), manifest)])
}

impl Inspect for Reader {
    fn name(&self) -> &'static str {
        self.name
    }

    fn area(&self) -> Area {
        Area::Dependencies
    }

    fn claims(&self, source: &Source, _: Format) -> bool {
        (self.claims)(source.name())
    }

    fn inspect(&self, source: &Source, findings: &mut Findings) -> Completeness {
        if source.length() > LARGEST {
            return Completeness::Failed(format!("is larger than the {LARGEST} bytes that are read"));
        }
        let bytes = match source.read(0, usize::try_from(source.length()).unwrap_or(usize::MAX)) {
            Ok(bytes) => bytes,
            Err(error) => return Completeness::Failed(format!("can't be read: {error}")),
        };
        let text = match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => {
                let at = error.utf8_error().valid_up_to();
                return Completeness::Failed(format!("is not UTF-8 at byte {at}"));
            }
        };
        match (self.read)(source, &text) {
            Ok(files) => files.into_iter().fold(Completeness::Complete, |completeness, (source, manifest)| {
                completeness.and(add(self.name, &source, manifest, findings))
            }),
            Err(Unreadable { line, problem }) => {
                let line = line.map(|line| format!("line {line}: ")).unwrap_or_default();
                Completeness::Failed(format!("{line}{}", printable(&problem)))
            }
        }
    }
}

fn add(reader: &str, source: &Source, manifest: Manifest, findings: &mut Findings) -> Completeness {
    if let Err(exhausted) = source.budget().operate(manifest.dependencies.len() as u64) {
        return Completeness::Partial(exhausted.to_string());
    }
    checks::check(source, &manifest, findings);
    let mut versions: BTreeMap<String, String> = BTreeMap::new();
    // Only who requires another needs to know which one that is.
    let requiring = manifest.dependencies.iter().any(|dependency| !dependency.requires.is_empty());
    for dependency in manifest.dependencies.iter().filter(|_| requiring) {
        let name = dependency.ecosystem.canonical(&dependency.name);
        let purl = dependency.ecosystem.purl(&name, dependency.version.as_deref());
        if let Some(version) = &dependency.version {
            versions.insert(format!("{name}@{version}"), purl.clone());
        }
        versions.entry(name).or_insert(purl);
    }
    for dependency in manifest.dependencies {
        findings.component(component(reader, source, dependency, &versions));
    }
    manifest.completeness
}

fn component(reader: &str, source: &Source, dependency: Dependency, purls: &BTreeMap<String, String>) -> Component {
    let name = dependency.ecosystem.canonical(&dependency.name);
    let purl = dependency.ecosystem.purl(&name, dependency.version.as_deref());
    let mut component = Component::new(ComponentKind::Library, &printable(&name), place(source, dependency.line))
        .derived("ecosystem", dependency.ecosystem.as_str())
        .derived("manifest", reader)
        .derived("scope", dependency.scope.as_str())
        .derived("origin", dependency.origin.as_str())
        .derived("hashed", if dependency.is_hashed { "true" } else { "false" });
    if !dependency.specifier.is_empty() {
        component = component.derived("specifier", without_password(&dependency.specifier));
    }
    component.purl = Some(purl);
    component.version = dependency.version;
    component.digest = dependency.digest;
    component.requires = dependency
        .requires
        .iter()
        .map(|required| {
            let required = dependency.ecosystem.canonical(required);
            purls.get(&required).cloned().unwrap_or(required)
        })
        .collect();
    component
}

/// Reads arbitrary bytes as every kind of file; must neither panic nor run away.
pub fn fuzz_one(bytes: &[u8]) {
    let source = Source::from_bytes("fuzz", bytes.to_vec(), Limits::default());
    for inspector in INSPECTORS {
        let _ = inspector.inspect(&source, &mut Findings::new());
    }
}
