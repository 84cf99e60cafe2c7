//! Looking for secrets in the files of a history, on all cores.
//!
//! Files come through a short queue, so memory is bounded by what is being looked at; each carries its number in the walk,
//! and of a secret's places the one with the smallest number is kept, whoever came to it first.

use std::collections::{BTreeMap, HashSet};
use std::sync::mpsc::Receiver;
use std::sync::{Mutex, PoisonError};

use bartizan_core::{Completeness, Finding, Severity};
use bartizan_inspect::{Inspect, Limits, Source, examine};
use gix::ObjectId;
use gix::objs::Kind;

use super::gaps::{Gap, Gaps};
use super::objects::Objects;

/// Bytes of a file above which only one is held at a time.
const LARGE: u64 = 32 << 20;
/// Different secrets of one history that are told apart.
const DISTINCT: usize = 20_000;

/// A file of the history, to be looked at.
#[derive(Clone, Debug)]
pub(super) struct Version {
    /// Its id.
    pub(super) id: ObjectId,
    /// Its path.
    pub(super) path: String,
    /// The commit that brought it, or the folder or file that is named without one.
    pub(super) holder: ObjectId,
    /// Its number in the walk.
    pub(super) number: u64,
    /// Which commit brought it, by its place in the order; none where a reference names the file itself.
    pub(super) commit: Option<usize>,
}

/// What tells secrets apart: kind and keyed fingerprint.
pub(super) type Identity = (String, String);

/// A secret that stands in the history.
#[derive(Clone, Debug)]
pub(super) struct Standing {
    /// As it was found in the first file.
    pub(super) finding: Finding,
    /// That file's path.
    pub(super) path: String,
    /// The worst of what was said of it.
    pub(super) severity: Severity,
    /// Which commit brought it.
    pub(super) commit: Option<usize>,
    /// In how many different files and versions of them it stands.
    pub(super) versions: u64,
    /// Whether one of these is in the folder of `HEAD`.
    pub(super) in_head: bool,
    first: (u64, usize),
}

/// What all threads together saw.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Every secret.
    pub(super) secrets: BTreeMap<Identity, Standing>,
    /// What was not seen.
    pub(super) gaps: Gaps,
    /// Files that were looked at.
    pub(super) files: usize,
    /// Files, such as pictures, that the search knows nothing of.
    pub(super) not_inspected: usize,
    /// Bytes of all files.
    pub(super) bytes: u64,
}

/// What the threads share.
pub(super) struct Work<'a> {
    /// Files to look at, some at a time.
    pub(super) queue: Mutex<Receiver<Vec<Version>>>,
    /// Who looks.
    pub(super) inspectors: Vec<&'static dyn Inspect>,
    /// What each file may cost.
    pub(super) limits: Limits,
    /// Files in the folder of `HEAD`.
    pub(super) head: &'a HashSet<ObjectId>,
    /// Held while a large file is.
    pub(super) large: Mutex<()>,
}

/// The identity of a secret's finding; none for anything else that is said about a file.
pub(super) fn identity(finding: &Finding) -> Option<Identity> {
    let word = |key: &str| finding.evidence.get(key).and_then(|value| value.as_str()).map(ToOwned::to_owned);
    Some((word("kind")?, word("fingerprint")?))
}

/// Looks at files until the queue ends.
pub(super) fn look(work: &Work<'_>, objects: &Objects) -> Seen {
    let mut seen = Seen::default();
    let mut buffer = Vec::new();
    loop {
        let next = work.queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(versions) = next else { return seen };
        for version in versions {
            if let Err(gap) = one(work, objects, &version, &mut buffer, &mut seen) {
                seen.gaps.add(gap, Some(version.id));
            }
        }
    }
}

fn one(
    work: &Work<'_>,
    objects: &Objects,
    version: &Version,
    buffer: &mut Vec<u8>,
    seen: &mut Seen,
) -> Result<(), Gap> {
    let size = objects.size(version.id)?;
    let _alone = (size > LARGE).then(|| work.large.lock().unwrap_or_else(PoisonError::into_inner));
    let data = objects.decode(version.id, buffer)?;
    if data.kind != Kind::Blob {
        return Err(Gap::Damaged);
    }
    let Version { number, commit, path, .. } = version;
    let name = format!("{path}@{}", version.holder.to_hex_with_len(12));
    let source = Source::from_bytes(&name, data.data.to_vec(), work.limits);
    if size > LARGE {
        *buffer = Vec::new();
    }
    let examination = examine(&source, &work.inspectors);
    seen.files += 1;
    seen.bytes += size;
    seen.not_inspected += usize::from(examination.inspectors.is_empty());
    for (place, finding) in examination.findings.into_iter().enumerate() {
        let Some(identity) = identity(&finding) else { continue };
        let in_head = work.head.contains(&version.id);
        let (severity, first, path) = (finding.severity, (*number, place), path.clone());
        seen.add(identity, Standing { finding, path, severity, commit: *commit, versions: 1, in_head, first });
    }
    match examination.completeness {
        Completeness::Complete => Ok(()),
        Completeness::Partial(_) | Completeness::Failed(_) => Err(Gap::InPart),
    }
}

impl Seen {
    /// What another thread saw as well.
    pub(super) fn extend(&mut self, other: Self) {
        self.gaps.extend(other.gaps);
        self.files += other.files;
        self.not_inspected += other.not_inspected;
        self.bytes += other.bytes;
        for (identity, standing) in other.secrets {
            self.add(identity, standing);
        }
    }

    fn add(&mut self, identity: Identity, new: Standing) {
        if let Some(known) = self.secrets.get_mut(&identity) {
            let (versions, in_head) = (known.versions + new.versions, known.in_head || new.in_head);
            let severity = known.severity.max(new.severity);
            if new.first < known.first {
                *known = new;
            }
            (known.versions, known.in_head, known.severity) = (versions, in_head, severity);
        } else if self.secrets.len() < DISTINCT {
            self.secrets.insert(identity, new);
        } else {
            self.gaps.add(Gap::Secrets, None);
        }
    }
}
