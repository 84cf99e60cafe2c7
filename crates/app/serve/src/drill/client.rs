//! A client of the guarded endpoint, as a customer or an attacker would write one.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpSocket;

use super::error::DrillError;

/// Longest wait for one answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the drill is aimed at.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) address: SocketAddr,
    pub(super) model: String,
    pub(super) input: String,
    pub(super) width: usize,
}

impl Target {
    /// The guarded endpoint, from the daemon's overview.
    pub(super) fn of(overview: &Value) -> Result<Self, DrillError> {
        let unsuitable = |what: &str| {
            DrillError::Unsuitable(format!(
                "{what}; drills need the embedded model with one input of fixed width (start `bartizan up` without `--upstream`)"
            ))
        };
        let address = overview.get("listen").and_then(Value::as_str).and_then(|address| address.parse().ok());
        let example = overview.get("example").filter(|example| !example.is_null());
        let example =
            example.ok_or_else(|| unsuitable("the daemon guards something that drills have no inputs for"))?;
        let width = example.get("width").and_then(Value::as_u64).and_then(|width| usize::try_from(width).ok());
        let word = |key: &str| example.get(key).and_then(Value::as_str).map(ToOwned::to_owned);
        let (Some(address), Some(model), Some(input), Some(width)) = (address, word("model"), word("input"), width)
        else {
            return Err(unsuitable("the daemon does not say where and what it guards"));
        };
        Ok(Self { address, model, input, width })
    }
}

/// What came back.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) scores: Vec<f32>,
}

/// One client with one key, on one connection.
pub(super) struct Visitor {
    target: Target,
    from: Option<IpAddr>,
    agent: String,
    key: String,
    sender: Option<SendRequest<Full<Bytes>>>,
}

impl Visitor {
    /// A client; `from` is the loopback address that it comes from, where the endpoint is on loopback.
    pub(super) fn new(target: &Target, from: Option<Ipv4Addr>, agent: &str, key: &str) -> Result<Self, DrillError> {
        let from = from.filter(|_| target.address.ip().is_loopback() && target.address.is_ipv4()).map(IpAddr::V4);
        Ok(Self { target: target.clone(), from, agent: agent.to_owned(), key: key.to_owned(), sender: None })
    }

    /// Asks the model about one row.
    pub(super) async fn infer(&mut self, row: &[f32]) -> Result<Answer, DrillError> {
        let body = json!({
            "inputs": [{ "name": self.target.input, "shape": [1, row.len()], "datatype": "FP32", "data": row }]
        });
        self.post(body.to_string().into()).await
    }

    /// Sends any body to the model.
    pub(super) async fn post(&mut self, body: Bytes) -> Result<Answer, DrillError> {
        let failed = |error: &dyn std::fmt::Display| DrillError::Endpoint(error.to_string());
        let request = Request::post(format!("/v2/models/{}/infer", self.target.model))
            .header("host", self.target.address.to_string())
            .header("user-agent", &self.agent)
            .header("authorization", format!("Bearer {}", self.key))
            .header("content-type", "application/json")
            .body(Full::new(body))
            .map_err(|error| failed(&error))?;
        let mut sender = match self.sender.take().filter(|sender| !sender.is_closed()) {
            Some(sender) => sender,
            None => self.connect().await?,
        };
        let work = async {
            sender.ready().await?;
            let response = sender.send_request(request).await?;
            let status = response.status().as_u16();
            let bytes = response.into_body().collect().await?.to_bytes();
            Ok::<_, hyper::Error>((status, bytes))
        };
        let (status, bytes) = match tokio::time::timeout(PATIENCE, work).await {
            Ok(done) => done.map_err(|error| failed(&error))?,
            Err(elapsed) => return Err(failed(&elapsed)),
        };
        self.sender = Some(sender);
        let answer: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let scores = answer.pointer("/outputs/0/data").and_then(Value::as_array);
        let scores = scores.map(|scores| scores.iter().filter_map(Value::as_f64).map(|score| score as f32).collect());
        Ok(Answer { status, scores: scores.unwrap_or_default() })
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, DrillError> {
        let failed = |error: &dyn std::fmt::Display| DrillError::Endpoint(error.to_string());
        let socket = if self.target.address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
        let socket = socket.map_err(|error| failed(&error))?;
        if let Some(from) = self.from {
            socket.bind(SocketAddr::new(from, 0)).map_err(|error| failed(&error))?;
        }
        let stream = socket.connect(self.target.address).await.map_err(|error| failed(&error))?;
        let _ = stream.set_nodelay(true);
        let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
        let (sender, connection) = handshake.map_err(|error| failed(&error))?;
        tokio::spawn(connection);
        Ok(sender)
    }
}
