//! A local server that publishes a JWK set, counts how often it is asked, and can be made to misbehave.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "each test file uses a part; a failed set-up is a failed test"
)]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What the server answers, and how often it was asked.
pub struct KeyServer {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    answer: Mutex<String>,
    asked: AtomicUsize,
    slow: AtomicBool,
}

impl KeyServer {
    /// Publishes a document.
    pub fn start(document: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared =
            Arc::new(Shared { answer: Mutex::default(), asked: AtomicUsize::new(0), slow: AtomicBool::new(false) });
        let server = Self { address, shared: shared.clone() };
        server.publish(document);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = shared.clone();
                std::thread::spawn(move || serve(stream, &shared));
            }
        });
        server
    }

    pub fn url(&self) -> String {
        format!("http://{}/keys", self.address)
    }

    /// From now on, this document.
    pub fn publish(&self, document: &str) {
        self.answer_with(&format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{document}",
            document.len()
        ));
    }

    /// From now on, exactly these bytes.
    pub fn answer_with(&self, answer: &str) {
        answer.clone_into(&mut self.shared.answer.lock().unwrap());
    }

    /// Whether each answer takes a second.
    pub fn be_slow(&self, slow: bool) {
        self.shared.slow.store(slow, Ordering::SeqCst);
    }

    /// How often it was asked.
    pub fn asked(&self) -> usize {
        self.shared.asked.load(Ordering::SeqCst)
    }
}

fn serve(mut stream: TcpStream, shared: &Shared) {
    let mut bytes: Vec<u8> = Vec::new();
    let mut buffer = [0; 1024];
    while !bytes.windows(4).any(|window| window == b"\r\n\r\n") {
        match stream.read(&mut buffer) {
            Ok(count) if count > 0 => bytes.extend(&buffer[..count]),
            _ => return,
        }
    }
    shared.asked.fetch_add(1, Ordering::SeqCst);
    if shared.slow.load(Ordering::SeqCst) {
        std::thread::sleep(Duration::from_secs(1));
    }
    let answer = shared.answer.lock().unwrap().clone();
    let _ = stream.write_all(answer.as_bytes());
}
