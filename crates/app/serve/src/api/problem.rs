//! Errors of the admin API: JSON that says what is wrong and what to do.

use axum::Json;
use axum::response::{IntoResponse, Response};
use hyper::StatusCode;

use crate::administration::AdminError;

/// An error as the caller sees it.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    code: &'static str,
    message: String,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::json!({ "error": { "code": self.code, "message": self.message } });
        (self.status, Json(body)).into_response()
    }
}

impl From<AdminError> for Problem {
    fn from(error: AdminError) -> Self {
        use bartizan_access::AccessError;
        use bartizan_catalog::CatalogError;
        let (status, code) = match &error {
            AdminError::Forbidden => (StatusCode::FORBIDDEN, "forbidden"),
            AdminError::Ledger(_) => (StatusCode::SERVICE_UNAVAILABLE, "ledger-unavailable"),
            AdminError::Access(AccessError::Unknown { .. })
            | AdminError::Missing(_)
            | AdminError::Catalog(CatalogError::Missing(_)) => (StatusCode::NOT_FOUND, "missing"),
            AdminError::Access(AccessError::Taken(_) | AccessError::LastAdministrator) => {
                (StatusCode::CONFLICT, "conflict")
            }
            AdminError::Access(AccessError::Name(_))
            | AdminError::Invalid(_)
            | AdminError::Catalog(CatalogError::Refused(_) | CatalogError::Full) => {
                (StatusCode::BAD_REQUEST, "invalid")
            }
            AdminError::Respond(_) => (StatusCode::CONFLICT, "conflict"),
            AdminError::Reload(_) => (StatusCode::UNPROCESSABLE_ENTITY, "configuration-refused"),
            AdminError::Access(_) | AdminError::Catalog(_) | AdminError::Failed(_) => {
                (StatusCode::INTERNAL_SERVER_ERROR, "failed")
            }
        };
        Self::new(status, code, error.to_string())
    }
}
