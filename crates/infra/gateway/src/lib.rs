//! The door to a model.
//!
//! A request enters by the [`Listener`], is parsed and bounded into a [`Head`], and passes one
//! ordered list of [`Guard`]s: authenticate, authorize, limit, budget, validate. What passes reaches
//! a [`Backend`]: the embedded model, or an upstream behind a streaming proxy. The admission goes to
//! the ledger while the backend already works, and the first byte of the answer waits for it.
//!
//! The gateway fails closed: a guard that can't decide refuses, and a ledger that can't write means
//! that nothing is served.

mod answer;
mod backend;
mod budget;
mod chain;
mod course;
mod embedded;
mod events;
mod exposure;
mod forward;
mod framing;
mod gateway;
mod guard;
mod guards;
mod harden;
mod head;
mod infer;
mod limit;
mod listener;
mod metrics;
mod outgoing;
mod peer;
mod problem;
mod prompts;
mod proxy;
mod quota;
mod record;
mod redaction;
mod routing;
mod settings;
mod share;
mod tls;
mod tokens;

pub use backend::{Backend, BackendKind};
pub use budget::BudgetBook;
pub use embedded::Embedded;
pub use exposure::{Exposure, check_exposure};
pub use gateway::{Gateway, GatewayParts};
pub use guard::{Admission, Guard, Refusal, Stage};
pub use harden::{Unhardened, harden_binary, harden_json, strip_logprobs};
pub use head::{Head, HeadError, Route, fuzz_one};
pub use listener::{Listener, ListenerLimits};
pub use metrics::Metrics;
pub use outgoing::outgoing_tls;
pub use prompts::{FalseAlarms, PromptMode, PromptSettings};
pub use proxy::ProxyError;
pub use quota::{Each, Price, Quota, QuotaBook, Window};
pub use redaction::{RedactionMode, RedactionSettings};
pub use routing::{
    KeyHeader, PreparedRoutes, Routes, RoutingSettings, UpstreamSettings, UpstreamStanding, UpstreamWithKey,
    keep_healthy,
};
pub use settings::{Durability, Hardening, Mode, Settings, SettingsError, check_upstreams};
pub use tls::{ClientCertificates, PreparedTls, Tls, TlsError, TlsSettings};
pub use tokens::{IssuerStanding, Tokens};
