//! The output guard in front of a running server: what it streams is masked as it comes.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed set-up is a failed test")]

mod daemon;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use daemon::{Daemon, World, eventually};
use serde_json::Value;

/// A server that answers every request with one script: a head, and pieces that go out one by one, each when told.
struct Upstream {
    address: SocketAddr,
    go: Sender<()>,
    asked: Receiver<String>,
}

fn upstream(head: &'static str, pieces: Vec<String>) -> Upstream {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let ((go, told), (asks, asked)) = (channel(), channel());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let Some(request) = request(&mut stream) else { continue };
            if !request.starts_with("POST") {
                continue;
            }
            let _ = asks.send(request);
            let _ = stream.write_all(head.as_bytes());
            for piece in &pieces {
                if told.recv_timeout(Duration::from_secs(20)).is_err() {
                    return;
                }
                if stream.write_all(piece.as_bytes()).and_then(|()| stream.flush()).is_err() {
                    break;
                }
            }
        }
    });
    Upstream { address, go, asked }
}

/// One request, whole.
fn request(stream: &mut TcpStream) -> Option<String> {
    let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let count = stream.read(&mut buffer).unwrap_or(0);
        bytes.extend(&buffer[..count]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let head = head.to_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse().ok());
            if body.len() >= length.unwrap_or(0) {
                return Some(text);
            }
        }
        if count == 0 {
            return None;
        }
    }
}

const STREAM: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
const JSON: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n";

fn delta(text: &str) -> String {
    let delta = serde_json::json!({ "id": "chatcmpl-1", "choices": [{ "index": 0, "delta": { "content": text }, "finish_reason": null }] });
    format!("data: {delta}\n\n")
}

/// A client's connection, and what it has read of the answer.
struct Client {
    stream: TcpStream,
    text: String,
}

