//! How every verb ends: one exit code, and one line on stderr when something went wrong.

use std::process::ExitCode;

/// How a verb ended, apart from errors.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ended {
    /// Done, clean or verified.
    Well,
    /// Findings, refused, not verified or not contained.
    Refused,
    /// Not enough was seen to say.
    Inconclusive,
}

/// The code for how a verb ended; an error is printed as `error: …` with its causes, and is 3.
pub(crate) fn code(ended: anyhow::Result<Ended>) -> ExitCode {
    match ended {
        Ok(Ended::Well) => ExitCode::SUCCESS,
        Ok(Ended::Refused) => ExitCode::from(1),
        Ok(Ended::Inconclusive) => ExitCode::from(2),
        // The verdict was not read to its end: never a success, and nothing to complain about.
        Err(error) if is_broken_pipe(&error) => ExitCode::from(2),
        Err(error) => {
            eprintln!("error: {}", with_causes(&error));
            ExitCode::from(3)
        }
    }
}

/// The error and its causes, each said once: many messages hold their cause already.
fn with_causes(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |text, cause| {
        if text.is_empty() {
            cause
        } else if text.contains(&cause) {
            text
        } else {
            format!("{text}: {cause}")
        }
    })
}

/// Prints what clap has to say: help and version are not errors, anything else is 3.
pub(crate) fn usage(error: &clap::Error) -> ExitCode {
    let _ = error.print();
    if error.use_stderr() { ExitCode::from(3) } else { ExitCode::SUCCESS }
}

/// `bartizan … | head` closes our stdout: the reader's choice, and no error of ours.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(|cause| cause.kind() == std::io::ErrorKind::BrokenPipe)
}
