//! What `bartizan scan` and `bartizan explain` print, and how they exit.

#![allow(clippy::expect_used, reason = "a test that cannot prepare its world has failed")]

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const EVIL: &[u8] = b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x02id\x85R.";
const GOOD: &[u8] = b"\x80\x04]\x94(K\x01K\x02e.";

fn bartizan(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bartizan"));
    command.current_dir(folder).args(arguments).env_remove("SOURCE_DATE_EPOCH").env_remove("BARTIZAN_INTEL");
    command.env("XDG_DATA_HOME", folder).output().expect("the binary runs")
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("an exit code")
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

fn world() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).expect("a file");
    std::fs::create_dir(folder.path().join("models")).expect("a folder");
    write("models/evil.pt", EVIL);
    write("models/.hidden", EVIL);
    write("models/good.pkl", GOOD);
    write("models/readme.txt", b"hello");
    write("models/weights.h5", b"\x89HDF\r\n\x1a\nrest");
    write("models/other.bin", b"\0\x01\xff\xfe");
    folder
}

#[test]
fn findings_outrank_gaps_and_gaps_outrank_clean() {
    let world = world();
    let exit = |arguments: &[&str]| code(&bartizan(world.path(), arguments));
    assert_eq!(exit(&["scan", "models"]), 1);
    assert_eq!(exit(&["scan", "models/evil.pt"]), 1);
    assert_eq!(exit(&["scan", "models/weights.h5"]), 2);
    assert_eq!(exit(&["scan", "models/good.pkl", "models/readme.txt"]), 0);
    assert_eq!(exit(&["scan", "absent"]), 3);
    assert_eq!(exit(&["scan"]), 3);
    assert_eq!(exit(&["scan", "--fail-on", "whatever", "models"]), 3);
}

#[test]
fn fail_on_moves_the_threshold() {
    let world = world();
    let nested = [b"\x80\x04C\x0b", GOOD, b"."].concat();
    std::fs::write(world.path().join("nested.pkl"), nested).expect("a file");
    assert_eq!(code(&bartizan(world.path(), &["scan", "nested.pkl"])), 0);
    assert_eq!(code(&bartizan(world.path(), &["scan", "--fail-on", "low", "nested.pkl"])), 1);
    // Bytes behind the end are never clean, whatever they are.
    let gap = [GOOD, &[0; 64], b"cposix\nsystem\n(S'id'\ntR."].concat();
    std::fs::write(world.path().join("gap.pkl"), gap).expect("a file");
    assert_eq!(code(&bartizan(world.path(), &["scan", "gap.pkl"])), 1);
    assert_eq!(code(&bartizan(world.path(), &["scan", "--fail-on", "critical", "models/evil.pt"])), 1);
}

#[test]
fn the_same_input_gives_the_same_bytes_wherever_it_lies() {
    let (here, there) = (world(), world());
    for format in ["json", "sarif", "table"] {
        let one = bartizan(here.path(), &["scan", "--format", format, "models"]);
        let two = bartizan(there.path(), &["scan", "--format", format, "models"]);
        assert_eq!(text(&one), text(&two));
        assert!(!text(&one).contains(&*here.path().to_string_lossy()));
    }
    let absolute = here.path().join("models");
    let named = bartizan(there.path(), &["scan", "--format", "json", &absolute.to_string_lossy()]);
    assert!(!text(&named).contains(&*here.path().to_string_lossy()));
}

#[test]
fn what_is_not_inspected_is_counted_and_said() {
    let world = world();
    let output = bartizan(world.path(), &["scan", "models"]);
    let table = text(&output);
    assert!(table.contains("named like a model, but the content is unknown"), "{table}");
    assert!(table.contains("2 incomplete"), "{table}");
    let output = bartizan(world.path(), &["scan", "--only", "models", "models"]);
    let table = text(&output);
    assert!(table.contains("6 files: 4 inspected, 2 not inspected (text 1, unknown 1), 2 incomplete"), "{table}");
}

