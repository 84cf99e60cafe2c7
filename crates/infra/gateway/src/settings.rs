//! `[gateway]` of `bartizan.toml`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::prompts::PromptSettings;
use crate::quota::{Price, Quota};
use crate::redaction::RedactionSettings;
use crate::routing::{RoutingSettings, UpstreamSettings};
use crate::tls::TlsSettings;

/// How the door behaves. Every field has a default; unknown fields are refused.
#[derive(Clone, PartialEq, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Address of the guarded endpoint.
    pub listen: String,
    /// `shadow`: guards that can be wrong record what they would have refused. `enforce`: they refuse.
    pub mode: Mode,
    /// When an entry must be on disk: `strict`, `overlap` or `batched`.
    pub durability: Durability,
    /// Longest wait for a group commit in `batched` mode, in milliseconds.
    pub batch_milliseconds: u64,
    /// Requests a second that one principal may make, on average.
    pub requests_per_second: u32,
    /// Requests that one principal may make at once after a pause.
    pub burst: u32,
    /// Refused requests a second that one address may make before it is answered without a record of each.
    pub refusals_per_second: u32,
    /// Bits of model output that one principal may draw in a day (UTC); 0 for no budget.
    pub information_bits_per_day: u64,
    /// Largest request body in bytes.
    pub body_bytes: usize,
    /// Largest number of values in one input tensor.
    pub tensor_values: usize,
    /// Longest wait for a whole request body, in seconds.
    pub body_seconds: u64,
    /// Longest pause within a request body, in seconds.
    pub body_pause_seconds: u64,
    /// Longest wait for an answer to begin, in seconds.
    pub answer_seconds: u64,
    /// Longest pause within a streamed answer, in seconds.
    pub idle_seconds: u64,
    /// Requests that are worked on at the same time.
    pub concurrency: usize,
    /// Requests of one principal that are worked on at the same time.
    pub concurrency_per_principal: usize,
    /// Connections that are open at the same time.
    pub connections: usize,
    /// Those of one address, or of one IPv6 network of 64 bits.
    pub connections_per_address: usize,
    /// Tokens that an answer is taken to have where the request sets no limit of its own.
    pub answer_tokens: u64,
    /// What a million tokens of a model cost, by its name; `*` for all others.
    pub prices: BTreeMap<String, Price>,
    /// What tenants, principals and models may use up.
    pub quotas: Vec<Quota>,
    /// What is taken out of a predictive model's answers.
    pub hardening: Hardening,
    /// What is masked in an upstream's answers.
    pub redaction: RedactionSettings,
    /// What happens when upstreams fail, and names that stand for models.
    pub routing: RoutingSettings,
    /// TLS of the guarded endpoint.
    pub tls: TlsSettings,
    /// What is done about prompt injections and jailbreaks in requests to language models.
    pub prompts: PromptSettings,
}

/// Whether guards that can be wrong refuse, or only record.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Record only.
    Shadow,
    /// Refuse.
    Enforce,
}

/// When an admission must be on disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Durability {
    /// Before the model sees the request; and the completion before the answer ends.
    Strict,
    /// Before the first byte of the answer.
    Overlap,
    /// Within `batch_milliseconds`; an answer does not wait. A power cut may lose that much.
    Batched,
}

/// What is taken out of answers so that they tell less about the model.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Hardening {
    /// Scores per row that are kept, largest first; the others become 0, or -1e9 where scores may be
    /// negative (logits). 0 keeps all.
    pub top_k: usize,
    /// Decimal places that scores are rounded to; 0 leaves them.
    pub decimals: u32,
    /// Answer 1 for the best class of a row and 0 for the others; of a single probability, whether it
    /// is at least one half.
    pub label_only: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8470".to_owned(),
            mode: Mode::Shadow,
            durability: Durability::Overlap,
            batch_milliseconds: 50,
            requests_per_second: 50,
            burst: 100,
            refusals_per_second: 20,
            information_bits_per_day: 4_000_000,
            body_bytes: 8 << 20,
            tensor_values: 1 << 20,
            body_seconds: 30,
            body_pause_seconds: 5,
            answer_seconds: 120,
            idle_seconds: 60,
            concurrency: 256,
            concurrency_per_principal: 128,
            connections: 4096,
            connections_per_address: 1024,
            answer_tokens: 1024,
            prices: BTreeMap::new(),
            quotas: Vec::new(),
            hardening: Hardening::default(),
            redaction: RedactionSettings::default(),
            routing: RoutingSettings::default(),
            tls: TlsSettings::default(),
            prompts: PromptSettings::default(),
        }
    }
}

