//! `docs/capabilities.md` may name only tests and commands that exist.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, ensure};

use crate::workspace::root;

/// A row: capability, state, test, command.
type Row = (String, String, String, String);

pub(crate) fn check() -> anyhow::Result<()> {
    let path = root().join("docs/capabilities.md");
    let text = fs::read_to_string(&path).with_context(|| format!("can't read {}", path.display()))?;
    let mut sources = String::new();
    for folder in ["crates", "tests", "xtask", "bench"] {
        collect(&root().join(folder), &mut sources)?;
    }
    let rows = rows(&text);
    ensure!(!rows.is_empty(), "docs/capabilities.md has no rows");
    let mut wrong = Vec::new();
    let (mut works, mut others) = (0, 0);
    for (capability, state, test, command) in &rows {
        match state.as_str() {
            "works" => works += 1,
            "partial" | "missing" => others += 1,
            other => wrong.push(format!("{capability}: `{other}` is not a state; use works, partial or missing")),
        }
        if state == "works" && names(test).next().is_none() {
            wrong.push(format!("{capability}: works, but names no test"));
        }
        for name in names(test) {
            let forms = [format!("fn {name}("), format!("test(\"{name}\""), format!("test(`{name}$")];
            if !forms.iter().any(|form| sources.contains(form)) {
                wrong.push(format!("{capability}: there is no test `{name}`"));
            }
        }
        for name in names(command) {
            if !command_exists(name) {
                wrong.push(format!("{capability}: `{name}` does not exist"));
            }
        }
    }
    ensure!(wrong.is_empty(), "docs/capabilities.md:\n  {}", wrong.join("\n  "));
    println!("{works} capabilities work, {others} are partial or missing; all named tests and commands exist");
    Ok(())
}

fn rows(text: &str) -> Vec<Row> {
    text.lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| Capability"))
        .filter_map(|line| {
            let mut cells = line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned());
            Some((cells.next()?, cells.next()?, cells.next()?, cells.next()?))
        })
        .collect()
}

/// What stands between backquotes.
fn names(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

/// A command is a script of this repository, an xtask, a cargo bench, or a verb of the binary.
fn command_exists(command: &str) -> bool {
    let words: Vec<&str> = command.split_whitespace().collect();
    match words.as_slice() {
        ["cargo", "xtask", verb, rest @ ..] => {
            let known = ["test", "bench", "check-layers", "check-capabilities", "check-licences", "ci"].contains(verb);
            known && (*verb != "bench" || rest.iter().all(|name| crate::bench::exists(name)))
        }
        ["bartizan", verb, ..] => root().join(format!("crates/app/cli/src/{verb}.rs")).exists() || *verb == "restore",
        ["python3", script, ..] => root().join(script).exists(),
        ["cargo", "bench", ..] => words.iter().skip_while(|word| **word != "--bench").nth(1).is_some_and(|name| {
            let mut sources = String::new();
            collect_manifests(&root().join("crates"), &mut sources).is_ok()
                && sources.contains(&format!("name = \"{name}\""))
        }),
        _ => false,
    }
}

fn collect(folder: &Path, sources: &mut String) -> anyhow::Result<()> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            if !path.ends_with("node_modules") {
                collect(&path, sources)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "rs" || extension == "mjs") {
            sources.push_str(&fs::read_to_string(&path)?);
        }
    }
    Ok(())
}

fn collect_manifests(folder: &Path, sources: &mut String) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder)?.flatten() {
        let path = entry.path();
        if path.is_dir() && !path.ends_with("src") {
            collect_manifests(&path, sources)?;
        } else if path.ends_with("Cargo.toml") {
            sources.push_str(&fs::read_to_string(&path)?);
        }
    }
    Ok(())
}
