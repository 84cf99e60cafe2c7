//! Entries as lines.

use std::io::{self, Write};

use bartizan_core::printable;
use bartizan_ledger::Entry;

use super::source::Format;

/// The names above the columns.
pub(crate) fn head(out: &mut impl Write, format: Format) -> io::Result<()> {
    if format == Format::Json {
        return Ok(());
    }
    row(out, &["INDEX", "TIME", "TYPE", "OUTCOME", "ACTION", "PRINCIPAL", "REASON", "ASSET"])
}

/// One entry on a line.
pub(crate) fn entry(out: &mut impl Write, entry: &Entry, format: Format) -> io::Result<()> {
    if format == Format::Json {
        let json = String::from_utf8_lossy(&entry.bytes);
        return writeln!(out, "{{\"index\":{},\"entry\":{json}}}", entry.index);
    }
    let event = &entry.event;
    let outcome = serde_json::to_value(event.outcome).unwrap_or_default();
    let fields = [
        &entry.index.to_string(),
        &event.time.to_string(),
        &printable(&event.kind),
        outcome.as_str().unwrap_or_default(),
        &printable(&event.action),
        &printable(&event.principal),
        &printable(&event.reason),
        &printable(&event.asset.urn()),
    ];
    row(out, &fields)
}

/// Every field of an entry on its own line.
pub(crate) fn fields(out: &mut impl Write, entry: &Entry) -> io::Result<()> {
    writeln!(out, "{:<13} {}", "index", entry.index)?;
    for (name, value) in &entry.fields {
        let value = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
        writeln!(out, "{:<13} {}", printable(name), printable(&value))?;
    }
    Ok(())
}

fn row(out: &mut impl Write, fields: &[&str; 8]) -> io::Result<()> {
    let or_dash = |field: &&str| if field.is_empty() { "-".to_owned() } else { (*field).to_owned() };
    let [index, time, kind, outcome, action, principal, reason, asset] = fields.each_ref().map(or_dash);
    writeln!(
        out,
        "{index:>8}  {time:<30}  {kind:<20}  {outcome:<9}  {action:<8}  {principal:<16}  {reason:<18}  {asset}"
    )
}
