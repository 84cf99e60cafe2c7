//! Errors as the client sees them: JSON that says what to do and leaks nothing, in a shape that the clients of the
//! OpenAI and the Anthropic API both read.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};

use crate::answer::AnswerBody;
use crate::guard::Refusal;

/// The answer to a refused request.
pub(crate) fn answer(refusal: &Refusal, request: &str) -> Response<AnswerBody> {
    let body = serde_json::json!({
        "type": "error",
        "error": {
            "type": kind(refusal.status),
            "code": refusal.public_code(),
            "message": refusal.message,
            "request": request,
        }
    });
    let body = serde_json::to_vec(&body).unwrap_or_default();
    let mut response = Response::new(Full::new(Bytes::from(body)).map_err(|never| match never {}).boxed());
    *response.status_mut() = refusal.status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    if refusal.status == StatusCode::UNAUTHORIZED {
        // RFC 6750, section 3: no error where nothing was presented, and one and the same for whatever was.
        let challenge = if refusal.reason == "key-missing" { "Bearer" } else { r#"Bearer error="invalid_token""# };
        headers.insert("www-authenticate", HeaderValue::from_static(challenge));
    }
    if let Some(seconds) = refusal.retry_after {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// The word that OpenAI's and Anthropic's clients know for a status.
fn kind(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED => "authentication_error",
        StatusCode::FORBIDDEN => "permission_error",
        StatusCode::NOT_FOUND => "not_found_error",
        StatusCode::PAYLOAD_TOO_LARGE => "request_too_large",
        StatusCode::TOO_MANY_REQUESTS => "rate_limit_error",
        StatusCode::SERVICE_UNAVAILABLE => "overloaded_error",
        status if status.is_server_error() => "api_error",
        _ => "invalid_request_error",
    }
}
