//! Scanning files and folders: the walk, the inspectors, the report.
//!
//! Files are found first and in one order, then inspected in parallel; each has its own budget, so
//! one hostile file costs no other. Links are not followed, special files are not opened.

mod cards;
mod digests;
mod history;
mod walk;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use bartizan_core::{Completeness, Component, ComponentKind, Finding, Rule};
pub use bartizan_inspect::Area;
use bartizan_inspect::{Examination, Inspect, Limits, Source, examine, named_like_a_model};
use bartizan_report::{FileEntry, Report};
use bartizan_supply::impersonation::Popularity;
use ignore::gitignore::Gitignore;
use thiserror::Error;

use crate::intel::{Intel, IntelError, imported, judge};

pub(crate) use digests::sha256;
use history::Folders;
use walk::{Met, find};

/// A scan could not begin.
#[derive(Debug, Error)]
pub enum ScanError {
    /// Nothing is there to scan.
    #[error("`{0}` does not exist; give a file, a folder or `-` for standard input")]
    Missing(PathBuf),
    /// A folder or the standard input can't be read.
    #[error("`{path}` can't be read: {cause}")]
    Unreadable {
        /// What was asked for.
        path: PathBuf,
        /// Why not.
        cause: std::io::Error,
    },
    /// Nothing at the path is a git repository, and its history was asked for.
    #[error("`{path}` is no git repository, so it has no history{}", inside(.repository.as_deref()))]
    NoRepository {
        /// What was asked for.
        path: PathBuf,
        /// The repository that it lies in.
        repository: Option<PathBuf>,
    },
    /// The history was asked for, and secrets were not.
    #[error("a history is searched for secrets only; add `secrets` to the areas or leave the history out")]
    HistoryWithoutSecrets,
    /// The advisory index is damaged.
    #[error(transparent)]
    Intel(#[from] IntelError),
    /// The patterns of files to pass over can't be read.
    #[error("ignore file {0}")]
    IgnoreFile(#[from] ignore::Error),
}

fn inside(repository: Option<&Path>) -> String {
    repository.map(|folder| format!("; it lies in `{}`, name that", folder.display())).unwrap_or_default()
}

/// How to scan.
#[derive(Clone, Copy, Default)]
pub struct Options<'a> {
    /// What each file may cost.
    pub limits: Limits,
    /// Told after each file: how many are done, of how many. Called from several threads.
    pub progress: Option<&'a (dyn Fn(usize, usize) + Sync)>,
    /// What to look for; everything when empty.
    pub only: &'a [Area],
    /// Advisories that packages are compared with.
    pub intel: Option<&'a Intel>,
    /// Popular packages whose names others imitate; the built-in list when absent.
    pub popularity: Option<&'a Popularity>,
    /// Patterns, as in a `.gitignore`, of files to pass over; they are counted.
    pub ignore_file: Option<&'a Path>,
    /// Whether to read every model to its last byte for its SHA-256.
    pub digests: bool,
    /// Whether to look for secrets in the history of each path, which must be a git repository.
    pub history: bool,
    /// Told how many commits of how many were walked.
    pub history_progress: Option<&'a (dyn Fn(usize, usize) + Sync)>,
}

/// Bytes of standard input that are held in memory.
const STANDARD_INPUT: u64 = 1 << 30;

/// Every inspector that `only` asks for.
pub(crate) fn inspectors(only: &[Area]) -> Vec<&'static dyn Inspect> {
    let mut all: Vec<&'static dyn Inspect> = bartizan_inspect::CONTAINERS.to_vec();
    all.extend(bartizan_artifact::INSPECTORS);
    all.extend(bartizan_supply::INSPECTORS);
    all.retain(|inspector| {
        let area = inspector.area();
        only.is_empty() || area == Area::Containers || only.contains(&area)
    });
    all
}

/// Every rule of every inspector, by id.
pub fn rules() -> Vec<&'static Rule> {
    let mut rules: Vec<&'static Rule> = bartizan_inspect::RULES.iter().copied().flatten().copied().collect();
    rules.extend(bartizan_artifact::RULES.iter().copied().flatten().copied());
    rules.extend(bartizan_supply::RULES.iter().copied().flatten().copied());
    rules.sort_by_key(|rule| rule.id);
    rules
}

