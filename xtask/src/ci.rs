//! `cargo xtask ci`: what must hold before anything lands, with the seconds of each step.

use std::time::{Duration, Instant};

use anyhow::ensure;

use crate::workspace::run;
use crate::{capabilities, layers, licences, tests};

/// The longest that CI may take from a cold clone.
const LIMIT: Duration = Duration::from_secs(60 * 60);

type Step = (&'static str, fn() -> anyhow::Result<()>);

const STEPS: &[Step] = &[
    ("format", || run("cargo", &["fmt", "--all", "--check"])),
    ("layers", layers::check),
    ("capabilities", capabilities::check),
    ("licences and bans", licences::check),
    ("lints", || run("cargo", &["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"])),
    ("tests", || tests::run(false)),
    ("release build", || run("cargo", &["build", "--release", "--quiet", "--package", "bartizan-cli"])),
];

pub(crate) fn run_ci() -> anyhow::Result<()> {
    let started = Instant::now();
    let mut seconds = Vec::new();
    for (name, step) in STEPS {
        let began = Instant::now();
        let ended = step();
        seconds.push((*name, began.elapsed()));
        if ended.is_err() {
            print(&seconds);
        }
        ended?;
    }
    print(&seconds);
    ensure!(
        started.elapsed() <= LIMIT,
        "CI took {:.0} s, more than {} s",
        started.elapsed().as_secs_f64(),
        LIMIT.as_secs()
    );
    Ok(())
}

fn print(seconds: &[(&str, Duration)]) {
    for (name, duration) in seconds {
        println!("{name:<20}{:>6.0} s", duration.as_secs_f64());
    }
}
