//! Opening a repository that may be somebody's trap.
//!
//! Only references and objects are used: nothing that its configuration names is run, included or believed, whoever owns it.
//! Before anything is opened its folders are looked through for what would block or fill the memory of a reader.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use gix::ThreadSafeRepository;

/// Bytes of a file that is read as a whole, such as `config`.
const WHOLE: u64 = 64 << 20;
/// Bytes of a file that holds one path.
const POINTER: u64 = 64 << 10;
/// Files and folders of a repository.
const ENTRIES: usize = 8_000_000;
/// Bytes that the decoder may ask for at once, for an object and the differences that lead to it.
const ALLOCATION: &str = "gitoxide.objects.allocLimit=512m";

/// A repository that can be read.
pub(super) struct Place {
    /// The way to its objects and references.
    pub(super) repository: ThreadSafeRepository,
    /// Bytes on disk.
    pub(super) bytes: u64,
}

/// Where the parts of the repository at a path lie.
#[derive(Debug)]
pub(in crate::scan) struct Folders {
    /// This working tree's own folder.
    pub(in crate::scan) private: PathBuf,
    /// The folder that all working trees share.
    pub(in crate::scan) shared: PathBuf,
}

impl Folders {
    /// The repository at `path`: a working tree or a bare repository; `None` where there is none.
    pub(in crate::scan) fn at(path: &Path) -> Option<Self> {
        let dot_git = path.join(".git");
        let private = match fs::metadata(&dot_git) {
            Ok(metadata) if metadata.is_dir() => dot_git,
            Ok(metadata) if metadata.is_file() => path.join(pointer(&dot_git)?.strip_prefix("gitdir:")?.trim()),
            _ => path.to_path_buf(),
        };
        let shared = pointer(&private.join("commondir")).map_or_else(|| private.clone(), |to| private.join(to.trim()));
        let is_there = fs::symlink_metadata(private.join("HEAD")).is_ok() && shared.join("objects").is_dir();
        is_there.then_some(Self { private, shared })
    }
}

/// Opens the repository at `path`, whose folders are known, or says in one line why it can't be.
pub(super) fn open(path: &Path, folders: &Folders) -> Result<Place, String> {
    if folders.shared.join("reftable").is_dir() {
        return Err("the references are kept as a reftable, which can't be read".to_owned());
    }
    let bytes = survey(folders)?;
    let options = gix::open::Options::isolated()
        .with(gix::sec::Trust::Reduced)
        .config_overrides([ALLOCATION, "core.useReplaceRefs=false"]);
    let opened = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| options.open(path)));
    match opened {
        Ok(Ok(repository)) => Ok(Place { repository, bytes }),
        _ => Err("the repository can't be opened: its layout or configuration is damaged or unknown".to_owned()),
    }
}

/// The text of a small regular file.
fn pointer(path: &Path) -> Option<String> {
    if !fs::metadata(path).ok()?.is_file() {
        return None;
    }
    let mut text = String::new();
    File::open(path).ok()?.take(POINTER).read_to_string(&mut text).ok()?;
    Some(text)
}

/// Bytes of the repository and the stores that it borrows from; an error where opening it would block or fill the memory.
fn survey(folders: &Folders) -> Result<u64, String> {
    let mut waiting = Vec::new();
    let mut visited = BTreeSet::new();
    let mut enter = |folder: &Path, waiting: &mut Vec<PathBuf>| {
        if let Ok(real) = folder.canonicalize()
            && visited.insert(real.clone())
        {
            waiting.push(real);
        }
    };
    enter(&folders.shared, &mut waiting);
    enter(&folders.private, &mut waiting);
    let (mut bytes, mut entries) = (0_u64, 0_usize);
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            entries += 1;
            if entries > ENTRIES {
                return Err(format!("the repository holds more than {ENTRIES} files"));
            }
            let (path, Ok(mut kind)) = (entry.path(), entry.file_type()) else { continue };
            let is_link = kind.is_symlink();
            if is_link {
                let Ok(target) = fs::metadata(&path) else { continue };
                kind = target.file_type();
            }
            // A socket can't be opened, and git leaves one of its own; anything else would be waited for.
            if kind.is_fifo() || kind.is_char_device() || kind.is_block_device() {
                return Err("the repository holds a pipe or a device, and is not opened".to_owned());
            }
            if kind.is_dir() {
                enter(&path, &mut waiting);
                continue;
            }
            let length = fs::metadata(&path).map_or(0, |metadata| metadata.len());
            bytes = bytes.saturating_add(length);
            if length > WHOLE && is_read_whole(&path) {
                return Err(format!("a file of the repository that is read as a whole is larger than {WHOLE} bytes"));
            }
            if path.ends_with("info/alternates") {
                let objects = folder.parent().unwrap_or(&folder);
                for line in pointer(&path).unwrap_or_default().lines().filter(|line| !line.starts_with('#')) {
                    enter(&objects.join(line.trim_matches('"')), &mut waiting);
                }
            }
        }
    }
    Ok(bytes)
}

/// Packs are mapped, and loose objects decoded up to a limit; of the rest, only these names are ever opened.
fn is_read_whole(path: &Path) -> bool {
    const NAMES: [&str; 7] = ["config", "config.worktree", "HEAD", "packed-refs", "commondir", "gitdir", "shallow"];
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    NAMES.contains(&name)
        || path.ends_with("info/alternates")
        || path.components().any(|part| part.as_os_str() == "refs")
}
