//! Backups: the state folder as a tar stream, sealed under a key that is not in it.
//!
//! A backup may be taken while the daemon runs. Journals and the ledger only grow, so a copy of a
//! growing file is a prefix of it, and a torn end is cut off when it is opened, as after a power
//! cut. When the ledger moves on to another segment in between, the copy begins again.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Component, Path, PathBuf};

use bartizan_access::Operation;
use bartizan_core::{Event, Outcome, Secret, event_id};
use bartizan_engine::state::StateFolder;
use bartizan_ledger::{Anchor, Conclusion, LedgerReader};
use bartizan_signing::{KeyKind, load_key, load_or_create_key, open, seal};
use bartizan_storage::{Disk, Storage as _};
use thiserror::Error;

use crate::actor::Actor;
use crate::administration::AdminError;
use crate::house::House;

/// What a backup holds, in the order in which it is copied: the ledger's checkpoint before what it
/// covers, the write-ahead segments before the tiles that are made of them.
const PARTS: [&str; 8] = ["format", "node", "keys", "access", "incidents", "catalog", "ledger/checkpoint", "ledger"];
/// Copies that are tried when the ledger moves on in between.
const TRIES: usize = 8;

/// Why a backup could not be restored.
#[derive(Debug, Error)]
pub enum BackupError {
    /// A file can't be read or written.
    #[error("can't {action} {path}: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// There is no key, or it is not the right one, or the backup was changed.
    #[error("{path} can't be opened: {reason}; is it the key that the backup was made with?")]
    Sealed {
        /// The backup.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The place is taken.
    #[error("{0} is there already; restore into another folder with `--state`, or move this one away")]
    Taken(PathBuf),
    /// What the backup holds is not a state folder that can be used.
    #[error("the backup does not hold a usable state: {0}")]
    Unusable(String),
}

impl House {
    /// Writes a sealed backup to `path` and returns how many files it holds. The key is read from
    /// `key_file`, or made there.
    pub(crate) async fn backup(&self, actor: &Actor, path: &Path, key_file: &Path) -> Result<usize, AdminError> {
        self.allow(actor, Operation::ManageSystem).await?;
        let state = self.state.path().to_owned();
        let inside = |file: &Path| {
            file.parent()
                .and_then(|p| p.canonicalize().ok())
                .zip(state.canonicalize().ok())
                .is_some_and(|(p, s)| p.starts_with(s))
        };
        if inside(path) || inside(key_file) {
            return Err(AdminError::Invalid("backup and key must lie outside the state folder".to_owned()));
        }
        usable_target(path, key_file)?;
        let now = self.clock.now();
        let event =
            Event::new("admin.change", event_id(now), now, "Backup", self.system(), Outcome::Allow).by(actor.id());
        self.record(event).await?;
        let key = load_or_create_key(&Disk, key_file, KeyKind::Aes256)
            .map_err(|error| AdminError::Failed(error.to_string()))?;
        let path = path.to_owned();
        let work = move || write_backup(&state, &path, &key);
        let done = tokio::task::spawn_blocking(work).await.map_err(|error| AdminError::Failed(error.to_string()))?;
        done.map_err(|error| AdminError::Failed(format!("the backup was not written: {error}")))
    }
}

/// Refuses to write a backup over its own key, over something that is no plain file, or into a folder
/// that is not there (an unmounted medium, most likely).
fn usable_target(path: &Path, key_file: &Path) -> Result<(), AdminError> {
    let invalid = |reason: String| Err(AdminError::Invalid(reason));
    for file in [path, key_file] {
        if !file.parent().is_some_and(Path::is_dir) {
            return invalid(format!(
                "there is no folder for {}; make it, or mount what should be there",
                file.display()
            ));
        }
        if fs::symlink_metadata(file).is_ok_and(|metadata| !metadata.is_file()) {
            return invalid(format!("{} is not a plain file; choose another name", file.display()));
        }
    }
    let same =
        path == key_file || path.canonicalize().ok().is_some_and(|path| key_file.canonicalize().ok() == Some(path));
    if same {
        return invalid("backup and key must be two files".to_owned());
    }
    if [KeyKind::Aes256, KeyKind::Ed25519, KeyKind::Hmac]
        .iter()
        .any(|kind| matches!(load_key(&Disk, path, *kind), Ok(Some(_))))
    {
        return invalid(format!("{} is a key; choose another name for the backup", path.display()));
    }
    Ok(())
}

fn write_backup(state: &Path, path: &Path, key: &Secret<[u8; 32]>) -> io::Result<usize> {
    for _ in 0..TRIES {
        let before = segments(state)?;
        let mut partial = path.as_os_str().to_owned();
        partial.push(format!(".{}.partial", std::process::id()));
        let partial = PathBuf::from(partial);
        let files = write_once(state, &partial, key);
        if segments(state)? == before && files.is_ok() {
            fs::rename(&partial, path)?;
            if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
                File::open(folder)?.sync_all()?;
            }
            return files;
        }
        let _ = fs::remove_file(&partial);
        if let Err(error) = files
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(error);
        }
    }
    Err(io::Error::other("the ledger grew too fast to be copied; try again when there is less traffic"))
}

