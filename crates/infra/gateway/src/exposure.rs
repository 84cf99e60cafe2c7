//! Is there a way round the door?
//!
//! A guard in front of a server is worth nothing when the server answers everybody by itself. The
//! check asks the upstream, without a key, at an address that others can reach too.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use hyper::Uri;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// What was seen.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Exposure {
    /// The upstream answers without a key at this address, which is not loopback.
    Open(SocketAddr),
    /// No such answer was seen at these addresses.
    NotSeen(Vec<SocketAddr>),
    /// It could not be tried; the reason says why.
    Unknown(String),
}

/// Asks the upstream at `url` without a key, at every non-loopback address that is known for it:
/// those its name resolves to, and this machine's own when it is reached by loopback. Plain HTTP
/// only; an upstream behind TLS is reported as unknown.
pub async fn check_exposure(url: &str) -> Exposure {
    let Ok(uri) = url.parse::<Uri>() else { return Exposure::Unknown("not a URL".to_owned()) };
    let Some(host) = uri.host() else { return Exposure::Unknown("no host".to_owned()) };
    if uri.scheme_str() != Some("http") {
        return Exposure::Unknown("only plain HTTP is tried; check the upstream's own authentication".to_owned());
    }
    let port = uri.port_u16().unwrap_or(80);
    let resolved = match tokio::net::lookup_host((host.trim_matches(['[', ']']), port)).await {
        Ok(addresses) => addresses.collect::<Vec<_>>(),
        Err(error) => return Exposure::Unknown(format!("its name does not resolve: {error}")),
    };
    let mut tried: Vec<SocketAddr> = resolved.iter().filter(|address| !address.ip().is_loopback()).copied().collect();
    if resolved.iter().any(|address| address.ip().is_loopback()) {
        tried.extend(own_address().map(|ip| SocketAddr::new(ip, port)));
    }
    for address in &tried {
        if answers_without_key(*address, host).await {
            return Exposure::Open(*address);
        }
    }
    Exposure::NotSeen(tried)
}

/// This machine's address towards the outside. A UDP socket that is connected sends nothing.
fn own_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    // 192.0.2.0/24 is reserved for documentation (RFC 5737).
    socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).ok()?;
    let own = socket.local_addr().ok()?.ip();
    (!own.is_loopback() && !own.is_unspecified()).then_some(own)
}

/// Whether any route that lists models answers 2xx.
async fn answers_without_key(address: SocketAddr, host: &str) -> bool {
    for path in ["/v2", "/v1/models"] {
        let attempt = tokio::time::timeout(Duration::from_secs(2), status(address, host, path)).await;
        if matches!(attempt, Ok(Ok(status)) if (200..300).contains(&status)) {
            return true;
        }
    }
    false
}

async fn status(address: SocketAddr, host: &str, path: &str) -> std::io::Result<u16> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut start = [0; 12];
    stream.read_exact(&mut start).await?;
    let code = start.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok());
    Ok(code.and_then(|digits| digits.parse().ok()).unwrap_or_default())
}
