//! What a durable append costs, beside a bare append + fdatasync and SQLite on the same disk.
//!
//! `cargo bench -p bartizan-ledger --bench durable`; the folder is `BARTIZAN_BENCH_DIR` (default:
//! the current one). Writers are futures on two threads, as in the gateway. The peers commit as many
//! entries at once as the ledger did in the same run; SQLite also one at a time, which is what
//! writers get who do not batch by themselves.

#![allow(clippy::unwrap_used)]

mod executor;

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bartizan_core::{Asset, AssetKind, Digest, Event, Outcome, Tenant, Timestamp};
use bartizan_ledger::{Ledger, LedgerHandle, Urgency, verify};
use bartizan_signing::{NoteSigner, SigningKey};
use bartizan_storage::Disk;

const SECONDS: f64 = 4.0;
const VERIFIED: u64 = 1_000_000;

fn main() {
    let base = std::env::var_os("BARTIZAN_BENCH_DIR").unwrap_or_else(|| ".".into());
    let folder = tempfile::Builder::new().prefix("bench-ledger").tempdir_in(base).unwrap();
    println!("entry: {} bytes of JSON; {SECONDS} s each", bytes_per_entry());
    let mut ratios = Vec::new();
    for writers in [1, 64] {
        let ledger = measure_ledger(folder.path(), writers);
        let raw = measure_raw(folder.path(), ledger.batch);
        print_row(&format!("append + fdatasync, batches of {}", ledger.batch), &raw);
        let Some(single) = measure_sqlite(folder.path(), 1) else { continue };
        let Some(sqlite) = measure_sqlite(folder.path(), ledger.batch) else { continue };
        ratios.push(format!(
            "{writers:>2} writers: {:.2}x SQLite with a transaction each, {:.2}x at equal batches; {:.2}x the bare append",
            ledger.per_second / single,
            ledger.per_second / sqlite,
            ledger.per_second / raw.per_second
        ));
    }
    ratios.iter().for_each(|ratio| println!("{ratio}"));
    measure_verify(folder.path());
}

struct Measured {
    per_second: f64,
    /// Entries in one commit.
    batch: usize,
    latencies: Vec<Duration>,
}

fn print_row(name: &str, measured: &Measured) {
    let quantile = |q: f64| {
        let place = (q * measured.latencies.len() as f64) as usize;
        measured.latencies.get(place).map_or(0.0, |duration| duration.as_secs_f64() * 1e3)
    };
    println!(
        "{name:<42} {:>9.0} entries/s   p50 {:>7.3} ms   p99 {:>7.3} ms",
        measured.per_second,
        quantile(0.5),
        quantile(0.99)
    );
}

fn event(n: u64) -> Event {
    let asset = Asset::new(Tenant::default(), AssetKind::Model, "digits").with_digest(Digest::from_bytes([7; 32]));
    let mut event = Event::new(
        "request.admission",
        format!("0199a1b2-c3d4-7e5f-8a6b-{n:012x}"),
        Timestamp::from_nanoseconds(1_790_000_000_000_000_000 + i64::try_from(n).unwrap()),
        "Infer",
        asset,
        Outcome::Allow,
    )
    .by("principal-0042")
    .because("allowed")
    .correlated("request-000000000042");
    event.commitments.push(Digest::from_bytes([9; 32]));
    event
}

fn bytes_per_entry() -> usize {
    serde_json_canonicalizer::to_vec(&event(1)).unwrap().len()
}

fn signer() -> NoteSigner {
    NoteSigner::new("bartizan/bench", SigningKey::generate().unwrap()).unwrap()
}

