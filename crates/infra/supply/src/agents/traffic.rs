//! Where an agent's traffic goes, and what it carries in clear.

use bartizan_core::{Link, Rule, Severity};

use super::redaction::names_a_credential;
use super::weakness::{Weakness, shortened};
use crate::yaml::Node;

/// No transport security.
pub const PLAIN_HTTP: Rule = Rule {
    id: "BZ-AGT-005",
    title: "Agent talks to a server over plain HTTP",
    severity: Severity::Medium,
    explanation: "Anybody on the way reads prompts, tool results and tokens, and can answer in the server's place: what a tool \
        returns steers the agent.",
    remedy: "Use https.",
    links: &[Link::Atlas("AML.T0085.001"), Link::Cwe(319)],
};

/// A credential as it is.
pub const CREDENTIAL_IN_CLEAR: Rule = Rule {
    id: "BZ-AGT-006",
    title: "Credential stands in an agent's configuration",
    severity: Severity::High,
    explanation: "The file is meant to be shared, and every tool that reads it sees the credential.",
    remedy: "Revoke it where it was issued, and refer to the environment or to an input instead (`${TOKEN}`, `${input:token}`).",
    links: &[Link::Atlas("AML.T0083"), Link::Owasp("LLM02:2025"), Link::Cwe(798)],
};

/// Requests go elsewhere.
pub const REDIRECTED_TRAFFIC: Rule = Rule {
    id: "BZ-AGT-011",
    title: "Configuration redirects an agent's traffic",
    severity: Severity::High,
    explanation: "The address of a model provider, a proxy or the set of trusted certificates is replaced for everybody who opens \
        the folder. Whoever runs the other end gets the provider's key with the first request, reads every prompt, and writes \
        the answers that the agent acts upon.",
    remedy: "Remove the variable from the shared file; set it on the machines that need it.",
    links: &[Link::Atlas("AML.T0081"), Link::Atlas("AML.T0008.005"), Link::Owasp("LLM02:2025"), Link::Cwe(441)],
};

/// Variables that say where a provider of models is, and its own hosts.
const PROVIDERS: &[&str] = &[
    "ANTHROPIC_BASE_URL",
    "ANTHROPIC_API_URL",
    "ANTHROPIC_BEDROCK_BASE_URL",
    "ANTHROPIC_VERTEX_BASE_URL",
    "OPENAI_BASE_URL",
    "OPENAI_API_BASE",
    "GOOGLE_GEMINI_BASE_URL",
    "GEMINI_BASE_URL",
    "CODE_ASSIST_ENDPOINT",
    "MISTRAL_BASE_URL",
];
const PROVIDER_HOSTS: &[&str] = &[
    "api.anthropic.com",
    "api.openai.com",
    "generativelanguage.googleapis.com",
    "cloudcode-pa.googleapis.com",
    "api.mistral.ai",
];
const PROXIES: &[&str] = &["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"];
const CERTIFICATES: &[&str] = &["NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"];

/// Judges an address under a key of the configuration or among arguments.
pub(super) fn address(url: &str, line: u64, weaknesses: &mut Vec<Weakness>) {
    let is_plain = starts_with(url, "http://") || starts_with(url, "ws://");
    if is_plain && !is_near(url) && !host(url).is_empty() {
        let message = format!("talks to {} without encryption", shortened(&bare(url)));
        weaknesses.push(Weakness::new(&PLAIN_HTTP, line, message));
    }
    let authority =
        url.split_once("://").map_or("", |(_, rest)| rest).split(['/', '?', '#']).next().unwrap_or_default();
    let password = authority.rsplit_once('@').and_then(|(user, _)| user.split_once(':')).map(|(_, password)| password);
    let query = url.split_once('?').map_or("", |(_, query)| query);
    let parameters = query.split('&').filter_map(|part| part.split_once('='));
    let token =
        parameters.filter(|(key, _)| names_a_credential(key)).map(|(_, value)| value).find(|value| is_literal(value));
    if token.is_some() || password.is_some_and(is_literal) {
        let message = format!("the address {} carries a credential", shortened(&bare(url)));
        weaknesses.push(Weakness::new(&CREDENTIAL_IN_CLEAR, line, message));
    }
}

/// Judges the headers that a server is asked with.
pub(super) fn headers(headers: &Node, weaknesses: &mut Vec<Weakness>) {
    for (name, value) in headers.entries() {
        if value.text().is_some_and(|text| names_a_credential(name) && is_literal(text)) {
            let message = format!("the header `{}` is written out", shortened(name));
            weaknesses.push(Weakness::new(&CREDENTIAL_IN_CLEAR, value.line, message));
        }
    }
}

/// Judges the arguments of a server: `--header "Authorization: Bearer …"`, `--api-key …`, addresses.
pub(super) fn arguments(words: &[&str], line: u64, weaknesses: &mut Vec<Weakness>) {
    let mut before = "";
    for word in words {
        if word.contains("://") && !word.starts_with('-') {
            address(word, line, weaknesses);
        }
        let (flag, value) = match word.split_once('=') {
            Some((flag, value)) if flag.starts_with("--") => (flag, value),
            _ => (before, *word),
        };
        let (header, credential) = match value.split_once(':') {
            Some((name, rest)) if !rest.starts_with("//") => (name, rest),
            _ => ("", value),
        };
        let is_header = names_a_credential(header) && !header.contains(['/', ' ']);
        let is_flag = flag.starts_with("--") && names_a_credential(flag);
        let is_bare = before.eq_ignore_ascii_case("bearer");
        if (is_header && is_literal(credential)) || ((is_flag || is_bare) && is_literal(value)) {
            let name = if is_header {
                header
            } else if is_flag {
                flag
            } else {
                "Bearer"
            };
            let message = format!("the argument `{}` is written out", shortened(name));
            weaknesses.push(Weakness::new(&CREDENTIAL_IN_CLEAR, line, message));
        }
        before = word;
    }
}

