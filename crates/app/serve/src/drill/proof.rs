//! That the containment stands in the ledger, checked by the drill itself.

use bartizan_ledger::verify_proof;
use bartizan_signing::NoteVerifier;
use hyper::Method;
use serde::Serialize;
use serde_json::Value;

use super::error::DrillError;
use super::field::text;
use crate::client::AdminClient;

/// Pages of the ledger that are searched.
const PAGES: u32 = 20;

/// An entry and what its proof came to.
#[derive(Clone, Debug, Serialize)]
pub struct Proof {
    /// The entry's index.
    pub index: u64,
    /// Entries under the checkpoint that it was proved against.
    pub size: u64,
    /// Whether signature and inclusion were verified here.
    pub verified: bool,
}

/// The newest `action.applied` entry of an incident (or its opening, when no action was taken), with
/// its inclusion proof verified against the daemon's verifier key.
pub(super) async fn of_containment(admin: &AdminClient, incident: &str) -> Result<Option<Proof>, DrillError> {
    let mut before = String::new();
    let mut opened = None;
    for _ in 0..PAGES {
        let path = format!("/api/v1/ledger/entries?count=500{before}");
        let page = admin.call(Method::GET, &path, None).await?;
        let rows = page.get("entries").and_then(Value::as_array).cloned().unwrap_or_default();
        let Some(last) = rows.last().and_then(|row| row.get("index")).and_then(Value::as_u64) else { break };
        for row in &rows {
            let (Some(index), Some(entry)) = (row.get("index").and_then(Value::as_u64), row.get("entry")) else {
                continue;
            };
            if text(entry, "correlation") != incident {
                continue;
            }
            match text(entry, "type") {
                "action.applied" => return prove(admin, index).await.map(Some),
                "incident.opened" => opened = Some(index),
                _ => {}
            }
        }
        if opened.is_some() || last == 0 {
            break;
        }
        before = format!("&before={last}");
    }
    match opened {
        Some(index) => prove(admin, index).await.map(Some),
        None => Ok(None),
    }
}

async fn prove(admin: &AdminClient, index: u64) -> Result<Proof, DrillError> {
    let answer = admin.call(Method::GET, &format!("/api/v1/ledger/entries/{index}/proof"), None).await?;
    let verifier: Option<NoteVerifier> = text(&answer, "verifier").parse().ok();
    let proven = verifier.and_then(|verifier| verify_proof(text(&answer, "proof"), &verifier).ok());
    let verified = proven.as_ref().is_some_and(|proven| proven.entry.index == index);
    Ok(Proof { index, size: proven.map_or(0, |proven| proven.checkpoint.size), verified })
}
