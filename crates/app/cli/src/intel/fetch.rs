//! Fetching a file that the user named by URL: nothing else is ever asked for.

use std::time::Duration;

use anyhow::Context as _;
use bartizan_core::printable;
use bartizan_gateway::outgoing_tls;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Bytes;
use hyper::{Request, StatusCode, Uri};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

/// Bytes of an answer; OSV's largest export has about 500 MB.
const LARGEST: usize = 1 << 30;
/// For everything, headers to last byte.
const PATIENCE: Duration = Duration::from_secs(600);
/// Redirects that are followed, never from https to http.
const REDIRECTS: usize = 5;

/// The file name and the bytes behind a URL.
pub(super) fn fetch(url: &str) -> anyhow::Result<(String, Vec<u8>)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let fetched = runtime.block_on(async { tokio::time::timeout(PATIENCE, get(url)).await });
    let bytes = fetched
        .with_context(|| format!("{} did not answer within {} seconds", printable(url), PATIENCE.as_secs()))?
        .with_context(|| format!("can't fetch {}", printable(url)))?;
    let path = url.split(['?', '#']).next().unwrap_or(url);
    let name = path.trim_end_matches('/').rsplit('/').next().unwrap_or(path);
    Ok((printable(name), bytes))
}

async fn get(url: &str) -> anyhow::Result<Vec<u8>> {
    let connector =
        HttpsConnectorBuilder::new().with_tls_config(outgoing_tls()?).https_or_http().enable_http1().build();
    let client: Client<_, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build(connector);
    let mut address: Uri = url.parse().context("it is not a URL")?;
    for _ in 0..=REDIRECTS {
        let request = Request::get(address.clone()).header("user-agent", "bartizan").body(Empty::new())?;
        let answer = client.request(request).await?;
        let status = answer.status();
        if status == StatusCode::OK {
            let body = Limited::new(answer.into_body(), LARGEST).collect().await;
            let body = body.map_err(|error| anyhow::anyhow!("the answer could not be read: {error}"))?;
            return Ok(body.to_bytes().into());
        }
        anyhow::ensure!(status.is_redirection(), "the server answered {status}");
        let next = answer.headers().get("location").and_then(|value| value.to_str().ok());
        let next: Uri = next.context("a redirect leads nowhere")?.parse().context("a redirect leads nowhere")?;
        anyhow::ensure!(next.host().is_some(), "a redirect names no host");
        let is_weaker = address.scheme_str() == Some("https") && next.scheme_str() != Some("https");
        anyhow::ensure!(!is_weaker, "a redirect leads from https to http");
        address = next;
    }
    anyhow::bail!("more than {REDIRECTS} redirects")
}
