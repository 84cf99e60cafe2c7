//! The head of a request, parsed once and bounded.
//!
//! Paths are taken literally: whatever two parsers could read in two ways (percent-encoding, empty
//! or dotted segments, backslashes) is refused, so that what the policy saw is what is served.

use hyper::header::{AUTHORIZATION, CONTENT_LENGTH, HeaderMap, TRANSFER_ENCODING, USER_AGENT};
use hyper::{Method, Request};
use thiserror::Error;

/// Longest path and query.
const TARGET_BYTES: usize = 2048;
/// Most header fields.
const FIELDS: usize = 64;

/// What the path asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Route {
    /// `/v2/health/live`
    Live,
    /// `/v2/health/ready`
    Ready,
    /// `/v2`
    Server,
    /// `/v2/models/NAME`
    Model(String),
    /// `/v2/models/NAME/ready`
    ModelReady(String),
    /// `POST /v2/models/NAME/infer`
    Infer(String),
    /// A route of the OpenAI API that reads: `GET /v1/models` and below.
    OpenAiRead,
    /// A route that asks a language model: chat, completions, embeddings and responses of the OpenAI API, messages
    /// of the Anthropic API, `generate` and `generate_stream` of Triton. The body names the model, or the path does.
    Generate(Option<String>),
    /// `POST /predictions/NAME` of TorchServe: a body of any kind.
    Predict(String),
    /// A route that administers a model server: loading and unloading, jobs, a registry's administration. Closed
    /// unless a policy permits `ManageModel`.
    Manage,
}

impl Route {
    /// The model that the path names.
    pub(crate) fn model(&self) -> Option<&str> {
        match self {
            Self::Model(name) | Self::ModelReady(name) | Self::Infer(name) | Self::Predict(name) => Some(name),
            Self::Generate(name) => name.as_deref(),
            Self::Live | Self::Ready | Self::Server | Self::OpenAiRead | Self::Manage => None,
        }
    }
}

/// Why a head is refused.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
pub enum HeadError {
    /// Path or query with something that parsers disagree about.
    #[error("the path must be plain: letters, digits and `-._~:/`, without `..`, `//` or percent-encoding")]
    Path,
    /// A path that is too long.
    #[error("the path is longer than 2048 bytes")]
    TooLong,
    /// More header fields than anybody needs.
    #[error("more than 64 header fields")]
    Fields,
    /// Both `Content-Length` and `Transfer-Encoding`, or one of them twice.
    #[error("`Content-Length` and `Transfer-Encoding` contradict each other; send one of them, once")]
    Framing,
    /// More than one credential.
    #[error("more than one credential; send one `Authorization: Bearer` or one `X-API-Key` header")]
    Credentials,
    /// A compressed body.
    #[error("compressed bodies are not accepted; send the body as it is")]
    Encoding,
    /// A route that is not open.
    #[error("there is no such route; see `GET /v2` and the console")]
    Route,
    /// A method that the route does not take.
    #[error("the route does not take this method")]
    Method,
}

impl HeadError {
    /// A stable kebab-case word.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Path => "path-ambiguous",
            Self::TooLong => "path-too-long",
            Self::Fields => "header-fields",
            Self::Framing => "framing-ambiguous",
            Self::Credentials => "credentials-ambiguous",
            Self::Encoding => "body-encoding",
            Self::Route => "route-closed",
            Self::Method => "method-closed",
        }
    }
}

/// A head that two parsers can't read in two ways.
#[derive(Clone, Debug)]
pub struct Head {
    /// The method.
    pub method: Method,
    /// Path and query, exactly as they came.
    pub target: String,
    /// What the path asks for.
    pub route: Route,
    /// The presented key, where there is one. Never shown.
    pub(crate) credential: Option<String>,
    /// The client's name for itself; only ever hashed.
    pub(crate) agent: String,
    /// `Inference-Header-Content-Length` of the binary-tensor extension.
    pub(crate) header_length: Option<usize>,
    /// Announced body length.
    pub(crate) content_length: Option<u64>,
}

