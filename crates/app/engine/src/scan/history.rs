//! Secrets in what a git repository remembers: every version of every file that a branch, tag, stash, remote or reflog leads to.
//!
//! It lies here and not in `supply` because it is a walk, like that over folders: it decides which files there are and what they
//! are called. What a secret is stays with the inspectors, which get each version as a [`Source`](bartizan_inspect::Source) and
//! know nothing of git.
//!
//! Commits are walked from the oldest on and each folder and file once, so that a secret is found in the commit that brought it.

mod commits;
mod gaps;
mod objects;
mod place;
mod search;
mod tips;
mod trees;

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bartizan_core::{Completeness, Finding, Position, Timestamp, printable};
use bartizan_inspect::{Inspect, Limits};
use bartizan_report::FileEntry;
use gix::ThreadSafeRepository;
use gix::objs::Kind;
use serde_json::{Value, json};

use commits::{Commit, Commits};
use gaps::Gaps;
use objects::Objects;
pub(in crate::scan) use place::Folders;
use search::{Identity, Seen, Standing, Version, Work};
use trees::Walk;

/// Files that go through the queue together: neighbours in a pack are decoded from each other.
const TOGETHER: usize = 64;
/// Time for any repository.
const TIME: Duration = Duration::from_secs(120);
/// Bytes on disk for which there is another second: even where they inflate to fifty times as much, one core needs less.
const BYTES_A_SECOND: u64 = 512 << 10;

/// Told how many commits of how many were walked.
pub(super) type Progress<'a> = Option<&'a (dyn Fn(usize, usize) + Sync)>;

/// What one repository's history holds.
#[derive(Debug)]
pub(super) struct Past {
    /// The history as an entry of the report.
    pub(super) file: FileEntry,
    /// Lines for the readers.
    pub(super) notes: Vec<String>,
    secrets: BTreeMap<Identity, (Finding, Value)>,
}

impl Past {
    /// Says of each of `findings` whose secret stands in the history too where that is; afterwards only what the
    /// history alone holds is left.
    pub(super) fn join(&mut self, findings: &mut [Finding]) {
        let mut joined = HashSet::new();
        for finding in findings {
            let Some(identity) = search::identity(finding) else { continue };
            if let Some((_, history)) = self.secrets.get(&identity) {
                finding.evidence.insert("history".to_owned(), history.clone());
                joined.insert(identity);
            }
        }
        self.secrets.retain(|identity, _| !joined.contains(identity));
    }

    /// A finding for each secret that is left, and the entry of the report.
    pub(super) fn into_parts(self) -> (FileEntry, Vec<Finding>) {
        (self.file, self.secrets.into_values().map(|(finding, _)| finding).collect())
    }
}

