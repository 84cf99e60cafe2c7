//! Drills: a real attack on the running daemon, with throw-away keys, beside an honest client.
//!
//! A drill measures what an operator must know: when the attack began, when it was seen, when the
//! last hostile answer went out, what the attacker got, and who else was hit. It tells the truth: an
//! attack that can't be told from ordinary use is reported as not detected, with what would help.

mod attack;
mod client;
mod error;
mod extraction;
mod field;
mod proof;
mod request;
mod rows;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bartizan_core::{Clock as _, Timestamp};
use hyper::Method;
use serde::Serialize;
use serde_json::{Value, json};

use crate::client::AdminClient;
use crate::clock::SystemClock;
use attack::{Attack, Served};
use client::{Target, Visitor};
use field::text;

pub use error::DrillError;
pub use extraction::Extraction;
pub use request::{Attacker, DrillKind, DrillRequest};

/// How long a drill waits for a detection after the attack ended.
const PATIENCE: Duration = Duration::from_millis(1500);
/// Lifetime of the throw-away principals, should the drill die before it removes them.
const LIFETIME_SECONDS: u32 = 600;

/// What a drill found.
#[derive(Clone, Debug, Serialize)]
pub struct DrillReport {
    /// What was rehearsed.
    pub kind: DrillKind,
    /// How the daemon responds to incidents of real principals.
    pub mode: Value,
    /// Hostile requests that were sent.
    pub hostile_requests: u64,
    /// Hostile requests that got what they asked for.
    pub hostile_answers: u64,
    /// When the first hostile request was sent.
    pub first_hostile: Timestamp,
    /// Seconds from the first hostile request to the incident; `None`: NOT DETECTED.
    pub detected_seconds: Option<f64>,
    /// Seconds from the first hostile request to the last hostile answer that was served.
    pub last_hostile_answer_seconds: Option<f64>,
    /// Whether an action is in force and the attack met it.
    pub contained: bool,
    /// The incident.
    pub incident: Option<String>,
    /// Rules that fired.
    pub rules: Vec<String>,
    /// Actions that were taken.
    pub actions: Vec<String>,
    /// Requests of the honest bystander, and how many of them were refused.
    pub honest_requests: u64,
    /// See `honest_requests`.
    pub honest_refused: u64,
    /// What the extractor got, for an extraction drill.
    pub extraction: Option<Extraction>,
    /// Where the containment stands in the ledger, with its proof checked here.
    pub proof: Option<proof::Proof>,
    /// What would help, where the attack was not detected or not contained.
    pub advice: Vec<String>,
}

/// One participant's throw-away identity.
struct Participant {
    principal: String,
    key: String,
}

/// Runs a drill against the daemon of this state folder.
///
/// # Errors
/// No daemon is running, or it guards something that the drill has no inputs for.
pub async fn run_drill(state: &Path, request: &DrillRequest) -> Result<DrillReport, DrillError> {
    let admin = AdminClient::daemon(state).await?;
    let overview = admin.call(Method::GET, "/api/v1/overview", None).await?;
    let target = Target::of(&overview)?;
    let names = json!({ "participants": ["attacker", "honest"], "seconds": LIFETIME_SECONDS });
    let made = admin.call(Method::POST, "/api/v1/drills", Some(&names)).await?;
    let participants = participants(&made);
    let ran = match participants.as_slice() {
        [attacker, honest] => drill(&admin, request, &overview, &target, attacker, honest).await,
        _ => Err(DrillError::Unsuitable("the daemon made no participants".to_owned())),
    };
    let ids: Vec<&str> = participants.iter().map(|participant| participant.principal.as_str()).collect();
    admin.call(Method::DELETE, "/api/v1/drills", Some(&json!({ "principals": ids }))).await?;
    ran
}

