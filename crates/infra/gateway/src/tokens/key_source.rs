//! Where an issuer's keys are, and how they are fetched: bounded, in time, and from nowhere else.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, LengthLimitError, Limited};
use hyper::header::{ACCEPT, CONTENT_ENCODING, USER_AGENT};
use hyper::{Request, StatusCode, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::io::AsyncReadExt as _;

use crate::outgoing::outgoing_tls;

/// Largest document in bytes.
const DOCUMENT_BYTES: usize = 256 << 10;
/// Longest wait for a whole document.
pub(super) const DEADLINE: Duration = Duration::from_secs(5);

/// Where keys are.
pub(super) enum KeySource {
    /// On this machine.
    File(PathBuf),
    /// At this URL, and only there: redirects are not followed.
    Url(Uri, Box<Client<HttpsConnector<HttpConnector>, Empty<Bytes>>>),
}

impl KeySource {
    /// Reads `jwks` of the configuration.
    ///
    /// # Errors
    /// What is wrong and what to do.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        if let Some(path) = text.strip_prefix("file:") {
            return if path.is_empty() {
                Err("names no file; write it as `file:PATH`")
            } else {
                Ok(Self::File(path.into()))
            };
        }
        let form = "is not where keys can be; write an https URL, or `file:PATH`";
        let uri: Uri = text.parse().map_err(|_| form)?;
        let authority = uri.authority().ok_or(form)?;
        if authority.as_str().contains('@') {
            return Err("holds credentials; keys are public, so write the URL without them");
        }
        match uri.scheme_str() {
            Some("https") => {}
            Some("http") if is_loopback(authority.host()) => {}
            Some("http") => {
                return Err(
                    "is plain http to another machine, where anybody on the way could put their own keys; write https",
                );
            }
            _ => return Err(form),
        }
        let client = client().ok_or("can't be fetched: this system has no TLS")?;
        Ok(Self::Url(uri, Box::new(client)))
    }

    /// The document as it is now.
    ///
    /// # Errors
    /// Why it can't be had, on one line.
    pub(super) async fn fetch(&self) -> Result<Vec<u8>, String> {
        let document = async {
            match self {
                Self::File(path) => read(path).await,
                Self::Url(uri, client) => get(uri, client).await,
            }
        };
        tokio::time::timeout(DEADLINE, document).await.map_err(|_| "no whole answer within 5 s".to_owned())?
    }
}

async fn read(path: &PathBuf) -> Result<Vec<u8>, String> {
    let failed = |error: std::io::Error| format!("the file can't be read: {error}");
    if !tokio::fs::metadata(path).await.map_err(failed)?.is_file() {
        return Err("the path is not a file".to_owned());
    }
    let mut document = Vec::new();
    let file = tokio::fs::File::open(path).await.map_err(failed)?;
    file.take(DOCUMENT_BYTES as u64 + 1).read_to_end(&mut document).await.map_err(failed)?;
    if document.len() > DOCUMENT_BYTES { Err(too_large()) } else { Ok(document) }
}

async fn get(uri: &Uri, client: &Client<HttpsConnector<HttpConnector>, Empty<Bytes>>) -> Result<Vec<u8>, String> {
    let request = Request::get(uri.clone())
        .header(ACCEPT, "application/jwk-set+json, application/json")
        .header(USER_AGENT, "bartizan")
        .body(Empty::new())
        .map_err(|_| "the URL can't be asked for".to_owned())?;
    let answer = client.request(request).await.map_err(|error| {
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
        bartizan_core::printable(&format!("the server can't be reached{cause}"))
    })?;
    if answer.status().is_redirection() {
        return Err("the server answered with a redirect, which is not followed; write the URL it leads to".to_owned());
    }
    if answer.status() != StatusCode::OK {
        return Err(format!("the server answered {}", answer.status().as_u16()));
    }
    if answer.headers().get(CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity") {
        return Err("the server sent a compressed document, which nobody asked for".to_owned());
    }
    match Limited::new(answer.into_body(), DOCUMENT_BYTES).collect().await {
        Ok(body) => Ok(body.to_bytes().into()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large()),
        Err(_) => Err("the document broke off".to_owned()),
    }
}

fn too_large() -> String {
    format!("the document is larger than {DOCUMENT_BYTES} bytes")
}

fn is_loopback(host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn client() -> Option<Client<HttpsConnector<HttpConnector>, Empty<Bytes>>> {
    let tls = outgoing_tls().ok()?;
    let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().build();
    // Minutes lie between two fetches: a kept connection would only be a broken one.
    Some(Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_over_tls_or_from_this_machine() {
        for good in [
            "https://login.example/keys?v=2",
            "http://127.0.0.1:8080/keys",
            "http://[::1]:8080/keys",
            "http://localhost/keys",
            "file:keys.json",
        ] {
            assert!(KeySource::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "http://login.example/keys",
            "http://127.0.0.1.example/keys",
            "http://localhost.example/keys",
            "http://169.254.169.254/keys",
            "http://127.0.0.1@example/keys",
            "https://user:word@login.example/keys",
            "ftp://login.example/keys",
            "login.example/keys",
            "/keys",
            "file:",
            "",
        ] {
            assert!(KeySource::parse(bad).is_err(), "{bad}");
        }
    }
}
