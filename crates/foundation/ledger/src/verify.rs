//! Is everything in the ledger as it was written, and is it the ledger that others have seen?

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bartizan_core::Digest;
use bartizan_signing::NoteVerifier;
use bartizan_storage::{Disk, Storage};

use crate::checkpoint::Checkpoint;
use crate::error::LedgerError;
use crate::layout::{CHECKPOINT, Tile, segment_path};
use crate::merkle::{Frontier, leaf_hash};
use crate::reader::LedgerReader;
use crate::tiles::{Made, Tiles};

/// Most problems that are listed one by one.
const MAX_PROBLEMS: usize = 100;

/// A checkpoint of this log that was kept where the ledger's writer could not change it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Anchor {
    /// Where it comes from, for people.
    pub source: String,
    /// The signed checkpoint.
    pub note: Vec<u8>,
}

/// What verification came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Conclusion {
    /// Everything is as it was written and agrees with an anchor.
    Verified,
    /// Everything agrees with itself, but whoever holds the key could have written all of it anew.
    InternallyConsistent,
    /// Something was changed, is missing or contradicts an anchor.
    NotVerified,
    /// Too little is there to say.
    Inconclusive,
}

impl Conclusion {
    /// The sentence for people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::InternallyConsistent => "internally consistent, not externally anchored",
            Self::NotVerified => "NOT verified",
            Self::Inconclusive => "inconclusive",
        }
    }
}

/// What was verified and what was found.
#[derive(Clone, Debug)]
pub struct Report {
    /// What it came to.
    pub conclusion: Conclusion,
    /// Which log.
    pub origin: String,
    /// How many entries were hashed.
    pub size: u64,
    /// The root over them, when all could be read.
    pub root: Option<Digest>,
    /// The key that the signatures were checked with.
    pub signer: Option<String>,
    /// Anchors that the ledger agrees with: where from, and at how many entries.
    pub anchors: Vec<(String, u64)>,
    /// What is wrong, each with file and byte or entry.
    pub problems: Vec<String>,
    /// What keeps the answer from being certain.
    pub doubts: Vec<String>,
}

/// Verifies the ledger in a folder of this machine's disk: every entry hashed, every tile compared,
/// every checkpoint's signature and root checked, and all of it against the anchors.
pub fn verify(directory: &Path, anchors: &[Anchor]) -> Report {
    verify_in(Arc::new(Disk), directory, anchors)
}

/// [`verify`] in a storage.
pub fn verify_in(storage: Arc<dyn Storage>, directory: &Path, anchors: &[Anchor]) -> Report {
    let mut report = Report {
        conclusion: Conclusion::Inconclusive,
        origin: String::new(),
        size: 0,
        root: None,
        signer: None,
        anchors: Vec::new(),
        problems: Vec::new(),
        doubts: Vec::new(),
    };
    match LedgerReader::open_in(storage, directory) {
        Ok(reader) => check(&reader, directory, anchors, &mut report),
        Err(error @ (LedgerError::Absent(_) | LedgerError::Io { .. })) if anchors.is_empty() => {
            report.doubts.push(error.to_string());
        }
        Err(error) => report.problems.push(error.to_string()),
    }
    report.conclusion = if !report.problems.is_empty() {
        Conclusion::NotVerified
    } else if !report.doubts.is_empty() {
        Conclusion::Inconclusive
    } else if report.anchors.is_empty() {
        Conclusion::InternallyConsistent
    } else {
        Conclusion::Verified
    };
    let hidden = report.problems.len().saturating_sub(MAX_PROBLEMS);
    if hidden > 0 {
        report.problems.truncate(MAX_PROBLEMS);
        report.problems.push(format!("and {hidden} more"));
    }
    report
}

fn check(reader: &LedgerReader, directory: &Path, anchors: &[Anchor], report: &mut Report) {
    report.origin.clone_from(&reader.checkpoint().origin);
    let verifier = match reader.verifier() {
        Ok(verifier) => verifier,
        Err(error) => {
            report.problems.push(error.to_string());
            return;
        }
    };
    report.signer = Some(verifier.to_string());
    let mut claims = Claims::default();
    if reader.size() > 0 {
        claims.signed("the last checkpoint", reader.signed_checkpoint(), &verifier, report);
    }
    for commit in &reader.tail.commits {
        let source =
            format!("{}: checkpoint at entry {}", segment_path(directory, commit.segment).display(), commit.end);
        claims.signed(&source, &commit.checkpoint, &verifier, report);
    }
    let (path, published) = reader.file(CHECKPOINT);
    match published {
        Ok(note) => claims.signed(&path.display().to_string(), &note, &verifier, report),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => report.doubts.push(format!("read {}: {error}", path.display())),
    }
    let internal = claims.0.len();
    let mut agreeing = Vec::new();
    for anchor in anchors {
        let before = claims.0.len();
        claims.signed(&format!("anchor {}", anchor.source), &anchor.note, &verifier, report);
        if let Some((_, claim)) = claims.0.get(before) {
            agreeing.push((anchor.source.clone(), claim.size));
        }
    }
    let Some(roots) = walk(reader, &claims, report) else { return };
    report.size = reader.size();
    report.root = roots.get(&reader.size()).copied();
    let before = report.problems.len();
    for (place, (source, claim)) in claims.0.iter().enumerate() {
        let size = claim.size;
        let problem = match roots.get(&size) {
            Some(root) if *root == claim.root => continue,
            Some(_) if place < internal => format!("the first {size} entries do not lead to its root"),
            Some(_) => format!("the first {size} entries are not those that were seen then: the ledger was rewritten"),
            None => format!("has {size} entries, the ledger only {}: it was rolled back", reader.size()),
        };
        report.problems.push(format!("{source}: {problem}"));
    }
    if report.problems.len() == before {
        report.anchors = agreeing.into_iter().filter(|(_, size)| *size > 0).collect();
    }
    if let Some((path, at, bytes)) = &reader.tail.unfinished {
        let place = path.display();
        report.doubts.push(format!("{place}: byte {at}: the last append ({bytes} bytes) is unfinished or damaged; start the daemon to recover and verify again"));
    }
    if reader.size() == 0 && report.problems.is_empty() {
        report.doubts.push("the ledger has no entries: there is nothing to verify".to_owned());
    }
}

