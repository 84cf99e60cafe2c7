//! Which files there are to scan, and what they are called in the report.

use std::path::{Component, Path, PathBuf};

use bartizan_core::Completeness;
use ignore::WalkBuilder;

use super::ScanError;

/// A file that the walk met.
#[derive(Clone, Debug)]
pub(super) struct Met {
    /// Where it is.
    pub(super) path: PathBuf,
    /// The folder that was asked for, or the file's own.
    pub(super) root: PathBuf,
    /// What the report calls it: relative, with `/`.
    pub(super) name: String,
    /// Why it is not opened.
    pub(super) obstacle: Option<Completeness>,
}

/// Everything under `root`, hidden files included; nothing in the tree can exclude itself, but for the objects of
/// a git repository. With
/// several roots each name starts with its root, so that they can be told apart.
pub(super) fn find(root: &Path, among_several: bool) -> Result<Vec<Met>, ScanError> {
    let unreadable = |cause| ScanError::Unreadable { path: root.to_path_buf(), cause };
    let metadata = match std::fs::metadata(root) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(ScanError::Missing(root.to_path_buf()));
        }
        other => other.map_err(unreadable)?,
    };
    let label = label(root, metadata.is_dir() && !among_several);
    if !metadata.is_dir() {
        let obstacle = (!metadata.is_file()).then(special);
        let folder = root.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        return Ok(vec![Met { path: root.to_path_buf(), root: folder.to_path_buf(), name: spell(&label), obstacle }]);
    }
    let real_root = root.canonicalize().map_err(unreadable)?;
    let mut met = Vec::new();
    let mut walk = WalkBuilder::new(root);
    walk.standard_filters(false).follow_links(false).filter_entry(|entry| !is_object_store(entry.path()));
    for entry in walk.build() {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                let reason = Completeness::Failed(format!("can't be walked: {error}"));
                met.push(Met {
                    path: root.to_path_buf(),
                    root: root.to_path_buf(),
                    name: spell(&label),
                    obstacle: Some(reason),
                });
                continue;
            }
        };
        let path = entry.path();
        if path == root {
            continue;
        }
        let obstacle = match entry.file_type() {
            Some(kind) if kind.is_dir() => continue,
            Some(kind) if kind.is_file() => None,
            Some(kind) if kind.is_symlink() => match leads_out(path, &real_root) {
                Some(reason) => Some(reason),
                None => continue,
            },
            _ => Some(special()),
        };
        let below = path.strip_prefix(root).unwrap_or(path);
        met.push(Met { path: path.to_path_buf(), root: root.to_path_buf(), name: spell(&label.join(below)), obstacle });
    }
    Ok(met)
}

/// What the folder `root` is called in the report.
pub(super) fn name(root: &Path, among_several: bool) -> String {
    spell(&label(root, !among_several))
}

/// Git's compressed objects are history, not files of the project.
fn is_object_store(path: &Path) -> bool {
    path.ends_with(".git/objects") && path.parent().is_some_and(|git| git.join("HEAD").is_file())
}

/// A link within the tree is met again as the file it leads to; one that leads out is a gap.
fn leads_out(link: &Path, real_root: &Path) -> Option<Completeness> {
    match link.canonicalize() {
        Ok(target) if target.starts_with(real_root) => None,
        Ok(_) => Some(Completeness::Partial("a symbolic link leads out of the folder and is not followed".to_owned())),
        Err(_) => Some(Completeness::Partial("a symbolic link leads nowhere".to_owned())),
    }
}

fn special() -> Completeness {
    Completeness::Partial("a pipe, socket or device is not opened".to_owned())
}

/// A relative root keeps its spelling; an absolute one is named by its last part, or by nothing
/// when it is the only folder.
fn label(root: &Path, alone: bool) -> PathBuf {
    let plain: PathBuf = root.components().filter(|part| !matches!(part, Component::CurDir)).collect();
    if plain.is_relative() && !plain.components().any(|part| part == Component::ParentDir) {
        return plain;
    }
    if alone { PathBuf::new() } else { plain.file_name().map(PathBuf::from).unwrap_or_default() }
}

fn spell(path: &Path) -> String {
    let name = path.to_string_lossy();
    let name = if std::path::MAIN_SEPARATOR == '/' { name } else { name.replace('\\', "/").into() };
    if name.is_empty() { ".".to_owned() } else { bartizan_core::printable(&name) }
}
