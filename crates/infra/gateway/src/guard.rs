//! One question that a request must pass.

use std::net::IpAddr;
use std::sync::Arc;

use bartizan_access::{Caller, Operation, PeerCertificate, Resource};
use bartizan_core::{Decision, Timestamp};
use bartizan_inference::protocol::Request;
use hyper::StatusCode;

use crate::head::Head;
use crate::prompts::PromptFinding;
use crate::quota::Hold;
use crate::share::Share;

/// When a guard is asked.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Stage {
    /// When the head is there and the body is not.
    Head,
    /// When the body is there and parsed.
    Body,
}

/// A request on its way in, as far as it is known.
pub struct Admission<'a> {
    /// The parsed, bounded head.
    pub head: &'a Head,
    /// Where it came from.
    pub address: IpAddr,
    /// An opaque word for the network that it came from.
    pub(crate) network: Arc<str>,
    /// The certificate that the client proved to have.
    pub certificate: Option<Arc<PeerCertificate>>,
    /// When it arrived.
    pub now: Timestamp,
    /// What it attempts.
    pub operation: Operation,
    /// On what.
    pub resource: &'a Resource,
    /// Who, once authenticated.
    pub caller: Option<Caller>,
    /// The decision of the policies, once authorized.
    pub decision: Option<Decision>,
    /// The tensors, where the body is an inference request for the embedded model.
    pub tensors: Option<Request>,
    /// The model that the body names; empty until that is known.
    pub model: String,
    /// What was found in the texts that the model is to read, where they were looked at.
    pub(crate) prompt: Option<PromptFinding>,
    /// What it holds of its caller's quotas, once that is reserved.
    pub(crate) hold: Option<Hold>,
    /// Its place among the caller's requests that are worked on.
    pub(crate) share: Option<Share<String>>,
    /// What guards in shadow would have refused, as stable words.
    pub shadowed: Vec<&'static str>,
}

/// Why a request is refused, for the client and for the ledger.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// What the client's HTTP library sees.
    pub status: StatusCode,
    /// A stable kebab-case word for ledger, metrics and rules.
    pub reason: String,
    /// One line for the client: what is wrong and what to do. Repeats nothing the client sent.
    pub message: String,
    /// Seconds after which to try again.
    pub retry_after: Option<u64>,
    /// The principal, key prefix and drill mark behind the request, where a guard got to know them.
    pub principal: String,
    /// Public prefix of the key.
    pub key: String,
    /// Whether the principal exists only for a drill.
    pub drill: bool,
    /// Whether each such refusal is recorded on its own; floods are counted instead.
    pub recorded: bool,
}

impl Refusal {
    /// A refusal with nothing known about who asked.
    pub fn new(status: StatusCode, reason: &str, message: impl Into<String>) -> Self {
        Self {
            status,
            reason: reason.to_owned(),
            message: message.into(),
            retry_after: None,
            principal: String::new(),
            key: String::new(),
            drill: false,
            recorded: true,
        }
    }

    /// What the client is told: nothing that helps to guess keys or policies.
    pub(crate) fn public_code(&self) -> &str {
        match self.status {
            StatusCode::UNAUTHORIZED => "unauthenticated",
            StatusCode::FORBIDDEN => "forbidden",
            _ => &self.reason,
        }
    }
}

/// One question. Guards are asked in the order of the list that was built when configuration was
/// loaded; the first refusal ends the request.
pub trait Guard: Send + Sync {
    /// A kebab-case word.
    fn name(&self) -> &'static str;

    /// When it is asked.
    fn stage(&self) -> Stage;

    /// Lets the request pass, possibly with more known about it, or refuses it. Must not block.
    ///
    /// # Errors
    /// The refusal.
    fn check(&self, admission: &mut Admission<'_>) -> Result<(), Refusal>;
}