/// Names of the ledger's write-ahead segments: when they change, tiles were published.
fn segments(state: &Path) -> io::Result<Vec<String>> {
    let mut names: Vec<String> = fs::read_dir(state.join("ledger"))?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.starts_with("wal-"))
        .collect();
    names.sort();
    Ok(names)
}

fn write_once(state: &Path, path: &Path, key: &Secret<[u8; 32]>) -> io::Result<usize> {
    let (reader, writer) = io::pipe()?;
    let state = state.to_owned();
    let packing = std::thread::spawn(move || pack(&state, writer));
    let mut file = BufWriter::new(create_private(path)?);
    let sealed = seal(BufReader::new(reader), &mut file, key).map_err(|error| io::Error::other(error.to_string()));
    let packed = packing.join().map_err(|_| io::Error::other("packing failed"))?;
    let files = packed?;
    sealed?;
    file.flush()?;
    file.get_ref().sync_all()?;
    Ok(files)
}

fn create_private(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    File::options().create(true).truncate(true).write(true).mode(0o600).open(path)
}

fn pack(state: &Path, writer: impl Write) -> io::Result<usize> {
    let mut archive = tar::Builder::new(BufWriter::new(writer));
    let mut packed = std::collections::BTreeSet::new();
    for part in PARTS {
        pack_part(state, Path::new(part), &mut archive, &mut packed)?;
    }
    archive.into_inner()?.flush()?;
    Ok(packed.len())
}

fn pack_part(
    state: &Path,
    relative: &Path,
    archive: &mut tar::Builder<impl Write>,
    packed: &mut std::collections::BTreeSet<PathBuf>,
) -> io::Result<()> {
    let full = state.join(relative);
    if !full.exists() || packed.contains(relative) {
        return Ok(());
    }
    if full.is_dir() {
        let mut names: Vec<_> = fs::read_dir(&full)?.filter_map(|entry| Some(entry.ok()?.file_name())).collect();
        // Write-ahead segments (`wal-…`) before tiles (`tile`): what is published in between is in both.
        names.sort_by_key(|name| (!name.to_string_lossy().starts_with("wal-"), name.clone()));
        return names.into_iter().try_for_each(|name| pack_part(state, &relative.join(name), archive, packed));
    }
    let file = File::open(&full)?;
    let length = file.metadata()?.len();
    let mut header = tar::Header::new_gnu();
    header.set_size(length);
    header.set_mode(0o600);
    header.set_cksum();
    // A file that grows is copied as long as it was.
    archive.append_data(&mut header, relative, file.take(length))?;
    packed.insert(relative.to_owned());
    Ok(())
}

