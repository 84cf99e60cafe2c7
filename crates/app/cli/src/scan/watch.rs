//! Scanning again whenever something changes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::Arguments;
use crate::exit::Ended;

/// Between two looks at the files' times: soon enough for a person, cheap enough for a large tree.
const PAUSE: Duration = Duration::from_secs(1);

/// Runs `scan` now and after every change, until the user interrupts; an error of one scan is printed and the
/// next change waited for.
pub(super) fn forever(arguments: &Arguments, scan: fn(&Arguments) -> anyhow::Result<Ended>) -> anyhow::Result<Ended> {
    scan(arguments)?;
    let mut before = times(&arguments.paths);
    loop {
        std::thread::sleep(PAUSE);
        let now = times(&arguments.paths);
        if now != before {
            before = now;
            eprintln!("something changed, scanning again");
            if let Err(error) = scan(arguments) {
                eprintln!("error: {error:#}");
            }
        }
    }
}

/// Time of change and length of every file.
fn times(paths: &[PathBuf]) -> BTreeMap<PathBuf, (Option<SystemTime>, u64)> {
    let mut found = BTreeMap::new();
    let mut waiting: Vec<PathBuf> = paths.iter().filter(|path| path.as_path() != Path::new("-")).cloned().collect();
    while let Some(path) = waiting.pop() {
        let Ok(metadata) = std::fs::symlink_metadata(&path) else { continue };
        if metadata.is_dir() {
            waiting.extend(std::fs::read_dir(&path).into_iter().flatten().flatten().map(|entry| entry.path()));
        } else {
            found.insert(path, (metadata.modified().ok(), metadata.len()));
        }
    }
    found
}
