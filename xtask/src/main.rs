//! Automation of this repository, in Rust: `cargo xtask --help`.

mod bench;
mod capabilities;
mod ci;
mod layers;
mod licences;
mod setup;
mod tests;
mod workspace;

use std::process::ExitCode;

const HELP: &str = "\
cargo xtask test [--long]       run all tests; installs what they need, or says what is missing
cargo xtask bench [NAME]        run the benchmarks of bench/ and print ratios
cargo xtask check-layers        fail on an arrow between crates that the architecture forbids
cargo xtask check-capabilities  fail where docs/capabilities.md names what does not exist
cargo xtask check-licences      licences, bans and sources of all dependencies, by deny.toml
cargo xtask ci                  what CI runs: format, lints, licences, the checks, the tests
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let ended = match words.as_slice() {
        ["test"] => tests::run(false),
        ["test", "--long"] => tests::run(true),
        ["bench"] => bench::run_benches(None),
        ["bench", name] => bench::run_benches(Some(name)),
        ["check-layers"] => layers::check(),
        ["check-capabilities"] => capabilities::check(),
        ["check-licences"] => licences::check(),
        ["ci"] => ci::run_ci(),
        ["--help" | "-h" | "help"] => {
            print!("{HELP}");
            Ok(())
        }
        _ => {
            eprint!("{HELP}");
            return ExitCode::from(3);
        }
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
