//! Compiles an index of advisories and measures it, for `bench/dependencies.py`.
//!
//! `dependencies compile INDEX FOLDER…` or `dependencies measure INDEX LOCKFILE RUNS`.

use std::collections::BTreeSet;
use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

use bartizan_inspect::{Limits, Source, examine};
use bartizan_supply::advisories::{AdvisoryIndex, Contents, Importer, advise};
use bartizan_supply::impersonation::{Popularity, impersonations};
use bartizan_supply::manifests::INSPECTORS;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["compile", index, folders @ ..] => compile(Path::new(index), folders),
        ["measure", index, lockfile, runs] => measure(Path::new(index), Path::new(lockfile), runs.parse()?),
        _ => Err("usage: dependencies compile INDEX FOLDER… | measure INDEX LOCKFILE RUNS".into()),
    }
}

fn compile(index: &Path, folders: &[&str]) -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    let mut contents = Contents::default();
    for folder in folders {
        let mut importer = Importer::new();
        let mut waiting = vec![Path::new(folder).to_path_buf()];
        while let Some(folder) = waiting.pop() {
            for entry in std::fs::read_dir(folder)? {
                let path = entry?.path();
                if path.is_dir() {
                    waiting.push(path);
                } else {
                    importer.add(&path.to_string_lossy(), &std::fs::read(&path)?);
                }
            }
        }
        importer.finish(folder, "", &mut contents);
    }
    let bytes = contents.compile()?;
    std::fs::write(index, &bytes)?;
    let records: usize = contents.sources.values().map(|(summary, _)| summary.records).sum();
    println!(
        r#"{{"bytes": {}, "records": {records}, "milliseconds": {}}}"#,
        bytes.len(),
        milliseconds(start.elapsed())
    );
    Ok(())
}

fn measure(path: &Path, lockfile: &Path, runs: u32) -> Result<(), Box<dyn Error>> {
    let mut opened = Duration::MAX;
    for _ in 0..runs {
        let start = Instant::now();
        let index = AdvisoryIndex::open(std::fs::read(path)?)?;
        let digest = index.digest();
        opened = opened.min(start.elapsed());
        std::hint::black_box(digest);
    }
    let index = AdvisoryIndex::open(std::fs::read(path)?)?;
    let popularity = Popularity::default();
    let name = lockfile.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let mut times = Vec::new();
    let mut counted = (0, BTreeSet::new());
    for _ in 0..runs {
        let start = Instant::now();
        let examination = examine(&Source::open(name, lockfile, Limits::default())?, INSPECTORS);
        let mut findings = advise(&examination.components, &index, None)?;
        findings.extend(impersonations(&examination.components, &popularity));
        times.push(start.elapsed());
        let found = findings.iter().map(|finding| (finding.location.clone(), finding.identity.clone())).collect();
        counted = (examination.components.len(), found);
    }
    times.sort_unstable();
    let median = times.get(times.len() / 2).copied().unwrap_or_default();
    println!(
        r#"{{"open": {}, "lockfile": {}, "packages": {}, "findings": {}}}"#,
        milliseconds(opened),
        milliseconds(median),
        counted.0,
        counted.1.len()
    );
    Ok(())
}

fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}