/// A setting that can't be used.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("gateway.{key}: {reason}")]
pub struct SettingsError {
    /// The key within `[gateway]`.
    pub key: &'static str,
    /// What is wrong and what to do.
    pub reason: String,
}

/// Checks what types can't.
///
/// # Errors
/// The first upstream that can't be used.
pub fn check_upstreams(upstreams: &[UpstreamSettings]) -> Result<(), SettingsError> {
    let wrong = |reason| Err(SettingsError { key: "upstreams", reason });
    for (place, upstream) in upstreams.iter().enumerate() {
        if let Some(fault) = upstream.fault() {
            return wrong(format!("number {} {fault}", place + 1));
        }
        if upstreams.iter().take(place).any(|other| other.name == upstream.name) {
            return wrong(format!("number {} has the `name` of another; give each its own", place + 1));
        }
    }
    let serves = |upstream: &UpstreamSettings| upstream.shadow_percent == 0;
    if !upstreams.is_empty() && !upstreams.iter().any(serves) {
        return wrong("are all shadows; one at least must answer".to_owned());
    }
    Ok(())
}

impl Settings {
    /// Checks what types can't.
    ///
    /// # Errors
    /// The first setting that can't be used.
    pub fn check(&self) -> Result<(), SettingsError> {
        let wrong = |key, reason: &str| Err(SettingsError { key, reason: reason.to_owned() });
        if self.listen.parse::<std::net::SocketAddr>().is_err() {
            return wrong("listen", "is not an address; write it as `127.0.0.1:8470`");
        }
        if self.requests_per_second == 0 || self.burst == 0 {
            return wrong("requests_per_second", "and `burst` must be at least 1");
        }
        if [self.concurrency, self.concurrency_per_principal, self.connections, self.connections_per_address]
            .contains(&0)
        {
            return wrong("concurrency", "and `connections`, in all and each, must be at least 1");
        }
        if self.body_bytes == 0 || self.body_bytes > 1 << 30 {
            return wrong("body_bytes", "must be between 1 and 1073741824");
        }
        if let Some((place, fault)) = self.quotas.iter().enumerate().find_map(|(at, quota)| Some((at, quota.fault()?)))
        {
            return wrong("quotas", &format!("number {} {fault}", place + 1));
        }
        if self.quotas.iter().any(|quota| quota.cost > 0) && self.prices.is_empty() {
            return wrong("quotas", "limit a cost, but `gateway.prices` names no price; add `[gateway.prices.\"*\"]`");
        }
        if self.hardening.decimals > 6 {
            return wrong(
                "hardening.decimals",
                "must be at most 6, the precision of a score; 0 leaves scores as they are",
            );
        }
        if let Some((key, reason)) = self.prompts.fault() {
            return wrong(key, reason);
        }
        if let Some((key, reason)) = self.tls.fault() {
            return wrong(key, reason);
        }
        if let Some((key, reason)) = self.routing.fault() {
            return wrong(key, &reason);
        }
        self.redaction.check().map_err(|(key, reason)| SettingsError { key, reason })
    }

    /// Longest wait for a group commit of an entry that nobody waits for.
    pub fn deferral(&self) -> Duration {
        match self.durability {
            Durability::Batched => Duration::from_millis(self.batch_milliseconds),
            Durability::Strict | Durability::Overlap => Duration::from_millis(100),
        }
    }
}