/// Checkpoints that the tree must agree with, and where each comes from.
#[derive(Default)]
struct Claims(Vec<(String, Checkpoint)>);

impl Claims {
    fn signed(&mut self, source: &str, note: &[u8], verifier: &NoteVerifier, report: &mut Report) {
        match Checkpoint::verify(note, verifier) {
            Ok(checkpoint) => self.0.push((source.to_owned(), checkpoint)),
            Err(error) => report.problems.push(format!("{source}: {error}")),
        }
    }
}

/// Hashes every entry and compares every tile. Says the root at each size that a claim speaks of;
/// `None` when entries could not be read.
fn walk(reader: &LedgerReader, claims: &Claims, report: &mut Report) -> Option<BTreeMap<u64, Digest>> {
    let mut roots = BTreeMap::new();
    let mut wanted: Vec<u64> = claims.0.iter().map(|(_, claim)| claim.size).chain([reader.size()]).collect();
    wanted.sort_unstable_by(|left, right| right.cmp(left));
    wanted.dedup();
    let mut note_root = |frontier: &Frontier| {
        if wanted.last() == Some(&frontier.size()) {
            wanted.pop();
            roots.insert(frontier.size(), frontier.root());
        }
    };
    let mut frontier = Frontier::default();
    let mut tiles = Tiles::default();
    let mut made = Vec::new();
    let mut differing = Vec::new();
    note_root(&frontier);
    for raw in reader.raw(0, reader.size()) {
        let (index, bytes) = match raw {
            Ok(raw) => raw,
            Err(error) => {
                report.problems.push(error.to_string());
                return None;
            }
        };
        let leaf = leaf_hash(&bytes);
        frontier.push(leaf);
        note_root(&frontier);
        if index < reader.tail.first {
            tiles.push(&bytes, leaf, &mut made);
            made.drain(..).for_each(|made| compare(reader, &made, &mut differing, report));
        }
    }
    if reader.is_static() {
        tiles.partial().iter().for_each(|made| compare(reader, made, &mut differing, report));
    }
    // The signature says who is right where a tile and the entries under it disagree.
    let signed = &reader.checkpoint().root;
    let entries_are_signed = frontier.root() == *signed;
    for Differing { path, byte, entry } in differing {
        let place = path.display();
        report.problems.push(match entry {
            Some(entry) if !entries_are_signed => {
                format!("entry {entry}: is not the one whose hash is in {place}, byte {byte}: it was changed")
            }
            Some(entry) => format!("{place}: byte {byte}: is not the hash of entry {entry}, which is as it was signed"),
            None => format!("{place}: byte {byte}: does not follow from the entries"),
        });
    }
    Some(roots)
}

struct Differing {
    path: PathBuf,
    byte: usize,
    /// The entry whose hash differs, for the lowest tiles.
    entry: Option<u64>,
}

/// Compares a tile of hashes with what it must be.
fn compare(reader: &LedgerReader, (tile, expected): &Made, differing: &mut Vec<Differing>, report: &mut Report) {
    let Tile::Hashes { level, index, .. } = *tile else { return };
    let (path, found) = reader.file(&tile.path());
    let found = match found {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            report.problems.push(format!("{}: the tile is missing", path.display()));
            return;
        }
        Err(error) => {
            report.doubts.push(format!("read {}: {error}", path.display()));
            return;
        }
    };
    if found.len() != expected.len() {
        let problem = format!("has {} bytes instead of {}", found.len(), expected.len());
        report.problems.push(format!("{}: {problem}", path.display()));
    } else if let Some(byte) = found.iter().zip(expected).position(|(found, expected)| found != expected) {
        let entry = (level == 0).then_some(index * crate::layout::TILE_WIDTH + byte as u64 / 32);
        differing.push(Differing { path, byte, entry });
    }
}