async fn drill(
    admin: &AdminClient,
    request: &DrillRequest,
    overview: &Value,
    target: &Target,
    attacker: &Participant,
    honest: &Participant,
) -> Result<DrillReport, DrillError> {
    let over = Arc::new(AtomicBool::new(false));
    let bystander = tokio::spawn(honest_work(target.clone(), honest.key.clone(), over.clone()));
    // Whoever a key was stolen from goes on using it.
    let owner = (request.kind == DrillKind::StolenKey)
        .then(|| tokio::spawn(honest_work(target.clone(), attacker.key.clone(), over.clone())));
    if owner.is_some() {
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    let attack =
        Attack { kind: request.kind, attacker: request.attacker, budget: request.budget, target: target.clone() };
    let first_hostile = SystemClock.now();
    let served = attack.run(&attacker.key).await?;
    let incident = wait_for_incident(admin, &attacker.principal).await?;
    over.store(true, Ordering::SeqCst);
    let (honest_requests, honest_refused) = bystander.await.unwrap_or_default();
    if let Some(owner) = owner {
        let _ = owner.await;
    }
    let proof = match &incident {
        Some(incident) => proof::of_containment(admin, text(incident, "id")).await?,
        None => None,
    };
    let extraction = match request.kind {
        DrillKind::Extraction => Some(extraction::measure(&served, request.attacker).map_err(Box::new)?),
        _ => None,
    };
    Ok(report(
        request,
        overview,
        first_hostile,
        &served,
        incident.as_ref(),
        (honest_requests, honest_refused),
        extraction,
        proof,
    ))
}

#[expect(clippy::too_many_arguments, reason = "each is one part of the report")]
fn report(
    request: &DrillRequest,
    overview: &Value,
    first_hostile: Timestamp,
    served: &Served,
    incident: Option<&Value>,
    honest: (u64, u64),
    extraction: Option<Extraction>,
    proof: Option<proof::Proof>,
) -> DrillReport {
    let words = |pointer: &str| -> Vec<String> {
        let rows = incident.and_then(|incident| incident.get(pointer)).and_then(Value::as_array);
        rows.map(|rows| {
            rows.iter()
                .filter_map(|row| row.as_str().or_else(|| row.get("kind")?.as_str()))
                .map(ToOwned::to_owned)
                .collect()
        })
        .unwrap_or_default()
    };
    let opened = incident.and_then(|incident| Timestamp::parse(text(incident, "opened")));
    let in_force = incident.is_some_and(|incident| text(incident, "state") == "contained");
    let contained = in_force && served.met_containment;
    let mut report = DrillReport {
        kind: request.kind,
        mode: overview.get("respond_mode").cloned().unwrap_or(Value::Null),
        hostile_requests: served.requests,
        hostile_answers: served.answers,
        first_hostile,
        detected_seconds: opened.map(|opened| opened.seconds_since(first_hostile).max(0.0)),
        last_hostile_answer_seconds: served.last_answer.map(|time| time.seconds_since(first_hostile)),
        contained,
        incident: incident.map(|incident| text(incident, "id").to_owned()),
        rules: words("rules"),
        actions: words("actions"),
        honest_requests: honest.0,
        honest_refused: honest.1,
        extraction,
        proof,
        advice: Vec::new(),
    };
    report.advice = advice(&report, overview, request);
    report
}

/// What would help where the attack went undetected or uncontained.
fn advice(report: &DrillReport, overview: &Value, request: &DrillRequest) -> Vec<String> {
    let mut advice = Vec::new();
    if report.contained {
        return advice;
    }
    if report.detected_seconds.is_none() && request.kind == DrillKind::Extraction {
        if request.attacker == Attacker::Natural {
            advice.push("these queries are what customers send: no test of queries can tell them apart".to_owned());
        }
        if let Some(extraction) = &report.extraction {
            advice.push(format!(
                "labels only (`gateway.hardening.label_only = true`) would have given a copy of fidelity {:.2} for the same queries",
                extraction.fidelity_label_only
            ));
            advice.push(format!(
                "an information budget bounds it: {} bits were drawn; `gateway.information_bits_per_day` is {} ({})",
                extraction.bits,
                overview.get("information_bits_per_day").cloned().unwrap_or_default(),
                match overview.get("mode").and_then(Value::as_str) {
                    Some("enforce") => "enforced",
                    _ => "in shadow: recorded, not enforced; start with `--enforce`",
                }
            ));
        }
    } else if report.detected_seconds.is_none() {
        advice.push("no rule fired; look at `[monitor]` and at the rules' thresholds".to_owned());
    } else {
        advice
            .push("the incident was opened but no action stopped the attack; see `bartizan incident show`".to_owned());
    }
    advice
}

fn participants(made: &Value) -> Vec<Participant> {
    let rows = made.get("participants").and_then(Value::as_array).cloned().unwrap_or_default();
    rows.iter()
        .map(|row| Participant { principal: text(row, "principal").to_owned(), key: text(row, "key").to_owned() })
        .collect()
}

/// Ten ordinary requests a second until the drill is over; how many were sent and refused.
async fn honest_work(target: Target, key: String, over: Arc<AtomicBool>) -> (u64, u64) {
    let Ok(mut visitor) = Visitor::new(&target, None, "honest-client/1.0", &key) else { return (0, 0) };
    let rows = rows::natural("honest", target.width);
    let (mut sent, mut refused) = (0, 0);
    for row in rows.iter().cycle() {
        if over.load(Ordering::SeqCst) {
            break;
        }
        sent += 1;
        match visitor.infer(row).await {
            Ok(answer) if answer.status == 200 => {}
            _ => refused += 1,
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    (sent, refused)
}

/// The newest incident of that principal, once its playbook has ended or patience has.
async fn wait_for_incident(admin: &AdminClient, principal: &str) -> Result<Option<Value>, DrillError> {
    let until = tokio::time::Instant::now() + PATIENCE;
    loop {
        let listed = admin.call(Method::GET, "/api/v1/incidents", None).await?;
        let rows = listed.get("incidents").and_then(Value::as_array).cloned().unwrap_or_default();
        let found = rows.into_iter().find(|row| text(row, "principal") == principal);
        let settled = found.as_ref().is_some_and(|row| text(row, "state") != "open");
        if settled || tokio::time::Instant::now() >= until {
            return Ok(found);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
