//! `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-10): what there is in a window,
//! what is left of it, and when the next one begins.

use std::fmt::Write as _;

use hyper::header::{HeaderMap, HeaderName, HeaderValue};

use crate::quota::amounts::Unit;
use crate::quota::book::Standing;

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// Adds both fields. Upstreams' own are taken away: they speak of the upstream's account, not of the client's.
pub(crate) fn describe(headers: &mut HeaderMap, standing: &[Standing]) {
    headers.remove(POLICY);
    headers.remove(LIMIT);
    if standing.is_empty() {
        return;
    }
    let (mut policy, mut limit) = (String::new(), String::new());
    for one in standing {
        let separator = if policy.is_empty() { "" } else { ", " };
        let unit = match one.unit {
            Unit::Requests => "requests",
            Unit::Bytes => "content-bytes",
            Unit::Tokens => "tokens",
            Unit::Cost => "cost",
        };
        // Writing to a string does not fail.
        let _ = write!(policy, "{separator}\"{}\";q={};qu=\"{unit}\";w={}", one.quota, one.limit, one.window);
        let _ = write!(limit, "{separator}\"{}\";r={};t={}", one.quota, one.rest, one.reset);
    }
    for (name, value) in [(POLICY, policy), (LIMIT, limit)] {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_fields_are_lists_of_structured_items() {
        let standing = |unit: Unit, rest| Standing {
            quota: format!("principal-{}-hour", unit.as_str()),
            unit,
            limit: 100,
            rest,
            window: 3600,
            reset: 7,
        };
        let mut headers = HeaderMap::new();
        headers.insert(LIMIT, HeaderValue::from_static("\"upstream\";r=1"));
        describe(&mut headers, &[standing(Unit::Tokens, 3), standing(Unit::Requests, 0)]);
        assert_eq!(
            headers[POLICY],
            r#""principal-tokens-hour";q=100;qu="tokens";w=3600, "principal-requests-hour";q=100;qu="requests";w=3600"#
        );
        assert_eq!(headers[LIMIT], r#""principal-tokens-hour";r=3;t=7, "principal-requests-hour";r=0;t=7"#);
        describe(&mut headers, &[]);
        assert!(headers.is_empty());
    }
}
