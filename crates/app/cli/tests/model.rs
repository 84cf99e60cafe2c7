//! `bartizan model`: what is inside files, and what becomes of them.

#![allow(clippy::expect_used, reason = "a test that cannot prepare its world has failed")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn bartizan(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bartizan")).current_dir(folder).args(arguments).output().expect("the binary runs")
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("an exit code")
}

fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().find(|folder| folder.join("Cargo.lock").exists()).expect("the workspace").to_owned()
}

fn fixture(name: &str) -> PathBuf {
    root().join("crates/model/artifact/tests/fixtures").join(name)
}

fn inspected(path: &Path) -> serde_json::Value {
    let path = path.to_str().expect("UTF-8");
    let output = bartizan(Path::new("."), &["model", "inspect", "--format", "json", path]);
    assert_eq!(code(&output), 0, "{output:?}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn tensors_are_shown_with_type_and_shape_without_loading() {
    for name in ["checkpoint.pt", "checkpoint-old.pt"] {
        let document = inspected(&fixture(name));
        let tensors = document["tensors"].as_array().expect("tensors");
        assert_eq!(tensors.len(), 11, "{name}");
        let transposed = tensors.iter().find(|tensor| tensor["name"] == "state_dict.transposed").expect("the tensor");
        assert_eq!(transposed["shape"], serde_json::json!([4, 3]));
        assert_eq!(transposed["type"], "float32");
        assert_eq!(document["operators"]["torch._utils._rebuild_tensor_v2"], 1, "{name}");
    }
    let keras = inspected(&fixture("dense.h5"));
    assert_eq!(keras["models"][0]["properties"]["framework"]["value"], "keras");
    let digits = inspected(&root().join("models/digits/digits.onnx"));
    assert!(digits["operators"].as_object().is_some_and(|operators| !operators.is_empty()));
    assert!(digits["parameters"].as_u64().is_some_and(|count| count > 100), "{digits}");
}

#[test]
fn a_file_that_is_not_followed_is_inconclusive() {
    let folder = tempfile::tempdir().expect("a folder");
    let bytes = std::fs::read(fixture("checkpoint.pt")).expect("the fixture");
    std::fs::write(folder.path().join("cut.pt"), &bytes[..bytes.len() / 2]).expect("a file");
    assert_eq!(code(&bartizan(folder.path(), &["model", "inspect", "cut.pt"])), 2);
    assert_eq!(code(&bartizan(folder.path(), &["model", "inspect", "absent.pt"])), 3);
}

#[test]
fn a_converted_model_is_written_once_and_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::copy(fixture("checkpoint.pt"), folder.path().join("model.pt")).expect("a copy");
    let convert = |more: &[&str]| {
        let fixed = ["model", "convert", "model.pt", "--to", "safetensors"];
        bartizan(folder.path(), &[&fixed[..], more].concat())
    };
    let output = convert(&["--key", "state_dict", "--format", "json"]);
    assert_eq!(code(&output), 0, "{output:?}");
    let said: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((said["tensors"].as_u64(), &said["output"]), (Some(11), &"model.safetensors".into()));
    let first = std::fs::read(folder.path().join("model.safetensors")).expect("the result");
    assert_eq!(code(&convert(&[])), 3, "what is there is not replaced unasked");
    assert_eq!(code(&convert(&["--key", "state_dict", "--force"])), 0);
    assert_eq!(std::fs::read(folder.path().join("model.safetensors")).expect("the result"), first);
    assert_eq!(code(&bartizan(folder.path(), &["scan", "model.safetensors"])), 0);
    assert_eq!(inspected(&folder.path().join("model.safetensors"))["tensors"].as_array().map(Vec::len), Some(11));
}

#[test]
fn a_model_is_never_converted_onto_itself() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("model.pt");
    std::fs::copy(fixture("checkpoint.pt"), &path).expect("a copy");
    std::os::unix::fs::symlink(&path, folder.path().join("link")).expect("a link");
    let before = std::fs::read(&path).expect("the model");
    for output in ["model.pt", "./model.pt", "link"] {
        let arguments = ["model", "convert", "model.pt", "--to", "safetensors", "--force", "-o", output];
        assert_eq!(code(&bartizan(folder.path(), &arguments)), 3, "{output}");
        assert_eq!(std::fs::read(&path).expect("the model"), before, "{output}");
    }
}

#[test]
fn a_result_never_takes_the_place_of_a_device_a_pipe_or_a_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::copy(fixture("checkpoint.pt"), folder.path().join("model.pt")).expect("a copy");
    let record = r#"{"id":"PYSEC-1","affected":[{"package":{"ecosystem":"PyPI","name":"x"},"versions":["1.0"]}]}"#;
    std::fs::write(folder.path().join("PYSEC-1.json"), record).expect("a record");
    std::fs::create_dir(folder.path().join("folder")).expect("a folder");
    // A socket stands for every special file: making a device takes rights that a test should not need.
    let _socket = std::os::unix::net::UnixListener::bind(folder.path().join("socket")).expect("a socket");
    std::os::unix::fs::symlink("socket", folder.path().join("link")).expect("a link");
    for output in ["folder", "socket", "link"] {
        let before = std::fs::symlink_metadata(folder.path().join(output)).expect("it").file_type();
        for arguments in [
            ["model", "convert", "model.pt", "--to", "safetensors", "--force", "-o", output].as_slice(),
            &["intel", "import", "--output", output, "PYSEC-1.json"],
        ] {
            assert_eq!(code(&bartizan(folder.path(), arguments)), 3, "{arguments:?}");
            let after = std::fs::symlink_metadata(folder.path().join(output)).expect("it").file_type();
            assert_eq!(after, before, "{arguments:?}");
        }
    }
}

#[test]
fn a_model_that_runs_something_is_refused_and_nothing_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = fixture("module.pt");
    let arguments = ["model", "convert", path.to_str().expect("UTF-8"), "--to", "safetensors", "-o", "out.safetensors"];
    let output = bartizan(folder.path(), &arguments);
    assert_eq!(code(&output), 1);
    assert!(String::from_utf8_lossy(&output.stderr).contains("torch.nn.modules.linear.Linear"));
    assert_eq!(std::fs::read_dir(folder.path()).expect("the folder").count(), 0);
}

#[test]
fn converted_weights_equal_those_of_torch_load() {
    let script = root().join("bench/convert.py");
    let found = ["/usr/bin/python3", "python3"].into_iter().find(|python| {
        Command::new(python).args(["-c", "import torch"]).output().is_ok_and(|output| output.status.success())
    });
    let Some(python) = found else {
        println!("skipped: no interpreter has torch");
        return;
    };
    let output = Command::new(python)
        .args(["-W", "ignore"])
        .arg(script)
        .args([env!("CARGO_BIN_EXE_bartizan"), "--cases", "15"])
        .output()
        .expect("the script runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