/// Scans files and folders; `-` is the standard input.
///
/// # Errors
/// A path is missing or unreadable, or a file that the options name is damaged.
pub fn scan(paths: &[PathBuf], options: Options<'_>) -> Result<Report, ScanError> {
    let repositories = if options.history { repositories(paths, options)? } else { Vec::new() };
    let mut met = Vec::new();
    let mut done = Vec::new();
    for path in paths {
        if path.as_os_str() == "-" {
            if done.is_empty() {
                done.push(standard_input(options)?);
            }
        } else {
            met.extend(find(path, paths.len() > 1)?);
        }
    }
    met.sort_by(|a, b| a.name.as_bytes().cmp(b.name.as_bytes()).then_with(|| a.path.cmp(&b.path)));
    met.dedup_by(|a, b| a.path == b.path);
    for (_, folders) in &repositories {
        // A bare repository's objects lie beside everything else; they are looked at as history.
        met.retain(|file| !file.path.starts_with(folders.shared.join("objects")));
    }
    let passed_over = match options.ignore_file {
        Some(file) => pass_over(&mut met, file)?,
        None => 0,
    };
    done.extend(all(&met, options));
    let mut notes = Vec::new();
    for repository in &repositories {
        notes.extend(remembered(repository, paths.len() > 1, options, &mut done));
    }
    let mut report = notes.into_iter().fold(report(done), Report::note);
    let components = cards::claim(report.components().to_vec(), &met);
    report = report.with_components(components);
    if passed_over > 0 {
        report = report.note(format!("{passed_over} files are passed over, as .bartizanignore says"));
    }
    if options.only.is_empty() || options.only.contains(&Area::Dependencies) {
        report = judge_packages(report, paths, options)?;
    }
    Ok(report)
}

/// Adds what a history holds to what was found in files, and gives its notes.
fn remembered(
    repository: &Repository,
    among_several: bool,
    options: Options<'_>,
    done: &mut Vec<Scanned>,
) -> Vec<String> {
    let (path, folders) = repository;
    let (label, inspectors) = (walk::name(path, among_several), inspectors(&[Area::Secrets]));
    let mut past = history::look(path, folders, &label, inspectors, options.limits, options.history_progress);
    for scanned in &mut *done {
        past.join(&mut scanned.findings);
    }
    let notes = std::mem::take(&mut past.notes);
    let (file, findings) = past.into_parts();
    done.push(Scanned { file, findings, components: Vec::new() });
    notes
}

/// A path that was asked for and the repository that lies there.
type Repository = (PathBuf, Folders);

/// The repository at each path.
fn repositories(paths: &[PathBuf], options: Options<'_>) -> Result<Vec<Repository>, ScanError> {
    if !options.only.is_empty() && !options.only.contains(&Area::Secrets) {
        return Err(ScanError::HistoryWithoutSecrets);
    }
    let repository = |path: &PathBuf| match Folders::at(path) {
        Some(folders) => Ok((path.clone(), folders)),
        None if path.as_os_str() != "-" && !path.exists() => Err(ScanError::Missing(path.clone())),
        None => {
            let real = path.canonicalize().unwrap_or_default();
            let repository = real.ancestors().skip(1).find(|above| Folders::at(above).is_some());
            Err(ScanError::NoRepository { path: path.clone(), repository: repository.map(Path::to_path_buf) })
        }
    };
    paths.iter().map(repository).collect()
}

/// Drops what the patterns match; how many files that is.
fn pass_over(met: &mut Vec<Met>, file: &Path) -> Result<usize, ScanError> {
    let (patterns, problem) = Gitignore::new(file);
    if let Some(problem) = problem {
        return Err(problem.into());
    }
    let before = met.len();
    met.retain(|file| {
        let path = file.path.strip_prefix("./").unwrap_or(&file.path);
        path.has_root() || !patterns.matched_path_or_any_parents(path, false).is_ignore()
    });
    Ok(before - met.len())
}

/// Advisories and imitated names, once all packages are known.
fn judge_packages(report: Report, paths: &[PathBuf], options: Options<'_>) -> Result<Report, ScanError> {
    let packages = report.components().iter().filter(|part| part.kind == ComponentKind::Library).count();
    if packages == 0 {
        return Ok(report);
    }
    let built_in = Popularity::default();
    let popularity = options.popularity.unwrap_or(&built_in);
    let findings = judge(report.components(), options.intel, popularity, imported(paths).as_ref())?;
    let note = match options.intel {
        Some(intel) => {
            let (count, newest) = (intel.index.packages(), intel.index.newest());
            format!("{packages} packages compared with advisories about {count}, as of {newest} ({})", intel.digest)
        }
        None => format!("{packages} packages not compared with advisories: there is no index; `bartizan intel import`"),
    };
    Ok(report.with_findings(findings).note(note))
}

