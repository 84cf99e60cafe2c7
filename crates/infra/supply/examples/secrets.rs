//! Looks for secrets in the files under a folder and prints one JSON object per finding, then the bytes read.
//!
//! A measuring tool: it drives the inspector alone, without the walker's ignore rules.

use std::path::{Path, PathBuf};

use bartizan_inspect::{Findings, Inspect as _, Limits, Source, recognise};
use bartizan_supply::secrets::Secrets;

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.filter_map(Result::ok) {
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() {
            files(&entry.path(), found);
        } else if kind.is_file() {
            found.push(entry.path());
        }
    }
}

fn main() {
    let root = PathBuf::from(std::env::args_os().nth(1).unwrap_or_else(|| ".".into()));
    let mut paths = Vec::new();
    if root.is_file() {
        paths.push(root.clone());
    }
    files(&root, &mut paths);
    paths.sort();
    let (mut bytes, mut claimed) = (0, 0);
    for path in &paths {
        let name = path.strip_prefix(&root).unwrap_or(path).to_string_lossy();
        let Ok(source) = Source::open(&name, path, Limits::default()) else { continue };
        bytes += source.length();
        if !Secrets.claims(&source, recognise(&source)) {
            continue;
        }
        claimed += source.length();
        let mut findings = Findings::new();
        let completeness = Secrets.inspect(&source, &mut findings);
        if !completeness.is_complete() {
            eprintln!("{name}: {completeness:?}");
        }
        for finding in findings.as_slice() {
            println!("{}", serde_json::to_string(finding).unwrap_or_default());
        }
    }
    eprintln!("{} files, {bytes} bytes, {claimed} of them text", paths.len());
}
