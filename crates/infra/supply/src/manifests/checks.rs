//! How the packages of a file are pinned and where they come from.
//!
//! What concerns many packages of a file alike is one finding with a list, so that an ordinary
//! project is not flooded.

use bartizan_core::{Finding, Link, Rule, Severity, printable};
use bartizan_inspect::{Findings, Source};
use serde_json::json;

use super::dependency::{Dependency, Manifest, Origin};
use super::place::{place, without_password};

const LINKS: &[Link] = &[Link::Atlas("AML.T0010.001"), Link::Owasp("LLM03:2025"), Link::Cwe(1357)];

/// Two indexes may both answer for a name.
pub const CONFUSABLE_INDEX: Rule = Rule {
    id: "BZ-DEP-006",
    title: "Packages may come from either of two indexes",
    severity: Severity::Medium,
    explanation: "An extra index is asked beside the first one, and the higher version wins wherever it comes from. Whoever \
        registers the name of a private package on the public index, with a high version, is installed instead of it \
        (dependency confusion; it hit PyTorch's nightly builds in December 2022).",
    remedy: "Use one index that mirrors the other, or bind each package to its index (uv's `explicit = true`, poetry's \
        `priority = \"explicit\"`), or lock with hashes.",
    links: &[Link::Atlas("AML.T0010.001"), Link::Owasp("LLM03:2025"), Link::Cwe(427)],
};

/// A version is left open.
pub const UNPINNED: Rule = Rule {
    id: "BZ-DEP-007",
    title: "Requirements leave the version open",
    severity: Severity::Info,
    explanation: "What is installed depends on the day: a release that was taken over an hour ago is installed too, and \
        known vulnerabilities can't be looked up for a version that nobody knows yet.",
    remedy: "Pin exact versions, best with hashes: `uv pip compile --generate-hashes`, `pip-compile --generate-hashes`.",
    links: LINKS,
};

/// Some have hashes, some have not.
pub const UNHASHED: Rule = Rule {
    id: "BZ-DEP-008",
    title: "Some packages of a hashed file have no hash",
    severity: Severity::Low,
    explanation: "Most packages of this file are bound to their bytes, these are not: whoever controls the index or the \
        connection can replace them. pip refuses such a file, other installers do not.",
    remedy: "Compile the file again with hashes for all.",
    links: &[Link::Atlas("AML.T0010.001"), Link::Cwe(494)],
};

/// Fetched without transport security.
pub const INSECURE_URL: Rule = Rule {
    id: "BZ-DEP-009",
    title: "Packages are fetched over plain HTTP",
    severity: Severity::Medium,
    explanation: "Anybody on the way between the installer and the server can replace the package, and with it the code \
        that runs.",
    remedy: "Use https, and bind the package by a hash.",
    links: &[Link::Atlas("AML.T0010.001"), Link::Cwe(494), Link::Cwe(319)],
};

/// A repository without a commit.
pub const MOVABLE_REVISION: Rule = Rule {
    id: "BZ-DEP-010",
    title: "Package comes from a repository at no fixed commit",
    severity: Severity::Low,
    explanation: "A branch or tag can be moved: tomorrow the same line installs other code, without a review and without \
        a version that could be looked up.",
    remedy: "Name the full commit id.",
    links: LINKS,
};

/// Runs a script when it is installed.
pub const INSTALL_SCRIPT: Rule = Rule {
    id: "BZ-DEP-011",
    title: "Packages run scripts when they are installed",
    severity: Severity::Info,
    explanation: "Their code runs on the machine that installs them, before anybody imports them. Most takeovers of npm \
        packages began with such a script.",
    remedy: "Install with `--ignore-scripts` and allow scripts one by one.",
    links: &[Link::Atlas("AML.T0010.001"), Link::Cwe(506)],
};

/// Withdrawn by its publisher.
pub const YANKED: Rule = Rule {
    id: "BZ-DEP-012",
    title: "Package version was yanked",
    severity: Severity::Low,
    explanation: "Its publisher took the version back, for being broken or for worse; it is installed only because the \
        file names it exactly.",
    remedy: "Move to a version that is offered.",
    links: LINKS,
};

