//! Several upstreams behind one door: who is asked, what happens when one fails, and what never happens twice.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed set-up is a failed test")]

mod daemon;

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use daemon::{Answer, Daemon, World, eventually, send};

/// A model server that says its name, answers with the status it is told to, and remembers what it was asked.
struct Server {
    name: &'static str,
    address: SocketAddr,
    status: Arc<AtomicU16>,
    asked: Arc<Mutex<Vec<String>>>,
}

/// The status with which a server says nothing at all for a while.
const SILENT: u16 = 0;

impl Server {
    fn start(name: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (status, asked) = (Arc::new(AtomicU16::new(200)), Arc::new(Mutex::new(Vec::new())));
        let (told, remembered) = (status.clone(), asked.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (told, remembered) = (told.clone(), remembered.clone());
                std::thread::spawn(move || serve(stream, name, &told, &remembered));
            }
        });
        Self { name, address, status, asked }
    }

    fn tell(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }

    /// Requests to `path`, as they came.
    fn asked(&self, path: &str) -> Vec<String> {
        let start = format!(" {path} ");
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|request| request.lines().next().unwrap_or_default().contains(&start)).cloned().collect()
    }

    fn entry(&self, more: &str) -> String {
        format!("[[upstreams]]\nname = \"{}\"\nurl = \"http://{}\"\n{more}\n", self.name, self.address)
    }
}

fn serve(mut stream: TcpStream, name: &str, status: &AtomicU16, asked: &Mutex<Vec<String>>) {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let whole = text.split_once("\r\n\r\n").filter(|(head, body)| {
            let length =
                head.to_lowercase().lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
            body.len() >= length.unwrap_or(0)
        });
        if whole.is_some() {
            bytes.clear();
            asked.lock().unwrap().push(text);
            let status = status.load(Ordering::SeqCst);
            if status == SILENT {
                std::thread::sleep(Duration::from_secs(8));
                return;
            }
            let body = format!("{{\"served_by\":\"{name}\"}}");
            let answer = format!(
                "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
            if stream.write_all(answer.as_bytes()).is_err() {
                return;
            }
            continue;
        }
        match stream.read(&mut buffer) {
            Ok(count) if count > 0 => bytes.extend(&buffer[..count]),
            _ => return,
        }
    }
}

const CHAT: &str = "/v1/chat/completions";

fn up(gateway: &str, upstreams: &[String]) -> Daemon {
    let world = World::new();
    world.configure(&format!(
        "[gateway]\nrequests_per_second = 100000\nburst = 100000\n{gateway}\n{}",
        upstreams.concat()
    ));
    world.up(&[])
}

fn ask(daemon: &Daemon, model: &str) -> Answer {
    daemon.post(daemon.key(), CHAT, format!("{{\"model\":\"{model}\",\"messages\":[]}}").as_bytes())
}

fn served_by(daemon: &Daemon, model: &str) -> String {
    let answer = ask(daemon, model);
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["served_by"].as_str().unwrap().to_owned()
}

#[test]
fn requests_follow_models_and_weights_and_another_answers_where_one_fails() {
    let (stable, canary, spare) = (Server::start("stable"), Server::start("canary"), Server::start("spare"));
    let daemon = up(
        "[gateway.routing]\nfailures = 3\nopen_seconds = 1\nretry_percent = 100\n",
        &[
            stable.entry("weight = 80\nmodels = [\"llama-*\"]"),
            canary.entry("weight = 20\nmodels = [\"llama-*\"]"),
            spare.entry("priority = 1\nmodels = [\"llama-*\", \"bert\"]"),
        ],
    );
    let mut shares = BTreeMap::new();
    for _ in 0..300 {
        *shares.entry(served_by(&daemon, "llama-3")).or_insert(0) += 1;
    }
    assert!(shares["stable"] > 200 && shares["canary"] > 25, "{shares:?}");
    assert_eq!(shares.get("spare"), None, "{shares:?}");
    assert_eq!(served_by(&daemon, "bert"), "spare");
    let unknown = ask(&daemon, "gpt-4");
    assert_eq!((unknown.status, unknown.json()["error"]["code"].as_str()), (404, Some("model-unknown")));

    // Two fail in two ways: the client sees neither, and after three failures they are left alone.
    stable.tell(503);
    canary.tell(502);
    let before = stable.asked(CHAT).len();
    for _ in 0..40 {
        assert_eq!(served_by(&daemon, "llama-3"), "spare");
    }
    assert!(stable.asked(CHAT).len() - before <= 4, "{}", stable.asked(CHAT).len() - before);

    // A single request tells when one is well again.
    stable.tell(200);
    eventually("the stable one is asked again", || (served_by(&daemon, "llama-3") == "stable").then_some(()));

    // When all fail, what the last one said is passed on, then nobody is asked for a while.
    for server in [&stable, &canary, &spare] {
        server.tell(503);
    }
    let refused = eventually("all are left alone", || {
        let answer = ask(&daemon, "llama-3");
        assert_eq!(answer.status, 503);
        answer.body.contains("upstream-unavailable").then_some(answer)
    });
    assert!(refused.head.to_lowercase().contains("retry-after: "), "{}", refused.head);
    let metrics = send(daemon.console(), "GET", "/metrics", &[], b"").body;
    assert!(
        metrics.contains("bartizan_gateway_upstream_asked_total{upstream=\"spare\",outcome=\"answered\"}"),
        "{metrics}"
    );

    let found = daemon.text(&["audit", "search", "--type", "request.completion", "--format", "json"]);
    assert!(found.contains("\"upstream\":\"spare\"") && found.contains("\"attempts\":"), "who answered is recorded");
}

