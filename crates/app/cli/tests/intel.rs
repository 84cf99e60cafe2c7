//! `bartizan intel` as a user runs it.

#![allow(clippy::expect_used, reason = "a test that cannot prepare its world has failed")]

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};

const RECORD: &str = r#"{"id":"PYSEC-2026-1","modified":"2026-11-01T00:00:00Z","aliases":["CVE-2026-1"],
    "affected":[{"package":{"ecosystem":"PyPI","name":"x"},
        "ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"2.0"}]}]}]}"#;

fn bartizan(home: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bartizan"))
        .args(arguments)
        .current_dir(home)
        .env_remove("BARTIZAN_INTEL")
        .env_remove("BARTIZAN_STATE")
        .env("XDG_DATA_HOME", home.join("data"))
        .output()
        .expect("the binary runs")
}

fn json(output: &Output) -> serde_json::Value {
    serde_json::from_slice(&output.stdout).expect("JSON on stdout")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn advisories_are_imported_shown_and_called_old_after_a_week() {
    let home = tempfile::tempdir().expect("a folder");
    std::fs::write(home.path().join("one.json"), RECORD).expect("a record");
    let none = bartizan(home.path(), &["intel", "status"]);
    assert_eq!(none.status.code(), Some(2), "{none:?}");
    assert!(text(&none.stderr).contains("intel import"));
    let done = bartizan(home.path(), &["intel", "import", "one.json", "--format", "json"]);
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    assert_eq!(json(&done)["sources"][0]["records"], 1);
    let fresh = bartizan(home.path(), &["intel", "status", "--as-of", "2026-11-08", "--format", "json"]);
    assert_eq!(fresh.status.code(), Some(0), "{fresh:?}");
    assert_eq!((&json(&fresh)["signed"], &json(&fresh)["age-in-days"]), (&true.into(), &7.into()));
    let old = bartizan(home.path(), &["intel", "status", "--as-of", "2026-11-09"]);
    assert_eq!(old.status.code(), Some(2));
    assert!(text(&old.stderr).contains("8 days ago"));
    assert!(text(&old.stdout).contains("PyPA"), "{}", text(&old.stdout));
}

#[test]
fn a_changed_index_is_not_verified() {
    let home = tempfile::tempdir().expect("a folder");
    std::fs::write(home.path().join("one.json"), RECORD).expect("a record");
    assert!(bartizan(home.path(), &["intel", "import", "one.json"]).status.success());
    let index = home.path().join("data/bartizan/intel/advisories.idx");
    let mut bytes = std::fs::read(&index).expect("an index");
    bytes.extend_from_slice(b"more");
    std::fs::write(&index, bytes).expect("written");
    let status = bartizan(home.path(), &["intel", "status"]);
    assert_eq!(status.status.code(), Some(1));
    assert!(text(&status.stderr).contains("run `bartizan intel import` again"), "{}", text(&status.stderr));
}

#[test]
fn a_record_that_cannot_be_read_is_said_and_the_rest_is_kept() {
    let home = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(home.path().join("db")).expect("a folder");
    std::fs::write(home.path().join("db/one.json"), RECORD).expect("a record");
    std::fs::write(home.path().join("db/two.json"), "{\"id\": ").expect("a record");
    let done = bartizan(home.path(), &["intel", "import", "db", "--output", "a.idx", "--format", "json"]);
    assert_eq!(done.status.code(), Some(2));
    assert!(text(&done.stderr).contains("two.json"), "{}", text(&done.stderr));
    assert_eq!((&json(&done)["sources"][0]["records"], &json(&done)["sources"][0]["refused"]), (&1.into(), &1.into()));
    let empty = bartizan(home.path(), &["intel", "import", "db/two.json", "--output", "b.idx"]);
    assert_eq!(empty.status.code(), Some(3));
    assert!(!home.path().join("b.idx").exists());
}

#[test]
fn a_source_behind_a_url_is_fetched_and_only_that() {
    let home = tempfile::tempdir().expect("a folder");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let served = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("one request");
        let mut request = vec![0; 4096];
        let length = stream.read(&mut request).expect("a request");
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", RECORD.len());
        stream.write_all(format!("{head}{RECORD}").as_bytes()).expect("answered");
        text(&request[..length])
    });
    let url = format!("http://{address}/db/one.json");
    let done = bartizan(home.path(), &["intel", "import", &url, "--output", "a.idx"]);
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    assert!(served.join().expect("served").starts_with("GET /db/one.json "));
    let status =
        bartizan(home.path(), &["intel", "status", "--intel", "a.idx", "--format", "json", "--as-of", "2026-11-02"]);
    assert_eq!((status.status.code(), &json(&status)["packages"]), (Some(0), &1.into()));
}
