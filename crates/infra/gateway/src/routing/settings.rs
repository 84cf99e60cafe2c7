//! `[[upstreams]]` and `[gateway.routing]` of `bartizan.toml`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A model server behind the door.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct UpstreamSettings {
    /// What records and metrics call it.
    pub name: String,
    /// Where it is, such as `http://127.0.0.1:8000`.
    pub url: String,
    /// Reference to the credential that is sent to it; empty for none.
    pub key: String,
    /// How the credential is sent.
    pub key_header: KeyHeader,
    /// Models that it serves: names, or beginnings of names with a `*` at the end.
    pub models: Vec<String>,
    /// Its share of the requests among the upstreams of one priority; a canary has a small one.
    pub weight: u32,
    /// Upstreams with a higher number are asked only where those with a lower one failed.
    pub priority: u32,
    /// Per cent of the requests for its models that it is sent a copy of. Its answers are dropped, and it is sent
    /// nothing else. 0: it is no shadow.
    pub shadow_percent: u32,
    /// Path that answers 2xx while it is well, asked every five seconds; empty: only its answers tell.
    pub health: String,
    /// Longest wait for an answer to begin before another upstream is asked, in seconds; 0 for
    /// `gateway.answer_seconds`.
    pub first_byte_seconds: u64,
}

/// How a credential is sent to an upstream.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyHeader {
    /// `Authorization: Bearer …`
    #[default]
    Authorization,
    /// `X-API-Key: …`, as the Anthropic API takes it.
    XApiKey,
    /// `Api-Key: …`, as the Azure OpenAI API takes it.
    ApiKey,
}

/// What happens when upstreams fail.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct RoutingSettings {
    /// Names that stand for models: `fast = "llama-3.1-8b"`.
    pub aliases: BTreeMap<String, String>,
    /// Upstreams that are asked for one request at most.
    pub attempts: u32,
    /// Second and later attempts, in per cent of all requests, that may be made in the long run. Keeps failing
    /// upstreams from being asked twice as often.
    pub retry_percent: u32,
    /// Failures in a row after which an upstream is not asked for a while.
    pub failures: u32,
    /// How long that while is, in seconds; it doubles with each further failure, up to sixteen times.
    pub open_seconds: u64,
    /// Whether requests of one principal go to the same upstream as long as it is well.
    pub sticky: bool,
}

impl Default for UpstreamSettings {
    fn default() -> Self {
        Self {
            name: String::new(),
            url: String::new(),
            key: String::new(),
            key_header: KeyHeader::default(),
            models: vec!["*".to_owned()],
            weight: 100,
            priority: 0,
            shadow_percent: 0,
            health: String::new(),
            first_byte_seconds: 0,
        }
    }
}

impl Default for RoutingSettings {
    fn default() -> Self {
        Self { aliases: BTreeMap::new(), attempts: 3, retry_percent: 20, failures: 5, open_seconds: 5, sticky: false }
    }
}

impl UpstreamSettings {
    /// What can't be used of it, as words behind `upstreams: number N`.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        let is_name = |text: &str| {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
            !text.is_empty() && text.len() <= 64 && text.bytes().all(plain)
        };
        if !is_name(&self.name) {
            return Some("needs a `name` of letters, digits and `-._`, at most 64");
        }
        if self.models.is_empty() || self.models.iter().any(String::is_empty) {
            return Some("serves no model; write `models = [\"*\"]` for all");
        }
        if self.shadow_percent > 100 {
            return Some("has a `shadow_percent` above 100");
        }
        if self.weight == 0 && self.shadow_percent == 0 {
            return Some("has a `weight` of 0, so nothing would reach it; take it out, or give it a `shadow_percent`");
        }
        if !self.health.is_empty() && !self.health.starts_with('/') {
            return Some("has a `health` that is no path; it begins with `/`");
        }
        None
    }
}

impl RoutingSettings {
    /// What can't be used of it: the key, and why.
    pub(crate) fn fault(&self) -> Option<(&'static str, String)> {
        if self.attempts == 0 || self.failures == 0 {
            return Some(("routing.attempts", "and `failures` must be at least 1".to_owned()));
        }
        if self.retry_percent > 100 {
            return Some(("routing.retry_percent", "must be at most 100".to_owned()));
        }
        let chained = self.aliases.iter().find(|(_, model)| self.aliases.contains_key(*model) || model.is_empty());
        chained.map(|(alias, _)| {
            let alias = bartizan_core::printable(alias);
            ("routing.aliases", format!("`{alias}` stands for another alias or for nothing; name the model itself"))
        })
    }
}