impl Client {
    fn ask(daemon: &Daemon) -> Self {
        let body = r#"{"model":"m","stream":true,"messages":[]}"#;
        let mut stream = TcpStream::connect(daemon.endpoint()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let head = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\naccept-encoding: gzip\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            daemon.key(),
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        Self { stream, text: String::new() }
    }

    /// Reads until `wanted` has come or the answer is over.
    fn read_until(&mut self, wanted: &str) -> &str {
        let mut buffer = [0; 4096];
        while !self.text.contains(wanted) {
            let count = self.stream.read(&mut buffer).unwrap();
            if count == 0 {
                break;
            }
            self.text.push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
        &self.text
    }

    fn read_all(&mut self) -> &str {
        self.read_until("\0")
    }

    /// The text of the deltas.
    fn content(&self) -> String {
        let events = self.text.lines().filter_map(|line| line.strip_prefix("data: "));
        let events = events.filter_map(|data| serde_json::from_str::<Value>(data).ok());
        events.filter_map(|event| Some(event.pointer("/choices/0/delta/content")?.as_str()?.to_owned())).collect()
    }
}

fn completion(daemon: &Daemon) -> Value {
    eventually("a completion", || {
        let found = daemon.text(&["audit", "search", "--type", "request.completion", "--format", "json"]);
        serde_json::from_str::<Value>(found.lines().last()?).ok()
    })
}

fn metrics(daemon: &Daemon) -> String {
    daemon::send(daemon.console(), "GET", "/metrics", &[], b"").body
}

#[test]
fn what_is_split_over_deltas_is_masked_and_the_first_delta_does_not_wait_for_the_second() {
    let end = "data: {\"id\":\"chatcmpl-1\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    let second = delta("mple.org or pay 4111 1111");
    // The second event comes in two pieces, of which the first says nothing yet.
    let (half, rest) = second.split_at(second.len() / 2);
    let pieces = [
        delta("Hello world, write to jane@exa"),
        half.to_owned(),
        rest.to_owned(),
        delta(" 1111 1111"),
        end.to_owned(),
    ];
    let upstream = upstream(STREAM, pieces.to_vec());
    let daemon = World::new().up(&["--upstream", &format!("http://{}", upstream.address), "--enforce"]);
    let mut client = Client::ask(&daemon);
    let asked = upstream.asked.recv_timeout(Duration::from_secs(20)).unwrap().to_lowercase();
    assert!(asked.contains("accept-encoding: identity") && !asked.contains("gzip"), "{asked}");
    upstream.go.send(()).unwrap();
    // The server sends its second piece only when the client has the first.
    client.read_until("write to ");
    assert_eq!(client.content(), "Hello world, write to ");
    (0..4).for_each(|_| {
        upstream.go.send(()).unwrap();
        std::thread::sleep(Duration::from_millis(20));
    });
    client.read_all();
    assert_eq!(client.content(), "Hello world, write to [EMAIL] or pay [PAYMENT-CARD]");
    assert!(client.text.contains("data: [DONE]") && !client.text.contains("jane"), "{}", client.text);
    let entry = completion(&daemon).to_string();
    assert!(entry.contains(r#""email":1"#) && entry.contains(r#""payment-card":1"#), "{entry}");
    assert!(!entry.contains("jane") && !entry.contains("4111"), "{entry}");
    let metrics = metrics(&daemon);
    assert!(metrics.contains(r#"bartizan_gateway_redacted_total{kind="email",mode="enforce"} 1"#), "{metrics}");
}

#[test]
fn a_stream_that_cannot_be_read_ends_with_an_error_and_is_recorded_as_one() {
    let upstream = upstream(STREAM, vec![delta("Hello there "), "jane@example.org\n\n".to_owned(), delta("more")]);
    let daemon = World::new().up(&["--upstream", &format!("http://{}", upstream.address), "--enforce"]);
    let mut client = Client::ask(&daemon);
    (0..3).for_each(|_| upstream.go.send(()).unwrap());
    client.read_all();
    assert_eq!(client.content(), "Hello there ");
    assert!(client.text.contains("event: error") && client.text.contains("upstream-malformed"), "{}", client.text);
    assert!(!client.text.contains("jane"), "{}", client.text);
    let entry = completion(&daemon).to_string();
    assert!(entry.contains("upstream-malformed") && entry.contains(r#""outcome":"error""#), "{entry}");
}

#[test]
fn in_shadow_answers_pass_as_they_are_and_are_counted() {
    let pieces = [delta("Write to jane@exa"), delta("mple.org"), ": as it is\n\ndata: [DONE]\n\n".to_owned()];
    let upstream = upstream(STREAM, pieces.to_vec());
    let daemon = World::new().up(&["--upstream", &format!("http://{}", upstream.address)]);
    let mut client = Client::ask(&daemon);
    assert!(upstream.asked.recv_timeout(Duration::from_secs(20)).unwrap().to_lowercase().contains("gzip"));
    upstream.go.send(()).unwrap();
    client.read_until("jane@exa");
    (0..2).for_each(|_| upstream.go.send(()).unwrap());
    client.read_all();
    for piece in &pieces {
        assert!(client.text.contains(piece.as_str()), "{}", client.text);
    }
    let entry = completion(&daemon).to_string();
    assert!(entry.contains(r#""redaction":"shadow""#) && entry.contains(r#""email":1"#), "{entry}");
    assert!(metrics(&daemon).contains(r#"bartizan_gateway_redacted_total{kind="email",mode="shadow"} 1"#));
}

#[test]
fn whole_answers_are_masked_and_bounded_and_never_compressed() {
    let body = r#"{"id":"c","choices":[{"message":{"content":"Write to jane@example.org"}}]}"#;
    let serve = |head: &'static str, settings: &str| {
        let upstream = upstream(head, vec![body.to_owned()]);
        upstream.go.send(()).unwrap();
        let world = World::new();
        world.configure(&format!(
            "[gateway.redaction]\nmode = \"enforce\"\n{settings}[upstream]\nurl = \"http://{}\"\n",
            upstream.address
        ));
        let daemon = world.up(&[]);
        daemon.post(daemon.key(), "/v1/chat/completions", br#"{"model":"m"}"#)
    };
    let answer = serve(JSON, "");
    assert_eq!(
        (answer.status, answer.json()["choices"][0]["message"]["content"].as_str()),
        (200, Some("Write to [EMAIL]"))
    );
    assert!(answer.head.to_lowercase().contains(&format!("content-length: {}", answer.body.len())), "{}", answer.head);
    assert!(serve(JSON, "except = [\"email\"]\n").body.contains("jane@example.org"));
    let refused = [
        serve(JSON, "answer_bytes = 20\n"),
        serve(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-encoding: gzip\r\nconnection: close\r\n\r\n",
            "",
        ),
    ];
    for answer in refused {
        assert!(answer.status == 502 && !answer.body.contains("jane"), "{answer:?}");
    }
}
