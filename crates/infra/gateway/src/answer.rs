//! What the gateway answers with.

use bytes::Bytes;
use http_body_util::combinators::BoxBody;

/// Why an answer broke off.
pub(crate) type AnswerError = Box<dyn std::error::Error + Send + Sync>;

/// The body of an answer: whole or streamed.
pub(crate) type AnswerBody = BoxBody<Bytes, AnswerError>;
