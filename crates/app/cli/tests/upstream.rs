//! A running server behind the door: what passes to it, what does not, and streams that stay streams.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed set-up is a failed test")]

mod daemon;

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use daemon::{World, send};

/// A server that speaks just enough of the OpenAI API: it remembers what it was asked, and streams
/// two events half a second apart.
fn upstream(bind: &str) -> (std::net::SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind(bind).unwrap();
    let address = listener.local_addr().unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let remembered = seen.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let seen = remembered.clone();
            std::thread::spawn(move || serve(stream, &seen));
        }
    });
    (address, seen)
}

fn serve(mut stream: TcpStream, seen: &Mutex<Vec<String>>) {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let count = stream.read(&mut buffer).unwrap_or(0);
        bytes.extend(&buffer[..count]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .to_lowercase()
                .lines()
                .find_map(|line| line.strip_prefix("content-length: ").map(|n| n.trim().parse().unwrap_or(0)));
            if body.len() >= length.unwrap_or(0) {
                seen.lock().unwrap().push(text.clone());
                break;
            }
        }
        if count == 0 {
            return;
        }
    }
    let request = String::from_utf8_lossy(&bytes).into_owned();
    if request.starts_with("POST /v1/chat/completions") {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n");
        for event in ["data: one\n\n", "data: two\n\n"] {
            let _ = stream.write_all(format!("{:x}\r\n{event}\r\n", event.len()).as_bytes());
            let _ = stream.flush();
            std::thread::sleep(Duration::from_millis(500));
        }
        let _ = stream.write_all(b"0\r\n\r\n");
    } else {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: 12\r\n\r\n{\"data\": []}");
    }
}

#[test]
fn a_stream_reaches_the_client_as_it_comes_and_credentials_stay_here() {
    let (address, seen) = upstream("127.0.0.1:0");
    let world = World::new();
    std::fs::write(world.folder.path().join("upstream-key"), "sk-upstream-1\n").unwrap();
    world.configure(&format!("[upstream]\nurl = \"http://{address}\"\nkey = \"file:upstream-key\"\n"));
    let daemon = world.up(&[]);
    let body = br#"{"model":"m","stream":true,"messages":[]}"#;
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: evil.example\r\nauthorization: Bearer {}\r\nx-trace: 7\r\nconnection: close, x-private\r\nx-private: 1\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        daemon.key(),
        body.len()
    );
    let mut stream = TcpStream::connect(daemon.endpoint()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let started = Instant::now();
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body).unwrap();
    let mut text = String::new();
    let mut buffer = [0; 4096];
    let mut first = None;
    loop {
        let count = stream.read(&mut buffer).unwrap();
        if count == 0 {
            break;
        }
        text.push_str(&String::from_utf8_lossy(&buffer[..count]));
        if text.contains("data: one") && first.is_none() {
            first = Some(started.elapsed());
            assert!(!text.contains("data: two"), "the first event must not wait for the second");
        }
    }
    assert!(text.contains("data: two"), "{text}");
    assert!(first.unwrap() + Duration::from_millis(300) < started.elapsed());
    let request = seen.lock().unwrap().last().unwrap().clone();
    let lower = request.to_lowercase();
    assert!(request.contains("Bearer sk-upstream-1") && !request.contains(daemon.key()), "{request}");
    assert!(
        lower.contains("x-trace: 7") && !lower.contains("x-private") && !lower.contains("evil.example"),
        "{request}"
    );
    assert!(request.contains(r#"{"model":"m","stream":true,"messages":[]}"#));
    let world = daemon.stop();
    let found = world.run(&["audit", "search", "--type", "request.completion", "--format", "json"]);
    assert!(
        String::from_utf8_lossy(&found.stdout).contains("\"bytes\":22"),
        "{}",
        String::from_utf8_lossy(&found.stdout)
    );
}

#[test]
fn what_is_not_a_model_route_or_not_plain_json_never_reaches_the_server() {
    let (address, seen) = upstream("127.0.0.1:0");
    let daemon = World::new().up(&["--upstream", &format!("http://{address}")]);
    seen.lock().unwrap().clear();
    let key = daemon.key();
    assert_eq!(daemon.get(key, "/v1/models").status, 200);
    assert_eq!(daemon.get("", "/v1/models").status, 401);
    for path in ["/v1/files", "/v2/repository/index", "/api/tags", "/v1/../admin"] {
        assert!(matches!(daemon.post(key, path, b"{}").status, 400 | 403 | 404), "{path}");
    }
    let twice = br#"{"model":"a","model":"b"}"#;
    assert_eq!(daemon.post(key, "/v1/chat/completions", twice).status, 400);
    assert_eq!(seen.lock().unwrap().len(), 1);
}

#[test]
fn a_server_that_is_gone_is_said_to_be() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let daemon = World::new().up(&["--upstream", &format!("http://{address}")]);
    let answer = daemon.get(daemon.key(), "/v1/models");
    assert_eq!(answer.status, 502);
    assert!(answer.body.contains("upstream-unreachable") && !answer.body.contains(&address.to_string()), "{answer:?}");
}

#[test]
fn a_way_round_the_door_is_announced() {
    // Listens on every address of this machine and answers without a key.
    let (address, _) = upstream("0.0.0.0:0");
    let daemon = World::new().up(&["--upstream", &format!("http://127.0.0.1:{}", address.port())]);
    match daemon.announced["exposed"]["state"].as_str().unwrap() {
        "open" => {}
        // A machine without any address but loopback has no way round.
        "not-seen" => {
            assert_eq!(daemon.announced["exposed"]["tried"].as_array().unwrap().len(), 0);
            println!("skipped: this machine has no address but loopback");
        }
        other => panic!("{other}"),
    }
    drop(daemon);
    let (address, _) = upstream("127.0.0.1:0");
    let daemon = World::new().up(&["--upstream", &format!("http://{address}")]);
    assert_eq!(daemon.announced["exposed"]["state"], "not-seen");
    assert_eq!(send(daemon.endpoint(), "GET", "/v2/health/ready", &[], b"").status, 200);
}