#[test]
fn one_that_is_silent_or_gone_is_passed_over_and_one_that_began_is_not_asked_twice() {
    let (silent, good) = (Server::start("silent"), Server::start("good"));
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    silent.tell(SILENT);
    let daemon = up(
        "",
        &[
            format!("[[upstreams]]\nname = \"gone\"\nurl = \"http://{gone}\"\n"),
            silent.entry("priority = 1\nfirst_byte_seconds = 1"),
            good.entry("priority = 2"),
        ],
    );
    let start = Instant::now();
    assert_eq!(served_by(&daemon, "m"), "good");
    assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
    assert_eq!(silent.asked(CHAT).len(), 1);
    // An answer of 500 is an answer: the request itself may be the cause, and asking again may do harm twice.
    good.tell(500);
    let before = good.asked(CHAT).len();
    let answer = ask(&daemon, "m");
    assert_eq!((answer.status, good.asked(CHAT).len() - before), (500, 1));
}

#[test]
fn retries_end_where_their_budget_ends() {
    let (ill, good) = (Server::start("ill"), Server::start("good"));
    ill.tell(429);
    let daemon = up("[gateway.routing]\nretry_percent = 0\n", &[ill.entry(""), good.entry("priority = 1")]);
    for _ in 0..5 {
        assert_eq!(ask(&daemon, "m").status, 429, "what was answered is passed on");
    }
    assert!(good.asked(CHAT).is_empty());
}

#[test]
fn aliases_stand_for_models_and_policies_see_what_they_stand_for() {
    let server = Server::start("only");
    let world = World::new();
    std::fs::create_dir(world.folder.path().join("policies")).unwrap();
    let policy = "@id(\"no-large-models\") forbid (principal, action == Bartizan::Action::\"Infer\", resource is Bartizan::Model) when { resource.name like \"large-*\" };";
    std::fs::write(world.folder.path().join("policies/models.cedar"), policy).unwrap();
    world.configure(&format!(
        "[access]\npolicies = [\"policies\"]\n[gateway.routing.aliases]\nfast = \"small-1\"\nbest = \"large-9\"\n{}",
        server.entry("models = [\"small-1\", \"large-9\"]")
    ));
    let daemon = world.up(&[]);
    assert_eq!(served_by(&daemon, "fast"), "only");
    let asked = server.asked(CHAT).pop().unwrap();
    assert!(asked.ends_with("{\"model\":\"small-1\",\"messages\":[]}"), "{asked}");
    for model in ["best", "large-9"] {
        let refused = ask(&daemon, model);
        assert_eq!((refused.status, refused.json()["error"]["code"].as_str()), (403, Some("forbidden")), "{model}");
    }
    let listed = daemon.get(daemon.key(), "/v1/models").json();
    let names: Vec<_> = listed["data"].as_array().unwrap().iter().map(|model| model["id"].as_str().unwrap()).collect();
    assert_eq!(names, ["fast", "small-1"], "only what the caller may use");
    assert_eq!(daemon.get(daemon.key(), "/v1/models/best").status, 404);
    // The path names the model, too.
    let inputs = br#"{"inputs":[]}"#;
    assert_eq!(daemon.post(daemon.key(), "/v2/models/fast/infer", inputs).status, 200);
    assert_eq!(server.asked("/v2/models/small-1/infer").len(), 1);
    assert_eq!(daemon.post(daemon.key(), "/v2/models/best/infer", inputs).status, 403);
    assert_eq!(daemon.post(daemon.key(), "/predictions/large-9", b"\x89PNG").status, 403);
    assert_eq!(daemon.post(daemon.key(), "/predictions/small-1", b"\x89PNG").status, 200);
    // No odd member hides the model from policies, and nothing hides that it is named twice.
    for body in [
        r#"{"model":"large-9","max_tokens":16.0,"messages":[]}"#,
        r#"{"model":"best","max_tokens":"16","messages":[]}"#,
        r#"{"model":"large-9","n":-1,"messages":[]}"#,
        r#"{"model":"small-1","MODEL":"large-9","messages":[]}"#,
        r#"{"model":"small-1","model":"large-9","messages":[]}"#,
        r#"["large-9"]"#,
        r#"{"model":["large-9"],"messages":[]}"#,
    ] {
        let before = server.asked(CHAT).len();
        for more in [&[][..], &[("inference-header-content-length", "5")]] {
            let bearer = format!("Bearer {}", daemon.key());
            let headers: Vec<_> = more.iter().copied().chain([("authorization", bearer.as_str())]).collect();
            let refused = send(daemon.endpoint(), "POST", CHAT, &headers, body.as_bytes());
            assert!(matches!(refused.status, 400 | 403), "{body}: {refused:?}");
        }
        assert_eq!(server.asked(CHAT).len(), before, "{body}");
    }
    let named = ask(&daemon, "a b");
    assert_eq!(named.json()["error"]["code"], "model-malformed");
}

