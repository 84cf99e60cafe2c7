//! The advisory index of an installation: where it lies, who signed it, how it is made and how old
//! it is.
//!
//! An index in the user's data folder or in a state folder carries a signature by a key of the
//! installation, which is checked over the raw bytes before anything in them is read. A file that
//! the user names is taken at the user's word; its digest is in every report.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use bartizan_core::{Component, Digest, Finding, Timestamp};
use bartizan_inspect::{Findings, Inspect as _, Limits, Source, zip};
use bartizan_signing::{KeyKind, SIGNATURE_LENGTH, SigningError, SigningKey, load_key, load_or_create_key};
use bartizan_storage::{Disk, ensure_directory, replace};
use bartizan_supply::advisories::{AdvisoryIndex, Contents, Importer, IndexError, LARGEST_FILE, advise};
use bartizan_supply::impersonation::{Popularity, PopularityError, impersonations};
use bartizan_supply::imports::imported_by;
use thiserror::Error;

pub use bartizan_supply::advisories::SourceSummary;

/// Days after which an index is called old.
pub const OLD_AFTER_DAYS: i64 = 7;

const FILE: &str = "advisories.idx";
/// Bytes of an index that are read.
const LARGEST_INDEX: u64 = 512 << 20;
/// Bytes and members of an archive of records; OSV's export of npm has about 500 MB in 200,000.
const ARCHIVE: Limits = Limits {
    bytes: 16 << 30,
    inflated: 8 << 30,
    member: LARGEST_FILE,
    ratio: 1000,
    members: 2_000_000,
    depth: 1,
    operations: u64::MAX,
    time: std::time::Duration::from_secs(600),
};

/// Advisories can't be imported or used.
#[derive(Debug, Error)]
pub enum IntelError {
    /// A file could not be read or written.
    #[error("can't {action} {path}: {cause}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        cause: io::Error,
    },
    /// The index does not hold together.
    #[error("{path} {cause}")]
    Index {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        cause: IndexError,
    },
    /// The index was changed after it was made, or comes from another installation.
    #[error(
        "{0} does not carry a valid signature of this installation; somebody may have changed it: remove it and \
         run `bartizan intel import` again, or name it with `--intel` to use it unverified"
    )]
    Signature(PathBuf),
    /// A list of popular packages is not one.
    #[error("{path}: {cause}")]
    Popularity {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        cause: PopularityError,
    },
    /// The key could not be used.
    #[error("the key of the advisory index: {0}")]
    Key(#[from] SigningError),
    /// Nothing in it is an advisory.
    #[error("{0} holds no advisories; give RustSec's or PyPA's folder, OSV records, CISA's catalogue or an EPSS table")]
    Nothing(PathBuf),
    /// No place is known to put the index.
    #[error("no place for the advisory index: set HOME or XDG_DATA_HOME, or name a file with `--output`")]
    NoPlace,
}

/// Where an index lies, and the key that signs it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Located {
    /// The index.
    pub file: PathBuf,
    /// The installation's key; `None` for a file that the user named.
    pub key: Option<PathBuf>,
}

impl Located {
    /// A file that the user named.
    pub fn named(file: &Path) -> Self {
        Self { file: file.to_owned(), key: None }
    }

    /// The index of a state folder.
    pub fn of_state(state: &Path) -> Self {
        Self { file: state.join("intel").join(FILE), key: Some(state.join("keys/intel")) }
    }

    /// The index of the user: below `bartizan` in the data folder (XDG Base Directory Specification).
    pub fn of_user() -> Option<Self> {
        let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let data = absolute("XDG_DATA_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/share")))?;
        let folder = data.join("bartizan");
        Some(Self { file: folder.join("intel").join(FILE), key: Some(folder.join("keys/intel")) })
    }

    fn signature(&self) -> PathBuf {
        let mut name: OsString = self.file.clone().into_os_string();
        name.push(".sig");
        name.into()
    }
}

/// The index that a scan uses: the named file, else that of the state folder, else the user's;
/// `None` where there is none of the latter two.
pub fn locate(named: Option<&Path>, state: Option<&Path>) -> Option<Located> {
    if let Some(file) = named {
        return Some(Located::named(file));
    }
    let places = [state.map(Located::of_state), Located::of_user()];
    places.into_iter().flatten().find(|place| place.file.exists())
}

/// An index that may be used.
#[derive(Debug)]
pub struct Intel {
    /// The advisories.
    pub index: AdvisoryIndex,
    /// Where they lie.
    pub located: Located,
    /// Their digest, which a report names.
    pub digest: Digest,
}

impl Intel {
    /// How old the oldest source is on a day (`YYYY-MM-DD`), by the newest of its records; `None`
    /// where no source is dated.
    pub fn age_in_days(&self, day: &str) -> Option<i64> {
        let sources = self.index.sources();
        sources.iter().filter_map(|source| Some(days(day)? - days(&source.newest)?)).max()
    }

