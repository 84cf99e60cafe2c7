//! Recall and silence of `bartizan scan` on the test files of three other scanners.

#![allow(clippy::expect_used, reason = "a test that cannot prepare its world has failed")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The corpora, or `None` (said) where this checkout has none.
fn corpus(name: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().find(|folder| folder.join("Cargo.lock").exists());
    let folder = root.and_then(Path::parent).map(|beside| beside.join("shared/corpora/scan").join(name));
    let found = folder.filter(|folder| folder.is_dir());
    if found.is_none() {
        println!("skipped: no corpus {name}");
    }
    found
}

fn scan(path: &Path) -> (i32, serde_json::Value) {
    let output = Command::new(env!("CARGO_BIN_EXE_bartizan")).args(["scan", "--format", "json"]).arg(path).output();
    let output = output.expect("the binary runs");
    let report = serde_json::from_slice(&output.stdout).expect("a report in JSON");
    (output.status.code().expect("an exit code"), report)
}

fn files(folder: &Path) -> Vec<(String, PathBuf)> {
    let mut files: Vec<(String, PathBuf)> = std::fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_file())
        .map(|path| (path.file_name().expect("a name").to_string_lossy().into_owned(), path))
        .collect();
    files.sort();
    files
}

#[test]
fn every_hostile_file_of_picklescan_is_flagged_and_no_benign_one() {
    let Some(folder) = corpus("picklescan") else { return };
    let also_hostile =
        BTreeSet::from(["broken_model.pkl", "pytorch_magic_bypass.pt", "sys_module_override_sploit.pkl"]);
    // Encrypted, and content that is neither a model nor text: no verdict, and never clean.
    let inconclusive = BTreeSet::from(["bad_pytorch.pt", "benign_password_protected.zip", "not_a_pickle.bin"]);
    for (name, path) in files(&folder) {
        let (code, report) = scan(&path);
        let expected = if inconclusive.contains(name.as_str()) {
            2
        } else {
            i32::from(name.starts_with("malicious") || also_hostile.contains(name.as_str()))
        };
        assert_eq!(code, expected, "{name}: {report:#}");
        if expected == 1 {
            let found = report["findings"].as_array().expect("findings");
            let path = |finding: &serde_json::Value| finding["location"]["path"].as_str().map(str::to_owned);
            assert!(found.iter().filter_map(path).any(|path| path.starts_with(&name)), "{name}");
        }
    }
}

#[test]
fn hostile_members_behind_zip_tricks_are_named() {
    let Some(folder) = corpus("picklescan") else { return };
    let tricks = [
        ("malicious1_0x1.zip", "BZ-ZIP-002"),
        ("malicious1_0x20.zip", "BZ-ZIP-002"),
        ("malicious1_0x40.zip", "BZ-ZIP-002"),
        ("malicious1_central_directory.zip", "BZ-ZIP-001"),
    ];
    for (name, rule) in tricks {
        let (_, report) = scan(&folder.join(name));
        let rules: Vec<&str> = report["findings"]
            .as_array()
            .expect("findings")
            .iter()
            .filter_map(|found| found["rule"].as_str())
            .collect();
        assert!(rules.contains(&rule), "{name}: {rules:?}");
        assert!(rules.contains(&"BZ-PKL-001"), "{name}: {rules:?}");
    }
}

#[test]
fn files_of_modelscan_and_modelaudit_get_the_verdict_of_their_makers() {
    let (Some(modelscan), Some(modelaudit)) = (corpus("modelscan"), corpus("modelaudit")) else { return };
    assert_eq!(scan(&modelscan.join("unsafe_zip_pytorch.pt")).0, 1);
    assert_eq!(scan(&modelscan.join("password_protected.zip")).0, 2);
    for hostile in [
        "evil.pickle",
        "malicious_system_call.pkl",
        "malicious_model_realistic.pkl",
        "dill_func.pkl",
        "nested_pickle_raw.pkl",
        "nested_pickle_multistage.pkl",
        "nested_pickle_base64.pkl",
        "nested_pickle_hex.pkl",
        "decode_exec_chain.pkl",
    ] {
        assert_eq!(scan(&modelaudit.join("pickles").join(hostile)).0, 1, "{hostile}");
    }
    for (name, path) in files(&modelaudit.join("pickles")) {
        if name.starts_with("safe_") {
            assert_eq!(scan(&path).0, 0, "{name}");
        }
    }
    assert_eq!(scan(&modelaudit.join("pytorch/malicious_eval.pt")).0, 1);
    assert_eq!(scan(&modelaudit.join("pytorch/safe_model.pt")).0, 0);
    assert_eq!(scan(&modelaudit.join("archives/path_traversal.zip")).0, 1);
    assert_eq!(scan(&modelaudit.join("archives/safe_model.zip")).0, 0);
    assert_eq!(scan(&modelaudit.join("safetensors/safe_model.safetensors")).0, 0);
    assert_eq!(scan(&modelaudit.join("keras/malicious_lambda.h5")).0, 1);
    assert_eq!(scan(&modelaudit.join("keras/safe_model.h5")).0, 0);
    assert_eq!(scan(&modelaudit.join("tensorflow/malicious_pyfunc")).0, 1);
    assert_eq!(scan(&modelaudit.join("tensorflow/safe_savedmodel")).0, 0);
}

#[test]
fn scripts_in_safetensors_metadata_are_reported() {
    let Some(folder) = corpus("modelaudit") else { return };
    for (name, path) in files(&folder.join("safetensors")) {
        let (_, report) = scan(&path);
        let found = report["findings"].as_array().expect("findings");
        let scripts = found.iter().any(|finding| finding["rule"] == "BZ-STN-005");
        let expected = matches!(
            name.as_str(),
            "script_injection.safetensors"
                | "shell_commands.safetensors"
                | "malicious_import.safetensors"
                | "multiple_patterns.safetensors"
        );
        assert!(!expected || scripts, "{name}");
        assert!(name != "safe_model.safetensors" || found.is_empty(), "{name}: {found:?}");
    }
}

#[test]
fn hostile_templates_are_flagged_and_ordinary_ones_are_not() {
    let Some(folder) = corpus("modelaudit") else { return };
    let folder = folder.join("jinja2");
    for (kind, expected) in [("malicious", 1), ("obfuscated", 1), ("benign", 0)] {
        for (name, path) in files(&folder.join(kind)) {
            assert_eq!(scan(&path).0, expected, "{kind}/{name}");
        }
    }
    for (name, path) in files(&folder).into_iter().chain(files(&folder.join("standalone"))) {
        let is_hostile = name.starts_with("malicious") || name == "tokenizer_config.json";
        assert_eq!(scan(&path).0, i32::from(is_hostile), "{name}");
    }
    assert_eq!(scan(&folder.join("yaml/malicious_config.yaml")).0, 1);
    assert_eq!(scan(&folder.join("yaml/model_config.yaml")).0, 0);
}
