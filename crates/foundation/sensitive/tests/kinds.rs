//! Every kind finds its examples and leaves its counterexamples alone.

use std::collections::BTreeSet;

use bartizan_sensitive::{find, kinds, sample};

#[test]
fn every_kind_finds_its_examples() {
    let mut failures = Vec::new();
    for kind in kinds() {
        assert!(!kind.examples_of().is_empty(), "{} has no example", kind.id);
        for template in kind.examples_of() {
            for seed in 1..6 {
                let text = sample(template, seed);
                let found: Vec<&str> = find(text.as_bytes()).iter().map(|found| found.kind.id).collect();
                if !found.contains(&kind.id) {
                    failures.push(format!("{} is not in {found:?} of `{template}`, seed {seed}: {text}", kind.id));
                }
            }
        }
    }
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn no_kind_takes_its_counterexamples_for_a_secret() {
    let mut failures = Vec::new();
    for kind in kinds() {
        assert!(!kind.counterexamples_of().is_empty(), "{} has no counterexample", kind.id);
        for template in kind.counterexamples_of() {
            for seed in 1..4 {
                let text = sample(template, seed);
                if find(text.as_bytes()).iter().any(|found| found.kind.id == kind.id) {
                    failures.push(format!("{} is in `{template}`, seed {seed}", kind.id));
                }
            }
        }
    }
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn kinds_have_names_of_their_own() {
    let ids: BTreeSet<&str> = kinds().iter().map(|kind| kind.id).collect();
    let titles: BTreeSet<&str> = kinds().iter().map(|kind| kind.title).collect();
    assert_eq!(ids.len(), kinds().len());
    assert_eq!(titles.len(), kinds().len());
    assert!(kinds().len() >= 200, "{}", kinds().len());
}
