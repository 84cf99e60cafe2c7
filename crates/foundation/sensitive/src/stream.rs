//! Matches in a stream, whatever the pieces it comes in.
//!
//! A keyword is judged only when all that can matter after it has arrived, on exactly that text, and a
//! match is handed out only when nothing that may overlap it can come: so matches, and their order, are a
//! function of the bytes alone.

use std::collections::VecDeque;
use std::ops::Range;

use crate::checksum::aws_account;
use crate::keywords::Keyword;
use crate::kind::Kind;
use crate::kinds::kinds;
use crate::matcher::{BEHIND, Candidate, Matcher, Proof};
use crate::redact::{FingerprintKey, Redacted};

/// A secret that was found. It does not hold the secret.
#[derive(Clone, Debug)]
pub struct Match {
    /// What it is.
    pub kind: &'static Kind,
    /// Bytes of the stream from the name or vendor's mark to the end.
    pub range: Range<u64>,
    /// Bytes of the secret itself.
    pub secret: Range<u64>,
    /// Why it is taken for one.
    pub proof: Proof,
    /// What may be shown of it.
    pub redacted: Redacted,
    /// The account that an AWS access key id names.
    pub account: Option<u64>,
    index: usize,
}

impl Match {
    /// Which of two overlapping matches to keep: a strict order.
    fn rank(&self) -> (Proof, bool, u64, u64, usize) {
        let named = self.kind.is_named();
        (self.proof, !named, self.range.end - self.range.start, u64::MAX - self.range.start, self.index)
    }

    fn overlaps(&self, other: &Self) -> bool {
        self.secret.start < other.secret.end && other.secret.start < self.secret.end
    }
}

/// Looks for secrets in text that comes in pieces. Memory is bounded by a constant.
///
/// ```
/// use bartizan_sensitive::{Stream, sample};
///
/// let text = format!("token = {}", sample("ghp_{crc62}", 7));
/// let (mut stream, mut found) = (Stream::new(), Vec::new());
/// for piece in text.as_bytes().chunks(5) {
///     stream.push(piece, &mut found);
/// }
/// stream.finish(&mut found);
/// assert_eq!(found[0].kind.id, "github-personal-access-token");
/// ```
pub struct Stream {
    matcher: &'static Matcher,
    key: FingerprintKey,
    text: Vec<u8>,
    base: u64,
    scanned: usize,
    pending: VecDeque<Keyword>,
    done: Vec<u64>,
    held: Vec<Held>,
}

/// A match that a better one may still replace, or that may still replace another.
struct Held {
    found: Match,
    is_decided: bool,
}

/// Bytes taken in at a time.
const BLOCK: usize = 64 << 10;
/// A match that begins before another ends was led to by a keyword at most this far behind that end.
const OVERLAP: u64 = 2 * BEHIND as u64;

impl Default for Stream {
    fn default() -> Self {
        Self::new()
    }
}

impl Stream {
    /// Nothing read yet; fingerprints under the default key.
    pub fn new() -> Self {
        Self::with_key(FingerprintKey::default())
    }

    /// Nothing read yet; fingerprints under `key`.
    pub fn with_key(key: FingerprintKey) -> Self {
        let matcher = Matcher::shared();
        Self {
            matcher,
            key,
            text: Vec::new(),
            base: 0,
            scanned: 0,
            pending: VecDeque::new(),
            done: vec![0; kinds().len()],
            held: Vec::new(),
        }
    }

    /// How far behind the bytes pushed so far a match may begin that is not yet handed out.
    pub fn lag() -> usize {
        2 * Matcher::shared().reach() + BLOCK + 2 * BEHIND
    }

    /// Takes `piece` in and adds the matches that are certain by now.
    pub fn push(&mut self, piece: &[u8], found: &mut Vec<Match>) {
        for block in piece.chunks(BLOCK) {
            self.text.extend_from_slice(block);
            self.scan(self.text.len().saturating_sub(self.matcher.keywords().longest()));
            let settled = self.text.len().saturating_sub(self.matcher.reach());
            self.judge(settled);
            let settled = self.pending.front().map_or(settled, |keyword| settled.min(keyword.start));
            self.release(self.base + settled as u64, found);
            self.forget(settled);
        }
    }

