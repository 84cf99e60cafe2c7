//! What CPython's own unpicklers do with damaged pickles is never called clean.

#![allow(clippy::expect_used, reason = "a test that cannot prepare its world has failed")]

use std::path::Path;
use std::process::Command;

#[test]
fn no_damaged_pickle_that_acts_in_cpython_is_called_clean() {
    let count = if std::env::var_os("BARTIZAN_LONG").is_some() { "200000" } else { "4000" };
    jail(&["--count", count, "--seed", "7"]);
}

#[test]
fn no_program_over_allowed_names_that_acts_in_cpython_is_called_clean() {
    let count = if std::env::var_os("BARTIZAN_LONG").is_some() { "500000" } else { "8000" };
    jail(&["--grammar", "--stdlib", "--count", count, "--seed", "7"]);
}

/// Runs the jail, which must find no fail-open.
fn jail(arguments: &[&str]) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().find(|folder| folder.join("Cargo.lock").exists());
    let root = root.expect("the workspace");
    if !Command::new("python3").arg("--version").output().is_ok_and(|output| output.status.success()) {
        println!("skipped: no python3");
        return;
    }
    let output = Command::new("python3")
        .arg(root.join("bench/pickle_jail.py"))
        .args(["--bartizan", env!("CARGO_BIN_EXE_bartizan")])
        .args(arguments)
        .output()
        .expect("python3 runs");
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}");
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("fail-open: 0"), "{said}");
}
