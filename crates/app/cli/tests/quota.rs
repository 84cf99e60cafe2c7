//! Quotas: reserved before, settled after, and a stream that finds nothing left is cut.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed set-up is a failed test")]

mod daemon;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use daemon::{Daemon, World};
use serde_json::Value;

/// Eight bytes: two tokens by the estimate.
const DELTA: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"eight by\"}}]}\n\n";

/// A server that streams `events` deltas to each request, and says how many requests reached it.
fn upstream(events: usize, pause: Duration) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let counted = counted.clone();
            std::thread::spawn(move || serve(stream, events, pause, &counted));
        }
    });
    (address, asked)
}

fn serve(mut stream: TcpStream, events: usize, pause: Duration, asked: &AtomicUsize) {
    let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
    while !bytes.ends_with(b"}") {
        match stream.read(&mut buffer) {
            Ok(count) if count > 0 => bytes.extend(&buffer[..count]),
            _ => return,
        }
    }
    asked.fetch_add(1, Ordering::SeqCst);
    let head =
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n";
    let _ = stream.write_all(head.as_bytes());
    for _ in 0..events {
        if stream.write_all(format!("{:x}\r\n{DELTA}\r\n", DELTA.len()).as_bytes()).is_err() {
            return;
        }
        std::thread::sleep(pause);
    }
    let _ = stream.write_all(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n");
}

fn guarded(upstream: SocketAddr, quotas: &str) -> Daemon {
    let world = World::new();
    world.configure(&format!(
        "[gateway]\nrequests_per_second = 100000\nburst = 100000\nconcurrency = 2000\nanswer_tokens = 8\n{quotas}\n[upstream]\nurl = \"http://{upstream}\"\n"
    ));
    world.up(&[])
}

const BODY: &[u8] = br#"{"model":"m","stream":true,"messages":[]}"#;
/// What `BODY` is estimated at.
const PROMPT: u64 = 11;

fn text_of(body: &str) -> u64 {
    body.matches("eight by").count() as u64 * 2
}

#[test]
fn a_stream_is_cut_where_its_quota_ends_and_says_so() {
    let (address, _) = upstream(40, Duration::ZERO);
    let daemon = guarded(address, "[[gateway.quotas]]\neach = \"principal\"\nper = \"day\"\ntokens = 50\n");
    let answer = daemon.post(daemon.key(), "/v1/chat/completions", BODY);
    assert_eq!(answer.status, 200);
    let sent = text_of(&answer.body);
    assert!(sent + PROMPT <= 50 && sent > 20, "{sent}: {}", answer.body);
    assert!(answer.body.contains("\"code\":\"quota-exhausted\"") && !answer.body.contains("[DONE]"), "{}", answer.body);
    assert!(
        answer.head.contains("ratelimit-policy: \"principal-tokens-day\";q=50;qu=\"tokens\";w=86400"),
        "{}",
        answer.head
    );

    let refused = daemon.post(daemon.key(), "/v1/chat/completions", BODY);
    assert_eq!(refused.status, 429, "{}", refused.body);
    assert_eq!(refused.json()["error"]["code"], "quota-principal-tokens-day");
    assert!(refused.head.contains("retry-after: ") && refused.head.contains("ratelimit: "), "{}", refused.head);

    // A restart forgives nothing.
    let key = daemon.key().to_owned();
    let daemon = daemon.stop().up(&[]);
    assert_eq!(daemon.post(&key, "/v1/chat/completions", BODY).status, 429);
    let world = daemon.stop();
    let found = world.run(&["audit", "search", "--type", "request.completion", "--format", "json"]);
    let text = String::from_utf8_lossy(&found.stdout);
    assert!(text.contains("\"reason\":\"quota-cut\"") && text.contains("\"answer_tokens\":"), "{text}");
}

#[test]
fn streams_at_the_same_time_never_pass_one_budget_together() {
    let streams: usize = if std::env::var_os("BARTIZAN_LONG").is_some() { 1000 } else { 200 };
    let budget = streams as u64 * 24;
    let (address, asked) = upstream(16, Duration::from_millis(2));
    let quota = format!("[[gateway.quotas]]\neach = \"tenant\"\nper = \"day\"\ntokens = {budget}\n");
    let daemon = guarded(address, &quota);
    let (key, start) = (daemon.key().to_owned(), Barrier::new(streams));
    let answers: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..streams)
            .map(|_| {
                scope.spawn(|| {
                    start.wait();
                    daemon.post(&key, "/v1/chat/completions", BODY)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let admitted: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
    let other = answers.iter().find(|answer| !matches!(answer.status, 200 | 429));
    assert!(other.is_none(), "neither admitted nor refused: {other:?}");
    let spent: u64 = admitted.iter().map(|answer| text_of(&answer.body) + PROMPT).sum();
    assert!(spent <= budget, "{spent} of {budget} by {} of {streams}", admitted.len());
    // Streams that asked for a portion and did not need it kept it from others meanwhile.
    assert!(spent > budget / 3, "{spent} of {budget} by {} of {streams}", admitted.len());
    assert_eq!(asked.load(Ordering::SeqCst), admitted.len(), "what is refused does not reach the server");
}

#[test]
fn a_client_that_goes_away_pays_for_what_it_got_and_keeps_no_reservation() {
    let (address, _) = upstream(400, Duration::from_millis(5));
    let daemon = guarded(address, "[[gateway.quotas]]\neach = \"principal\"\nper = \"day\"\ntokens = 400\nopen = 1\n");
    let mut stream = TcpStream::connect(daemon.endpoint()).unwrap();
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        daemon.key(),
        BODY.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(BODY).unwrap();
    let mut buffer = [0; 512];
    assert!(stream.read(&mut buffer).unwrap() > 0);
    let second = daemon.post(daemon.key(), "/v1/chat/completions", BODY);
    assert_eq!((second.status, second.json()["error"]["code"].clone()), (429, Value::from("quota-principal-open")));
    drop(stream);
    // The gateway learns of it when it next writes.
    let mut last = None;
    for _ in 0..100 {
        let answer =
            daemon.post(daemon.key(), "/v1/chat/completions", br#"{"model":"m","max_tokens":1000,"messages":[]}"#);
        if answer.json()["error"]["code"] == "quota-principal-tokens-day" {
            last = Some(answer);
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let answer = last.expect("the open request ends with its client");
    let rest: u64 = answer.head.split(";r=").nth(1).and_then(|rest| rest.split(';').next()).unwrap().parse().unwrap();
    assert!((100..400).contains(&rest), "{rest}: {}", answer.head);
}

#[test]
fn quotas_that_limit_nothing_or_price_nothing_are_refused() {
    for (quotas, expected) in [
        ("[[gateway.quotas]]\neach = \"tenant\"\nper = \"day\"\n", "limits nothing"),
        ("[[gateway.quotas]]\neach = \"tenant\"\nper = \"day\"\ncost = 1\n", "names no price"),
        ("[[gateway.quotas]]\neach = \"team\"\nper = \"day\"\ntokens = 1\n", "team"),
    ] {
        let world = World::new();
        world.configure(quotas);
        let output = world.run(&["config", "check"]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(3), "{said}");
        assert!(said.contains(expected), "{said}");
    }
}
