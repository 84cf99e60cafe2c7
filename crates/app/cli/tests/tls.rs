//! TLS at the door, and workloads that are known by their certificates.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed set-up is a failed test")]

mod daemon;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bartizan_core::Secret;
use bartizan_signing::{Issued, Purpose, SubjectName, issue, make_authority};
use daemon::{Daemon, World, eventually, seven};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion};

type Stream = StreamOwned<ClientConnection, TcpStream>;

const TRAINER: &str = "spiffe://example.org/ml/trainer";

fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}

/// A world with an authority `ca/` and a certificate `door` of it, made by the command line.
fn world(more: &str) -> World {
    let world = World::new();
    for arguments in [
        &["access", "ca", "init"][..],
        &["access", "ca", "issue", "--server", "--dns", "localhost", "--ip", "127.0.0.1", "--out", "door"],
    ] {
        let made = world.run(arguments);
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }
    world.configure(&format!("[gateway.tls]\ncertificate = \"door.pem\"\nkey = \"door.key\"\n{more}"));
    world
}

const WORKLOADS: &str =
    "client_ca = \"ca/ca.pem\"\n[[access.workloads]]\nidentity = \"spiffe://example.org/ml/*\"\nroles = [\"client\"]\n";

fn authority(folder: &Path) -> Issued {
    let read = |name: &str| std::fs::read_to_string(folder.join("ca").join(name)).unwrap();
    Issued { certificate: read("ca.pem"), key: Secret::new(read("ca.key")) }
}

fn workload(authority: &Issued, uris: &[&str], purpose: Purpose) -> Issued {
    let names: Vec<_> = uris.iter().map(|uri| SubjectName::Uri((*uri).to_owned())).collect();
    issue(authority, &names, purpose, 1, now()).unwrap()
}

fn connect_as(
    to: SocketAddr,
    folder: &Path,
    client: Option<&Issued>,
    versions: &[&'static SupportedProtocolVersion],
) -> std::io::Result<Stream> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(folder.join("ca/ca.pem")).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions).unwrap();
    let builder = builder.with_root_certificates(roots);
    let config = match client {
        None => builder.with_no_client_auth(),
        Some(issued) => {
            let chain = vec![CertificateDer::from_pem_slice(issued.certificate.as_bytes()).unwrap()];
            let key = PrivateKeyDer::from_pem_slice(issued.key.expose().as_bytes()).unwrap();
            builder.with_client_auth_cert(chain, key).unwrap()
        }
    };
    let name = ServerName::try_from("localhost").unwrap();
    let session = ClientConnection::new(Arc::new(config), name).unwrap();
    let socket = TcpStream::connect(to)?;
    socket.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut stream = StreamOwned::new(session, socket);
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock)?;
    }
    Ok(stream)
}

fn connect(daemon: &Daemon, client: Option<&Issued>) -> std::io::Result<Stream> {
    connect_as(daemon.endpoint(), daemon.world.folder.path(), client, &[&rustls::version::TLS13])
}

/// The status of an inference over this connection; 0 where it broke off.
fn infer(stream: &mut Stream, key: Option<&str>) -> u16 {
    let body = seven().to_string();
    let credential = key.map(|key| format!("authorization: Bearer {key}\r\n")).unwrap_or_default();
    let head = format!(
        "POST /v2/models/digits/infer HTTP/1.1\r\nhost: x\r\n{credential}content-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    if stream.write_all(head.as_bytes()).is_err() {
        return 0;
    }
    loop {
        let text = String::from_utf8_lossy(&answer).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
            if body.len() >= length.unwrap_or(0) {
                return head.get(9..12).and_then(|status| status.parse().ok()).unwrap_or(0);
            }
        }
        match stream.read(&mut buffer) {
            Ok(count) if count > 0 => answer.extend(&buffer[..count]),
            _ => return 0,
        }
    }
}

#[test]
fn the_door_speaks_tls_1_3_with_hybrid_key_exchange_and_nothing_older() {
    let daemon = world("").up(&[]);
    assert!(daemon.announced["endpoint"].as_str().unwrap().starts_with("https://"), "{}", daemon.announced);
    let mut stream = connect(&daemon, None).unwrap();
    assert_eq!(infer(&mut stream, Some(daemon.key())), 200);
    assert_eq!(infer(&mut stream, None), 401);
    let group = stream.conn.negotiated_key_exchange_group().unwrap().name();
    assert_eq!(group, rustls::NamedGroup::X25519MLKEM768);
    let old = connect_as(daemon.endpoint(), daemon.world.folder.path(), None, &[&rustls::version::TLS12]);
    assert!(old.is_err(), "TLS 1.2 is not spoken");
    let mut plain = TcpStream::connect(daemon.endpoint()).unwrap();
    plain.write_all(b"GET /v2/health/live HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP/"), "plain HTTP is not answered");
}

