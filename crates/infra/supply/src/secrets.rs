//! Secrets in text: source code, notebooks, configuration, logs.
//!
//! What a secret looks like is known to `bartizan-sensitive`; here its matches become findings with a line,
//! a severity by what the secret opens and a confidence by what proves it. The secret itself goes nowhere.

mod rules;
mod text;

use std::collections::BTreeMap;

use bartizan_core::{Completeness, Confidence, Finding, Location, Position, Severity};
use bartizan_inspect::{Area, Findings, Format, Inspect, Limits, Source};
use bartizan_sensitive::{Match, Proof, Stream};
use serde_json::json;

pub use rules::*;
use text::{Encoding, Recent};

/// Bytes read at a time.
const CHUNK: usize = 256 << 10;
/// Different secrets of one file that are told apart; later ones are counted.
const DISTINCT: usize = 1000;
/// Lines of one secret that are listed.
const LINES: usize = 10;
/// Comments by which a line's author vouches for it.
const ALLOWED: [&[u8]; 3] = [b"bartizan:allow", b"gitleaks:allow", b"pragma: allowlist secret"];

/// Looks for secrets in text of any size.
#[derive(Clone, Copy, Debug, Default)]
pub struct Secrets;

impl Inspect for Secrets {
    fn name(&self) -> &'static str {
        "secrets"
    }

    fn area(&self) -> Area {
        Area::Secrets
    }

    fn claims(&self, source: &Source, format: Format) -> bool {
        match format {
            Format::Text => true,
            Format::Unknown => {
                let head = source.head(512);
                Encoding::of(&head) != Encoding::Bytes || !head.contains(&0)
            }
            _ => false,
        }
    }

    fn inspect(&self, source: &Source, findings: &mut Findings) -> Completeness {
        let mut reading = Reading::default();
        let completeness = reading.read(source);
        reading.report(source, findings);
        let left_out = reading.left_out;
        if left_out > 0 {
            let reason = format!("{left_out} more secrets after the first {DISTINCT} are not listed");
            return completeness.and(Completeness::Partial(reason));
        }
        completeness
    }
}

/// The first place of a secret, and the others.
struct Occurrence {
    found: Match,
    lines: Vec<u64>,
    count: u64,
    is_allowed: bool,
}

#[derive(Default)]
struct Reading {
    secrets: BTreeMap<(&'static str, String), Occurrence>,
    left_out: u64,
}

impl Reading {
    fn read(&mut self, source: &Source) -> Completeness {
        let mut encoding = Encoding::of(&source.head(4));
        let (mut stream, mut recent) = (Stream::new(), Recent::new(Stream::lag()));
        let (mut found, mut offset) = (Vec::new(), 0);
        let mut buffer = vec![0; CHUNK.min(usize::try_from(source.length()).unwrap_or(CHUNK))];
        let mut completeness = Completeness::Complete;
        while offset < source.length() {
            let chunk = match source.read_at(&mut buffer, offset) {
                Ok(0) => break,
                Ok(count) => buffer.get(..count).unwrap_or_default(),
                Err(error) => {
                    let reason = format!("secrets were looked for in the first {offset} bytes only: {error}");
                    completeness = Completeness::Partial(reason);
                    break;
                }
            };
            offset += chunk.len() as u64;
            let chunk = encoding.decode(chunk);
            recent.push(&chunk);
            stream.push(&chunk, &mut found);
            self.take(&mut found, &mut recent);
        }
        stream.finish(&mut found);
        self.take(&mut found, &mut recent);
        if offset < source.length() && completeness.is_complete() {
            completeness = Completeness::Partial(format!("the file ended at byte {offset}, before its stated length"));
        }
        completeness
    }

    fn take(&mut self, found: &mut Vec<Match>, recent: &mut Recent) {
        for found in found.drain(..) {
            let line = recent.line_of(found.range.start);
            let near = recent.lines_around(&found.range);
            let is_allowed = ALLOWED.iter().any(|mark| memchr::memmem::find(near, mark).is_some());
            let key = (found.kind.id, found.redacted.fingerprint.to_string());
            if let Some(known) = self.secrets.get_mut(&key) {
                known.count += 1;
                known.is_allowed &= is_allowed;
                if known.lines.len() < LINES {
                    known.lines.push(line);
                }
            } else if self.secrets.len() < DISTINCT {
                self.secrets.insert(key, Occurrence { found, lines: vec![line], count: 1, is_allowed });
            } else {
                self.left_out += 1;
            }
        }
    }

    fn report(&self, source: &Source, findings: &mut Findings) {
        let mut places: Vec<&Occurrence> = self.secrets.values().collect();
        places.sort_by_key(|place| (place.found.range.start, place.found.kind.id));
        for place in places {
            findings.push(finding(source, place));
        }
    }
}

fn finding(source: &Source, place: &Occurrence) -> Finding {
    let found = &place.found;
    let kind = found.kind;
    let line = place.lines.first().copied().unwrap_or(1);
    let location = Location { path: source.name().to_owned(), position: Position::Line(line) };
    let message = format!("{}: `{}`, {}", kind.title, found.redacted, because(found.proof));
    let severity = if place.is_allowed { Severity::Info } else { severity(kind) };
    let mut finding = Finding::new(rule_of(kind), location, &message)
        .with_severity(severity)
        .with_confidence(confidence(found.proof))
        .with_identity(&format!("{}:{}", kind.id, found.redacted.fingerprint))
        .with_evidence("kind", json!(kind.id))
        .with_evidence("prefix", json!(found.redacted.prefix))
        .with_evidence("length", json!(found.redacted.length))
        .with_evidence("fingerprint", json!(found.redacted.fingerprint.to_string()))
        .with_evidence("proof", json!(found.proof.as_str()))
        .with_evidence("occurrences", json!(place.count))
        .with_evidence("lines", json!(place.lines));
    if let Some(account) = found.account {
        finding = finding.with_evidence("account", json!(format!("{account:012}")));
    }
    if place.is_allowed {
        finding = finding.with_evidence("allowed", json!("a comment on the line vouches for it"));
    }
    finding
}

fn because(proof: Proof) -> &'static str {
    match proof {
        Proof::Checksum => "its checksum or embedded mark holds",
        Proof::Structure => "its form is that of such secrets only",
        Proof::Context => "its form fits and its name says so",
        Proof::Entropy => "it looks random and its name says secret",
    }
}

fn confidence(proof: Proof) -> Confidence {
    match proof {
        Proof::Checksum => Confidence::High,
        Proof::Structure | Proof::Context => Confidence::Medium,
        Proof::Entropy => Confidence::Low,
    }
}

/// Reads arbitrary bytes as text; must neither panic nor run away.
pub fn fuzz_one(bytes: &[u8]) {
    let source = Source::from_bytes("fuzz.txt", bytes.to_vec(), Limits::default());
    let _ = Secrets.inspect(&source, &mut Findings::new());
}
