//! Where the walk through a history begins: references, heads, and what reflogs remember.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use gix::{ObjectId, Repository};

use super::gaps::{Gap, Gaps};

/// Bytes of one reflog or head.
const LARGEST: u64 = 256 << 20;
/// Files that name commits without being references; `FETCH_HEAD` and `MERGE_HEAD` may name several.
const HEADS: [&str; 6] = ["HEAD", "ORIG_HEAD", "FETCH_HEAD", "MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD"];

/// Objects that something names.
#[derive(Debug, Default)]
pub(super) struct Tips {
    /// What references and heads lead to.
    pub(super) present: BTreeSet<ObjectId>,
    /// What reflogs remember; such an object may be gone, as git clears up.
    pub(super) past: BTreeSet<ObjectId>,
}

/// Everything that the repository names.
pub(super) fn find(repository: &Repository, gaps: &mut Gaps) -> Tips {
    let mut tips = Tips::default();
    references(repository, &mut tips, gaps);
    tips.present.extend(repository.head_id().map(gix::Id::detach).ok());
    let shared = repository.common_dir();
    let mut folders: BTreeSet<PathBuf> = folders_in(&shared.join("worktrees"));
    folders.extend([shared.to_path_buf(), repository.git_dir().to_path_buf()]);
    for folder in &folders {
        for name in HEADS {
            let named = if name == "HEAD" { &mut tips.present } else { &mut tips.past };
            words(&folder.join(name), 1, named, gaps);
        }
        let mut waiting = vec![folder.join("logs")];
        while let Some(logs) = waiting.pop() {
            waiting.extend(folders_in(&logs));
            for file in entries(&logs, fs::FileType::is_file) {
                words(&file, 2, &mut tips.past, gaps);
            }
        }
    }
    tips
}

fn references(repository: &Repository, tips: &mut Tips, gaps: &mut Gaps) {
    let Ok(platform) = repository.references() else { return gaps.add(Gap::Reference, None) };
    let Ok(all) = platform.all() else { return gaps.add(Gap::Reference, None) };
    for reference in all {
        match reference {
            Ok(reference) => tips.present.extend(reference.target().try_id().map(ToOwned::to_owned)),
            Err(_) => gaps.add(Gap::Reference, None),
        }
    }
}

fn folders_in(folder: &Path) -> BTreeSet<PathBuf> {
    entries(folder, fs::FileType::is_dir)
}

fn entries(folder: &Path, is_wanted: fn(&fs::FileType) -> bool) -> BTreeSet<PathBuf> {
    let all = fs::read_dir(folder).into_iter().flatten().flatten();
    all.filter(|entry| entry.file_type().is_ok_and(|kind| is_wanted(&kind))).map(|entry| entry.path()).collect()
}

/// The ids among the first `count` words of each line.
fn words(path: &Path, count: usize, ids: &mut BTreeSet<ObjectId>, gaps: &mut Gaps) {
    let Ok(file) = File::open(path) else { return };
    let mut text = Vec::new();
    if file.take(LARGEST + 1).read_to_end(&mut text).is_err() || text.len() as u64 > LARGEST {
        return gaps.add(Gap::Reference, None);
    }
    for line in text.split(|byte| *byte == b'\n') {
        let words = line.split(u8::is_ascii_whitespace).take(count);
        ids.extend(words.filter_map(|word| ObjectId::from_hex(word).ok()).filter(|id| !id.is_null()));
    }
}
