//! A running `bartizan up` for a test: own state folder, free ports, stopped when dropped.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "each test file uses a part; a failed set-up is a failed test"
)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// The daemon, and what it announced.
pub struct Daemon {
    child: Child,
    pub announced: Value,
    pub world: World,
}

/// Folders of one test.
pub struct World {
    pub folder: tempfile::TempDir,
}

/// An answer over HTTP.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

impl World {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// The binary with this world's environment.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bartizan"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env("XDG_STATE_HOME", self.folder.path().join("xdg"))
            .env("BARTIZAN_STATE", self.state())
            .env("NO_COLOR", "1");
        command
    }

    /// Runs a verb to its end.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Writes `bartizan.toml`.
    pub fn configure(&self, text: &str) {
        std::fs::write(self.folder.path().join("bartizan.toml"), text).unwrap();
    }

    /// Starts the daemon and waits until it announces itself.
    pub fn up(self, more: &[&str]) -> Daemon {
        let mut arguments = vec!["up", "--format", "json", "--listen", "127.0.0.1:0", "--console", "127.0.0.1:0"];
        arguments.extend(more);
        let log = std::fs::File::options().create(true).append(true).open(self.folder.path().join("log")).unwrap();
        let mut child = self.command(&arguments).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let announced = serde_json::from_str(&line).unwrap_or_else(|_| {
            let _ = child.wait();
            panic!(
                "the daemon did not start: {}",
                std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
            )
        });
        Daemon { child, announced, world: self }
    }
}

impl Daemon {
    pub fn start(more: &[&str]) -> Self {
        World::new().up(more)
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn key(&self) -> &str {
        self.announced["key"].as_str().expect("the first start announces a key")
    }

    pub fn endpoint(&self) -> SocketAddr {
        address(&self.announced["endpoint"])
    }

    pub fn console(&self) -> SocketAddr {
        address(&self.announced["console"])
    }

    /// Runs a verb against this daemon's state.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.world.run(arguments)
    }

    /// Runs a verb that prints JSON, and must succeed.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Runs a verb that must succeed, and gives what it printed.
    pub fn text(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    pub fn infer(&self, key: &str, body: &Value) -> Answer {
        self.post(key, "/v2/models/digits/infer", body.to_string().as_bytes())
    }

    pub fn post(&self, key: &str, path: &str, body: &[u8]) -> Answer {
        let authorization = format!("Bearer {key}");
        let headers: &[(&str, &str)] = if key.is_empty() { &[] } else { &[("authorization", &authorization)] };
        send(self.endpoint(), "POST", path, headers, body)
    }

    pub fn get(&self, key: &str, path: &str) -> Answer {
        let authorization = format!("Bearer {key}");
        send(self.endpoint(), "GET", path, &[("authorization", &authorization)], b"")
    }

    /// Everything the daemon wrote to stderr.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.world.folder.path().join("log")).unwrap_or_default()
    }

    /// Sends a signal.
    pub fn signal(&self, name: &str) {
        assert!(Command::new("kill").args([&format!("-{name}"), &self.pid().to_string()]).status().unwrap().success());
    }

    /// Stops the daemon in order and gives its folders back.
    pub fn stop(mut self) -> World {
        self.signal("TERM");
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}: {}", self.log());
        let place = tempfile::tempdir().unwrap();
        std::mem::replace(&mut self.world, World { folder: place })
    }

    /// Kills the daemon and gives its folders back.
    pub fn kill(mut self) -> World {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let place = tempfile::tempdir().unwrap();
        std::mem::replace(&mut self.world, World { folder: place })
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn address(url: &Value) -> SocketAddr {
    url.as_str().and_then(|url| url.split_once("://")).unwrap().1.parse().unwrap()
}

/// One request on one connection.
pub fn send(address: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n");
    if !body.is_empty() || method == "POST" {
        head.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    raw(address, head.as_bytes(), body)
}

/// Any bytes on one connection.
pub fn raw(address: SocketAddr, head: &[u8], body: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.write_all(head).unwrap();
    // A server may refuse before it has read all of a large body.
    let _ = stream.write_all(body);
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
    let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
    let body = if chunked { unchunk(body) } else { body.to_owned() };
    Answer { status, head: head.to_owned(), body }
}

fn unchunk(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap_or(0);
        if size == 0 {
            break;
        }
        whole.push_str(&rest[..size]);
        body = rest[size..].trim_start_matches("\r\n");
    }
    whole
}

/// A valid request: a seven.
pub fn seven() -> Value {
    let pixels = [
        0, 0, 7, 8, 13, 16, 15, 1, 0, 0, 7, 7, 4, 11, 12, 0, 0, 0, 0, 0, 8, 13, 1, 0, 0, 4, 8, 8, 15, 15, 6, 0, 0, 2,
        11, 15, 15, 4, 0, 0, 0, 0, 0, 16, 5, 0, 0, 0, 0, 0, 9, 15, 1, 0, 0, 0, 0, 0, 13, 5, 0, 0, 0, 0,
    ];
    tensor(&json!([1, 64]), "FP32", &json!(pixels.to_vec()))
}

pub fn tensor(shape: &Value, datatype: &str, data: &Value) -> Value {
    json!({ "inputs": [{ "name": "image", "shape": shape, "datatype": datatype, "data": data }] })
}

/// Copies a folder with everything below it.
pub fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap().success());
}

/// Waits until something holds.
pub fn eventually<T>(what: &str, mut check: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(found) = check() {
            return found;
        }
        assert!(Instant::now() < until, "{what} did not happen");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// All bytes of all files below a folder.
pub fn all_bytes(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files.extend(all_bytes(&path));
        } else if let Ok(bytes) = std::fs::read(&path) {
            files.push((path, bytes));
        }
    }
    files
}
