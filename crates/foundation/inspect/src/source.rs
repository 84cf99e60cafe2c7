//! Bounded random access to bytes that nobody vouches for.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;

use bartizan_core::{Location, Position, printable};
use thiserror::Error;

use crate::unpacked::Stream;
use crate::{Budget, Exhausted, Format, Limits};

/// Bytes with a name, a budget and a depth of nesting. Cheap to clone; the bytes are shared.
///
/// A file is read where it is asked for and never loaded as a whole.
#[derive(Clone, Debug)]
pub struct Source {
    name: String,
    backing: Backing,
    start: u64,
    length: u64,
    depth: u32,
    budget: Rc<Budget>,
    siblings: Rc<BTreeSet<String>>,
    member: String,
    place: Option<Rc<Place>>,
    loaded_as: Option<Format>,
}

/// Where a file lies, and the folder that nothing beside it may lead out of.
#[derive(Debug)]
struct Place {
    path: PathBuf,
    root: PathBuf,
}

#[derive(Clone, Debug)]
enum Backing {
    Bytes(Rc<Vec<u8>>),
    File(Rc<File>),
    Stream(Rc<Stream>),
}

/// Bytes could not be had.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The budget is used up.
    #[error(transparent)]
    Exhausted(#[from] Exhausted),
    /// There are no such bytes.
    #[error("the data ends at byte {0}")]
    End(u64),
    /// The operating system refused.
    #[error("reading failed: {0}")]
    Io(#[from] io::Error),
}

impl Source {
    /// A source over `bytes` with a fresh budget.
    pub fn from_bytes(name: &str, bytes: Vec<u8>, limits: Limits) -> Self {
        let length = bytes.len() as u64;
        Self::root(name, Backing::Bytes(Rc::new(bytes)), length, limits)
    }

    /// A source over the file at `path` with a fresh budget; it is called `name` in findings.
    pub fn open(name: &str, path: &Path, limits: Limits) -> io::Result<Self> {
        let (file, length) = open_regular(path)?;
        Ok(Self::root(name, backing(file, length)?, length, limits))
    }

    /// The same source, which may name files beside it as long as they lie below `root`.
    #[must_use]
    pub fn within(mut self, path: &Path, root: &Path) -> Self {
        self.place = Some(Rc::new(Place { path: path.to_path_buf(), root: root.to_path_buf() }));
        self
    }

    /// The regular file that `relative` names as seen from this one, with this source's budget; `None`
    /// where there is none, where it lies outside the scanned folder, or where this is no file itself.
    pub fn beside(&self, relative: &str) -> Option<Self> {
        let place = self.place.as_ref().filter(|_| self.depth == 0)?;
        let relative = Path::new(relative);
        if relative.components().any(|part| matches!(part, Component::Prefix(_) | Component::RootDir)) {
            return None;
        }
        let path = place.path.parent()?.join(relative).canonicalize().ok()?;
        if !path.starts_with(place.root.canonicalize().ok()?) || !path.metadata().ok()?.is_file() {
            return None;
        }
        let (file, length) = open_regular(&path).ok()?;
        let folder = self.name.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
        let name = format!("{folder}{}", printable(&relative.to_string_lossy()));
        Some(Self {
            name: name.clone(),
            member: name,
            backing: backing(file, length).ok()?,
            start: 0,
            length,
            depth: 0,
            budget: Rc::clone(&self.budget),
            siblings: Rc::default(),
            place: Some(Rc::new(Place { path, root: place.root.clone() })),
            loaded_as: None,
        })
    }

    fn root(name: &str, backing: Backing, length: u64, limits: Limits) -> Self {
        Self {
            name: name.to_owned(),
            backing,
            start: 0,
            length,
            depth: 0,
            budget: Rc::new(Budget::new(limits, length)),
            siblings: Rc::default(),
            member: name.to_owned(),
            place: None,
            loaded_as: None,
        }
    }

    /// A member of this source that lies in it byte for byte; cut where this source ends.
    #[must_use]
    pub fn slice(&self, member: &str, start: u64, length: u64) -> Self {
        let start = start.min(self.length);
        let length = length.min(self.length - start);
        Self { start: self.start + start, length, ..self.child(member, self.backing.clone(), length) }
    }

    /// A member of this source that had to be decoded.
    #[must_use]
    pub fn decoded(&self, member: &str, bytes: Vec<u8>) -> Self {
        let length = bytes.len() as u64;
        self.child(member, Backing::Bytes(Rc::new(bytes)), length)
    }

    /// A member of this source that is decoded while it is read.
    pub(crate) fn unpacked(&self, member: &str, stream: Stream, length: u64) -> Self {
        self.child(member, Backing::Stream(Rc::new(stream)), length)
    }

    fn child(&self, member: &str, backing: Backing, length: u64) -> Self {
        Self {
            name: format!("{}!{}", self.name, printable(member)),
            backing,
            start: 0,
            length,
            depth: self.depth + 1,
            budget: Rc::clone(&self.budget),
            siblings: Rc::default(),
            member: member.to_owned(),
            place: None,
            loaded_as: None,
        }
    }

    /// The last part of the innermost name.
    pub fn file_name(&self) -> &str {
        self.member.rsplit('/').next().unwrap_or(&self.member)
    }

    /// The same source, knowing the names of all members of its archive.
    #[must_use]
    pub fn among(mut self, siblings: &Rc<BTreeSet<String>>) -> Self {
        self.siblings = Rc::clone(siblings);
        self
    }

    /// The same source, which its loader takes for that format whatever the bytes look like.
    #[must_use]
    pub fn loaded_as(self, format: Format) -> Self {
        Self { loaded_as: Some(format), ..self }
    }

    /// Whether a loader takes it for that format whatever the bytes look like.
    pub fn is_loaded_as(&self, format: Format) -> bool {
        self.loaded_as == Some(format)
    }

    /// The name for people: path, then `!` before each archive member.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The innermost name as the archive (or the caller) spells it.
    pub fn member(&self) -> &str {
        &self.member
    }

    /// Whether the archive that this is a member of has a member of that name.
    pub fn has_sibling(&self, member: &str) -> bool {
        self.siblings.contains(member)
    }

    /// Length in bytes.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// How many archives it lies in.
    pub fn depth(&self) -> u32 {
        self.depth
    }

    /// What everything that comes out of the same root may still cost.
    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    /// A place in this source.
    pub fn at(&self, offset: u64) -> Location {
        Location { path: self.name.clone(), position: Position::Byte(offset) }
    }

    /// This source as a whole.
    pub fn whole(&self) -> Location {
        Location { path: self.name.clone(), position: Position::Whole }
    }

    /// Reads what there is at `offset`, at most a full `buffer`; 0 at the end.
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize, ReadError> {
        let left = self.length.saturating_sub(offset);
        let wanted = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let Some(buffer) = buffer.get_mut(..wanted) else { return Ok(0) };
        if wanted == 0 {
            return Ok(0);
        }
        self.budget.read(wanted as u64)?;
        let at = self.start.saturating_add(offset);
        match &self.backing {
            Backing::Bytes(bytes) => {
                let from = usize::try_from(at).unwrap_or(usize::MAX);
                let available = bytes.get(from..).unwrap_or_default();
                let count = available.len().min(wanted);
                if let (Some(to), Some(from)) = (buffer.get_mut(..count), available.get(..count)) {
                    to.copy_from_slice(from);
                }
                Ok(count)
            }
            Backing::File(file) => {
                let mut filled = 0;
                while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
                    match file.read_at(rest, at + filled as u64) {
                        Ok(0) => break,
                        Ok(count) => filled += count,
                        Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                        Err(error) => return Err(error.into()),
                    }
                }
                Ok(filled)
            }
            Backing::Stream(stream) => {
                let mut filled = 0;
                while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
                    match stream.read_at(rest, at + filled as u64)? {
                        0 => break,
                        count => filled += count,
                    }
                }
                Ok(filled)
            }
        }
    }

    /// Reads exactly `length` bytes at `offset`. The caller bounds `length`.
    pub fn read(&self, offset: u64, length: usize) -> Result<Vec<u8>, ReadError> {
        if self.length.saturating_sub(offset) < length as u64 {
            return Err(ReadError::End(self.length));
        }
        let mut bytes = vec![0; length];
        let count = self.read_at(&mut bytes, offset)?;
        if count < length { Err(ReadError::End(offset + count as u64)) } else { Ok(bytes) }
    }

    /// The first bytes, at most `length` of them; empty when they can't be read.
    pub fn head(&self, length: usize) -> Vec<u8> {
        let length = length.min(usize::try_from(self.length).unwrap_or(usize::MAX));
        self.read(0, length).unwrap_or_default()
    }
}

/// Opens a regular file and nothing else: opening a pipe would wait for somebody to write.
fn open_regular(path: &Path) -> io::Result<(File, u64)> {
    use std::os::unix::fs::OpenOptionsExt as _;

    /// `O_NONBLOCK`, which regular files ignore (`open(2)`; Linux and the BSDs differ).
    const NON_BLOCKING: i32 = if cfg!(target_os = "linux") { 0o4000 } else { 0x4 };
    let file = File::options().read(true).custom_flags(NON_BLOCKING).open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_file() {
        Ok((file, metadata.len()))
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"))
    }
}

/// Files up to this size are read at once: most are this small, and each look at one costs a system call.
const SMALL: u64 = 64 << 10;

fn backing(file: File, length: u64) -> io::Result<Backing> {
    if length > SMALL {
        return Ok(Backing::File(Rc::new(file)));
    }
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    // A file that shrank meanwhile is cut off: reads beyond what is there end early.
    bytes.truncate(filled);
    Ok(Backing::Bytes(Rc::new(bytes)))
}
