//! Reads every Markdown file below some folders as if it were a file of instructions, and every JSON file under its
//! own name: `cargo run --release -p bartizan-supply --example agents -- FOLDER…` counts false alarms.

use std::path::PathBuf;

use bartizan_inspect::{Limits, Source, examine};
use bartizan_supply::agents;

fn main() {
    let mut waiting: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let (mut files, mut bytes, mut found, mut partial) = (0, 0, 0, 0);
    while let Some(path) = waiting.pop() {
        if path.is_symlink() {
            continue;
        }
        if path.is_dir() {
            waiting.extend(std::fs::read_dir(&path).into_iter().flatten().flatten().map(|entry| entry.path()));
            continue;
        }
        let name = path.to_string_lossy().into_owned();
        let lower = name.to_ascii_lowercase();
        let is_text = [".md", ".mdc", ".rst", ".txt"].iter().any(|ending| lower.ends_with(ending));
        if !is_text && ![".json", ".jsonc", ".toml"].iter().any(|ending| lower.ends_with(ending)) {
            continue;
        }
        let shown = if is_text { format!("{name}!CLAUDE.md") } else { name };
        let Ok(source) = Source::open(&shown, &path, Limits::default()) else { continue };
        let examination = examine(&source, agents::INSPECTORS);
        files += u64::from(!examination.inspectors.is_empty());
        bytes += if examination.inspectors.is_empty() { 0 } else { source.length() };
        found += u64::from(!examination.findings.is_empty());
        partial += u64::from(!examination.completeness.is_complete());
        for finding in &examination.findings {
            println!(
                "{} {} {shown} {:?} {}",
                finding.rule.id, finding.severity, finding.location.position, finding.message
            );
        }
    }
    println!("{files} files of {bytes} bytes, {found} with findings, {partial} incomplete");
}
