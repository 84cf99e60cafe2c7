//! The last snapshot of each project, a file each.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bartizan_core::{ComponentKind, Timestamp};
use bartizan_storage::{Storage, ensure_directory, replace};
use serde::Serialize;
use thiserror::Error;

use crate::snapshot::check_name;
use crate::{Affected, Snapshot, SnapshotError, affected};

/// Projects that are kept.
const PROJECTS: usize = 1000;

/// The catalog can't be read or written.
#[derive(Debug, Error)]
pub enum CatalogError {
    /// A file of it can't be read or written.
    #[error("`{path}`: {cause}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why not.
        cause: std::io::Error,
    },
    /// A file of it holds something else.
    #[error("`{path}`: {cause}; remove it and scan the project again with --record")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        cause: SnapshotError,
    },
    /// What is to be kept can't be.
    #[error(transparent)]
    Refused(#[from] SnapshotError),
    /// There is no room.
    #[error("{PROJECTS} projects are kept; forget one first")]
    Full,
    /// There is no such project.
    #[error("there is no project `{0}`; `bartizan inventory list` shows those that were recorded")]
    Missing(String),
}

/// A project in a list.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Summary {
    /// Its name.
    pub project: String,
    /// When its last scan was recorded.
    pub recorded: Option<Timestamp>,
    /// Whether that scan saw everything.
    pub complete: bool,
    /// Models.
    pub models: usize,
    /// Packages, each version once.
    pub packages: usize,
    /// Weaknesses, from `info` to `critical`.
    pub findings: [usize; 5],
}

/// The folder of snapshots.
#[derive(Clone)]
pub struct Catalog {
    storage: Arc<dyn Storage>,
    folder: PathBuf,
}

impl Catalog {
    /// The catalog in `folder`, which need not exist yet.
    pub fn new(storage: Arc<dyn Storage>, folder: &Path) -> Self {
        Self { storage, folder: folder.to_owned() }
    }

    /// Keeps the snapshot in place of the project's last one; on disk once this returns.
    ///
    /// # Errors
    /// The disk refuses, or there is no room.
    pub fn record(&self, mut snapshot: Snapshot, now: Timestamp) -> Result<Summary, CatalogError> {
        let path = self.path(&snapshot.project)?;
        let known = self.projects()?;
        if !known.contains(&snapshot.project) && known.len() >= PROJECTS {
            return Err(CatalogError::Full);
        }
        snapshot.recorded = Some(now);
        let io = |cause| CatalogError::Io { path: path.clone(), cause };
        ensure_directory(&*self.storage, &self.folder).map_err(io)?;
        replace(&*self.storage, &path, snapshot.to_json().to_string().as_bytes()).map_err(io)?;
        Ok(summary(&snapshot))
    }

    /// Names of all projects, sorted.
    ///
    /// # Errors
    /// The folder can't be read.
    pub fn projects(&self) -> Result<Vec<String>, CatalogError> {
        let io = |cause| CatalogError::Io { path: self.folder.clone(), cause };
        if self.storage.length(&self.folder).map_err(io)?.is_none() {
            return Ok(Vec::new());
        }
        let names = self.storage.list(&self.folder).map_err(io)?;
        let mut names: Vec<String> =
            names.iter().filter_map(|name| Some(name.strip_suffix(".json")?.to_owned())).collect();
        names.sort();
        Ok(names)
    }

    /// The last snapshot of a project.
    ///
    /// # Errors
    /// There is none, or it can't be read.
    pub fn project(&self, name: &str) -> Result<Snapshot, CatalogError> {
        let path = self.path(name)?;
        let io = |cause| CatalogError::Io { path: path.clone(), cause };
        if self.storage.length(&path).map_err(io)?.is_none() {
            return Err(CatalogError::Missing(bartizan_core::printable(name)));
        }
        let bytes = self.storage.read(&path).map_err(io)?;
        Snapshot::parse(&bytes).map_err(|cause| CatalogError::Damaged { path: path.clone(), cause })
    }

    /// All projects.
    ///
    /// # Errors
    /// One can't be read.
    pub fn summaries(&self) -> Result<Vec<Summary>, CatalogError> {
        self.projects()?.iter().map(|name| Ok(summary(&self.project(name)?))).collect()
    }

    /// What the advisories hit, in all projects.
    ///
    /// # Errors
    /// A project can't be read: an answer without it would be wrong.
    pub fn affected(&self, advisories: &[String]) -> Result<Vec<Affected>, CatalogError> {
        let mut all = Vec::new();
        for name in self.projects()? {
            all.extend(affected(&self.project(&name)?, advisories));
        }
        Ok(all)
    }

    /// Forgets a project.
    ///
    /// # Errors
    /// There is none of that name, or the disk refuses.
    pub fn forget(&self, name: &str) -> Result<(), CatalogError> {
        let path = self.path(name)?;
        let io = |cause| CatalogError::Io { path: path.clone(), cause };
        if self.storage.length(&path).map_err(io)?.is_none() {
            return Err(CatalogError::Missing(bartizan_core::printable(name)));
        }
        self.storage.remove(&path).and_then(|()| self.storage.sync_directory(&self.folder)).map_err(io)
    }

    fn path(&self, name: &str) -> Result<PathBuf, CatalogError> {
        check_name(name)?;
        Ok(self.folder.join(format!("{name}.json")))
    }
}

fn summary(snapshot: &Snapshot) -> Summary {
    let count = |kind| snapshot.components.iter().filter(move |part| part.kind == kind);
    let models: std::collections::BTreeSet<&str> = count(ComponentKind::Model).map(|part| part.name.as_str()).collect();
    let packages: std::collections::BTreeSet<Option<&str>> =
        count(ComponentKind::Library).map(|part| part.purl.as_deref()).collect();
    Summary {
        project: snapshot.project.clone(),
        recorded: snapshot.recorded,
        complete: snapshot.complete,
        models: models.len(),
        packages: packages.len(),
        findings: snapshot.counts(),
    }
}
