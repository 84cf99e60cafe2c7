//! How much work one file may cause, shared by everything that comes out of it.

use std::cell::Cell;
use std::time::{Duration, Instant};

use thiserror::Error;

/// What one root file may cost.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes that may be read.
    pub bytes: u64,
    /// Bytes that may come out of decompression, over all members together; sixteen times the size of
    /// the file where that is more.
    pub inflated: u64,
    /// Bytes of one decompressed member that may be held in memory.
    pub member: u64,
    /// Output per input byte of one member beyond which it counts as a bomb (after the first MiB).
    pub ratio: u64,
    /// Archive members.
    pub members: u64,
    /// Archives within archives.
    pub depth: u32,
    /// Opcodes, fields or other steps of a parser.
    pub operations: u64,
    /// Wall time, and a second more for every 32 MiB of the file.
    pub time: Duration,
}

impl Default for Limits {
    /// Values that real models stay far below and that keep a hostile file within a second or so.
    fn default() -> Self {
        Self {
            bytes: 8 << 30,
            inflated: 256 << 20,
            member: 32 << 20,
            ratio: 200,
            members: 20_000,
            depth: 6,
            operations: 20_000_000,
            time: Duration::from_secs(10),
        }
    }
}

/// A limit was reached: what was seen so far stands, the rest is unknown.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("the limit on {0} was reached")]
pub struct Exhausted(pub &'static str);

/// What is left of the [`Limits`].
#[derive(Debug)]
pub struct Budget {
    limits: Limits,
    bytes: Cell<u64>,
    inflated: Cell<u64>,
    members: Cell<u64>,
    operations: Cell<u64>,
    deadline: Option<Instant>,
}

impl Budget {
    /// A full budget for a file of `length` bytes; the time starts now.
    pub fn new(limits: Limits, length: u64) -> Self {
        let time = limits.time.saturating_add(Duration::from_secs(length >> 25));
        Self {
            limits,
            bytes: Cell::new(limits.bytes),
            inflated: Cell::new(limits.inflated.max(length.saturating_mul(16))),
            members: Cell::new(limits.members),
            operations: Cell::new(limits.operations),
            deadline: Instant::now().checked_add(time),
        }
    }

    /// The limits that this budget started with.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Takes `count` read bytes.
    pub fn read(&self, count: u64) -> Result<(), Exhausted> {
        take(&self.bytes, count, "bytes read")?;
        self.in_time()
    }

    /// Takes `count` bytes of decompressed output.
    pub fn inflate(&self, count: u64) -> Result<(), Exhausted> {
        take(&self.inflated, count, "decompressed bytes")?;
        self.in_time()
    }

    /// Takes one archive member.
    pub fn member(&self) -> Result<(), Exhausted> {
        take(&self.members, 1, "archive members")
    }

    /// Takes `count` parser steps; the clock is looked at too, so callers should ask in batches.
    pub fn operate(&self, count: u64) -> Result<(), Exhausted> {
        take(&self.operations, count, "parser steps")?;
        self.in_time()
    }

    /// Whether a child at `depth` may still be opened.
    pub fn descend(&self, depth: u32) -> Result<(), Exhausted> {
        if depth > self.limits.depth { Err(Exhausted("nesting depth")) } else { Ok(()) }
    }

    fn in_time(&self) -> Result<(), Exhausted> {
        match self.deadline {
            Some(deadline) if Instant::now() > deadline => Err(Exhausted("time")),
            _ => Ok(()),
        }
    }
}

fn take(left: &Cell<u64>, count: u64, what: &'static str) -> Result<(), Exhausted> {
    match left.get().checked_sub(count) {
        Some(rest) => {
            left.set(rest);
            Ok(())
        }
        None => {
            left.set(0);
            Err(Exhausted(what))
        }
    }
}