/// Every rule of this module.
pub const RULES: &[&Rule] =
    &[&CONFUSABLE_INDEX, &UNPINNED, &UNHASHED, &INSECURE_URL, &MOVABLE_REVISION, &INSTALL_SCRIPT, &YANKED];

/// Names that a list shows; the rest is counted.
const SHOWN: usize = 8;

/// Checks a file.
pub(super) fn check(source: &Source, manifest: &Manifest, findings: &mut Findings) {
    indexes(source, manifest, findings);
    let all = &manifest.dependencies;
    let from_registry = |one: &&Dependency| one.origin == Origin::Registry;
    if manifest.is_installed_from {
        let open: Vec<&Dependency> = all.iter().filter(from_registry).filter(|one| one.version.is_none()).collect();
        list(&UNPINNED, "leave the version open", source, &open, findings);
    }
    let bound: Vec<&Dependency> =
        all.iter().filter(|one| matches!(one.origin, Origin::Registry | Origin::Url(_))).collect();
    if bound.iter().any(|one| one.is_hashed) {
        let bare: Vec<&Dependency> = bound.iter().copied().filter(|one| !one.is_hashed).collect();
        list(&UNHASHED, "have no hash while others have", source, &bare, findings);
    }
    let scripted: Vec<&Dependency> = all.iter().filter(|one| one.runs_on_install).collect();
    list(&INSTALL_SCRIPT, "run scripts when installed", source, &scripted, findings);
    let yanked: Vec<&Dependency> = all.iter().filter(|one| one.is_yanked).collect();
    list(&YANKED, "are yanked", source, &yanked, findings);
    for dependency in all {
        origin(source, dependency, findings);
    }
}

fn indexes(source: &Source, manifest: &Manifest, findings: &mut Findings) {
    for index in &manifest.indexes {
        let shown = without_password(&index.url);
        let at = place(source, index.line);
        if index.url.starts_with("http://") && !is_loopback(&index.url) {
            let message = format!("the index {shown} is asked over plain HTTP");
            findings.push(Finding::new(&INSECURE_URL, at.clone(), &message).with_identity(&shown));
        }
        let all_hashed = manifest.dependencies.iter().all(|one| one.is_hashed) && !manifest.dependencies.is_empty();
        if index.is_extra && !index.is_explicit && !all_hashed {
            let message = format!("packages may come from {shown} or from the first index");
            findings.push(Finding::new(&CONFUSABLE_INDEX, at, &message).with_identity(&shown));
        }
    }
}

fn origin(source: &Source, dependency: &Dependency, findings: &mut Findings) {
    let name = printable(&dependency.name);
    let at = place(source, dependency.line);
    let url = match &dependency.origin {
        Origin::Url(url) | Origin::Git { url, .. } => url,
        Origin::Registry | Origin::Local => return,
    };
    let shown = without_password(url);
    let bare = url.strip_prefix("git+").unwrap_or(url);
    if (bare.starts_with("http://") || bare.starts_with("git://")) && !is_loopback(bare) {
        let message = format!("{name} is fetched from {shown}");
        findings.push(Finding::new(&INSECURE_URL, at.clone(), &message).with_identity(&name));
    }
    if matches!(dependency.origin, Origin::Git { is_fixed: false, .. }) {
        let message = format!("{name} comes from {shown} at a revision that can move");
        findings.push(Finding::new(&MOVABLE_REVISION, at, &message).with_identity(&name));
    }
}

fn is_loopback(url: &str) -> bool {
    let authority = url.split_once("://").map_or(url, |(_, rest)| rest).split('/').next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    ["localhost", "127.", "[::1]"].iter().any(|local| host.starts_with(local))
}

fn list(rule: &'static Rule, what: &str, source: &Source, which: &[&Dependency], findings: &mut Findings) {
    let Some(first) = which.first() else { return };
    let names: Vec<String> = which.iter().map(|one| printable(&one.name)).collect();
    let shown = names.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    let more = match names.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let message = format!("{} of its packages {what}: {shown}{more}", names.len());
    let finding = Finding::new(rule, place(source, first.line), &message)
        .with_identity(rule.id)
        .with_evidence("packages", json!(names.iter().take(1000).collect::<Vec<_>>()));
    findings.push(finding);
}
