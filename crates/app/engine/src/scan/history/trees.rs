//! Walking folders of a history, each of them and each file once.

use std::collections::{BTreeSet, HashSet};
use std::rc::Rc;

use bartizan_core::printable;
use gix::ObjectId;
use gix::objs::tree::EntryKind;
use gix::objs::{Kind, TreeRefIter};

use super::gaps::{Gap, Gaps};
use super::objects::Objects;

/// Folders within folders; git itself follows no more.
const DEPTH: usize = 2048;
/// Bytes of a path.
const PATH: usize = 4096;
/// Submodules that are named.
const SUBMODULES: usize = 1000;

/// A folder's place: shared by what lies in it, so that a path costs memory only where it is needed.
struct Folder {
    parent: Option<Rc<Folder>>,
    name: String,
    depth: usize,
    length: usize,
}

/// Goes through folders and remembers where it has been.
pub(super) struct Walk {
    objects: Objects,
    folders: HashSet<ObjectId>,
    files: HashSet<ObjectId>,
    submodules: BTreeSet<String>,
    buffer: Vec<u8>,
}

impl Walk {
    /// Has been nowhere yet.
    pub(super) fn new(objects: Objects) -> Self {
        Self {
            objects,
            folders: HashSet::new(),
            files: HashSet::new(),
            submodules: BTreeSet::new(),
            buffer: Vec::new(),
        }
    }

    /// Hands each file under `root` that was not met before to `visit`, with its path.
    pub(super) fn go(&mut self, root: ObjectId, gaps: &mut Gaps, mut visit: impl FnMut(ObjectId, String)) {
        if !self.folders.insert(root) {
            return;
        }
        let mut waiting = vec![(root, Rc::new(Folder { parent: None, name: String::new(), depth: 0, length: 0 }))];
        while let Some((id, folder)) = waiting.pop() {
            let data = match self.objects.read(id, &mut self.buffer) {
                Ok(data) if data.kind == Kind::Tree => data,
                Ok(_) => {
                    gaps.add(Gap::Damaged, Some(id));
                    continue;
                }
                Err(gap) => {
                    gaps.add(gap, Some(id));
                    continue;
                }
            };
            let before = waiting.len();
            for entry in TreeRefIter::from_bytes(data.data, id.kind()) {
                let Ok(entry) = entry else {
                    gaps.add(Gap::Damaged, Some(id));
                    break;
                };
                let child = entry.oid.to_owned();
                let name = || printable(&String::from_utf8_lossy(entry.filename));
                match entry.mode.kind() {
                    EntryKind::Tree if self.folders.contains(&child) => {}
                    EntryKind::Tree => match within(&folder, name()) {
                        Some(inner) => {
                            self.folders.insert(child);
                            waiting.push((child, inner));
                        }
                        None => gaps.add(Gap::TooDeep, Some(child)),
                    },
                    EntryKind::Commit if self.submodules.len() < SUBMODULES => {
                        self.submodules.insert(path(&folder, &name()));
                    }
                    EntryKind::Commit => {}
                    EntryKind::Blob | EntryKind::BlobExecutable | EntryKind::Link => {
                        if self.files.insert(child) {
                            visit(child, path(&folder, &name()));
                        }
                    }
                }
            }
            // The last one in is the first one out.
            if let Some(inner) = waiting.get_mut(before..) {
                inner.reverse();
            }
        }
    }

    /// Whether a file that is named by itself was not met before.
    pub(super) fn is_new(&mut self, file: ObjectId) -> bool {
        self.files.insert(file)
    }

    /// The files that were met.
    pub(super) fn into_files(self) -> HashSet<ObjectId> {
        self.files
    }

    /// Paths under which other repositories are mounted.
    pub(super) fn submodules(&self) -> &BTreeSet<String> {
        &self.submodules
    }
}

fn within(parent: &Rc<Folder>, name: String) -> Option<Rc<Folder>> {
    let (depth, length) = (parent.depth + 1, parent.length + name.len() + 1);
    (depth <= DEPTH && length <= PATH).then(|| Rc::new(Folder { parent: Some(Rc::clone(parent)), name, depth, length }))
}

fn path(folder: &Folder, name: &str) -> String {
    let mut parts = vec![name];
    let mut above = Some(folder);
    while let Some(folder) = above.filter(|folder| folder.parent.is_some()) {
        parts.push(&folder.name);
        above = folder.parent.as_deref();
    }
    parts.reverse();
    let mut path = parts.join("/");
    // A name alone can be longer than any file system allows.
    while path.len() > 2 * PATH {
        path.truncate(path.floor_char_boundary(2 * PATH));
    }
    path
}