fn report(done: Vec<Scanned>) -> Report {
    let (mut files, mut findings, mut components) = (Vec::with_capacity(done.len()), Vec::new(), Vec::new());
    for scanned in done {
        files.push(scanned.file);
        findings.extend(scanned.findings);
        components.extend(scanned.components);
    }
    Report::new(files, findings).with_components(components)
}

/// Scans bytes that are in memory already: what a daemon asks about a model before it loads the very
/// same bytes.
pub fn scan_bytes(name: &str, bytes: Vec<u8>) -> Report {
    let source = Source::from_bytes(name, bytes, Options::default().limits);
    report(vec![entry(&source, &inspectors(&[Area::Models]))])
}

struct Scanned {
    file: FileEntry,
    findings: Vec<Finding>,
    components: Vec<Component>,
}

fn all(met: &[Met], options: Options<'_>) -> Vec<Scanned> {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(met.len().max(1));
    let next = AtomicUsize::new(0);
    let finished = AtomicUsize::new(0);
    let results = Mutex::new(Vec::with_capacity(met.len()));
    let inspectors = inspectors(options.only);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(file) = met.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let scanned = one(file, &inspectors, options);
                    results.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(scanned);
                    let finished = finished.fetch_add(1, Ordering::Relaxed) + 1;
                    if let Some(progress) = options.progress {
                        progress(finished, met.len());
                    }
                }
            });
        }
    });
    results.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn one(file: &Met, inspectors: &[&dyn Inspect], options: Options<'_>) -> Scanned {
    if let Some(reason) = &file.obstacle {
        return unread(&file.name, reason.clone());
    }
    match Source::open(&file.name, &file.path, options.limits) {
        Ok(source) => {
            let is_empty = source.length() == 0;
            let mut scanned = entry(&source.within(&file.path, &file.root), inspectors);
            if is_empty && named_like_a_model(&file.name) {
                scanned.file.completeness = Completeness::Failed("is named like a model and empty".to_owned());
            }
            if options.digests {
                digests::add(&file.path, &mut scanned);
            }
            scanned
        }
        Err(error) => unread(&file.name, Completeness::Failed(format!("can't be opened: {error}"))),
    }
}

fn standard_input(options: Options<'_>) -> Result<Scanned, ScanError> {
    let mut bytes = Vec::new();
    let unreadable = |cause| ScanError::Unreadable { path: PathBuf::from("-"), cause };
    std::io::stdin().lock().take(STANDARD_INPUT + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    let is_cut = bytes.len() as u64 > STANDARD_INPUT;
    let is_empty = bytes.is_empty();
    let source = Source::from_bytes("stdin", bytes, options.limits);
    let mut scanned = entry(&source, &inspectors(options.only));
    if is_empty {
        // What was to be scanned did not come: a download that failed must not look clean.
        scanned.file.completeness = Completeness::Failed("standard input was empty".to_owned());
    }
    if is_cut {
        let reason = format!("only the first {STANDARD_INPUT} bytes of standard input were read");
        scanned.file.completeness = scanned.file.completeness.and(Completeness::Partial(reason));
    }
    Ok(scanned)
}

fn entry(source: &Source, inspectors: &[&dyn Inspect]) -> Scanned {
    let (path, bytes) = (source.name().to_owned(), source.length());
    let Examination { format, inspectors, completeness, findings, components, members, members_not_inspected } =
        examine(source, inspectors);
    let file =
        FileEntry { path, format: format.as_str(), bytes, inspectors, completeness, members, members_not_inspected };
    Scanned { file, findings, components }
}

fn unread(name: &str, completeness: Completeness) -> Scanned {
    let file = FileEntry {
        path: name.to_owned(),
        format: "unread",
        bytes: 0,
        inspectors: Vec::new(),
        completeness,
        members: 0,
        members_not_inspected: 0,
    };
    Scanned { file, findings: Vec::new(), components: Vec::new() }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::rules;

    #[test]
    fn every_rule_has_its_own_id_and_says_what_to_do() {
        let rules = rules();
        let ids: BTreeSet<&str> = rules.iter().map(|rule| rule.id).collect();
        assert_eq!(ids.len(), rules.len());
        for rule in rules {
            assert!(rule.id.starts_with("BZ-") && rule.id.len() == 10, "{}", rule.id);
            assert!(!rule.title.is_empty() && !rule.explanation.is_empty() && !rule.remedy.is_empty(), "{}", rule.id);
            assert!(!rule.links.is_empty(), "{}", rule.id);
        }
    }
}