/// Judges variables that a tool or server is started with.
pub(super) fn environment(variables: &Node, weaknesses: &mut Vec<Weakness>) {
    for (name, value) in variables.entries() {
        let Some(text) = value.text() else { continue };
        let upper = name.to_ascii_uppercase();
        let is = |names: &[&str]| names.contains(&upper.as_str());
        let is_elsewhere = !is_near(text) && !is_reference(text) && !text.is_empty();
        let is_unverified =
            matches!((upper.as_str(), text), ("NODE_TLS_REJECT_UNAUTHORIZED" | "PYTHONHTTPSVERIFY", "0"));
        let is_redirected = is(PROVIDERS) && is_elsewhere && !PROVIDER_HOSTS.contains(&host(text));
        let severity = if is_unverified || is_redirected {
            Severity::High
        } else if (is(PROXIES) && is_elsewhere) || (is(CERTIFICATES) && !text.is_empty()) {
            Severity::Medium
        } else {
            continue;
        };
        let message = format!("sets {} to `{}`", shortened(name), shortened(&bare(text)));
        weaknesses.push(Weakness::new(&REDIRECTED_TRAFFIC, value.line, message).at(severity));
    }
}

fn starts_with(url: &str, scheme: &str) -> bool {
    url.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
}

fn host(url: &str) -> &str {
    let authority =
        url.split_once("://").map_or(url, |(_, rest)| rest).split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    match host.strip_prefix('[') {
        Some(address) => address.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    }
}

/// Whether an address is on this very machine.
fn is_near(url: &str) -> bool {
    let host = host(url);
    let is_v4 = host.starts_with("127.") && host.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    is_v4
        || matches!(host, "localhost" | "::1" | "0.0.0.0" | "host.docker.internal")
        || host.ends_with(".localhost")
        || is_reference(host)
}

/// The address without user, password and query.
fn bare(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    match url.split_once("://") {
        Some((scheme, rest)) => {
            let (authority, path) = rest.split_at_checked(rest.find('/').unwrap_or(rest.len())).unwrap_or((rest, ""));
            format!("{scheme}://{}{path}", authority.rsplit('@').next().unwrap_or_default())
        }
        None => url.to_owned(),
    }
}

/// Whether something is filled in elsewhere.
fn is_reference(text: &str) -> bool {
    ["${", "{env:", "{{", "{file:", "$(", "%"].iter().any(|mark| text.contains(mark)) || text.starts_with('$')
}

/// Whether a value is the credential itself, and not a reference or a placeholder.
fn is_literal(value: &str) -> bool {
    let value = value.trim();
    let schemes = ["Bearer ", "bearer ", "Basic ", "basic ", "token ", "Token "];
    let value = schemes.iter().find_map(|scheme| value.strip_prefix(scheme)).unwrap_or(value).trim();
    let lower = value.to_ascii_lowercase();
    let placeholders = [
        "your",
        "xxx",
        "...",
        "…",
        "<",
        "example",
        "changeme",
        "placeholder",
        "token_here",
        "key_here",
        "replace",
        "dummy",
        "***",
        "insert",
    ];
    value.len() >= 8
        && !is_reference(value)
        && !value.contains([' ', '/', '\\'])
        && !placeholders.iter().any(|mark| lower.contains(mark))
        && !lower.chars().all(|c| c.is_ascii_lowercase() || matches!(c, '_' | '-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_told_from_references_and_placeholders() {
        for value in ["Bearer 8f3c19e2aa0b47d1", "A1b2C3d4E5f6"] {
            assert!(is_literal(value), "{value}");
        }
        for value in [
            "Bearer ${TOKEN}",
            "${input:key}",
            "$TOKEN",
            "{env:KEY}",
            "YOUR_API_KEY_1",
            "<token-1234>",
            "xxxx-xxxx-1",
            "github_token",
        ] {
            assert!(!is_literal(value), "{value}");
        }
    }

    #[test]
    fn no_message_holds_a_credential() {
        let mut weaknesses = Vec::new();
        let user = "ada";
        address(&format!("http://{user}:open5esame@example.org/x?token=open5esame"), 1, &mut weaknesses);
        arguments(&["--header", "Authorization: Bearer open5esame", "--api-key=open5esame"], 1, &mut weaknesses);
        assert_eq!(weaknesses.len(), 4);
        assert!(!format!("{weaknesses:?}").contains("open5esame"), "{weaknesses:?}");
    }

    #[test]
    fn loopback_is_no_place_elsewhere() {
        for url in ["http://localhost:1/x", "http://127.0.0.1", "http://[::1]:8080/", "http://${HOST}/x"] {
            assert!(is_near(url), "{url}");
        }
        for url in ["http://127.0.0.1.example.org", "http://localhost.example.org", "http://localhost@example.org/"] {
            assert!(!is_near(url), "{url}");
        }
    }
}
