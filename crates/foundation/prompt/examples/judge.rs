//! Judges texts: reads a JSON string a line, writes a line `probability microseconds reasons`.
//!
//! `bench/injection/evaluate.py` reads what it prints. With the path of a model as argument that model judges instead
//! of the embedded one; `--limits` prints its thresholds only; `--time` takes the time of each text, the best of five.

use std::io::{BufRead as _, Write as _};
use std::time::Instant;

use bartizan_prompt::{Budget, Detector, FalseAlarmRate, Model};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let other = match std::env::args().skip(1).find(|argument| !argument.starts_with("--")) {
        Some(path) => Some(Detector::new(Model::parse(std::fs::read(path)?)?)),
        None => None,
    };
    let detector = other.as_ref().unwrap_or_else(|| Detector::embedded());
    let mut out = std::io::stdout().lock();
    if std::env::args().any(|argument| argument == "--limits") {
        for rate in [FalseAlarmRate::Five, FalseAlarmRate::Two, FalseAlarmRate::One, FalseAlarmRate::Tenth] {
            writeln!(out, "{}", detector.threshold(rate))?;
        }
        return Ok(());
    }
    // The best of five: other work on the machine is no property of a text.
    let runs = if std::env::args().any(|argument| argument == "--time") { 5 } else { 0 };
    for line in std::io::stdin().lock().lines() {
        let text: String = serde_json::from_str(&line?)?;
        let mut time = f64::INFINITY;
        let mut judgement = detector.judge(&text, &Budget::default());
        for _ in 0..runs {
            let started = Instant::now();
            judgement = detector.judge(&text, &Budget::default());
            time = time.min(started.elapsed().as_nanos() as f64 / 1000.0);
        }
        let reasons = judgement.reasons.iter().map(|reason| reason.id()).collect::<Vec<_>>().join(",");
        writeln!(out, "{} {time:.1} {reasons}", judgement.probability)?;
    }
    Ok(())
}
