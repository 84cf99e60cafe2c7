//! Where packages come from, and how each place spells names, orders versions and writes package
//! URLs.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr as _;

/// A world of packages with names and an order of versions of its own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Ecosystem {
    /// The Python Package Index.
    PyPi,
    /// The registry of Rust crates.
    CratesIo,
    /// The registry of Node.js packages.
    Npm,
    /// Go modules.
    Go,
    /// Conda channels. No advisories are written for these; they are looked up as [`Self::PyPi`].
    Conda,
}

impl Ecosystem {
    /// All, in the order of their tags in an index.
    pub const ALL: [Self; 5] = [Self::PyPi, Self::CratesIo, Self::Npm, Self::Go, Self::Conda];

    /// The name that OSV gives it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PyPi => "PyPI",
            Self::CratesIo => "crates.io",
            Self::Npm => "npm",
            Self::Go => "Go",
            Self::Conda => "conda",
        }
    }

    /// Reads the name.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|ecosystem| ecosystem.as_str() == word)
    }

    /// The one spelling under which a name is looked up: PyPI ignores case and takes `-`, `_` and `.`
    /// for one (PEP 503); the others mean what they say.
    pub fn canonical(self, name: &str) -> String {
        if !matches!(self, Self::PyPi | Self::Conda) {
            return name.to_owned();
        }
        let mut out = String::with_capacity(name.len());
        let mut was_separator = false;
        for c in name.chars() {
            let is_separator = matches!(c, '-' | '_' | '.');
            if !is_separator {
                out.push(c.to_ascii_lowercase());
            } else if !was_separator && self == Self::PyPi {
                out.push('-');
            } else if self == Self::Conda {
                out.push(c);
            }
            was_separator = is_separator;
        }
        out
    }

    /// The package URL (ECMA-427) of a name in canonical spelling.
    pub fn purl(self, name: &str, version: Option<&str>) -> String {
        let kind = match self {
            Self::PyPi => "pypi",
            Self::CratesIo => "cargo",
            Self::Npm => "npm",
            Self::Go => "golang",
            Self::Conda => "conda",
        };
        let mut purl = String::with_capacity(kind.len() + name.len() + 24);
        purl.extend(["pkg:", kind]);
        for part in name.split('/') {
            purl.push('/');
            encode(&mut purl, part);
        }
        if let Some(version) = version {
            purl.push('@');
            encode(&mut purl, version);
        }
        purl
    }
}

impl fmt::Display for Ecosystem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

fn encode(out: &mut String, part: &str) {
    use fmt::Write as _;
    for byte in part.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b':') {
            out.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

/// A version in the order of its ecosystem: PEP 440 for Python, Semantic Versioning 2.0.0 (without
/// build metadata) for the others.
#[derive(Clone, Debug)]
pub enum Version {
    /// PEP 440.
    Python(pep440_rs::Version),
    /// Semantic Versioning.
    Semantic(semver::Version),
}

impl Version {
    /// Reads a version; `None` where the ecosystem's order has no place for it.
    pub fn parse(ecosystem: Ecosystem, text: &str) -> Option<Self> {
        match ecosystem {
            Ecosystem::PyPi | Ecosystem::Conda => {
                pep440_rs::Version::from_str(text.trim()).ok().map(|version| Self::Python(version.clone()))
            }
            Ecosystem::CratesIo | Ecosystem::Npm | Ecosystem::Go => semantic(text.trim()).map(Self::Semantic),
        }
    }

    /// Before, equal or after; versions of two kinds are never equal.
    pub fn precedence(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Python(one), Self::Python(other)) => one.cmp(other),
            (Self::Semantic(one), Self::Semantic(other)) => one.cmp_precedence(other),
            (Self::Python(_), Self::Semantic(_)) => Ordering::Less,
            (Self::Semantic(_), Self::Python(_)) => Ordering::Greater,
        }
    }

    /// Whether it is a pre-release or development version, which nobody is told to move to.
    pub fn is_prerelease(&self) -> bool {
        match self {
            Self::Python(version) => version.any_prerelease(),
            Self::Semantic(version) => !version.pre.is_empty(),
        }
    }
}

/// Advisories write `0` and `1.2`, Go and npm write `v1.2.3`: missing parts are zero.
fn semantic(text: &str) -> Option<semver::Version> {
    let text = text.strip_prefix(['v', '=', 'V']).unwrap_or(text);
    if let Ok(version) = semver::Version::parse(text) {
        return Some(version);
    }
    let end = text.find(['-', '+']).unwrap_or(text.len());
    let (numbers, rest) = text.split_at_checked(end)?;
    let missing = 2_usize.checked_sub(numbers.bytes().filter(|byte| *byte == b'.').count())?;
    semver::Version::parse(&format!("{numbers}{}{rest}", ".0".repeat(missing))).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(ecosystem: Ecosystem, one: &str, other: &str) -> Option<Ordering> {
        Some(Version::parse(ecosystem, one)?.precedence(&Version::parse(ecosystem, other)?))
    }

    #[test]
    fn versions_are_ordered_as_their_ecosystem_orders_them() {
        for (one, other) in
            [("1.0.dev1", "1.0a1"), ("1.0rc1", "1.0"), ("1.0", "1.0.post1"), ("9.0", "10.0"), ("2.0", "1!0.1")]
        {
            assert_eq!(order(Ecosystem::PyPi, one, other), Some(Ordering::Less), "{one} {other}");
        }
        assert_eq!(order(Ecosystem::PyPi, "1.0", "1.0.0"), Some(Ordering::Equal));
        assert_eq!(order(Ecosystem::PyPi, "2.0.0+cu118", "2.0.1"), Some(Ordering::Less));
        for (one, other) in
            [("1.0.0-alpha.2", "1.0.0-alpha.10"), ("1.0.0-rc.1", "1.0.0"), ("0", "0.0.1"), ("1.9", "1.10")]
        {
            assert_eq!(order(Ecosystem::Npm, one, other), Some(Ordering::Less), "{one} {other}");
        }
        assert_eq!(order(Ecosystem::Go, "v1.2.3", "1.2.3+incompatible"), Some(Ordering::Equal));
        assert!(Version::parse(Ecosystem::PyPi, "2004d-final-x").is_none());
        assert!(Version::parse(Ecosystem::CratesIo, "1.2.3.4").is_none());
    }

    #[test]
    fn names_have_one_spelling_and_one_package_url() {
        assert_eq!(Ecosystem::PyPi.canonical("Zope__Interface.X"), "zope-interface-x");
        assert_eq!(Ecosystem::CratesIo.canonical("serde_json"), "serde_json");
        assert_eq!(Ecosystem::Npm.purl("@babel/core", Some("7.0.0+x")), "pkg:npm/%40babel/core@7.0.0%2Bx");
        assert_eq!(Ecosystem::PyPi.purl("torch", None), "pkg:pypi/torch");
    }
}
