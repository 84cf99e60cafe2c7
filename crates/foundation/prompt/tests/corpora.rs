//! Benign prompts of public benchmarks that lie beside the repository. Skipped, visibly, where they don't.

use std::path::Path;

use bartizan_prompt::{Budget, Detector, FalseAlarmRate};

fn prompts(name: &str) -> Option<Vec<String>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().find(|folder| folder.join("Cargo.lock").exists())?;
    let path = root.parent()?.join("shared/corpora/guard/piguard").join(name);
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("skipped: {name} is not beside the repository");
        return None;
    };
    let rows: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap_or_default();
    assert!(!rows.is_empty(), "{} is not a list of prompts", path.display());
    Some(rows.iter().filter_map(|row| row["prompt"].as_str().map(ToOwned::to_owned)).collect())
}

#[test]
fn few_benign_prompts_of_a_public_benchmark_raise_an_alarm() {
    let Some(prompts) = prompts("wildguard.json") else { return };
    let detector = Detector::embedded();
    let limit = detector.threshold(FalseAlarmRate::One);
    let alarms =
        prompts.iter().filter(|prompt| detector.judge(prompt, &Budget::default()).probability >= limit).count();
    println!("{alarms} of {} benign prompts raise an alarm", prompts.len());
    // One in ten is what is known of this benchmark, whose prompts are made to look hostile; docs/injection.md says so.
    assert!(alarms * 10 < prompts.len(), "{alarms} of {}", prompts.len());
}
