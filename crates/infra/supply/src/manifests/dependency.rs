//! What a manifest or lockfile says, before anything is made of it.

use bartizan_core::{Completeness, Digest};

use crate::ecosystem::Ecosystem;

/// A package that a file names.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Dependency {
    pub(crate) ecosystem: Ecosystem,
    /// As the file spells it.
    pub(crate) name: String,
    /// The exact version, where one is fixed.
    pub(crate) version: Option<String>,
    /// What the file says instead of or beside a version.
    pub(crate) specifier: String,
    /// From 1; 0 for the file as a whole.
    pub(crate) line: u64,
    pub(crate) scope: Scope,
    pub(crate) origin: Origin,
    /// Whether the file fixes its bytes by a digest.
    pub(crate) is_hashed: bool,
    /// That digest, where it is a single SHA-256.
    pub(crate) digest: Option<Digest>,
    /// What it directly requires: names or `name@version`.
    pub(crate) requires: Vec<String>,
    pub(crate) is_yanked: bool,
    pub(crate) runs_on_install: bool,
}

impl Dependency {
    pub(crate) fn new(ecosystem: Ecosystem, name: &str, line: u64) -> Self {
        Self {
            ecosystem,
            name: name.to_owned(),
            version: None,
            specifier: String::new(),
            line,
            scope: Scope::Runtime,
            origin: Origin::Registry,
            is_hashed: false,
            digest: None,
            requires: Vec::new(),
            is_yanked: false,
            runs_on_install: false,
        }
    }

    pub(crate) fn at_version(mut self, version: &str) -> Self {
        self.version = Some(version.to_owned()).filter(|version| !version.is_empty());
        self
    }
}

/// When it is needed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Scope {
    Runtime,
    Development,
    Optional,
}

impl Scope {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Runtime => "runtime",
            Self::Development => "development",
            Self::Optional => "optional",
        }
    }
}

/// Where it is fetched from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Origin {
    /// The ecosystem's registry, or an index that stands in for it.
    Registry,
    /// A URL of an archive.
    Url(String),
    /// A repository, at a commit where that is fixed.
    Git { url: String, is_fixed: bool },
    /// The project's own folder.
    Local,
}

impl Origin {
    pub(crate) const fn as_str(&self) -> &'static str {
        match self {
            Self::Registry => "registry",
            Self::Url(_) => "url",
            Self::Git { .. } => "git",
            Self::Local => "local",
        }
    }

    /// Reads a URL with pip's and npm's prefixes: `git+https://…@commit`, `https://…#sha256=…`,
    /// `file:…`.
    pub(crate) fn parse(url: &str) -> Self {
        let url = url.trim();
        let (address, fragment) = url.split_once('#').unwrap_or((url, ""));
        let is_git = address.starts_with("git+")
            || address.starts_with("git:")
            || address.starts_with("ssh:")
            || address.ends_with(".git");
        if is_git {
            // A user before the host is no revision.
            let path = address.rsplit('/').next().unwrap_or(address);
            let revision = path.rsplit_once('@').map_or(fragment, |(_, revision)| revision);
            return Self::Git { url: address.to_owned(), is_fixed: is_commit(revision) };
        }
        if address.starts_with("http:") || address.starts_with("https:") {
            return Self::Url(address.to_owned());
        }
        Self::Local
    }
}

/// Whether a revision is a commit id, which nobody can move.
pub(crate) fn is_commit(revision: &str) -> bool {
    let revision = revision.split(['&', '=']).next_back().unwrap_or(revision);
    (revision.len() == 40 || revision.len() == 64) && revision.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// An index of packages that a file names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Index {
    pub(crate) url: String,
    pub(crate) line: u64,
    /// Whether it is asked beside another one, so that either may answer.
    pub(crate) is_extra: bool,
    /// Whether packages are only taken from it where the file says so.
    pub(crate) is_explicit: bool,
}

/// Everything a file says.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Manifest {
    pub(crate) dependencies: Vec<Dependency>,
    pub(crate) indexes: Vec<Index>,
    /// Whether a tool writes it, so that every version should be exact.
    pub(crate) is_lock: bool,
    /// Whether somebody installs straight from it, so that what is not exact should be.
    pub(crate) is_installed_from: bool,
    pub(crate) completeness: Completeness,
}

impl Manifest {
    /// A file written by a tool.
    pub(crate) fn lock(dependencies: Vec<Dependency>) -> Self {
        Self { dependencies, is_lock: true, ..Self::default() }
    }

    /// A part was not understood.
    pub(crate) fn partly(&mut self, reason: String) {
        let before = std::mem::take(&mut self.completeness);
        self.completeness = before.and(Completeness::Partial(reason));
    }
}

/// A file was not understood: the line, where that is known, and why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Unreadable {
    pub(crate) line: Option<u64>,
    pub(crate) problem: String,
}

impl Unreadable {
    pub(crate) fn at(line: u64, problem: impl Into<String>) -> Self {
        Self { line: Some(line), problem: problem.into() }
    }

    pub(crate) fn new(problem: impl Into<String>) -> Self {
        Self { line: None, problem: problem.into() }
    }
}

/// The line of a byte offset, from 1, for offsets that only grow.
pub(crate) struct Lines<'a> {
    text: &'a [u8],
    offset: usize,
    line: u64,
}

impl<'a> Lines<'a> {
    pub(crate) fn of(text: &'a str) -> Self {
        Self { text: text.as_bytes(), offset: 0, line: 1 }
    }

    pub(crate) fn at(&mut self, offset: usize) -> u64 {
        if offset < self.offset {
            *self = Self { offset: 0, line: 1, ..*self };
        }
        let between = self.text.get(self.offset..offset.min(self.text.len())).unwrap_or_default();
        self.line += memchr::memchr_iter(b'\n', between).count() as u64;
        self.offset = offset.min(self.text.len());
        self.line
    }
}
