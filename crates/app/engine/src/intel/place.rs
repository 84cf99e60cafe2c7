//! Where an index lies, and opening and storing it under the installation's signature.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use bartizan_core::{Digest, Timestamp, printable};
use bartizan_signing::{KeyKind, SIGNATURE_LENGTH, SigningKey, load_key, load_or_create_key};
use bartizan_storage::{Disk, ensure_directory, replace};
use bartizan_supply::advisories::{AdvisoryIndex, SourceSummary};

use super::error::IntelError;
use super::file::read;
use crate::output::refuse_special_file;

/// Days after which an index is called old.
pub const OLD_AFTER_DAYS: i64 = 7;

const FILE: &str = "advisories.idx";
/// Bytes of an index that are read.
const LARGEST_INDEX: u64 = 512 << 20;

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

    pub(super) fn signature(&self) -> PathBuf {
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
        Some(days(day)? - days(&self.oldest()?.newest)?)
    }

    /// The source whose records end first; `None` where no source is dated.
    fn oldest(&self) -> Option<&SourceSummary> {
        let dated = |source: &&SourceSummary| days(&source.newest).is_some();
        self.index.sources().iter().filter(dated).min_by(|one, other| one.newest.cmp(&other.newest))
    }

    /// What to tell the user where the index is old on a day.
    pub fn warning(&self, day: &str) -> Option<String> {
        let age = self.age_in_days(day).filter(|age| *age > OLD_AFTER_DAYS)?;
        let oldest = self.oldest()?;
        let (name, newest) = (printable(&oldest.name), printable(&oldest.newest));
        Some(format!(
            "advisories of `{name}` end at {newest}, {age} days ago; get a newer copy and `bartizan intel import` it"
        ))
    }
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

/// Stores an index, signed where the place has a key.
pub(super) fn store(located: &Located, bytes: &[u8], digest: Digest) -> Result<(), IntelError> {
    let write = |path: &Path, bytes: &[u8]| {
        let failed = |cause| IntelError::Io { action: "write", path: path.to_owned(), cause };
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        refuse_special_file(path).map_err(failed)?;
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
