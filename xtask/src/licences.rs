//! Licences and banned crates, as `deny.toml` says: by cargo-deny where it is installed, otherwise
//! by reading the same file here, which takes a second instead of a build of some 300 crates.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use anyhow::{Context as _, ensure};

use crate::workspace::{has, root, run};

pub(crate) fn check() -> anyhow::Result<()> {
    if has("cargo-deny") {
        return run(
            "cargo",
            &["deny", "--offline", "--all-features", "check", "--hide-inclusion-graph", "bans", "licenses", "sources"],
        );
    }
    println!("cargo-deny is not installed: deny.toml's licences, bans and sources are checked here");
    let rules: toml::Table = fs::read_to_string(root().join("deny.toml"))?.parse()?;
    let allowed = texts(rules.get("licenses").and_then(|section| section.get("allow")), "");
    let banned = texts(rules.get("bans").and_then(|section| section.get("deny")), "crate");
    // What is really built with every feature on every target; Cargo.lock holds more than that.
    let arguments = [
        "tree",
        "--workspace",
        "--all-features",
        "--target",
        "all",
        "--prefix",
        "none",
        "--format",
        "{p}|{l}",
        "--locked",
    ];
    let output = Command::new("cargo")
        .args(arguments)
        .current_dir(root())
        .output()
        .context("cargo tree could not be started")?;
    ensure!(output.status.success(), "cargo tree failed: {}", String::from_utf8_lossy(&output.stderr));
    let listed = String::from_utf8_lossy(&output.stdout).into_owned();
    let packages: BTreeSet<&str> =
        listed.lines().map(|line| line.trim_end_matches(" (*)")).filter(|line| !line.is_empty()).collect();
    let mut wrong = Vec::new();
    for package in &packages {
        let (what, licence) = package.split_once('|').unwrap_or((package, ""));
        let mut words = what.split(' ');
        let (name, version) =
            (words.next().unwrap_or_default(), words.next().unwrap_or_default().trim_start_matches('v'));
        if !is_allowed(licence, &allowed) {
            wrong.push(format!("{name} {version}: licence `{licence}` is not allowed"));
        }
        if banned.iter().any(|ban| is_banned(name, version, ban)) {
            wrong.push(format!("{name} {version} is banned"));
        }
        if what.contains("(http") || what.contains("(git") {
            wrong.push(format!("{name} {version} does not come from the registry"));
        }
    }
    ensure!(wrong.is_empty(), "deny.toml:\n  {}", wrong.join("\n  "));
    println!("{} packages, all licences allowed, none banned", packages.len());
    Ok(())
}

/// Texts of an array, or of one key of its tables.
fn texts(array: Option<&toml::Value>, key: &str) -> BTreeSet<String> {
    let rows = array.and_then(toml::Value::as_array).cloned().unwrap_or_default();
    rows.iter().filter_map(|row| row.as_str().or_else(|| row.get(key)?.as_str()).map(ToOwned::to_owned)).collect()
}

/// An SPDX expression of `OR`, `AND` and parentheses, `/` being an old way of writing `OR`.
fn is_allowed(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let expression = expression.replace('/', " OR ");
    let (mut depth, mut ors, mut ands) = (0_usize, Vec::new(), Vec::new());
    for (at, c) in expression.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ if depth > 0 => {}
            _ if expression[at..].starts_with(" OR ") => ors.push(at),
            _ if expression[at..].starts_with(" AND ") => ands.push(at),
            _ => {}
        }
    }
    // AND binds more tightly than OR, so the expression is split at OR first.
    if let Some(at) = ors.first() {
        return is_allowed(&expression[..*at], allowed) || is_allowed(&expression[at + 4..], allowed);
    }
    if let Some(at) = ands.first() {
        return is_allowed(&expression[..*at], allowed) && is_allowed(&expression[at + 5..], allowed);
    }
    let one = expression.trim();
    match one.strip_prefix('(').and_then(|inner| inner.strip_suffix(')')) {
        Some(inner) => is_allowed(inner, allowed),
        None => allowed.contains(one),
    }
}

/// `name`, or `name:<1` for versions before the first.
fn is_banned(name: &str, version: &str, ban: &str) -> bool {
    match ban.split_once(':') {
        None => name == ban,
        Some((banned, "<1")) => name == banned && version.starts_with("0."),
        Some((banned, _)) => name == banned,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_read_as_spdx_means_them() {
        let allowed = BTreeSet::from([
            "MIT".to_owned(),
            "Apache-2.0".to_owned(),
            "ISC".to_owned(),
            "Apache-2.0 WITH LLVM-exception".to_owned(),
        ]);
        for good in [
            "MIT",
            "MIT OR GPL-3.0",
            "MIT/Apache-2.0",
            "ISC AND (Apache-2.0 OR GPL-3.0)",
            "(MIT OR X) AND ISC",
            "Apache-2.0 WITH LLVM-exception OR X",
        ] {
            assert!(is_allowed(good, &allowed), "{good}");
        }
        for bad in ["GPL-3.0", "", "MIT AND GPL-3.0", "(MIT OR X) AND GPL-3.0", "GPL-3.0 OR X AND MIT"] {
            assert!(!is_allowed(bad, &allowed), "{bad}");
        }
    }

    #[test]
    fn bans_name_a_crate_or_its_old_versions() {
        assert!(is_banned("ring", "0.17.0", "ring"));
        assert!(is_banned("hyper", "0.14.1", "hyper:<1"));
        assert!(!is_banned("hyper", "1.12.0", "hyper:<1"));
    }
}
