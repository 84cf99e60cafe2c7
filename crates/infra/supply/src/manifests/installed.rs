//! What is installed: the metadata of a Python distribution, in site-packages or in a wheel.

use super::dependency::{Dependency, Manifest, Unreadable};
use crate::ecosystem::Ecosystem;

/// Whether it is the metadata of a wheel, an installed package or a source distribution.
pub(super) fn is_metadata(path: &str) -> bool {
    path.ends_with(".dist-info/METADATA") || path.ends_with(".egg-info/PKG-INFO")
}

/// Reads core metadata (packaging.python.org, "Core metadata specifications"): headers up to the
/// first empty line.
pub(super) fn read(text: &str) -> Result<Manifest, Unreadable> {
    let (mut name, mut version, mut requires) = (None, None, Vec::new());
    for (number, line) in (1..).zip(text.lines()).take_while(|(_, line)| !line.is_empty()) {
        let Some((key, value)) = line.split_once(':') else { continue };
        let value = value.trim();
        match key {
            "Name" => name = Some((value, number)),
            "Version" => version = Some(value),
            // What is only wanted with an extra is not required.
            "Requires-Dist" if !value.contains("extra ==") => {
                let end = value.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')));
                requires.extend(value.get(..end.unwrap_or(value.len())).map(str::to_owned));
            }
            _ => {}
        }
    }
    let (Some((name, line)), Some(version)) = (name, version) else {
        return Err(Unreadable::new("has no name or no version"));
    };
    let mut dependency = Dependency::new(Ecosystem::PyPi, name, line).at_version(version);
    dependency.requires = requires;
    Ok(Manifest::lock(vec![dependency]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_end_at_the_first_empty_line() {
        let manifest = read(
            "Metadata-Version: 2.1\nName: Torch\nVersion: 2.1.0\nRequires-Dist: sympy>=1\nRequires-Dist: x; extra == 'y'\n\nName: other\n",
        );
        let manifest = manifest.unwrap();
        let [torch] = manifest.dependencies.as_slice() else { panic!("{manifest:?}") };
        assert_eq!((torch.name.as_str(), torch.version.as_deref(), torch.line), ("Torch", Some("2.1.0"), 2));
        assert_eq!(torch.requires, ["sympy"]);
        assert!(read("Name: x\n").is_err());
    }
}
