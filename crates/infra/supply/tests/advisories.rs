//! Matches of advisories equal those of pip-audit and cargo-audit over the same databases.
//!
//! The golden lists were written by `python3 bench/advisories_oracle.py golden --write`.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot prepare its world has failed")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use bartizan_core::{Component, Finding, Severity};
use bartizan_inspect::{Limits, Source, examine};
use bartizan_supply::INSPECTORS;
use bartizan_supply::advisories::{
    AdvisoryIndex, Contents, INCOMPARABLE, Importer, IndexError, MALICIOUS, VULNERABLE, advise,
};

fn corpus(name: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().find(|folder| folder.join("Cargo.lock").exists());
    let folder = root.and_then(Path::parent).map(|beside| beside.join("shared/corpora/scan").join(name));
    let found = folder.filter(|folder| folder.is_dir());
    if found.is_none() {
        println!("skipped: no corpus {name}");
    }
    found
}

fn golden(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/golden").join(name)).unwrap()
}

fn collect(folder: &Path) -> Importer {
    let mut importer = Importer::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                importer.add(&path.to_string_lossy(), &std::fs::read(&path).unwrap());
            }
        }
    }
    importer
}

fn index_of(importers: Vec<(&str, Importer)>) -> AdvisoryIndex {
    let mut contents = Contents::default();
    for (label, importer) in importers {
        assert_eq!(importer.problems(), [] as [String; 0], "{label}");
        importer.finish(label, "2026-11-22", &mut contents);
    }
    AdvisoryIndex::open(contents.compile().unwrap()).unwrap()
}

fn components(name: &str, bytes: &[u8]) -> Vec<Component> {
    let source = Source::from_bytes(name, bytes.to_vec(), Limits::default());
    let examination = examine(&source, INSPECTORS);
    assert!(examination.completeness.is_complete(), "{:?}", examination.completeness);
    examination.components
}

fn record(id: &str, name: &str, rest: &str) -> (String, Vec<u8>) {
    let text = format!(
        r#"{{"id":"{id}","modified":"2026-01-01T00:00:00Z","summary":"of {name}",
            "affected":[{{"package":{{"ecosystem":"PyPI","name":"{name}"}},{rest}}}]}}"#
    );
    (format!("{id}.json"), text.into_bytes())
}

fn made_of(records: &[(String, Vec<u8>)]) -> AdvisoryIndex {
    let mut importer = Importer::new();
    for (name, bytes) in records {
        assert!(importer.add(name, bytes));
    }
    index_of(vec![("made", importer)])
}

fn text<'a>(finding: &'a Finding, key: &str) -> &'a str {
    finding.evidence.get(key).and_then(serde_json::Value::as_str).unwrap_or_default()
}

fn ids(finding: &Finding) -> BTreeSet<String> {
    serde_json::from_value(finding.evidence.get("aliases").unwrap().clone()).unwrap()
}

type Row = (String, String, BTreeSet<String>);

/// What two tools say of one lockfile, one weakness once.
fn joined(rows: impl IntoIterator<Item = Row>) -> BTreeSet<Row> {
    let mut groups: Vec<Row> = Vec::new();
    for (name, version, mut names) in rows {
        groups.retain(|(other, at, known)| {
            let is_same = *other == name && *at == version && known.iter().any(|id| names.contains(id));
            if is_same {
                names.extend(known.iter().cloned());
            }
            !is_same
        });
        groups.push((name, version, names));
    }
    groups.into_iter().collect()
}

fn found(lockfile: &str, index: &AdvisoryIndex) -> Vec<(String, Row)> {
    let components = components(lockfile, &golden(lockfile));
    let mut rows = Vec::new();
    for component in &components {
        for finding in advise(std::slice::from_ref(component), index, None).unwrap() {
            let version = component.version.clone().unwrap();
            let kind = text(&finding, "kind").to_owned();
            rows.push((kind, (component.name.clone(), version, ids(&finding))));
        }
    }
    rows
}

#[test]
fn matches_equal_those_of_pip_audit() {
    let Some(folder) = corpus("advisories-pypa") else { return };
    let index = index_of(vec![("pypa", collect(&folder))]);
    let expected: Vec<Row> = serde_json::from_slice(&golden("pip-audit.json")).unwrap();
    let ours: BTreeSet<Row> = found("requirements.txt", &index).into_iter().map(|(_, row)| row).collect();
    let expected = joined(expected);
    assert!(expected.len() > 400);
    assert_eq!(ours.difference(&expected).collect::<Vec<_>>(), Vec::<&Row>::new(), "only we say so");
    assert_eq!(expected.difference(&ours).collect::<Vec<_>>(), Vec::<&Row>::new(), "only pip-audit says so");
}

