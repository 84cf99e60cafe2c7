//! `cargo xtask bench`: every benchmark against its peer, as a ratio from one run.

use anyhow::{bail, ensure};

use crate::workspace::{root, run};

/// Name, and the command that prints it.
const BENCHES: &[(&str, &[&str])] = &[
    ("scan", &["python3", "bench/scan.py"]),
    ("benign", &["python3", "bench/benign.py", "--make", "target/benign", "--scan", "target/benign"]),
    ("jail", &["python3", "bench/pickle_jail.py", "--count", "200000", "--jobs", "2"]),
    ("grammar", &["python3", "bench/pickle_jail.py", "--grammar", "--count", "200000", "--jobs", "2"]),
    ("secrets", &["python3", "bench/secret_search.py"]),
    (
        "redaction",
        &["cargo", "run", "--release", "--quiet", "--package", "bartizan-sensitive", "--example", "redaction"],
    ),
    ("injection", &["python3", "bench/injection/evaluate.py"]),
    ("history", &["python3", "bench/history.py"]),
    ("dependencies", &["python3", "bench/dependencies.py"]),
    ("project", &["python3", "bench/project.py"]),
    (
        "convert",
        &["/usr/bin/python3", "-W", "ignore", "bench/convert.py", "target/release/bartizan", "--megabytes", "500"],
    ),
    ("ledger", &["cargo", "bench", "--package", "bartizan-ledger", "--bench", "durable"]),
    ("door", &["python3", "bench/door.py"]),
    ("streams", &["python3", "bench/streams.py"]),
    ("drills", &["python3", "bench/drills.py"]),
    ("extraction", &["python3", "bench/extraction.py"]),
];

/// Whether there is a benchmark of that name.
pub(crate) fn exists(name: &str) -> bool {
    BENCHES.iter().any(|(known, _)| *known == name)
}

pub(crate) fn run_benches(only: Option<&str>) -> anyhow::Result<()> {
    ensure!(root().join("bench").is_dir(), "bench/ is missing");
    if let Some(name) = only
        && !exists(name)
    {
        let known = BENCHES.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        bail!("there is no benchmark `{name}`; use one of {known}");
    }
    run("cargo", &["build", "--release", "--package", "bartizan-cli"])?;
    for (name, command) in BENCHES.iter().filter(|(name, _)| only.is_none_or(|only| only == *name)) {
        println!("== {name}");
        if let [program, arguments @ ..] = command {
            run(program, arguments)?;
        }
    }
    Ok(())
}