#[test]
fn a_finding_proves_itself_by_offset_opcode_and_callable() {
    let world = world();
    let output = bartizan(world.path(), &["scan", "--format", "json", "models/evil.pt"]);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let finding = &report["findings"][0];
    assert_eq!(finding["rule"], "BZ-PKL-001");
    assert_eq!(finding["severity"], "critical");
    let trace = &finding["evidence"]["trace"];
    assert_eq!(trace[0], serde_json::json!({ "offset": 17, "opcode": "STACK_GLOBAL", "value": "posix.system" }));
    assert_eq!(trace[1], serde_json::json!({ "offset": 23, "opcode": "REDUCE", "value": "posix.system('id')" }));
    assert!(finding["fingerprint"].as_str().is_some_and(|print| print.starts_with("bz1:") && print.len() == 36));
}

#[test]
fn standard_input_is_scanned() {
    for (bytes, expected) in [(EVIL, 1), (GOOD, 0)] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_bartizan"))
            .args(["scan", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        child.stdin.take().expect("its input").write_all(bytes).expect("it reads");
        assert_eq!(code(&child.wait_with_output().expect("it ends")), expected);
    }
}

#[test]
fn a_date_appears_only_where_one_is_named() {
    let world = world();
    let dated = bartizan(world.path(), &["scan", "--as-of", "2026-11-22", "--format", "json", "models/good.pkl"]);
    assert!(text(&dated).contains("\"as_of\": \"2026-11-22\""));
    let undated = bartizan(world.path(), &["scan", "--format", "json", "models/good.pkl"]);
    assert!(!text(&undated).contains("as_of"));
    assert_eq!(code(&bartizan(world.path(), &["scan", "--as-of", "yesterday", "models/good.pkl"])), 3);
    let mut command = Command::new(env!("CARGO_BIN_EXE_bartizan"));
    command.current_dir(world.path()).args(["scan", "models/good.pkl"]).env("SOURCE_DATE_EPOCH", "0");
    assert!(text(&command.output().expect("the binary runs")).contains("as of 1970-01-01"));
}

#[cfg(unix)]
#[test]
fn a_link_out_of_the_folder_is_a_gap_and_not_followed() {
    let world = world();
    std::fs::create_dir(world.path().join("inner")).expect("a folder");
    std::os::unix::fs::symlink(world.path().join("models/evil.pt"), world.path().join("inner/link.pt"))
        .expect("a link");
    let output = bartizan(world.path(), &["scan", "inner"]);
    assert_eq!(code(&output), 2, "{}", text(&output));
    assert!(text(&output).contains("symbolic link leads out"));
}

#[test]
fn output_is_valid_sarif() {
    let world = world();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().find(|folder| folder.join("Cargo.lock").exists());
    let schema =
        root.and_then(Path::parent).map(|beside| beside.join("shared/corpora/schemas/sarif/sarif-schema-2.1.0.json"));
    let Some(schema) = schema.filter(|schema| schema.exists()) else {
        println!("skipped: no SARIF schema");
        return;
    };
    let has_validator = Command::new("python3").args(["-c", "import jsonschema"]).output();
    if !has_validator.is_ok_and(|output| output.status.success()) {
        println!("skipped: python3 has no jsonschema");
        return;
    }
    let output = bartizan(world.path(), &["scan", "--format", "sarif", "models"]);
    let file = world.path().join("scan.sarif");
    std::fs::write(&file, &output.stdout).expect("a file");
    let check =
        "import json,sys,jsonschema; jsonschema.validate(json.load(open(sys.argv[1])), json.load(open(sys.argv[2])))";
    let checked = Command::new("python3").args(["-c", check]).args([&file, &schema]).output().expect("python3");
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}

#[test]
fn explain_says_what_a_rule_means_and_corrects_a_slip() {
    let world = world();
    let one = bartizan(world.path(), &["explain", "BZ-PKL-002"]);
    assert_eq!(code(&one), 0);
    for part in ["BZ-PKL-002", "Severity: high", "What to do:", "CWE-502"] {
        assert!(text(&one).contains(part), "{part}");
    }
    let all = text(&bartizan(world.path(), &["explain"]));
    assert!(all.contains("BZ-PKL-001") && all.contains("BZ-ZIP-001") && all.contains("BZ-GGU-003"));
    let slip = bartizan(world.path(), &["explain", "BZ-PLK-002"]);
    assert_eq!(code(&slip), 3);
    assert!(String::from_utf8_lossy(&slip.stderr).contains("did you mean `BZ-PKL-002`?"));
}