    /// What to tell the user where the index is old on a day.
    pub fn warning(&self, day: &str) -> Option<String> {
        let age = self.age_in_days(day).filter(|age| *age > OLD_AFTER_DAYS)?;
        Some(format!(
            "the advisory index is {age} days old; newer advisories are not known to it: `bartizan intel import`"
        ))
    }
}

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

/// Python files whose imports are read, and bytes of each.
const MOST_PYTHON_FILES: usize = 20_000;
const LARGEST_PYTHON_FILE: u64 = 2 << 20;

/// The canonical names of packages that Python code and notebooks below some paths import; `None`
/// where there is no such code, or more than is read. Links, hidden folders and installed packages
/// are passed over.
pub fn imported(paths: &[PathBuf]) -> Option<BTreeSet<String>> {
    let mut packages = BTreeSet::new();
    let mut waiting: Vec<PathBuf> = paths.to_vec();
    let mut files = 0;
    while let Some(path) = waiting.pop() {
        let Ok(metadata) = std::fs::symlink_metadata(&path) else { continue };
        if metadata.is_dir() {
            let entries = std::fs::read_dir(&path).into_iter().flatten().flatten();
            let own = entries.filter(|entry| {
                let name = entry.file_name();
                let name = name.to_string_lossy();
                !name.starts_with('.') && !matches!(name.as_ref(), "site-packages" | "node_modules" | "target")
            });
            waiting.extend(own.map(|entry| entry.path()));
        } else if metadata.is_file() && path.extension().is_some_and(|kind| kind == "py" || kind == "ipynb") {
            files += 1;
            if files > MOST_PYTHON_FILES || metadata.len() > LARGEST_PYTHON_FILE {
                return None;
            }
            let text = std::fs::read(&path).ok()?;
            imported_by(&String::from_utf8_lossy(&text), &mut packages);
        }
    }
    (files > 0).then_some(packages)
}

/// The list of popular packages in a file, or the built-in one.
///
/// # Errors
/// The file can't be read or is no such list.
pub fn popularity(file: Option<&Path>) -> Result<Popularity, IntelError> {
    let Some(path) = file else { return Ok(Popularity::default()) };
    let bytes = read(path, LARGEST_FILE)?;
    let malformed = |cause| IntelError::Popularity { path: path.to_owned(), cause };
    Popularity::parse(&String::from_utf8_lossy(&bytes)).map_err(malformed)
}

fn days(day: &str) -> Option<i64> {
    Timestamp::parse(&format!("{day}T00:00:00Z")).map(Timestamp::day)
}

/// Opens an index, after its signature was checked where the place has a key.
///
/// # Errors
/// It can't be read, is not signed by this installation, or is damaged.
pub fn open(located: &Located) -> Result<Intel, IntelError> {
    let bytes = read(&located.file, LARGEST_INDEX)?;
    let digest = bartizan_signing::digest(&bytes);
    if let Some(key) = &located.key {
        let refused = || IntelError::Signature(located.file.clone());
        let signature = read(&located.signature(), SIGNATURE_LENGTH as u64).map_err(|_| refused())?;
        let seed = load_key(&Disk, key, KeyKind::Ed25519)?.ok_or_else(refused)?;
        if !SigningKey::from_seed(&seed)?.public().verifies(&signed(digest), &signature) {
            return Err(refused());
        }
    }
    let damaged = |cause| IntelError::Index { path: located.file.clone(), cause };
    let index = AdvisoryIndex::open(bytes).map_err(damaged)?;
    Ok(Intel { index, located: located.clone(), digest })
}

fn signed(digest: Digest) -> Vec<u8> {
    format!("bartizan advisory index\n{digest}\n").into_bytes()
}

fn read(path: &Path, limit: u64) -> Result<Vec<u8>, IntelError> {
    let failed = |cause| IntelError::Io { action: "read", path: path.to_owned(), cause };
    let length = std::fs::metadata(path).map_err(failed)?.len();
    if length > limit {
        return Err(failed(io::Error::other(format!("{length} bytes, at most {limit} are read"))));
    }
    std::fs::read(path).map_err(failed)
}

/// Something to import.
#[derive(Clone, Debug)]
pub enum Input {
    /// A folder, an archive (`.zip`) or a file.
    Path(PathBuf),
    /// A file that was fetched: its name and bytes.
    Fetched(String, Vec<u8>),
}

/// What an import did.
#[derive(Debug)]
pub struct Imported {
    /// Each source, in the order of the inputs.
    pub sources: Vec<SourceSummary>,
    /// What could not be read, the first of each source.
    pub problems: Vec<String>,
    /// The digest of the new index.
    pub digest: Digest,
    /// Its length in bytes.
    pub bytes: usize,
}

