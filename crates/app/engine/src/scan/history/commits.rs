//! The commits of a history, oldest first.
//!
//! Parents stand before their children, and among commits that could come next the one with the earlier date does (then the
//! smaller id): an order that follows from the commits alone and not from how they are stored.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};

use gix::ObjectId;
use gix::objs::commit::ref_iter::Token;
use gix::objs::{CommitRefIter, Kind, TagRefIter};

use super::gaps::{Gap, Gaps};
use super::objects::Objects;
use super::tips::Tips;

/// A commit, as far as the walk needs it.
#[derive(Clone, Debug)]
pub(super) struct Commit {
    /// Its id.
    pub(super) id: ObjectId,
    /// Its root folder.
    pub(super) tree: ObjectId,
    /// When it was written, in seconds since the Unix epoch, where it says so.
    pub(super) authored: Option<i64>,
    committed: i64,
    parents: Vec<ObjectId>,
}

/// All commits, and what is named that is none.
#[derive(Debug, Default)]
pub(super) struct Commits {
    /// Oldest first.
    pub(super) ordered: Vec<Commit>,
    /// Folders and files that a reference names without a commit, by id.
    pub(super) others: Vec<(ObjectId, Kind)>,
}

/// How an id was come by, which decides what its absence means.
#[derive(Clone, Copy)]
enum By {
    Name,
    Memory,
    Shallow,
}

/// Every commit that can be reached from `tips`.
pub(super) fn reach(objects: &Objects, tips: &Tips, shallow: &HashSet<ObjectId>, gaps: &mut Gaps) -> Commits {
    let mut found: Vec<Commit> = Vec::new();
    let mut others = Vec::new();
    let mut seen: HashSet<ObjectId> = HashSet::new();
    let mut waiting: Vec<(ObjectId, By)> = tips.past.difference(&tips.present).map(|id| (*id, By::Memory)).collect();
    // Taken first: what a reference leads to as well is missed when it is gone.
    waiting.extend(tips.present.iter().map(|id| (*id, By::Name)));
    let mut buffer = Vec::new();
    while let Some((id, by)) = waiting.pop() {
        if !seen.insert(id) {
            continue;
        }
        let data = match (objects.read(id, &mut buffer), by) {
            (Ok(data), _) => data,
            (Err(Gap::Missing), By::Memory) => continue,
            (Err(Gap::Missing), By::Shallow) => {
                gaps.add(Gap::BeyondShallow, None);
                continue;
            }
            (Err(gap), _) => {
                gaps.add(gap, Some(id));
                continue;
            }
        };
        match data.kind {
            Kind::Commit => match commit(id, data.data, objects.hash()) {
                Some(commit) => {
                    let by = if shallow.contains(&id) { By::Shallow } else { By::Name };
                    waiting.extend(commit.parents.iter().map(|parent| (*parent, by)));
                    found.push(commit);
                }
                None => gaps.add(Gap::Damaged, Some(id)),
            },
            Kind::Tag => match TagRefIter::from_bytes(data.data, objects.hash()).target_id() {
                Ok(target) => waiting.push((target, by)),
                Err(_) => gaps.add(Gap::Damaged, Some(id)),
            },
            kind => others.push((id, kind)),
        }
    }
    others.sort();
    Commits { ordered: order(found), others }
}

fn commit(id: ObjectId, data: &[u8], hash: gix::hash::Kind) -> Option<Commit> {
    let mut commit = None;
    for token in CommitRefIter::from_bytes(data, hash) {
        match (token, &mut commit) {
            (Ok(Token::Tree { id: tree }), _) => {
                commit = Some(Commit { id, tree, authored: None, committed: 0, parents: Vec::new() });
            }
            (Ok(Token::Parent { id }), Some(commit)) => commit.parents.push(id),
            (Ok(Token::Author { signature }), Some(commit)) => {
                commit.authored = signature.time().ok().map(|time| time.seconds);
            }
            (Ok(Token::Committer { signature }), Some(commit)) => {
                commit.committed = signature.time().map_or(0, |time| time.seconds);
                break;
            }
            // What comes before the dates is known by then, and a walk needs no more.
            _ => break,
        }
    }
    commit
}

fn order(found: Vec<Commit>) -> Vec<Commit> {
    let place: HashMap<ObjectId, usize> = found.iter().enumerate().map(|(at, commit)| (commit.id, at)).collect();
    let mut children: Vec<Vec<usize>> = vec![Vec::new(); found.len()];
    let mut unmet: Vec<usize> = vec![0; found.len()];
    for (at, commit) in found.iter().enumerate() {
        for parent in commit.parents.iter().filter_map(|parent| place.get(parent)) {
            if let (Some(children), Some(unmet)) = (children.get_mut(*parent), unmet.get_mut(at)) {
                children.push(at);
                *unmet += 1;
            }
        }
    }
    let key = |at: usize| found.get(at).map(|commit| Reverse((commit.committed, commit.id, at)));
    let ready = (0..found.len()).filter(|at| unmet.get(*at) == Some(&0));
    let mut ready: BinaryHeap<_> = ready.filter_map(key).collect();
    let mut ordered = Vec::with_capacity(found.len());
    while let Some(Reverse((.., at))) = ready.pop() {
        ordered.push(at);
        for child in children.get(at).into_iter().flatten() {
            if let Some(unmet) = unmet.get_mut(*child) {
                *unmet -= 1;
                if *unmet == 0 {
                    ready.extend(key(*child));
                }
            }
        }
    }
    // Objects whose bytes don't fit their ids can go round in a circle.
    let mut circling: Vec<usize> =
        unmet.iter().enumerate().filter(|(_, unmet)| **unmet > 0).map(|(at, _)| at).collect();
    circling.sort_by_key(|at| key(*at).map(|Reverse(key)| key));
    ordered.extend(circling);
    let mut found: Vec<Option<Commit>> = found.into_iter().map(Some).collect();
    ordered.into_iter().filter_map(|at| found.get_mut(at)?.take()).collect()
}