/// Restores a backup into a folder that is not there yet, verifies its ledger, and says in that
/// ledger that it was restored. Returns the number of entries.
///
/// # Errors
/// The backup can't be opened, was changed, holds something else, or the folder is taken.
pub fn restore(backup: &Path, key_file: &Path, state: &Path) -> Result<u64, BackupError> {
    let io_error = |action, path: &Path| {
        let path = path.to_owned();
        move |source| BackupError::Io { action, path, source }
    };
    if state.exists() {
        return Err(BackupError::Taken(state.to_owned()));
    }
    let sealed = |reason: String| BackupError::Sealed { path: backup.to_owned(), reason };
    let key = load_key(&Disk, key_file, KeyKind::Aes256)
        .map_err(|error| sealed(error.to_string()))?
        .ok_or_else(|| sealed(format!("there is no key in {}", key_file.display())))?;
    let mut name = state.file_name().unwrap_or_default().to_owned();
    name.push(".restoring");
    let place = state.with_file_name(name);
    let _ = fs::remove_dir_all(&place);
    bartizan_storage::ensure_directory(&Disk, &place).map_err(io_error("make", &place))?;
    let file = File::open(backup).map_err(io_error("read", backup))?;
    let unpacked = unseal(file, &key, &place).map_err(|reason| sealed(reason.to_string()));
    let restored = unpacked.and_then(|()| check(&place));
    match restored {
        Ok(size) => {
            fs::rename(&place, state).map_err(io_error("name", state))?;
            Ok(size)
        }
        Err(error) => {
            let _ = fs::remove_dir_all(&place);
            Err(error)
        }
    }
}

fn unseal(file: File, key: &Secret<[u8; 32]>, place: &Path) -> io::Result<()> {
    let (reader, writer) = io::pipe()?;
    let place = place.to_owned();
    let unpacking = std::thread::spawn(move || unpack(reader, &place));
    let mut writer = BufWriter::new(writer);
    let opened = open(BufReader::new(file), &mut writer, key).map_err(|error| io::Error::other(error.to_string()));
    let flushed = writer.flush();
    drop(writer);
    let unpacked = unpacking.join().map_err(|_| io::Error::other("unpacking failed"))?;
    opened?;
    flushed?;
    unpacked
}

/// Writes the archive's files, each synced. Only plain names below the folder are taken.
fn unpack(reader: impl Read, place: &Path) -> io::Result<()> {
    let mut archive = tar::Archive::new(BufReader::new(reader));
    for entry in archive.entries()? {
        let mut entry = entry?;
        let relative = entry.path()?.into_owned();
        let plain = entry.header().entry_type().is_file()
            && relative.components().all(|component| matches!(component, Component::Normal(_)));
        if !plain {
            return Err(io::Error::other("the archive holds something that is not a plain file"));
        }
        let path = place.join(relative);
        if let Some(folder) = path.parent() {
            bartizan_storage::ensure_directory(&Disk, folder)?;
        }
        let mut file = create_private(&path)?;
        io::copy(&mut entry, &mut file)?;
        file.sync_all()?;
        if let Some(folder) = path.parent() {
            Disk.sync_directory(folder)?;
        }
    }
    // Reads on to the very end, so that the last chunk is authenticated too.
    io::copy(&mut archive.into_inner(), &mut io::sink())?;
    Ok(())
}

fn check(place: &Path) -> Result<u64, BackupError> {
    let unusable = |reason: String| BackupError::Unusable(reason);
    let folder = StateFolder::open(place).map_err(|error| unusable(error.to_string()))?;
    drop(folder);
    let ledger = place.join("ledger");
    let report = bartizan_ledger::verify(&ledger, &[] as &[Anchor]);
    if report.conclusion == Conclusion::NotVerified {
        return Err(unusable(report.problems.join("; ")));
    }
    LedgerReader::open(&ledger).map(|reader| reader.size()).map_err(|error| unusable(error.to_string()))
}