/// Imports sources into the index at a place, which is made where it is absent; what the same sources
/// gave before is replaced. `today` is `YYYY-MM-DD`.
///
/// # Errors
/// A source can't be read or holds nothing, or the index can't be used or written.
pub fn import(inputs: &[Input], located: &Located, today: &str) -> Result<Imported, IntelError> {
    let mut contents = match located.file.try_exists() {
        Ok(true) => {
            let damaged = |cause| IntelError::Index { path: located.file.clone(), cause };
            open(located)?.index.contents().map_err(damaged)?
        }
        _ => Contents::default(),
    };
    let (mut sources, mut problems) = (Vec::new(), Vec::new());
    for input in inputs {
        let mut importer = Importer::new();
        let name = match input {
            Input::Path(path) => {
                collect(path, &mut importer)?;
                path.clone()
            }
            Input::Fetched(name, bytes) => {
                file(name, bytes.clone(), &mut importer);
                PathBuf::from(name)
            }
        };
        problems.extend(importer.problems().iter().cloned());
        if importer.is_empty() {
            return Err(IntelError::Nothing(name));
        }
        let label = name.file_name().map_or_else(|| "OSV".to_owned(), |name| name.to_string_lossy().into_owned());
        sources.push(importer.finish(&label, today, &mut contents));
    }
    let failed = |cause| IntelError::Index { path: located.file.clone(), cause };
    let bytes = contents.compile().map_err(failed)?;
    let digest = bartizan_signing::digest(&bytes);
    store(located, &bytes, digest)?;
    Ok(Imported { sources, problems, digest, bytes: bytes.len() })
}

fn store(located: &Located, bytes: &[u8], digest: Digest) -> Result<(), IntelError> {
    let write = |path: &Path, bytes: &[u8]| {
        let failed = |cause| IntelError::Io { action: "write", path: path.to_owned(), cause };
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        ensure_directory(&Disk, folder).map_err(failed)?;
        replace(&Disk, path, bytes).map_err(failed)
    };
    write(&located.file, bytes)?;
    // A crash between the two leaves an index that is refused, which is the safe side.
    if let Some(key) = &located.key {
        let seed = load_or_create_key(&Disk, key, KeyKind::Ed25519)?;
        let signature = SigningKey::from_seed(&seed)?.sign(&signed(digest))?;
        write(&located.signature(), &signature)?;
    }
    Ok(())
}

/// Takes in a folder with everything below it, or a file.
fn collect(path: &Path, importer: &mut Importer) -> Result<(), IntelError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |cause| IntelError::Io { action: "read", path, cause }
    };
    if !std::fs::metadata(path).map_err(failed(path))?.is_dir() {
        let limit = if is_archive(&path.to_string_lossy()) { u64::MAX } else { LARGEST_FILE };
        file(&path.to_string_lossy(), read(path, limit)?, importer);
        return Ok(());
    }
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        let mut entries: Vec<_> =
            std::fs::read_dir(&folder).map_err(failed(&folder))?.collect::<Result<_, _>>().map_err(failed(&folder))?;
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            let path = entry.path();
            let kind = entry.file_type().map_err(failed(&path))?;
            let is_hidden = entry.file_name().to_string_lossy().starts_with('.');
            if kind.is_dir() && !is_hidden {
                folders.push(path);
            } else if kind.is_file() && !is_hidden && !is_archive(&path.to_string_lossy()) {
                file(&path.to_string_lossy(), read(&path, LARGEST_FILE)?, importer);
            }
        }
    }
    Ok(())
}

fn is_archive(name: &str) -> bool {
    name.to_ascii_lowercase().ends_with(".zip")
}

fn file(name: &str, bytes: Vec<u8>, importer: &mut Importer) {
    if !is_archive(name) {
        importer.add(name, &bytes);
        return;
    }
    let archive = Source::from_bytes(name, bytes, ARCHIVE);
    let collected = std::cell::RefCell::new(importer);
    let member = |member: Source| {
        let mut importer = collected.borrow_mut();
        match member.read(0, usize::try_from(member.length().min(LARGEST_FILE)).unwrap_or(0)) {
            Ok(bytes) => drop(importer.add(member.name(), &bytes)),
            Err(error) => importer.refuse(member.name(), &error.to_string()),
        }
    };
    let completeness = zip::ZipArchive.inspect(&archive, &mut Findings::visiting(&member));
    if let bartizan_core::Completeness::Partial(reason) | bartizan_core::Completeness::Failed(reason) = completeness {
        collected.borrow_mut().refuse(name, &reason);
    }
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
        assert!(intel.warning("2026-11-09").unwrap().contains("8 days old"));
    }
}