#[test]
fn a_shadow_is_sent_copies_and_answers_nobody() {
    let (real, shadow) = (Server::start("real"), Server::start("shadow"));
    shadow.tell(500);
    let daemon = up("", &[real.entry(""), shadow.entry("shadow_percent = 100")]);
    for _ in 0..10 {
        assert_eq!(served_by(&daemon, "m"), "real");
    }
    eventually("the copies arrived", || (shadow.asked(CHAT).len() == 10).then_some(()));
    assert_eq!(real.asked(CHAT).len(), 10);
    assert!(shadow.asked(CHAT)[0].ends_with("{\"model\":\"m\",\"messages\":[]}"));
}

#[test]
fn upstreams_are_exchanged_by_a_reload_and_a_bad_reload_changes_nothing() {
    let (old, new) = (Server::start("old"), Server::start("new"));
    let daemon = up("", &[old.entry("")]);
    assert_eq!(served_by(&daemon, "m"), "old");
    let world = |text: &str| std::fs::write(daemon.world.folder.path().join("bartizan.toml"), text).unwrap();
    world(&format!("{}{}", new.entry(""), new.entry("")));
    daemon.signal("HUP");
    eventually("the reload is refused", || daemon.log().contains("has the `name` of another").then_some(()));
    assert_eq!(served_by(&daemon, "m"), "old");
    world(&new.entry(""));
    daemon.signal("HUP");
    eventually("the new one answers", || (served_by(&daemon, "m") == "new").then_some(()));
}

#[test]
fn the_anthropic_api_passes_with_its_own_key_header_and_errors_have_its_shape() {
    let server = Server::start("claude");
    let world = World::new();
    std::fs::write(world.folder.path().join("upstream-key"), "upstream-credential\n").unwrap();
    world.configure(&server.entry("key = \"file:upstream-key\"\nkey_header = \"x-api-key\""));
    let daemon = world.up(&[]);
    let body = br#"{"model":"claude-x","max_tokens":10,"messages":[{"role":"user","content":"hi"}]}"#;
    let headers =
        [("x-api-key", daemon.key()), ("anthropic-version", "2023-06-01"), ("content-type", "application/json")];
    let answer = send(daemon.endpoint(), "POST", "/v1/messages", &headers, body);
    assert_eq!(answer.status, 200, "{answer:?}");
    let asked = server.asked("/v1/messages").pop().unwrap().to_lowercase();
    assert!(
        asked.contains("x-api-key: upstream-credential") && asked.contains("anthropic-version: 2023-06-01"),
        "{asked}"
    );
    assert!(!asked.contains(&daemon.key().to_lowercase()) && !asked.contains("authorization"), "{asked}");
    let refused = send(daemon.endpoint(), "POST", "/v1/messages", &[("x-api-key", "bz_wrong")], body).json();
    assert_eq!(
        (refused["type"].as_str(), refused["error"]["type"].as_str()),
        (Some("error"), Some("authentication_error"))
    );
}

#[test]
fn management_routes_open_only_by_policy() {
    let server = Server::start("triton");
    let load = "/v2/repository/models/x/load";
    let world = World::new();
    world.configure(&format!("[access]\npolicies = [\"policies\"]\n{}", server.entry("")));
    std::fs::create_dir(world.folder.path().join("policies")).unwrap();
    let daemon = world.up(&[]);
    for path in [load, "/models?url=http://127.0.0.1/evil.mar", "/api/jobs", "/api/2.0/mlflow/users/create"] {
        assert_eq!(daemon.post(daemon.key(), path, b"{}").status, 403, "{path}");
        assert_eq!(daemon.post("bz_wrong", path, b"{}").status, 401, "{path}");
    }
    assert!(server.asked(load).is_empty());
    let policy = "@id(\"operators-load\") permit (principal in Bartizan::Role::\"client\", action == Bartizan::Action::\"ManageModel\", resource);";
    std::fs::write(daemon.world.folder.path().join("policies/load.cedar"), policy).unwrap();
    daemon.signal("HUP");
    eventually("the policy holds", || (daemon.post(daemon.key(), load, b"{}").status == 200).then_some(()));
    assert_eq!(server.asked(load).len(), 1);
}
