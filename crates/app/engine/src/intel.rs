//! The advisory index of an installation: where it lies, who signed it, how it is made and how old
//! it is.
//!
//! An index in the user's data folder or in a state folder carries a signature by a key of the
//! installation, which is checked over the raw bytes before anything in them is read. A file that
//! the user names is taken at the user's word; its digest is in every report.

mod error;
mod file;
mod import;
mod imports;
mod place;

use std::collections::BTreeSet;
use std::path::Path;

use bartizan_core::{Component, Finding};
use bartizan_supply::advisories::{LARGEST_FILE, advise};
use bartizan_supply::impersonation::{Popularity, impersonations};

pub use bartizan_supply::advisories::SourceSummary;
pub use error::IntelError;
pub use import::{Imported, Input, import};
pub use imports::imported;
pub use place::{Intel, Located, OLD_AFTER_DAYS, locate, open};

/// What is to be said of the packages of an inventory: names that imitate popular ones, and
/// advisories where there is an index. `imported` are the canonical names of packages that the
/// project's code imports, where that is known.
///
/// # Errors
/// The index is damaged.
pub fn judge(
    components: &[Component],
    intel: Option<&Intel>,
    popularity: &Popularity,
    imported: Option<&BTreeSet<String>>,
) -> Result<Vec<Finding>, IntelError> {
    let mut findings = impersonations(components, popularity);
    if let Some(intel) = intel {
        let damaged = |cause| IntelError::Index { path: intel.located.file.clone(), cause };
        findings.extend(advise(components, &intel.index, imported).map_err(damaged)?);
    }
    Ok(findings)
}

/// The list of popular packages in a file, or the built-in one.
///
/// # Errors
/// The file can't be read or is no such list.
pub fn popularity(named: Option<&Path>) -> Result<Popularity, IntelError> {
    let Some(path) = named else { return Ok(Popularity::default()) };
    let bytes = file::read(path, LARGEST_FILE)?;
    let malformed = |cause| IntelError::Popularity { path: path.to_owned(), cause };
    Popularity::parse(&String::from_utf8_lossy(&bytes)).map_err(malformed)
}

#[cfg(test)]
mod tests {
    use bartizan_core::{ComponentKind, Location, Position};

    use super::*;

    const RECORD: &str = r#"{"id":"PYSEC-1","modified":"2026-11-01T00:00:00Z",
        "affected":[{"package":{"ecosystem":"PyPI","name":"x"},"versions":["1.0"]}]}"#;

    fn made_in(folder: &Path) -> Located {
        let record = folder.join("PYSEC-1.json");
        std::fs::write(&record, RECORD).unwrap();
        let located = Located::of_state(&folder.join("state"));
        let done = import(&[Input::Path(record)], &located, "2026-11-22").unwrap();
        assert_eq!(done.sources.len(), 1);
        located
    }

    /// A ZIP archive of stored members (APPNOTE 4.3).
    fn archive(members: &[(&str, &str)]) -> Vec<u8> {
        let number = |value: usize| u32::try_from(value).unwrap().to_le_bytes();
        let (mut bytes, mut directory) = (Vec::new(), Vec::new());
        for (name, body) in members {
            let crc = crc32(body.as_bytes());
            let length = u16::try_from(name.len()).unwrap().to_le_bytes();
            let sizes = [crc.to_le_bytes(), number(body.len()), number(body.len())].concat();
            let fields = [&[20, 0, 0, 0, 0, 0, 0, 0, 0, 0][..], &sizes, &length, &[0, 0]].concat();
            let offset = number(bytes.len());
            directory.extend([b"PK\x01\x02\x14\0", &fields[..], &[0; 10], &offset, name.as_bytes()].concat());
            bytes.extend([b"PK\x03\x04", &fields[..], name.as_bytes(), body.as_bytes()].concat());
        }
        let count = u16::try_from(members.len()).unwrap().to_le_bytes();
        let (start, length) = (number(bytes.len()), number(directory.len()));
        bytes.extend(directory);
        bytes.extend([b"PK\x05\x06\0\0\0\0", &count[..], &count, &length, &start, &[0, 0]].concat());
        bytes
    }

    /// CRC-32 as ZIP has it (polynomial 0xedb88320), bit by bit.
    fn crc32(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(!0, |crc: u32, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & 0_u32.wrapping_sub(crc & 1)))
        })
    }

    #[test]
    fn an_archive_of_records_is_imported_and_what_is_broken_in_it_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("all.zip");
        let other = RECORD.replace("PYSEC-1", "GHSA-2").replace("\"x\"", "\"y\"");
        std::fs::write(&path, archive(&[("PYSEC-1.json", RECORD), ("GHSA-2.json", &other), ("bad.json", "{")]))
            .unwrap();
        let located = Located::named(&folder.path().join("a.idx"));
        let done = import(&[Input::Path(path)], &located, "2026-11-22").unwrap();
        let [source] = done.sources.as_slice() else { panic!("{done:?}") };
        assert_eq!((source.name.as_str(), source.records, source.refused), ("all.zip", 2, 1));
        assert!(done.problems.iter().all(|problem| problem.contains("all.zip!bad.json")), "{:?}", done.problems);
        assert_eq!(open(&located).unwrap().index.packages(), 2);
    }

    #[test]
    fn a_changed_index_is_refused_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let located = made_in(folder.path());
        assert_eq!(open(&located).unwrap().index.packages(), 1);
        let mut bytes = std::fs::read(&located.file).unwrap();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        std::fs::write(&located.file, &bytes).unwrap();
        let error = open(&located).unwrap_err().to_string();
        assert!(error.contains("intel import") && error.contains("--intel"), "{error}");
        assert!(matches!(import(&[], &located, "2026-11-23"), Err(IntelError::Signature(_))));
    }

    #[test]
    fn an_unsigned_index_is_refused_at_its_own_place_and_taken_where_it_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let located = made_in(folder.path());
        std::fs::remove_file(located.signature()).unwrap();
        assert!(matches!(open(&located), Err(IntelError::Signature(_))));
        assert!(open(&Located::named(&located.file)).is_ok());
    }

    #[test]
    fn a_finding_says_whether_the_projects_code_imports_the_package() {
        let folder = tempfile::tempdir().unwrap();
        let intel = open(&made_in(folder.path())).unwrap();
        let place = Location { path: "requirements.txt".to_owned(), position: Position::Whole };
        let mut component = Component::new(ComponentKind::Library, "x", place).derived("ecosystem", "PyPI");
        component.version = Some("1.0".to_owned());
        let says = |code: &str| {
            let project = tempfile::tempdir().unwrap();
            std::fs::write(project.path().join("main.py"), code).unwrap();
            let packages = imported(&[project.path().to_owned()]);
            let popularity = popularity(None).unwrap();
            let findings =
                judge(std::slice::from_ref(&component), Some(&intel), &popularity, packages.as_ref()).unwrap();
            findings.first().unwrap().evidence.get("imported").cloned()
        };
        assert_eq!(says("import x.y\n"), Some(true.into()));
        assert_eq!(says("import y\n"), Some(false.into()));
        assert_eq!(imported(&[]), None);
    }

    #[test]
    fn an_old_index_warns() {
        let folder = tempfile::tempdir().unwrap();
        let intel = open(&made_in(folder.path())).unwrap();
        assert_eq!(intel.age_in_days("2026-11-08"), Some(7));
        assert_eq!(intel.warning("2026-11-08"), None);
        assert!(intel.warning("2026-11-09").unwrap().contains("8 days ago"));
    }
}
