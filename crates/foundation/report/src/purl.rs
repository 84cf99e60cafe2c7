//! Package URLs (ECMA-427), as far as saying whether one names the package of another.

use std::collections::BTreeMap;

/// A package URL in parts that can be compared.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct PackageUrl {
    kind: String,
    name: String,
    version: Option<String>,
    qualifiers: BTreeMap<String, String>,
    subpath: Option<String>,
}

impl PackageUrl {
    /// Reads a package URL; `None` when the text is not one.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let rest = text.get(..4).filter(|scheme| scheme.eq_ignore_ascii_case("pkg:")).and_then(|_| text.get(4..))?;
        let (rest, subpath) = match rest.split_once('#') {
            Some((rest, subpath)) => (rest, decoded(subpath.trim_matches('/'))),
            None => (rest, String::new()),
        };
        let (path, qualifiers) = rest.split_once('?').unwrap_or((rest, ""));
        let (kind, path) = path.trim_start_matches('/').split_once('/')?;
        // A scope's `@`, where it was left as it is, stands before the last `/`.
        let from_name = path.rfind('/').map_or(0, |slash| slash + 1);
        let at = path.get(from_name..)?.rfind('@').filter(|at| *at > 0).map(|at| from_name + at);
        let (name, version) = match at {
            Some(at) => (path.get(..at)?, path.get(at + 1..).filter(|version| !version.is_empty())),
            None => (path, None),
        };
        let name: Vec<String> = name.trim_matches('/').split('/').map(decoded).collect();
        let (kind, name) = (kind.to_ascii_lowercase(), name.join("/"));
        let qualifiers = qualifiers
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .filter(|(_, value)| !value.is_empty())
            .map(|(key, value)| (key.to_ascii_lowercase(), decoded(value)))
            .collect();
        let name = canonical(&kind, name);
        let subpath = (!subpath.is_empty()).then_some(subpath);
        (!kind.is_empty() && !name.is_empty()).then(|| Self {
            kind,
            name,
            version: version.map(decoded),
            qualifiers,
            subpath,
        })
    }

    /// Whether whoever names `self` means `package` too: what `self` leaves open it leaves open for every
    /// version and variant; what it says, `package` must say.
    pub(crate) fn covers(&self, package: &Self) -> bool {
        self.kind == package.kind
            && self.name == package.name
            && (self.version.is_none() || self.version == package.version)
            && self.qualifiers.iter().all(|(key, value)| package.qualifiers.get(key) == Some(value))
            && (self.subpath.is_none() || self.subpath == package.subpath)
    }
}

/// PyPI holds `A_b`, `a.b` and `a-b` for one name (PEP 503).
fn canonical(kind: &str, name: String) -> String {
    if kind != "pypi" {
        return name;
    }
    let parts = name.split(['-', '_', '.']).filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join("-").to_ascii_lowercase()
}

/// Percent-decoding (RFC 3986, section 2.1); what is no such code stays as it is.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let digit = |at: usize| behind.get(at).and_then(|byte| char::from(*byte).to_digit(16));
        match (*first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.extend(u8::try_from(high * 16 + low));
                rest = behind.get(2..).unwrap_or_default();
            }
            (byte, _, _) => {
                bytes.push(byte);
                rest = behind;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::PackageUrl;

    fn covers(named: &str, package: &str) -> bool {
        let read = |text| PackageUrl::parse(text).unwrap_or_else(|| panic!("{text}"));
        read(named).covers(&read(package))
    }

    #[test]
    fn a_package_url_covers_every_version_only_where_it_names_none() {
        assert!(covers("pkg:pypi/requests", "pkg:pypi/requests@2.19.0"));
        assert!(covers("pkg:pypi/requests@2.19.0", "pkg:pypi/requests@2.19.0"));
        assert!(!covers("pkg:pypi/requests@2.19.1", "pkg:pypi/requests@2.19.0"));
        assert!(!covers("pkg:pypi/requests@2.19.0", "pkg:pypi/requests"));
        assert!(!covers("pkg:npm/requests", "pkg:pypi/requests@2.19.0"));
        assert!(!covers("pkg:pypi/request", "pkg:pypi/requests@2.19.0"));
    }

    #[test]
    fn spellings_of_one_package_are_one_package() {
        assert!(covers("pkg:npm/@babel/core@7.0.0", "pkg:npm/%40babel/core@7.0.0"));
        assert!(covers("pkg:npm/@babel/core", "pkg:npm/%40babel/core@7.0.0"));
        assert!(!covers("pkg:npm/core", "pkg:npm/%40babel/core@7.0.0"));
        assert!(covers("PKG:PyPI/Typing_Extensions@4.0", "pkg:pypi/typing-extensions@4.0"));
        assert!(covers("pkg:cargo/x@1.0.0%2Bbuild", "pkg:cargo/x@1.0.0+build"));
    }

    #[test]
    fn one_variant_is_not_every_variant() {
        assert!(!covers("pkg:pypi/x@1?file_name=x-1.whl", "pkg:pypi/x@1"));
        assert!(covers("pkg:pypi/x@1", "pkg:pypi/x@1?file_name=x-1.whl"));
        assert!(!covers("pkg:golang/a/b#c", "pkg:golang/a/b"));
    }

    #[test]
    fn other_text_is_no_package_url() {
        for text in ["", "pkg:", "pkg:pypi", "pkg:pypi/", "pkg:/x", "requests", "https://a/b", "pk\u{e9}:x/y"] {
            assert_eq!(PackageUrl::parse(text), None, "{text}");
        }
    }
}