fn measure_ledger(folder: &Path, writers: u64) -> Measured {
    let directory = folder.join(format!("ledger-{writers}"));
    let ledger = Ledger::open(Arc::new(Disk), &directory, signer()).unwrap();
    let handle = ledger.handle();
    let start = Instant::now();
    let mut latencies: Vec<Duration> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..writers.min(2))
            .map(|thread| {
                let handle = handle.clone();
                let writers = (thread..writers).step_by(2);
                scope.spawn(move || executor::run(writers.map(|writer| append_until(&handle, writer << 32, start))))
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).flatten().collect()
    });
    let elapsed = start.elapsed().as_secs_f64();
    latencies.sort_unstable();
    let statistics = handle.statistics();
    ledger.close().unwrap();
    std::fs::remove_dir_all(directory).unwrap();
    let batch = (statistics.entries as f64 / statistics.commits as f64).round() as usize;
    let measured = Measured { per_second: latencies.len() as f64 / elapsed, batch, latencies };
    print_row(&format!("ledger, {writers} writers, each waits"), &measured);
    println!(
        "{:<42} {:>9} commits     p50 {:>7.3} ms   p99 {:>7.3} ms",
        "  its commits (sign, append, fdatasync)",
        statistics.commits,
        statistics.syncs.quantile(0.5).as_secs_f64() * 1e3,
        statistics.syncs.quantile(0.99).as_secs_f64() * 1e3
    );
    measured
}

async fn append_until(handle: &LedgerHandle, first: u64, start: Instant) -> Vec<Duration> {
    let mut latencies = Vec::new();
    let mut event = event(first);
    while start.elapsed().as_secs_f64() < SECONDS {
        event.time = Timestamp::from_nanoseconds(event.time.nanoseconds() + 1);
        let before = Instant::now();
        handle.append(&event, Urgency::Now).unwrap().await.unwrap();
        latencies.push(before.elapsed());
    }
    latencies
}

fn measure_raw(folder: &Path, batch: usize) -> Measured {
    let path = folder.join("raw");
    let mut file = File::create(&path).unwrap();
    let bytes = vec![42; batch * bytes_per_entry()];
    let mut latencies = Vec::new();
    let start = Instant::now();
    while start.elapsed().as_secs_f64() < SECONDS {
        let before = Instant::now();
        file.write_all(&bytes).unwrap();
        file.sync_data().unwrap();
        latencies.push(before.elapsed());
    }
    let per_second = (latencies.len() * batch) as f64 / start.elapsed().as_secs_f64();
    latencies.sort_unstable();
    std::fs::remove_file(path).unwrap();
    Measured { per_second, batch, latencies }
}

/// Rows per second; `None`, visibly, where Python or its sqlite3 is absent.
fn measure_sqlite(folder: &Path, batch: usize) -> Option<f64> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../bench/ledger_sqlite.py");
    let output = Command::new("python3")
        .arg(script)
        .arg(folder)
        .args([batch.to_string(), bytes_per_entry().to_string(), SECONDS.to_string()])
        .output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let fields: Vec<&str> = text.split_whitespace().collect();
    let [per_second, _, p50, p99, version] = fields.as_slice() else {
        println!("skipped: python3 with sqlite3 is absent");
        return None;
    };
    let number = |text: &str| text.parse::<f64>().unwrap_or(0.0);
    println!(
        "{:<42} {:>9.0} entries/s   p50 {:>7.3} ms   p99 {:>7.3} ms",
        format!("SQLite {version} FULL, batches of {batch}"),
        number(per_second),
        number(p50),
        number(p99)
    );
    Some(number(per_second))
}

fn measure_verify(folder: &Path) {
    let directory = folder.join("verified");
    let ledger = Ledger::open(Arc::new(Disk), &directory, signer()).unwrap();
    let handle = ledger.handle();
    let start = Instant::now();
    let mut event = event(0);
    let mut waiting = None;
    for n in 0..VERIFIED {
        event.time = Timestamp::from_nanoseconds(event.time.nanoseconds() + 1);
        let urgency = if n % 2048 == 2047 { Urgency::Now } else { Urgency::Within(Duration::from_millis(100)) };
        let ticket = handle.append(&event, urgency).unwrap();
        if n % 2048 == 2047 {
            // One batch is written while the next is prepared.
            waiting.replace(ticket).map(|ticket| ticket.wait().unwrap());
        }
    }
    ledger.close().unwrap();
    println!("{VERIFIED} entries appended by one thread in {:.2} s", start.elapsed().as_secs_f64());
    let start = Instant::now();
    let report = verify(&directory, &[]);
    println!(
        "{} entries verified in {:.2} s: {}",
        report.size,
        start.elapsed().as_secs_f64(),
        report.conclusion.as_str()
    );
}
