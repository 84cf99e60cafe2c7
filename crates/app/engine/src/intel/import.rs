//! Importing folders, archives, files and what was fetched.

use std::path::{Path, PathBuf};

use bartizan_core::Digest;
use bartizan_inspect::{Findings, Inspect as _, Limits, Source, zip};
use bartizan_supply::advisories::{Contents, Importer, LARGEST_FILE, SourceSummary};

use super::error::IntelError;
use super::file::read;
use super::place::{Located, open, store};

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
