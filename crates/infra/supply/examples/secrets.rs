//! Looks for secrets in the files under a folder and prints one JSON object per finding, then the bytes read.
//! With `--samples`, prints invented secrets instead.
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

/// One line for each invented secret and each text that looks like one, as JSON.
fn print_samples() {
    for kind in bartizan_sensitive::kinds() {
        for (templates, is_secret) in [(kind.examples_of(), true), (kind.counterexamples_of(), false)] {
            for template in templates {
                let text = bartizan_sensitive::sample(template, 1);
                println!("{}", serde_json::json!({ "kind": kind.id, "is_secret": is_secret, "text": text }));
            }
        }
    }
}

fn main() {
    if std::env::args().nth(1).as_deref() == Some("--samples") {
        return print_samples();
    }
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