#[test]
fn matches_equal_those_of_cargo_audit_by_kind() {
    let Some(folder) = corpus("advisories-rustsec") else { return };
    let index = index_of(vec![("rustsec", collect(&folder))]);
    let rows: Vec<(String, String, BTreeSet<String>, String)> =
        serde_json::from_slice(&golden("cargo-audit.json")).unwrap();
    let ours = found("Cargo.lock", &index);
    assert!(rows.len() > 200);
    for kind in ["vulnerability", "unmaintained", "unsound", "notice"] {
        let expected = joined(
            rows.iter()
                .filter(|(.., of)| of == kind)
                .map(|(name, version, ids, _)| (name.clone(), version.clone(), ids.clone())),
        );
        let ours: BTreeSet<Row> = ours.iter().filter(|(of, _)| of == kind).map(|(_, row)| row.clone()).collect();
        assert_eq!(ours, expected, "{kind}");
    }
}

#[test]
fn an_index_of_both_databases_is_small_and_has_one_form() {
    let (Some(rustsec), Some(pypa)) = (corpus("advisories-rustsec"), corpus("advisories-pypa")) else { return };
    let index = index_of(vec![("a", collect(&rustsec)), ("b", collect(&pypa))]);
    let names: Vec<&str> = index.sources().iter().map(|source| source.name.as_str()).collect();
    assert_eq!(names, ["PyPA", "RustSec"]);
    assert!(index.bytes().len() < 30 << 20, "{} bytes", index.bytes().len());
    let again = index.contents().unwrap().compile().unwrap();
    assert_eq!(again, index.bytes(), "reading an index and writing it again changes nothing");
    let withdrawn: usize = index.sources().iter().map(|source| source.withdrawn).sum();
    assert!(withdrawn > 20, "{withdrawn}");
}