impl Head {
    /// Reads the head of a request.
    ///
    /// # Errors
    /// The first thing that is ambiguous, too large or not open.
    pub fn parse<B>(request: &Request<B>) -> Result<Self, HeadError> {
        let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
        let headers = request.headers();
        if headers.len() > FIELDS {
            return Err(HeadError::Fields);
        }
        let framings =
            headers.get_all(CONTENT_LENGTH).iter().count() + headers.get_all(TRANSFER_ENCODING).iter().count();
        if framings > 1 {
            return Err(HeadError::Framing);
        }
        if headers.get("content-encoding").is_some_and(|encoding| encoding != "identity") {
            return Err(HeadError::Encoding);
        }
        let number =
            |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).and_then(|text| text.parse().ok());
        Ok(Self {
            method: request.method().clone(),
            route: route(request.method(), target)?,
            target: target.to_owned(),
            credential: credential(headers)?,
            agent: headers
                .get(USER_AGENT)
                .map(|agent| String::from_utf8_lossy(agent.as_bytes()).into_owned())
                .unwrap_or_default(),
            header_length: number("inference-header-content-length")
                .and_then(|length: u64| usize::try_from(length).ok()),
            content_length: number("content-length"),
        })
    }
}

fn route(method: &Method, target: &str) -> Result<Route, HeadError> {
    if target.len() > TARGET_BYTES {
        return Err(HeadError::TooLong);
    }
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~' | b'/' | b':');
    let segments: Vec<&str> = path.strip_prefix('/').ok_or(HeadError::Path)?.split('/').collect();
    let ambiguous = !path.bytes().all(plain)
        || !query.bytes().all(|b| plain(b) || matches!(b, b'=' | b'&' | b',' | b'+' | b'%'))
        || segments.iter().any(|segment| segment.is_empty() || *segment == "." || *segment == "..");
    if ambiguous && path != "/" {
        return Err(HeadError::Path);
    }
    let (route, expected) = match segments.as_slice() {
        ["v2"] => (Route::Server, Method::GET),
        ["v2", "health", "live"] => (Route::Live, Method::GET),
        ["v2", "health", "ready"] => (Route::Ready, Method::GET),
        ["v2", "models", name] | ["v2", "models", name, "versions", _] => {
            (Route::Model((*name).to_owned()), Method::GET)
        }
        ["v2", "models", name, "ready"] | ["v2", "models", name, "versions", _, "ready"] => {
            (Route::ModelReady((*name).to_owned()), Method::GET)
        }
        ["v2", "models", name, "infer"] | ["v2", "models", name, "versions", _, "infer"] => {
            (Route::Infer((*name).to_owned()), Method::POST)
        }
        ["v2", "models", name, "generate" | "generate_stream"]
        | ["v2", "models", name, "versions", _, "generate" | "generate_stream"] => {
            (Route::Generate(Some((*name).to_owned())), Method::POST)
        }
        ["v1", "models"] | ["v1", "models", _] => (Route::OpenAiRead, Method::GET),
        ["v1", "chat", "completions"]
        | ["v1", "completions" | "embeddings" | "responses" | "messages"]
        | ["v1", "messages", "count_tokens"] => (Route::Generate(None), Method::POST),
        ["predictions", name] | ["predictions", name, _] => (Route::Predict((*name).to_owned()), Method::POST),
        _ if manages(&segments) => return Ok(Route::Manage),
        _ => return Err(HeadError::Route),
    };
    if *method == expected { Ok(route) } else { Err(HeadError::Method) }
}

/// Routes by which model servers are administered: Triton's repository, traces, logs and shared memory, TorchServe's
/// management API, Ray's jobs, MLflow's REST API.
fn manages(segments: &[&str]) -> bool {
    match segments {
        ["v2", "models", "stats"] | ["models" | "workflows" | "ajax-api", ..] => true,
        ["v2", kind, ..] if *kind != "models" => {
            ["repository", "logging", "trace", "systemsharedmemory", "cudasharedmemory"].contains(kind)
        }
        ["v2", "models", _, what, ..] => ["trace", "config", "stats"].contains(what),
        ["api", "2.0" | "2.1", what, ..] => ["mlflow", "mlflow-artifacts"].contains(what),
        ["api", what, ..] => ["jobs", "serve", "version", "packages", "cluster_status"].contains(what),
        _ => false,
    }
}

fn credential(headers: &HeaderMap) -> Result<Option<String>, HeadError> {
    let mut presented = headers
        .get_all(AUTHORIZATION)
        .iter()
        .chain(headers.get_all("x-api-key").iter())
        .map(|value| value.to_str().unwrap_or_default());
    let (first, second) = (presented.next(), presented.next());
    if second.is_some() {
        return Err(HeadError::Credentials);
    }
    let bearer = |value: &str| {
        let token = value.split_at_checked(7).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer "));
        token.map_or(value, |(_, token)| token).trim().to_owned()
    };
    Ok(first.map(bearer).filter(|credential| !credential.is_empty()))
}

