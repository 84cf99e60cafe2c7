//! Connections whose other side is not verified.

use super::super::call::Call;
use super::super::rules::TLS_OFF;
use super::super::value::Constant;
use super::Verdict;

/// Libraries whose calls and clients take `verify=`.
const VERIFYING: &[&str] =
    &["requests", "httpx", "niquests", "requests_futures", "requests_cache", "boto3", "botocore", "hvac", "s3fs"];

/// Libraries whose clients take `verify_ssl=`, `verify_certs=` and the like.
const SWITCHES: &[&str] = &[
    "verify_ssl",
    "verify_certs",
    "ssl_verify",
    "validate_certs",
    "use_ssl_verification",
    "check_hostname",
    "assert_hostname",
];

/// `verify=False` and its kin, and contexts that check nothing.
pub(super) fn unverified_connection(call: &Call) -> Option<Verdict> {
    let name = call.path.as_str();
    if matches!(name, "ssl._create_unverified_context" | "ssl._create_stdlib_context") {
        return Some(Verdict::new(&TLS_OFF, format!("`{name}`")));
    }
    let off = |keyword: &str| call.keyword(keyword).is_some_and(|value| value.is(false));
    if off("verify") && (VERIFYING.contains(&call.library()) || looks_like_a_request(call)) {
        return Some(Verdict::new(&TLS_OFF, format!("`{}` with `verify=False`", call.shown())));
    }
    if let Some(switch) = SWITCHES.iter().find(|switch| off(switch)) {
        return Some(Verdict::new(&TLS_OFF, format!("`{}` with `{switch}=False`", call.shown())));
    }
    if call.library() == "aiohttp" && (off("ssl") || off("verify_ssl")) {
        return Some(Verdict::new(&TLS_OFF, format!("`{}` with `ssl=False`", call.shown())));
    }
    let none = call.keyword("cert_reqs")?;
    let is_none = none.path.as_deref() == Some("ssl.CERT_NONE")
        || none.as_text() == Some("CERT_NONE")
        || none.constant == Some(Constant::None);
    is_none.then(|| Verdict::new(&TLS_OFF, format!("`{}` with `cert_reqs=CERT_NONE`", call.shown())))
}

/// A method of HTTP on an object of unknown making, to an address: `session.get(url, verify=False)`.
fn looks_like_a_request(call: &Call) -> bool {
    let is_method =
        matches!(call.method(), "get" | "post" | "put" | "patch" | "delete" | "head" | "options" | "request" | "send");
    is_method && !call.receiver().is_empty()
}