#[test]
fn advice_is_the_smallest_version_that_clears_every_advisory() {
    let ranges = |events: &str| format!(r#""ranges":[{{"type":"ECOSYSTEM","events":[{events}]}}]"#);
    let index = made_of(&[
        record("PYSEC-1", "x", &ranges(r#"{"introduced":"0"},{"fixed":"1.4"},{"introduced":"2.0"},{"fixed":"2.2"}"#)),
        record("PYSEC-2", "x", &ranges(r#"{"introduced":"1.4"},{"fixed":"2.1rc1"},{"fixed":"2.1"}"#)),
    ]);
    let advice = |version: &str| {
        let findings = advise(&components("requirements.txt", format!("x=={version}\n").as_bytes()), &index, None);
        findings.unwrap().iter().map(|finding| text(finding, "clears-all").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(advice("1.0"), ["2.2"], "1.4 mends the first and is hit by the second");
    assert_eq!(advice("2.0"), ["2.2", "2.2"]);
    assert_eq!(advice("2.2"), [""; 0]);
}

#[test]
fn one_weakness_of_several_databases_is_one_finding_under_its_best_known_name() {
    let all = r#""ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"2"}]}]"#;
    let aliased = |id: &str, aliases: &str| {
        let (name, bytes) = record(id, "x", all);
        let text = String::from_utf8(bytes).unwrap().replacen('{', &format!("{{\"aliases\":[{aliases}],"), 1);
        (name, text.into_bytes())
    };
    let index = made_of(&[
        aliased("PYSEC-1", r#""CVE-2024-1""#),
        aliased("GHSA-1", r#""PYSEC-1""#),
        aliased("PYSEC-9", r#""CVE-2024-9""#),
    ]);
    let findings = advise(&components("requirements.txt", b"x==1\n"), &index, None).unwrap();
    let names: Vec<&str> = findings.iter().map(|finding| text(finding, "advisory")).collect();
    assert_eq!(names, ["CVE-2024-1", "CVE-2024-9"]);
    assert!(findings.iter().all(|finding| finding.rule == &VULNERABLE));
    // None of them says how bad it is: that is unknown, and not harmless.
    assert!(findings.iter().all(|finding| finding.severity == Severity::High));
}

#[test]
fn malicious_packages_are_critical_even_without_a_version() {
    let index =
        made_of(&[record("MAL-2024-1", "torchh", r#""ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"}]}]"#)]);
    for line in ["torchh==1.0\n", "torchh>=1\n", "torchh\n"] {
        let findings = advise(&components("requirements.txt", line.as_bytes()), &index, None).unwrap();
        assert_eq!(findings.len(), 1, "{line}");
        assert!(findings.iter().all(|finding| finding.rule == &MALICIOUS && finding.severity == Severity::Critical));
    }
}

#[test]
fn a_version_outside_the_order_is_said_and_never_clean() {
    let index = made_of(&[record(
        "PYSEC-1",
        "x",
        r#""ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"2"}]}]"#,
    )]);
    let findings = advise(&components("requirements.txt", b"x===1.0-odd-one\ny===odd\n"), &index, None).unwrap();
    assert_eq!(findings.iter().map(|finding| finding.rule.id).collect::<Vec<_>>(), [INCOMPARABLE.id]);
}

#[test]
fn exploitation_and_likelihood_come_with_the_finding_and_exploited_is_critical() {
    let mut likely = Importer::new();
    likely.add(
        "epss.csv",
        b"#model_version:v1,score_date:2026-11-01T00:00:00Z\ncve,epss,percentile\nCVE-2024-1,0.97500,0.99990\n",
    );
    let mut exploited = Importer::new();
    exploited.add(
        "known.json",
        br#"{"dateReleased":"2026-11-02T00:00:00Z","vulnerabilities":[{"cveID":"CVE-2024-1","dateAdded":"2024-02-03","knownRansomwareCampaignUse":"Known"}]}"#,
    );
    let (name, bytes) = record("CVE-2024-1", "x", r#""versions":["1.0"]"#);
    let mut advisories = Importer::new();
    advisories.add(&name, &bytes);
    let index = index_of(vec![("one", advisories), ("two", likely), ("three", exploited)]);
    let names: Vec<&str> = index.sources().iter().map(|source| source.name.as_str()).collect();
    assert_eq!(names, ["CISA KEV", "FIRST EPSS", "one"]);
    let imported = BTreeSet::from(["x".to_owned()]);
    let findings = advise(&components("requirements.txt", b"x==1\n"), &index, Some(&imported)).unwrap();
    let [finding] = findings.as_slice() else { panic!("{findings:?}") };
    assert_eq!(finding.severity, Severity::Critical);
    assert_eq!(finding.evidence["exploited"], serde_json::json!({ "added": "2024-02-03", "ransomware": true }));
    assert_eq!(finding.evidence["epss"]["probability"], 0.975);
    assert_eq!(finding.evidence["imported"], true);
}

#[test]
fn a_source_that_is_imported_again_replaces_only_itself() {
    let versions = r#""versions":["1.0"]"#;
    let source = |id: &str| {
        let (name, bytes) = record(id, "x", versions);
        let mut importer = Importer::new();
        importer.add(&name, &bytes);
        importer
    };
    let mut contents = Contents::default();
    source("A-1").finish("first", "2026-01-01", &mut contents);
    source("B-1").finish("second", "2026-01-01", &mut contents);
    let stored = AdvisoryIndex::open(contents.compile().unwrap()).unwrap();
    let mut contents = stored.contents().unwrap();
    source("A-2").finish("first", "2026-02-01", &mut contents);
    let index = AdvisoryIndex::open(contents.compile().unwrap()).unwrap();
    let found = index.lookup(bartizan_supply::ecosystem::Ecosystem::PyPi, "x").unwrap();
    assert_eq!(found.iter().map(|advisory| advisory.id.as_str()).collect::<Vec<_>>(), ["A-2", "B-1"]);
}

#[test]
fn a_bad_record_is_counted_and_named() {
    let mut importer = Importer::new();
    importer.add("db/broken.json", b"{\"id\": ");
    importer.add("db/RUSTSEC-2020-0001.md", b"no front matter");
    importer.add("db/bad.yaml", b"id: X\naffected: 7\n");
    assert_eq!(importer.refused(), 3);
    assert!(importer.problems().iter().all(|problem| problem.starts_with("db/")), "{:?}", importer.problems());
}

#[test]
fn a_damaged_index_is_refused_or_said() {
    let index = made_of(&[record("PYSEC-1", "x", r#""versions":["1.0"]"#)]);
    let bytes = index.bytes().to_vec();
    assert_eq!(AdvisoryIndex::open(b"not one".to_vec()).unwrap_err(), IndexError::Foreign);
    assert!(AdvisoryIndex::open(bytes.get(..bytes.len() - 4).unwrap().to_vec()).is_err());
}
