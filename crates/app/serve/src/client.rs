//! The admin API from the command line: by `admin.sock` beside a running daemon, in process without one.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use thiserror::Error;
use tokio::net::UnixStream;
use tower::ServiceExt as _;

use crate::error::ServeError;
use crate::house::{ConfigSource, House};

/// Answers that are read at most.
const ANSWER_BYTES: usize = 64 << 20;

/// Why a call did not succeed.
#[derive(Debug, Error)]
pub enum ClientError {
    /// The daemon answers by another way than expected.
    #[error("the daemon behind {0} does not answer as expected; is it another version?")]
    Protocol(PathBuf),
    /// Without a daemon, the state folder could not be opened.
    #[error(transparent)]
    Open(#[from] Box<ServeError>),
    /// The verb needs a running daemon.
    #[error("no daemon is running on {0}; start it with `bartizan up`")]
    NoDaemon(PathBuf),
    /// The call was refused; the message says why and what to do.
    #[error("{message}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// What the API said.
        message: String,
    },
}

enum Way {
    Socket(PathBuf),
    InProcess(Box<(Router, Arc<House>)>),
}

/// A connection to the admin API as the owner of the state folder.
pub struct AdminClient {
    way: Way,
}

impl AdminClient {
    /// Connects to the daemon of this state folder, or opens the folder when there is none.
    ///
    /// # Errors
    /// There is no such folder, or it can't be opened.
    pub async fn connect(state: &Path, config: Option<&Path>) -> Result<Self, ClientError> {
        if let Ok(client) = Self::daemon(state).await {
            return Ok(client);
        }
        bartizan_engine::state::StateFolder::look(state).map_err(|error| Box::new(ServeError::from(error)))?;
        let source = ConfigSource { file: config.map(Path::to_owned), ..ConfigSource::default() };
        let config = source.load().map_err(|error| Box::new(ServeError::from(error)))?;
        let house = House::open(state, config, source).map_err(Box::new)?;
        let house = Arc::new(house);
        let router = crate::api::by_socket(house.clone(), crate::actor::own_user(state));
        Ok(Self { way: Way::InProcess(Box::new((router, house))) })
    }

    /// Connects to the running daemon of this state folder.
    ///
    /// # Errors
    /// No daemon is running.
    pub async fn daemon(state: &Path) -> Result<Self, ClientError> {
        let socket = state.join("admin.sock");
        match UnixStream::connect(&socket).await {
            Ok(_) => Ok(Self { way: Way::Socket(socket) }),
            Err(_) => Err(ClientError::NoDaemon(state.to_owned())),
        }
    }

    /// Calls the API. `body` is sent as JSON.
    ///
    /// # Errors
    /// The API refused, or could not be reached.
    pub async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, ClientError> {
        let bytes = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
        let mut request = Request::builder().method(method).uri(path).header("host", "bartizan");
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let protocol = || ClientError::Protocol(self.place());
        let (status, bytes) = match &self.way {
            Way::Socket(socket) => {
                let request = request.body(Full::new(bytes)).map_err(|_| protocol())?;
                let stream = UnixStream::connect(socket).await.map_err(|_| protocol())?;
                let (mut sender, connection) =
                    hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|_| protocol())?;
                let running = tokio::spawn(connection);
                let response = sender.send_request(request).await.map_err(|_| protocol())?;
                let status = response.status();
                let limited = http_body_util::Limited::new(response.into_body(), ANSWER_BYTES);
                let bytes = limited.collect().await.map_err(|_| protocol())?.to_bytes();
                running.abort();
                (status, bytes)
            }
            Way::InProcess(house) => {
                let request = request.body(Body::from(bytes)).map_err(|_| protocol())?;
                let response = house.0.clone().oneshot(request).await.unwrap_or_else(|never| match never {});
                let status = response.status();
                (status, response.into_body().collect().await.map_err(|_| protocol())?.to_bytes())
            }
        };
        let answer: Value = match serde_json::from_slice(&bytes) {
            Ok(answer) => answer,
            // What the body's reader refuses, it says in plain text.
            Err(_) if status.is_client_error() => {
                let message = bartizan_core::printable(String::from_utf8_lossy(&bytes).trim());
                return Err(ClientError::Refused { status: status.as_u16(), message });
            }
            Err(_) => return Err(protocol()),
        };
        if status == StatusCode::OK {
            return Ok(answer);
        }
        let message =
            answer.pointer("/error/message").and_then(Value::as_str).unwrap_or("the daemon refused").to_owned();
        Err(ClientError::Refused { status: status.as_u16(), message })
    }

    fn place(&self) -> PathBuf {
        match &self.way {
            Way::Socket(socket) => socket.clone(),
            Way::InProcess(house) => house.1.state.path().to_owned(),
        }
    }
}

impl Drop for AdminClient {
    fn drop(&mut self) {
        if let Way::InProcess(house) = &self.way {
            house.1.close();
        }
    }
}
