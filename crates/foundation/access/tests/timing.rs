//! Whether the time a refusal takes tells a wrong secret from a key that is not there.

#![allow(clippy::unwrap_used, reason = "a failed set-up is a failed test")]

use std::collections::BTreeSet;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use bartizan_access::{Directory, Role};
use bartizan_core::{Tenant, Timestamp};
use bartizan_storage::Storage;
use bartizan_storage::fault::Faulty;

const NOW: Timestamp = Timestamp::from_seconds(1_790_000_000);
/// Keys of each kind; what is asked for is never twice the same in a row.
const KEYS: usize = 256;
/// |t| beyond this is a difference, by the custom of leakage tests (ISO/IEC 17825, TVLA).
const THRESHOLD: f64 = 4.5;

/// Samples whose mean and variance are kept (Welford).
#[derive(Default)]
struct Samples {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Samples {
    fn add(&mut self, value: f64) {
        self.count += 1.0;
        let difference = value - self.mean;
        self.mean += difference / self.count;
        self.squares += difference * (value - self.mean);
    }

    fn error(&self) -> f64 {
        self.squares / (self.count - 1.0) / self.count
    }
}

/// Welch's t over interleaved samples. Those slower than `ceiling` were interrupted and are left out
/// of both.
fn welch(directory: &Directory, kinds: [&[String]; 2], rounds: usize, ceiling: f64) -> (f64, [f64; 2]) {
    let mut samples = [Samples::default(), Samples::default()];
    let mut random = 0x5eed_u64;
    for _ in 0..rounds {
        // xorshift64 (Marsaglia 2003): which kind comes first, and which key, follows no pattern.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let kind = usize::from(random >> 40 & 1 == 1);
        let key = &kinds[kind][random as usize % KEYS];
        let start = Instant::now();
        let refused = black_box(directory.authenticate(black_box(key), NOW)).is_err();
        let taken = start.elapsed().as_nanos() as f64;
        assert!(refused);
        if taken < ceiling {
            samples[kind].add(taken);
        }
    }
    let [a, b] = samples;
    ((a.mean - b.mean) / (a.error() + b.error()).sqrt(), [a.mean, b.mean])
}

#[test]
fn wrong_secrets_and_unknown_prefixes_take_equally_long() {
    if std::env::var_os("BARTIZAN_LONG").is_none() {
        println!("skipped: a million samples are taken with BARTIZAN_LONG=1");
        return;
    }
    let storage: Arc<dyn Storage> = Arc::new(Faulty::new());
    let directory = Directory::open(storage, Path::new("state/access")).unwrap();
    let client =
        directory.add_principal(Tenant::default(), "shop", BTreeSet::from([Role::Client]), NOW, |_| {}).unwrap();
    let mut prefixes = Vec::new();
    while prefixes.len() < KEYS {
        let prefix = directory.issue_key(&client.id, NOW, None).unwrap().key.prefix;
        if !prefix.ends_with('2') {
            prefixes.push(prefix);
        }
    }
    // Each unknown prefix lies beside a known one, so that nothing but being there tells them apart.
    let with_secret = |prefix: &str| format!("{prefix}_{}", "A".repeat(43));
    let wrong: Vec<String> = prefixes.iter().map(|prefix| with_secret(prefix)).collect();
    let unknown: Vec<String> = prefixes.iter().map(|prefix| with_secret(&format!("{}2", &prefix[..14]))).collect();
    let (_, warm) = welch(&directory, [&wrong, &unknown], 50_000, f64::MAX);
    let (t, means) = welch(&directory, [&wrong, &unknown], 1_000_000, warm[0].max(warm[1]) * 2.0);
    println!("wrong secret {:.0} ns, unknown prefix {:.0} ns, Welch t = {t:.2}", means[0], means[1]);
    // The test itself must be able to tell: a key of another form is refused before anything is hashed.
    let malformed: Vec<String> = (0..KEYS).map(|number| format!("bz_{number}")).collect();
    let (seen, _) = welch(&directory, [&wrong, &malformed], 50_000, f64::MAX);
    assert!(seen.abs() > THRESHOLD, "{seen}");
    assert!(t.abs() < THRESHOLD, "Welch t = {t:.2}");
}
