//! The ledger: entries newest first, and one entry with its proof, verified in front of the reader.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse as _, Response};
use bartizan_access::Operation;
use bartizan_ledger::anchor::{self, Standing};
use bartizan_ledger::{LedgerReader, prove};
use hyper::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use serde::Deserialize;

use super::failure::{Failure, blocking, html};
use super::frame::{Frame, name_of};
use super::proof::{Proof, retrace};
use super::visitor::Visitor;
use super::words::{self, Tag};
use crate::house::House;

/// Entries on one page.
const PAGE: u64 = 50;

/// An entry in a list.
pub(super) struct Line {
    pub(super) index: u64,
    pub(super) time: String,
    pub(super) kind: String,
    pub(super) action: String,
    pub(super) outcome: Tag,
    pub(super) reason: String,
    pub(super) who: String,
}

#[derive(Deserialize)]
pub(super) struct Place {
    /// First index after the last one that is wanted; the end of the log when absent.
    before: Option<u64>,
}

#[derive(Template)]
#[template(path = "ledger.html")]
struct List {
    frame: Frame,
    lines: Vec<Line>,
    size: String,
    first: u64,
    last: u64,
    newer: Option<u64>,
    older: Option<u64>,
    checkpoint: String,
    verifier: String,
    anchoring: Anchoring,
}

/// What is known outside the state folder.
struct Anchoring {
    good: bool,
    sentence: String,
}

#[derive(Template)]
#[template(path = "entry.html")]
struct Detail {
    frame: Frame,
    index: u64,
    text: String,
    proof: Proof,
    verifier: String,
}

/// The newest entries.
pub(super) async fn last_lines(house: &Arc<House>, count: u64) -> Result<Vec<Line>, Failure> {
    Ok(lines(house, None, count).await?.0)
}

/// `count` entries before an index, newest first, with the place of the first and the log's size.
async fn lines(house: &Arc<House>, before: Option<u64>, count: u64) -> Result<(Vec<Line>, u64, u64), Failure> {
    let folder = house.ledger_folder();
    let read = move || -> Result<_, Failure> {
        let reader = LedgerReader::open(&folder)?;
        let end = before.unwrap_or(u64::MAX).min(reader.size());
        let start = end.saturating_sub(count);
        let entries = reader.entries(start, end).collect::<Result<Vec<_>, _>>()?;
        Ok((entries, start, reader.size()))
    };
    let (entries, start, size) = blocking(read).await?;
    let shown = bartizan_core::printable;
    let lines = entries
        .iter()
        .rev()
        .map(|entry| Line {
            index: entry.index,
            time: words::moment(entry.event.time),
            kind: shown(&entry.event.kind),
            action: shown(&entry.event.action),
            outcome: words::outcome(entry.event.outcome),
            reason: shown(&entry.event.reason),
            who: if entry.event.principal.is_empty() {
                "–".to_owned()
            } else {
                name_of(house, &entry.event.principal)
            },
        })
        .collect();
    Ok((lines, start, size))
}

pub(super) async fn list(
    State(house): State<Arc<House>>,
    visitor: Visitor,
    Query(place): Query<Place>,
) -> Result<Response, Failure> {
    house.allow(&visitor.actor, Operation::ReadLedger).await?;
    let (lines, start, size) = lines(&house, place.before, PAGE).await?;
    let end = start + lines.len() as u64;
    Ok(html(&List {
        frame: Frame::new(&house, &visitor, "Ledger", "/ledger"),
        size: words::count(size),
        first: start,
        last: end.saturating_sub(1),
        newer: (end < size).then(|| (end + PAGE).min(size)),
        older: (start > 0).then_some(start),
        checkpoint: house.ledger.checkpoint(),
        verifier: house.ledger.verifier_key().to_owned(),
        anchoring: anchoring(&house).await?,
        lines,
    }))
}

/// Compares the log with the checkpoint that is kept outside its folder.
async fn anchoring(house: &Arc<House>) -> Result<Anchoring, Failure> {
    let Some(folder) = house.anchor_folder() else {
        return Ok(Anchoring {
            good: false,
            sentence: "Not anchored: no place outside the state folder is known. Set ledger.anchor.".to_owned(),
        });
    };
    let (ledger, storage) = (house.ledger_folder(), house.storage.clone());
    blocking(move || -> Result<_, Failure> {
        let reader = LedgerReader::open(&ledger)?;
        let place = folder.display();
        let (good, sentence) = match anchor::compare(&*storage, &folder, &reader)? {
            Standing::NotKept => (
                false,
                format!("Not anchored yet: {place} holds no checkpoint of this log. The first is kept within a minute."),
            ),
            Standing::Agrees(kept) => (
                true,
                format!(
                    "Consistent with the checkpoint over {} entries that is kept in {place}: those entries are as they were then. That folder is on this machine; keep a checkpoint elsewhere to be safe from whoever controls it.",
                    words::count(kept)
                ),
            ),
            Standing::Contradicts(_) => (
                false,
                format!("CONTRADICTS the checkpoint that is kept in {place}: the log was changed or cut. Run bartizan audit verify."),
            ),
        };
        Ok(Anchoring { good, sentence })
    })
    .await
}

pub(super) async fn show(
    State(house): State<Arc<House>>,
    visitor: Visitor,
    Path(index): Path<u64>,
) -> Result<Response, Failure> {
    house.allow(&visitor.actor, Operation::ReadLedger).await?;
    let folder = house.ledger_folder();
    let read = move || -> Result<_, Failure> {
        let reader = LedgerReader::open(&folder)?;
        let entry = reader.entry(index)?;
        let text = serde_json::to_string_pretty(&entry.fields).map_err(|error| Failure::internal(error.to_string()))?;
        Ok((text, retrace(&reader, index)?))
    };
    let (text, proof) = blocking(read).await?;
    Ok(html(&Detail {
        frame: Frame::new(&house, &visitor, format!("Entry {index}"), "/ledger"),
        index,
        text: text.lines().map(bartizan_core::printable).collect::<Vec<_>>().join("\n"),
        proof,
        verifier: house.ledger.verifier_key().to_owned(),
    }))
}

/// The proof as a file that can be verified without this ledger.
pub(super) async fn proof_file(
    State(house): State<Arc<House>>,
    visitor: Visitor,
    Path(index): Path<u64>,
) -> Result<Response, Failure> {
    house.allow(&visitor.actor, Operation::ReadLedger).await?;
    let folder = house.ledger_folder();
    let text = blocking(move || -> Result<_, Failure> { Ok(prove(&LedgerReader::open(&folder)?, index)?) }).await?;
    let name = format!("attachment; filename=\"entry-{index}.tlog-proof\"");
    Ok(([(CONTENT_TYPE, "text/plain; charset=utf-8".to_owned()), (CONTENT_DISPOSITION, name)], text).into_response())
}
