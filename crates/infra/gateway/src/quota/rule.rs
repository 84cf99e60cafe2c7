//! One quota of `[[gateway.quotas]]`.

use std::fmt;

use bartizan_core::Timestamp;
use serde::{Deserialize, Serialize};

use crate::quota::amounts::{Amounts, Unit};

/// How long a window is. Windows begin at full minutes, hours and days of UTC.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Window {
    /// 60 seconds.
    Minute,
    /// 3,600 seconds.
    Hour,
    /// 86,400 seconds.
    Day,
}

impl Window {
    /// Length in seconds.
    pub const fn seconds(self) -> i64 {
        match self {
            Self::Minute => 60,
            Self::Hour => 3_600,
            Self::Day => 86_400,
        }
    }

    /// The number of the window that `now` lies in.
    pub(crate) fn at(self, now: Timestamp) -> i64 {
        now.seconds().div_euclid(self.seconds())
    }

    /// Whole seconds until the next window begins, at least 1.
    pub(crate) fn rest(self, now: Timestamp) -> u64 {
        let next = (self.at(now) + 1) * self.seconds();
        u64::try_from(next - now.seconds()).unwrap_or(1).max(1)
    }
}

/// Whom a bucket of a quota belongs to: each of them has one of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Each {
    /// The organisation.
    Tenant,
    /// Whoever has a key or a token.
    Principal,
    /// What is asked, by all together.
    Model,
    /// A principal with one model.
    PrincipalAndModel,
}

impl fmt::Display for Each {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tenant => "tenant",
            Self::Principal => "principal",
            Self::Model => "model",
            Self::PrincipalAndModel => "principal-and-model",
        })
    }
}

/// What each tenant, principal or model may use up in a window; 0 does not limit.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quota {
    /// Whom a bucket belongs to.
    pub each: Each,
    /// Only this one, by name or id; everybody when empty.
    #[serde(default)]
    pub only: String,
    /// The window.
    pub per: Window,
    /// Requests in a window.
    #[serde(default)]
    pub requests: u64,
    /// Tokens of prompts and answers in a window.
    #[serde(default)]
    pub tokens: u64,
    /// Bytes of bodies, both ways, in a window.
    #[serde(default)]
    pub bytes: u64,
    /// Millionths of the currency in a window.
    #[serde(default)]
    pub cost: u64,
    /// Requests that are open at the same time.
    #[serde(default)]
    pub open: u32,
}

impl Quota {
    /// What is wrong with it, if anything.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        (self.limits() == Amounts::default() && self.open == 0)
            .then_some("limits nothing; give it `requests`, `tokens`, `bytes`, `cost` or `open`")
    }

    pub(crate) fn limits(&self) -> Amounts {
        Amounts { requests: self.requests, tokens: self.tokens, bytes: self.bytes, cost: self.cost }
    }

    /// A name for headers and refusals: `principal-tokens-minute`.
    pub(crate) fn name(&self, unit: Unit) -> String {
        let per = match self.per {
            Window::Minute => "minute",
            Window::Hour => "hour",
            Window::Day => "day",
        };
        format!("{}-{}-{per}", self.each, unit.as_str())
    }

    /// The bucket of this quota that a request belongs to, if it concerns the request at all.
    pub(crate) fn bucket(&self, subject: &Subject<'_>) -> Option<String> {
        let (key, names) = match self.each {
            Each::Tenant => (subject.tenant.to_owned(), [subject.tenant, subject.tenant]),
            Each::Principal => (subject.principal.to_owned(), [subject.principal, subject.name]),
            Each::Model => (subject.model.to_owned(), [subject.model, subject.model]),
            Each::PrincipalAndModel => {
                (format!("{}\n{}", subject.principal, subject.model), [subject.principal, subject.name])
            }
        };
        (self.only.is_empty() || names.contains(&self.only.as_str())).then_some(key)
    }
}

/// Whose request it is, and what it asks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'a> {
    pub(crate) tenant: &'a str,
    /// The opaque id.
    pub(crate) principal: &'a str,
    /// What people call the principal.
    pub(crate) name: &'a str,
    pub(crate) model: &'a str,
}

/// Tokens and bytes of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Usage {
    pub(crate) prompt: u64,
    pub(crate) answer: u64,
    pub(crate) bytes: u64,
}