/// Looks through the history of the repository at `path`; `label` is what its folder is called in the report.
pub(super) fn look(
    path: &Path,
    folders: &Folders,
    label: &str,
    inspectors: Vec<&'static dyn Inspect>,
    limits: Limits,
    progress: Progress<'_>,
) -> Past {
    let name = within(label, if path.join(".git").exists() { ".git" } else { "" });
    let file = |completeness| FileEntry {
        path: format!("{name}!history"),
        format: "git",
        bytes: 0,
        inspectors: vec!["secrets"],
        completeness,
        members: 0,
        members_not_inspected: 0,
    };
    let opened = match place::open(path, folders) {
        Ok(opened) => opened,
        Err(reason) => {
            let file = file(Completeness::Failed(reason));
            return Past { file, notes: Vec::new(), secrets: BTreeMap::new() };
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let deadline = Instant::now().checked_add(TIME + Duration::from_secs(opened.bytes / BYTES_A_SECOND));
    let mut gaps = Gaps::default();
    let (tips, shallow, head) = beginnings(&opened.repository, &mut gaps);
    let objects = |threads| Objects::of(&opened.repository, threads, deadline);
    let reading = objects(1);
    let commits = commits::reach(&reading, &tips, &shallow, &mut gaps);
    let head = head.and_then(|id| commits.ordered.iter().find(|commit| commit.id == id)).map(|commit| commit.tree);
    let in_head = head.map(|tree| files_of(tree, objects(1))).unwrap_or_default();
    let walk = Walk::new(reading);
    let (sender, queue) = sync_channel(2 * threads);
    let work = Arc::new(Work { queue: Mutex::new(queue), inspectors, limits, head: &in_head, large: Mutex::new(()) });
    let all = Mutex::new(Seen::default());
    let walk = std::thread::scope(|scope| {
        for _ in 0..threads {
            // Each thread owns a share of the queue: when all of them end, so does sending to it.
            let (work, all, objects) = (Arc::clone(&work), &all, &objects);
            scope.spawn(move || {
                let seen = search::look(&work, &objects(threads));
                all.lock().unwrap_or_else(PoisonError::into_inner).extend(seen);
            });
        }
        drop(work);
        // The threads end when nothing more can be sent, so the sender must not outlive the walk.
        let sender = sender;
        send(&commits, walk, label, &mut gaps, progress, &|versions| sender.send(versions).is_ok())
    });
    let mut seen = all.into_inner().unwrap_or_else(PoisonError::into_inner);
    gaps.extend(std::mem::take(&mut seen.gaps));
    let notes = notes(label, &commits, &seen, &walk);
    let mut file = file(gaps.completeness());
    (file.bytes, file.members, file.members_not_inspected) = (seen.bytes, seen.files, seen.not_inspected);
    let secrets = seen.secrets.into_iter().map(|(identity, standing)| (identity, told(standing, &commits))).collect();
    Past { file, notes, secrets }
}

type Beginnings = (tips::Tips, HashSet<gix::ObjectId>, Option<gix::ObjectId>);

fn beginnings(repository: &ThreadSafeRepository, gaps: &mut Gaps) -> Beginnings {
    let local = repository.to_thread_local();
    let shallow = local.shallow_commits().ok().flatten();
    let shallow = shallow.map(|commits| commits.iter().copied().collect()).unwrap_or_default();
    (tips::find(&local, gaps), shallow, local.head_id().map(gix::Id::detach).ok())
}

/// The files of one folder; what can't be read of it is said where the whole history is walked.
fn files_of(tree: gix::ObjectId, objects: Objects) -> HashSet<gix::ObjectId> {
    let mut walk = Walk::new(objects);
    walk.go(tree, &mut Gaps::default(), |_, _| {});
    walk.into_files()
}

/// Walks all folders and sends each file once; the walk comes back.
fn send(
    commits: &Commits,
    mut walk: Walk,
    label: &str,
    gaps: &mut Gaps,
    progress: Progress<'_>,
    send: &dyn Fn(Vec<Version>) -> bool,
) -> Walk {
    let mut together = Vec::with_capacity(TOGETHER);
    let mut number = 0;
    let mut push = |id, path: &str, holder: gix::ObjectId, commit| {
        together.push(Version { id, path: within(label, path), holder, number, commit });
        number += 1;
        if together.len() >= TOGETHER {
            send(std::mem::take(&mut together));
        }
    };
    for (at, commit) in commits.ordered.iter().enumerate() {
        walk.go(commit.tree, gaps, |id, path| push(id, &path, commit.id, Some(at)));
        if let Some(progress) = progress {
            progress(at + 1, commits.ordered.len());
        }
    }
    for (id, kind) in &commits.others {
        match kind {
            Kind::Tree => walk.go(*id, gaps, |file, path| push(file, &path, *id, None)),
            _ if walk.is_new(*id) => push(*id, "", *id, None),
            _ => {}
        }
    }
    send(together);
    walk
}

fn within(label: &str, path: &str) -> String {
    match (label, path) {
        ("" | ".", "") => ".".to_owned(),
        ("" | ".", path) => path.to_owned(),
        (label, "") => label.to_owned(),
        (label, path) => format!("{label}/{path}"),
    }
}

fn notes(label: &str, commits: &Commits, seen: &Seen, walk: &Walk) -> Vec<String> {
    let label = within(label, "");
    let (count, files) = (commits.ordered.len(), seen.files);
    let mut notes = vec![format!("history of `{label}`: {count} commits, {files} versions of files")];
    if !commits.others.is_empty() {
        let count = commits.others.len();
        notes.push(format!("history of `{label}`: {count} named folders or files belong to no commit by that name"));
    }
    let submodules = walk.submodules();
    if !submodules.is_empty() {
        let (count, some): (usize, Vec<&str>) =
            (submodules.len(), submodules.iter().take(5).map(String::as_str).collect());
        let more = if count > some.len() { ", …" } else { "" };
        let some = some.join("`, `");
        notes.push(format!(
            "history of `{label}`: {count} submodules have a history of their own, not looked at: `{some}`{more}"
        ));
    }
    notes
}

/// The finding as it stands in the report, and what a finding in the working tree says of it.
fn told(standing: Standing, commits: &Commits) -> (Finding, Value) {
    let Standing { finding, path, severity, commit, versions, in_head, .. } = standing;
    let commit = commit.and_then(|at| commits.ordered.get(at));
    let (id, date) = (commit.map(|commit| commit.id.to_string()), commit.and_then(date));
    let line = match finding.location.position {
        Position::Line(line) => json!(line),
        _ => Value::Null,
    };
    let history = json!({
        "commit": id, "authorDate": date, "path": path, "line": line, "inHead": in_head, "versions": versions,
    });
    let since = match (&date, commit) {
        (Some(date), _) => format!("since {}", date.get(..10).unwrap_or(date)),
        (None, Some(_)) => "since a commit without a date".to_owned(),
        (None, None) => "outside all commits".to_owned(),
    };
    let head = if in_head { "still in HEAD" } else { "no longer in HEAD" };
    let message = printable(&format!("{}; in the history {since}, {head}", finding.message));
    let mut finding = finding.with_severity(severity);
    finding.message = message;
    for key in ["commit", "authorDate", "path", "inHead", "versions"] {
        finding = finding.with_evidence(key, history.get(key).cloned().unwrap_or_default());
    }
    (finding, history)
}

fn date(commit: &Commit) -> Option<String> {
    // Years beyond what a timestamp holds are inventions.
    let seconds = commit.authored.filter(|seconds| seconds.checked_mul(1_000_000_000).is_some())?;
    Some(Timestamp::from_seconds(seconds).to_string().replace(".000000000", ""))
}
