//! What a person sees when something can't be shown or done: what is wrong, and what to do next.

use askama::Template;
use axum::response::{Html, IntoResponse, Response};
use hyper::StatusCode;

use crate::administration::AdminError;

/// A page that says why there is no other.
#[derive(Debug, Template)]
#[template(path = "failure.html")]
pub(super) struct Failure {
    status: StatusCode,
    title: &'static str,
    message: String,
}

impl Failure {
    pub(super) fn new(status: StatusCode, title: &'static str, message: impl Into<String>) -> Self {
        Self { status, title, message: message.into() }
    }

    pub(super) fn missing(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "Not found", message)
    }

    pub(super) fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "Not permitted", message)
    }

    pub(super) fn internal(message: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "Something failed", message)
    }

    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    pub(super) fn message(&self) -> &str {
        &self.message
    }
}

impl From<AdminError> for Failure {
    fn from(error: AdminError) -> Self {
        use bartizan_access::AccessError;
        let message = sentence(&error.to_string());
        match &error {
            AdminError::Forbidden => Self::forbidden(message),
            AdminError::Ledger(_) => Self::new(StatusCode::SERVICE_UNAVAILABLE, "The ledger can't be written", message),
            AdminError::Access(AccessError::Unknown { .. })
            | AdminError::Missing(_)
            | AdminError::Catalog(bartizan_catalog::CatalogError::Missing(_)) => Self::missing(message),
            AdminError::Access(AccessError::Taken(_) | AccessError::LastAdministrator) | AdminError::Respond(_) => {
                Self::new(StatusCode::CONFLICT, "Not possible as things stand", message)
            }
            AdminError::Access(AccessError::Name(_)) | AdminError::Invalid(_) => {
                Self::new(StatusCode::BAD_REQUEST, "Not understood", message)
            }
            AdminError::Reload(_) | AdminError::Access(_) | AdminError::Catalog(_) | AdminError::Failed(_) => {
                Self::internal(message)
            }
        }
    }
}

impl From<bartizan_ledger::LedgerError> for Failure {
    fn from(error: bartizan_ledger::LedgerError) -> Self {
        let message = sentence(&error.to_string());
        match error {
            bartizan_ledger::LedgerError::OutOfRange { .. } => Self::missing(message),
            _ => Self::internal(message),
        }
    }
}

impl From<bartizan_signing::NoteError> for Failure {
    fn from(error: bartizan_signing::NoteError) -> Self {
        Self::internal(sentence(&error.to_string()))
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        (self.status, html(&self)).into_response()
    }
}

/// A template as an answer.
pub(super) fn html(template: &impl Template) -> Response {
    match template.render() {
        Ok(text) => Html(text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// What a blocking piece of work gave, or why it gave nothing.
pub(super) async fn blocking<T, E>(work: impl FnOnce() -> Result<T, E> + Send + 'static) -> Result<T, Failure>
where
    T: Send + 'static,
    E: Into<Failure> + Send + 'static,
{
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done.map_err(Into::into),
        Err(error) => Err(Failure::internal(error.to_string())),
    }
}

/// An error's line as a sentence for a page.
fn sentence(line: &str) -> String {
    let mut characters = line.chars();
    characters.next().map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), characters.as_str()))
}
