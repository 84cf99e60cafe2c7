//! Saying where something stands, and showing addresses.

use bartizan_core::{Location, Position, printable};
use bartizan_inspect::Source;

/// A URL may carry a password: it is never shown.
pub(super) fn without_password(text: &str) -> String {
    let shown = match text.split_once("://") {
        Some((scheme, rest)) => {
            let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
            let (authority, path) = rest.split_at_checked(end).unwrap_or((rest, ""));
            match authority.rsplit_once('@') {
                Some((_, host)) => format!("{scheme}://{host}{path}"),
                None => text.to_owned(),
            }
        }
        None => text.to_owned(),
    };
    printable(&shown)
}

/// The place of a line; the whole file for line 0.
pub(super) fn place(source: &Source, line: u64) -> Location {
    match line {
        0 => source.whole(),
        line => Location { path: source.name().to_owned(), position: Position::Line(line) },
    }
}