    /// The stream is over: adds the matches that are left.
    pub fn finish(mut self, found: &mut Vec<Match>) {
        self.scan(self.text.len());
        self.judge(usize::MAX);
        self.release(u64::MAX, found);
    }

    /// Notes the keywords that begin before `to`.
    fn scan(&mut self, to: usize) {
        if to > self.scanned {
            let pending = &mut self.pending;
            self.matcher.keywords().find(&self.text, self.scanned, to, |keyword| pending.push_back(keyword));
            self.scanned = to;
        }
    }

    /// Judges all keywords that end before `settled`.
    fn judge(&mut self, settled: usize) {
        while let Some(keyword) = self.pending.front().copied().filter(|keyword| keyword.end <= settled) {
            self.pending.pop_front();
            for index in self.matcher.kinds_of(keyword) {
                let done = self.done.get(*index).copied().unwrap_or(0);
                if self.base + (keyword.start as u64) < done {
                    continue;
                }
                let Some(candidate) = self.matcher.judge(*index, &self.text, keyword) else { continue };
                let Some(found) = self.found(*index, candidate) else { continue };
                if let Some(done) = self.done.get_mut(*index) {
                    *done = found.secret.end;
                }
                self.held.push(Held { found, is_decided: false });
            }
        }
    }

    fn found(&self, index: usize, candidate: Candidate) -> Option<Match> {
        let (start, end) = candidate.secret;
        let secret = self.text.get(start..end)?;
        let prefix = String::from_utf8_lossy(secret.get(..candidate.prefix)?).into_owned();
        let kind = *kinds().get(index)?;
        Some(Match {
            kind,
            range: self.base + candidate.start as u64..self.base + candidate.end as u64,
            secret: self.base + start as u64..self.base + end as u64,
            proof: candidate.proof,
            redacted: Redacted { prefix, length: secret.len(), fingerprint: self.key.fingerprint(secret) },
            account: if kind.id == "aws-access-key-id" { aws_account(secret) } else { None },
            index,
        })
    }

    /// Hands out the held matches that nothing found after `settled` can overlap, unless a better one
    /// overlaps them.
    fn release(&mut self, settled: u64, found: &mut Vec<Match>) {
        if self.held.is_empty() {
            return;
        }
        self.held.sort_by_key(|held| (held.found.range.end, held.found.range.start, held.found.index));
        let is_settled = |held: &Held| held.found.range.end.saturating_add(OVERLAP) < settled;
        let longest = self.held.iter().map(|held| held.found.range.end - held.found.range.start).max().unwrap_or(0);
        for index in 0..self.held.len() {
            let Some(held) = self.held.get(index).filter(|held| is_settled(held) && !held.is_decided) else { continue };
            let found_here = &held.found;
            let beats = |other: &Held| other.found.overlaps(found_here) && other.found.rank() > found_here.rank();
            // In order of their ends: what ends before this begins, or begins after this ends, is out of reach.
            let before = self.held.get(..index).unwrap_or_default().iter().rev();
            let after = self.held.get(index..).unwrap_or_default().iter();
            let is_beaten = before.take_while(|other| other.found.range.end > found_here.range.start).any(beats)
                || after.take_while(|other| other.found.range.end < found_here.range.end + longest).any(beats);
            if !is_beaten {
                found.push(found_here.clone());
            }
            if let Some(held) = self.held.get_mut(index) {
                held.is_decided = true;
            }
        }
        // What was decided stays while it may still beat an undecided one.
        let undecided = self.held.iter().filter(|held| !held.is_decided).map(|held| held.found.secret.start).min();
        self.held.retain(|held| undecided.is_some_and(|start| !held.is_decided || held.found.secret.end > start));
    }

    /// Drops text that nothing needs any more.
    fn forget(&mut self, settled: usize) {
        let drop = settled.saturating_sub(BEHIND);
        if drop < BLOCK {
            return;
        }
        self.text.drain(..drop);
        self.base += drop as u64;
        self.scanned -= drop;
        for keyword in &mut self.pending {
            keyword.start -= drop;
            keyword.end -= drop;
        }
    }
}

/// All matches in `text`.
pub fn find(text: &[u8]) -> Vec<Match> {
    let (mut stream, mut found) = (Stream::new(), Vec::new());
    stream.push(text, &mut found);
    stream.finish(&mut found);
    found
}