#[test]
fn a_workload_is_known_by_its_certificate_and_no_other_opens_the_door() {
    let daemon = world(WORKLOADS).up(&[]);
    let ours = authority(daemon.world.folder.path());
    let good = workload(&ours, &[TRAINER], Purpose::Client);
    assert_eq!(infer(&mut connect(&daemon, Some(&good)).unwrap(), None), 200);
    let found = daemon.text(&["audit", "search", "--type", "request.admission", "--format", "json"]);
    assert!(found.contains("\"principal\":\"workload:") && found.contains("\"key\":\"crt_"), "{found}");
    assert!(!found.contains("spiffe:"), "the ledger names it by an opaque id");

    // A key beside it counts, and a wrong key is not made good by a certificate.
    assert_eq!(infer(&mut connect(&daemon, Some(&good)).unwrap(), Some(daemon.key())), 200);
    assert_eq!(infer(&mut connect(&daemon, Some(&good)).unwrap(), Some("bz_wrong")), 401);
    assert_eq!(infer(&mut connect(&daemon, None).unwrap(), None), 401);

    let refused = [
        (
            "of another authority",
            workload(&make_authority("Bartizan CA", 1, now()).unwrap(), &[TRAINER], Purpose::Client),
        ),
        ("for servers", workload(&ours, &[TRAINER], Purpose::Server)),
        (
            "outdated",
            issue(&ours, &[SubjectName::Uri(TRAINER.to_owned())], Purpose::Client, 1, now() - 30 * 86_400).unwrap(),
        ),
        (
            "not yet valid",
            issue(&ours, &[SubjectName::Uri(TRAINER.to_owned())], Purpose::Client, 1, now() + 86_400).unwrap(),
        ),
        ("unknown", workload(&ours, &["spiffe://example.org/web/shop"], Purpose::Client)),
        ("of another trust domain", workload(&ours, &["spiffe://example.org.evil/ml/trainer"], Purpose::Client)),
        ("ambiguous", workload(&ours, &[TRAINER, "spiffe://example.org/ml/other"], Purpose::Client)),
        ("the authority's own", authority(daemon.world.folder.path())),
    ];
    for (what, certificate) in refused {
        // Refused in the handshake, which the client may notice late, or with 401.
        let status = connect(&daemon, Some(&certificate)).map_or(0, |mut stream| infer(&mut stream, None));
        assert!(matches!(status, 0 | 401), "{what}: {status}");
    }

    // What is held against the workload counts on the next request of an open connection.
    let mut open = connect(&daemon, Some(&good)).unwrap();
    assert_eq!(infer(&mut open, None), 200);
    let principal = found.split("\"principal\":\"workload:").nth(1).unwrap().split('"').next().unwrap();
    let blocked = daemon.run(&["access", "block", &format!("workload:{principal}")]);
    assert!(blocked.status.success(), "{}", String::from_utf8_lossy(&blocked.stderr));
    assert_ne!(infer(&mut open, None), 200);
}

#[test]
fn where_certificates_are_required_no_connection_comes_about_without_one() {
    let daemon = world(&format!("client_certificates = \"required\"\n{WORKLOADS}")).up(&[]);
    let status = connect(&daemon, None).map_or(0, |mut stream| infer(&mut stream, Some(daemon.key())));
    assert_eq!(status, 0);
    let good = workload(&authority(daemon.world.folder.path()), &[TRAINER], Purpose::Client);
    assert_eq!(infer(&mut connect(&daemon, Some(&good)).unwrap(), Some(daemon.key())), 200);
}

#[test]
fn another_certificate_is_taken_into_use_without_dropping_a_connection() {
    let daemon = world("").up(&[]);
    let certificate = |stream: &Stream| stream.conn.peer_certificates().unwrap()[0].to_vec();
    let mut open = connect(&daemon, None).unwrap();
    assert_eq!(infer(&mut open, Some(daemon.key())), 200);
    let folder = daemon.world.folder.path().to_owned();
    std::fs::write(folder.join("door.key"), "no key").unwrap();
    daemon.signal("HUP");
    eventually("the reload is refused", || daemon.log().contains("gateway.tls").then_some(()));
    for name in ["door.pem", "door.key"] {
        std::fs::remove_file(folder.join(name)).unwrap();
    }
    let issued = daemon.run(&["access", "ca", "issue", "--server", "--dns", "localhost", "--out", "door"]);
    assert!(issued.status.success());
    daemon.signal("HUP");
    eventually("the new certificate is shown", || {
        (certificate(&connect(&daemon, None).unwrap()) != certificate(&open)).then_some(())
    });
    assert_eq!(infer(&mut open, Some(daemon.key())), 200, "the old connection goes on");
}

#[test]
fn an_authority_is_never_written_over_and_its_key_is_for_its_owner() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = world("");
    let before = authority(world.folder.path()).certificate;
    let again = world.run(&["access", "ca", "init"]);
    assert_eq!(again.status.code(), Some(3));
    assert_eq!(authority(world.folder.path()).certificate, before);
    for key in ["ca/ca.key", "door.key"] {
        let mode = std::fs::metadata(world.folder.path().join(key)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{key}");
    }
    let nameless = world.run(&["access", "ca", "issue", "--client", "--out", "x"]);
    assert!(String::from_utf8_lossy(&nameless.stderr).contains("needs a name"));
}
