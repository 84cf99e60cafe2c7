//! `cargo xtask test`: unit, property, fault-injection, binary and console tests.

use std::time::Instant;

use anyhow::bail;

use crate::setup;
use crate::workspace::{has, run as command, run_with};

fn run_all(long: bool) -> anyhow::Result<()> {
    let environment: &[(&str, &str)] = if long { &[("BARTIZAN_LONG", "1")] } else { &[] };
    // End-to-end tests drive the real binary of the dev profile.
    command("cargo", &["build", "--package", "bartizan-cli"])?;
    if has("cargo-nextest") {
        run_with("cargo", &["nextest", "run", "--workspace", "--no-fail-fast"], environment)?;
        run_with("cargo", &["test", "--workspace", "--doc", "--quiet"], environment)?;
    } else {
        run_with("cargo", &["test", "--workspace", "--no-fail-fast"], environment)?;
    }
    match setup::console_tests() {
        Ok(()) => command("node", &["--test", "--test-reporter=spec", "tests/console/console.test.mjs"]),
        Err(missing) => bail!("{missing}"),
    }
}

pub(crate) fn run(long: bool) -> anyhow::Result<()> {
    let started = Instant::now();
    run_all(long)?;
    eprintln!("all tests passed in {:.0} s", started.elapsed().as_secs_f64());
    Ok(())
}
