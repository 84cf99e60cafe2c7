//! Scanning repositories that configure AI tools, hidden files and folders included.

#![allow(clippy::expect_used, reason = "a test that cannot prepare its world has failed")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The cases of the crate that knows such files: a path, the rules that its text must raise, the text.
fn cases(kind: &str) -> Vec<(String, Vec<String>, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/supply/tests/fixtures/agents").join(kind);
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(root).expect("the cases").map(|entry| entry.expect("a case").path()).collect();
    files.sort();
    let case = |path: &PathBuf| {
        let text = std::fs::read_to_string(path).expect("a case");
        let (name, rest) = text.split_once('\n').expect("a path");
        let (rules, text) = rest.split_once('\n').expect("rules");
        (name.to_owned(), rules.split_whitespace().map(str::to_owned).collect(), text.to_owned())
    };
    files.iter().map(case).collect()
}

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
    std::fs::write(path, text).expect("a file");
}

fn scan(folder: &Path, arguments: &[&str]) -> (Option<i32>, serde_json::Value) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bartizan"));
    command.current_dir(folder).args(["scan", "--format", "json"]).args(arguments).arg("repository");
    command.env_remove("SOURCE_DATE_EPOCH").env_remove("BARTIZAN_INTEL").env("XDG_DATA_HOME", folder.join(".data"));
    let Output { status, stdout, stderr } = command.output().expect("the binary runs");
    let report = serde_json::from_slice(&stdout).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&stderr)));
    (status.code(), report)
}

fn rules(report: &serde_json::Value) -> Vec<&str> {
    report["findings"].as_array().into_iter().flatten().filter_map(|finding| finding["rule"].as_str()).collect()
}

#[test]
fn a_repository_with_one_hostile_file_is_refused_by_its_rule() {
    for (name, expected, text) in cases("hostile") {
        let folder = tempfile::tempdir().expect("a folder");
        write(&folder.path().join("repository"), &name, &text);
        write(&folder.path().join("repository"), "src/main.rs", "fn main() {}\n");
        let (code, report) = scan(folder.path(), &["--only", "agents"]);
        assert_eq!(code, Some(1), "{name}: {report}");
        for rule in &expected {
            assert!(rules(&report).contains(&rule.as_str()), "{name}: {report}");
        }
    }
}

#[test]
fn a_repository_of_ordinary_files_is_clean_whatever_is_looked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    for (at, (name, _, text)) in cases("ordinary").into_iter().enumerate() {
        write(&folder.path().join("repository").join(at.to_string()), &name, &text);
    }
    let (code, report) = scan(folder.path(), &[]);
    assert_eq!((code, rules(&report)), (Some(0), Vec::new()), "{report}");
}

#[test]
fn a_configuration_that_cannot_be_read_is_inconclusive() {
    let folder = tempfile::tempdir().expect("a folder");
    write(&folder.path().join("repository"), ".mcp.json", "{\"mcpServers\": {");
    let (code, report) = scan(folder.path(), &[]);
    assert_eq!(code, Some(2), "{report}");
}