/// Feeds arbitrary bytes to the head parser as method, target and headers, to the meter of answers and to what follows
/// the framing of a connection; for fuzzing.
pub fn fuzz_one(bytes: &[u8]) {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let mut request = Request::builder();
    if let Some(method) = lines.next().and_then(|line| Method::from_bytes(line).ok()) {
        request = request.method(method);
    }
    if let Some(target) = lines.next().and_then(|line| std::str::from_utf8(line).ok()) {
        request = request.uri(target);
    }
    for line in lines {
        if let Some(colon) = line.iter().position(|byte| *byte == b':')
            && let (Some(name), Some(value)) = (line.get(..colon), line.get(colon + 1..))
        {
            request = request.header(name, value);
        }
    }
    crate::quota::fuzz_one(bytes);
    crate::framing::fuzz_one(bytes);
    crate::prompts::fuzz_one(bytes);
    if let Ok(request) = request.body(()) {
        let _ = Head::parse(&request);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(method: &str, target: &str, headers: &[(&str, &str)]) -> Result<Head, HeadError> {
        let mut request = Request::builder().method(method).uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Head::parse(&request.body(()).unwrap())
    }

    #[test]
    fn open_routes_are_recognised() {
        assert_eq!(parse("POST", "/v2/models/digits/infer", &[]).unwrap().route, Route::Infer("digits".to_owned()));
        assert_eq!(parse("GET", "/v2/health/ready", &[]).unwrap().route, Route::Ready);
        assert_eq!(parse("POST", "/v1/chat/completions", &[]).unwrap().route, Route::Generate(None));
        assert_eq!(parse("POST", "/v1/messages", &[]).unwrap().route, Route::Generate(None));
        let generate = Route::Generate(Some("llama".to_owned()));
        assert_eq!(parse("POST", "/v2/models/llama/versions/1/generate_stream", &[]).unwrap().route, generate);
        assert_eq!(parse("POST", "/predictions/resnet/2.0", &[]).unwrap().route, Route::Predict("resnet".to_owned()));
    }

    #[test]
    fn what_parsers_read_in_two_ways_is_refused() {
        for target in
            ["/v2/models/%2e%2e/infer", "/v2//models", "/v2/models/../models/x", "/v2/./models/x", "/v2/models/a%2Fb"]
        {
            assert_eq!(parse("GET", target, &[]).unwrap_err(), HeadError::Path, "{target}");
        }
        let framing = [("content-length", "3"), ("transfer-encoding", "chunked")];
        assert_eq!(parse("POST", "/v2/models/x/infer", &framing).unwrap_err(), HeadError::Framing);
        let two = [("authorization", "Bearer a"), ("x-api-key", "b")];
        assert_eq!(parse("POST", "/v2/models/x/infer", &two).unwrap_err(), HeadError::Credentials);
        assert_eq!(
            parse("POST", "/v2/models/x/infer", &[("content-encoding", "gzip")]).unwrap_err(),
            HeadError::Encoding
        );
    }

    #[test]
    fn management_routes_are_told_from_those_that_use_a_model() {
        for (method, target) in [
            ("POST", "/v2/repository/index"),
            ("POST", "/v2/repository/models/x/load"),
            ("POST", "/v2/models/x/trace/setting"),
            ("DELETE", "/models/x/1.0"),
            ("POST", "/models?url=http://x/m.mar"),
            ("POST", "/api/jobs/"),
            ("GET", "/api/2.0/mlflow/experiments/search"),
        ] {
            let expected = if target.ends_with('/') { Err(HeadError::Path) } else { Ok(Route::Manage) };
            assert_eq!(parse(method, target, &[]).map(|head| head.route), expected, "{target}");
        }
        for target in ["/metrics", "/", "/v1/files", "/v2x/repository/index", "/V2/repository/index"] {
            assert_eq!(parse("POST", target, &[]).unwrap_err(), HeadError::Route, "{target}");
        }
        assert_eq!(parse("DELETE", "/v1/models/x", &[]).unwrap_err(), HeadError::Method);
    }

    #[test]
    fn the_scheme_of_a_credential_is_optional() {
        for value in ["Bearer k", "bearer k", "k"] {
            let head = parse("GET", "/v2", &[("authorization", value)]).unwrap();
            assert_eq!(head.credential.as_deref(), Some("k"));
        }
    }
}
