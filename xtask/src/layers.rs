//! Arrows between crates: app → pillars → foundation → core, and never sideways between pillars.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context as _, ensure};

use crate::workspace::root;

/// Foundation crates, from the lowest; each may depend only on those before it.
const FOUNDATION: &[&str] = &[
    "core",
    "storage",
    "inspect",
    "sensitive",
    "prompt",
    "statistics",
    "inference",
    "signing",
    "report",
    "ledger",
    "access",
    "catalog",
];

/// Arrows within one pillar, as `ARCHITECTURE.md` lists them.
const WITHIN: &[(&str, &str)] = &[("respond", "detect"), ("serve", "engine"), ("cli", "engine"), ("cli", "serve")];

pub(crate) fn check() -> anyhow::Result<()> {
    let crates = read_crates()?;
    let mut wrong = Vec::new();
    for (name, (pillar, dependencies)) in &crates {
        for dependency in dependencies {
            let Some((other, _)) = crates.get(dependency) else { continue };
            if !allowed(name, pillar, dependency, other) {
                wrong.push(format!("{pillar}/{name} must not depend on {other}/{dependency}"));
            }
        }
        if pillar == "foundation" && !FOUNDATION.contains(&name.as_str()) {
            wrong.push(format!("foundation/{name} has no place in the order of xtask/src/layers.rs"));
        }
    }
    ensure!(wrong.is_empty(), "wrong arrows:\n  {}", wrong.join("\n  "));
    println!("{} crates, no wrong arrow", crates.len());
    Ok(())
}

fn allowed(name: &str, pillar: &str, dependency: &str, other: &str) -> bool {
    let height = |name: &str| FOUNDATION.iter().position(|known| *known == name);
    match (pillar, other) {
        ("foundation", "foundation") => height(dependency) < height(name),
        ("foundation", _) => false,
        (_, "foundation") => true,
        (a, b) if a == b => WITHIN.contains(&(name, dependency)),
        ("app", _) => true,
        _ => false,
    }
}

/// Each crate's pillar and the crates of this workspace that it depends on, dev-dependencies included.
fn read_crates() -> anyhow::Result<BTreeMap<String, (String, Vec<String>)>> {
    let mut crates = BTreeMap::new();
    for pillar in fs::read_dir(root().join("crates"))?.flatten() {
        for entry in fs::read_dir(pillar.path())?.flatten() {
            let manifest = entry.path().join("Cargo.toml");
            let text = fs::read_to_string(&manifest).with_context(|| format!("can't read {}", manifest.display()))?;
            let dependencies = text
                .lines()
                .filter_map(|line| line.strip_prefix("bartizan-"))
                .filter_map(|rest| rest.split(['.', ' ', '=']).next())
                .map(ToOwned::to_owned)
                .collect();
            let name = |path: &std::path::Path| {
                path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
            };
            crates.insert(name(&entry.path()), (name(&pillar.path()), dependencies));
        }
    }
    Ok(crates)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrows_go_down_and_never_between_pillars() {
        assert!(allowed("gateway", "infra", "access", "foundation"));
        assert!(allowed("ledger", "foundation", "signing", "foundation"));
        assert!(!allowed("signing", "foundation", "ledger", "foundation"));
        assert!(!allowed("gateway", "infra", "monitor", "watch"));
        assert!(!allowed("core", "foundation", "gateway", "infra"));
        assert!(allowed("respond", "watch", "detect", "watch"));
        assert!(!allowed("detect", "watch", "respond", "watch"));
    }
}
