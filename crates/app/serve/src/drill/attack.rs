//! The attackers.

use std::net::Ipv4Addr;
use std::time::Duration;

use bartizan_core::{Clock as _, Timestamp};
use bytes::Bytes;
use tokio::time::Instant;

use super::client::{Target, Visitor};
use super::error::DrillError;
use super::request::{Attacker, DrillKind};
use super::rows::{Numbers, natural};
use crate::clock::SystemClock;

/// Where attackers come from, when the endpoint is on loopback: not where its clients come from.
const ATTACKER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 66);
/// Refusals of a kind in a row after which the attacker has met containment.
const MET: u32 = 3;
/// Limited answers in a row after which a slowed attacker has met containment. At a thousand requests
/// a second the ordinary limit of 50 answers every twentieth.
const SLOWED: u32 = 60;
/// Longest attack.
const LONGEST: Duration = Duration::from_secs(20);

/// One attack.
pub(super) struct Attack {
    pub(super) kind: DrillKind,
    pub(super) attacker: Attacker,
    pub(super) budget: Option<u32>,
    pub(super) target: Target,
}

/// What the attacker got.
#[derive(Default)]
pub(super) struct Served {
    pub(super) requests: u64,
    pub(super) answers: u64,
    pub(super) last_answer: Option<Timestamp>,
    pub(super) met_containment: bool,
    /// Queries that were answered, and their scores: what an extractor trains on.
    pub(super) queries: Vec<(Vec<f32>, Vec<f32>)>,
    /// All queries that the whole budget would have asked: what an extractor gets without a guard.
    pub(super) sent_rows: Vec<Vec<f32>>,
}

impl Attack {
    /// Attacks until containment is met, the budget is used up, or it has taken too long.
    pub(super) async fn run(&self, key: &str) -> Result<Served, DrillError> {
        let mut visitor = Visitor::new(&self.target, Some(ATTACKER), "attacker/6.6", key)?;
        let budget = self.budget.unwrap_or(match self.kind {
            DrillKind::StolenKey => 500,
            DrillKind::Flood => 8_000,
            DrillKind::Malformed => 2_000,
            DrillKind::Extraction => 300,
        });
        let pause = match self.kind {
            DrillKind::StolenKey => Duration::from_millis(5),
            DrillKind::Flood => Duration::from_millis(1),
            DrillKind::Malformed => Duration::from_millis(2),
            DrillKind::Extraction => Duration::from_millis(22),
        };
        let mut shots = Shots::new(self.kind, self.attacker, &self.target);
        let mut served = Served::default();
        let (mut refused, mut limited) = (0, 0);
        let until = Instant::now() + LONGEST;
        for _ in 0..budget {
            let shot = shots.next();
            served.requests += 1;
            let answer = match &shot {
                Shot::Row(row) => visitor.infer(row).await,
                Shot::Bytes(bytes) => visitor.post(bytes.clone()).await,
            };
            let answer = answer?;
            refused = if matches!(answer.status, 401 | 403 | 503) { refused + 1 } else { 0 };
            limited = if answer.status == 429 { limited + 1 } else { 0 };
            if answer.status == 200 {
                served.answers += 1;
                served.last_answer = Some(SystemClock.now());
                if let (DrillKind::Extraction, Shot::Row(row)) = (self.kind, shot) {
                    served.queries.push((row, answer.scores));
                }
            }
            // Floods and malformed requests are contained by slowing them down: so many refusals for one
            // answer are not what the ordinary limit does to a client of this speed.
            let slowed = limited >= SLOWED;
            if refused >= MET || slowed {
                served.met_containment = true;
                break;
            }
            if Instant::now() >= until {
                break;
            }
            tokio::time::sleep(pause).await;
        }
        if self.kind == DrillKind::Extraction {
            let mut shots = Shots::new(self.kind, self.attacker, &self.target);
            served.sent_rows = (0..budget)
                .filter_map(|_| match shots.next() {
                    Shot::Row(row) => Some(row),
                    Shot::Bytes(_) => None,
                })
                .collect();
        }
        Ok(served)
    }
}

enum Shot {
    Row(Vec<f32>),
    Bytes(Bytes),
}

/// What is sent, one after the other.
struct Shots {
    kind: DrillKind,
    attacker: Attacker,
    rows: Vec<Vec<f32>>,
    numbers: Numbers,
    sent: usize,
    target: Target,
}

impl Shots {
    fn new(kind: DrillKind, attacker: Attacker, target: &Target) -> Self {
        let rows = natural("attacker", target.width);
        Self { kind, attacker, rows, numbers: Numbers::new(7), sent: 0, target: target.clone() }
    }

    fn next(&mut self) -> Shot {
        let index = self.sent;
        self.sent += 1;
        let row = self.rows.get(index % self.rows.len().max(1)).cloned().unwrap_or_default();
        match self.kind {
            DrillKind::StolenKey | DrillKind::Flood => Shot::Row(row),
            DrillKind::Malformed => Shot::Bytes(self.malformed(index)),
            DrillKind::Extraction => Shot::Row(match self.attacker {
                Attacker::Natural => row,
                Attacker::Random => (0..self.target.width).map(|_| (self.numbers.next() * 16.0).floor()).collect(),
                Attacker::Synthetic => self.synthetic(index),
            }),
        }
    }

    /// A few natural seeds, pushed step by step in random directions: how Jacobian-based
    /// augmentation explores (Papernot et al. 2017), without the Jacobian.
    fn synthetic(&mut self, index: usize) -> Vec<f32> {
        let seed = self.rows.get(index % 8).cloned().unwrap_or_default();
        let step = 1.0 + (index / 64) as f32;
        seed.iter()
            .map(|value| {
                let push = if self.numbers.next() < 0.5 { -step } else { step };
                (value + push).clamp(0.0, 16.0)
            })
            .collect()
    }

    /// What no client of the model would send: wrong shapes, wrong types, numbers that are none.
    fn malformed(&self, index: usize) -> Bytes {
        let input = &self.target.input;
        let width = self.target.width;
        let tensor = |shape: &str, datatype: &str, data: &str| {
            format!(r#"{{"inputs":[{{"name":"{input}","shape":{shape},"datatype":"{datatype}","data":{data}}}]}}"#)
        };
        let text = match index % 6 {
            0 => tensor("[1,3]", "FP32", "[1,2,3]"),
            1 => tensor(&format!("[1,{width}]"), "FP32", "[NaN]"),
            2 => tensor("[1000000000,1000000000]", "FP32", "[1]"),
            3 => tensor(&format!("[1,{width}]"), "BYTES", "[\"x\"]"),
            4 => "{\"inputs\":[".repeat(50),
            _ => tensor(&format!("[1,{width}]"), "FP32", &format!("[{}]", vec!["1e30"; width].join(","))),
        };
        Bytes::from(text)
    }
}
