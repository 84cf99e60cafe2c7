//! The rules about secrets: one per thing that a secret opens.

use bartizan_core::{Link, Rule, Severity};
use bartizan_sensitive::{Family, Kind};

const LINKS: &[Link] = &[Link::Cwe(798), Link::Cwe(540), Link::Atlas("AML.T0055")];
const REMEDY: &str = "Revoke it where it was issued, look there for use that was not yours, and issue a new one. Then keep it out of \
    the tree: read it from the environment or a vault. Removing the line is not enough, history keeps it.";

/// A key to an AI service.
pub const AI_KEY: Rule = Rule {
    id: "BZ-SEC-001",
    title: "Key to an AI service in text",
    severity: Severity::High,
    explanation: "Keys to model providers, model hubs, experiment trackers and vector stores are sold and used within minutes of \
        being published: they pay for other people's inference, read prompts and training data, and, with write access to a \
        hub, replace the models that others load.",
    remedy: REMEDY,
    links: &[
        Link::Cwe(798),
        Link::Cwe(540),
        Link::Atlas("AML.T0055"),
        Link::Atlas("AML.T0012"),
        Link::Owasp("LLM02:2025"),
    ],
};

/// A key to a cloud account.
pub const CLOUD_KEY: Rule = Rule {
    id: "BZ-SEC-002",
    title: "Key to a cloud account in text",
    severity: Severity::High,
    explanation: "Whoever reads the file can use the account: read stored data and models, start machines, and often grant \
        themselves more.",
    remedy: REMEDY,
    links: LINKS,
};

/// A token of the software supply chain.
pub const SOFTWARE_TOKEN: Rule = Rule {
    id: "BZ-SEC-003",
    title: "Token of a source host, package registry or build service in text",
    severity: Severity::High,
    explanation: "With it, code, packages and images can be changed under a trusted name; what is built from them carries the \
        change on.",
    remedy: REMEDY,
    links: &[Link::Cwe(798), Link::Cwe(540), Link::Atlas("AML.T0010"), Link::Owasp("LLM03:2025")],
};

/// A key to payments.
pub const PAYMENT_KEY: Rule = Rule {
    id: "BZ-SEC-004",
    title: "Key to a payment service in text",
    severity: Severity::High,
    explanation: "It moves money or reads the data of those who paid.",
    remedy: REMEDY,
    links: LINKS,
};

/// A token of a messaging service.
pub const MESSAGING_TOKEN: Rule = Rule {
    id: "BZ-SEC-005",
    title: "Token of a messaging service in text",
    severity: Severity::Medium,
    explanation: "It reads or sends messages in somebody's name: phishing from the inside, and instructions to agents that \
        read the channel.",
    remedy: REMEDY,
    links: LINKS,
};

/// A password of a database, queue or URL.
pub const DATABASE_PASSWORD: Rule = Rule {
    id: "BZ-SEC-006",
    title: "Address with its password in text",
    severity: Severity::High,
    explanation: "A connection string or URL holds a password beside the host it opens.",
    remedy: REMEDY,
    links: LINKS,
};

/// A private key.
pub const PRIVATE_KEY: Rule = Rule {
    id: "BZ-SEC-007",
    title: "Private key or signed token in text",
    severity: Severity::High,
    explanation: "Whoever reads a private key can sign, decrypt and log in as its owner; a signed token does so until it expires.",
    remedy: REMEDY,
    links: &[Link::Cwe(321), Link::Cwe(540), Link::Atlas("AML.T0055")],
};

/// A token of another service.
pub const SERVICE_TOKEN: Rule = Rule {
    id: "BZ-SEC-008",
    title: "Token of a service in text",
    severity: Severity::Medium,
    explanation: "The file holds a token whose form is that of a known service.",
    remedy: REMEDY,
    links: LINKS,
};

/// A random value under a telling name.
pub const GENERIC_SECRET: Rule = Rule {
    id: "BZ-SEC-009",
    title: "Value that is likely a secret in text",
    severity: Severity::Medium,
    explanation: "A value that looks random is assigned to a name such as `api_key`, `secret` or `password`. Nothing proves that it \
        opens anything: the name and the randomness speak for it.",
    remedy: "If it opens something, revoke it and read it from the environment or a vault. If not, say so by `bartizan:allow` on the line.",
    links: LINKS,
};

/// Every rule about secrets.
pub const RULES: &[&Rule] = &[
    &AI_KEY,
    &CLOUD_KEY,
    &SOFTWARE_TOKEN,
    &PAYMENT_KEY,
    &MESSAGING_TOKEN,
    &DATABASE_PASSWORD,
    &PRIVATE_KEY,
    &SERVICE_TOKEN,
    &GENERIC_SECRET,
];

/// The rule for a kind of secret.
pub(super) fn rule_of(kind: &Kind) -> &'static Rule {
    match kind.family {
        Family::Ai => &AI_KEY,
        Family::Cloud => &CLOUD_KEY,
        Family::Software => &SOFTWARE_TOKEN,
        Family::Payment => &PAYMENT_KEY,
        Family::Messaging => &MESSAGING_TOKEN,
        Family::Database => &DATABASE_PASSWORD,
        Family::PrivateKey => &PRIVATE_KEY,
        Family::Service => &SERVICE_TOKEN,
        Family::Generic => &GENERIC_SECRET,
    }
}

/// How bad a leak of that kind is: less where the secret opens little, is locked, or expires by itself.
pub(super) fn severity(kind: &Kind) -> Severity {
    match kind.id {
        "stripe-test-key" | "encrypted-private-key" => Severity::Low,
        "json-web-token" | "google-api-key" | "razorpay-key" => Severity::Medium,
        _ => rule_of(kind).severity,
    }
}
