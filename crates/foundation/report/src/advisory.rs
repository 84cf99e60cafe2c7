//! What a finding says of an advisory and of the package that it covers.

use std::collections::BTreeSet;

use bartizan_core::Finding;
use serde_json::Value;

/// An advisory that covers a package, as a finding's evidence names it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Advised<'a> {
    /// The name by which most people know the weakness.
    pub(crate) id: &'a str,
    /// Other names of the same weakness.
    pub(crate) aliases: BTreeSet<&'a str>,
    /// Package URL of what is covered.
    pub(crate) package: &'a str,
}

impl<'a> Advised<'a> {
    /// The advisory of a finding, if it is about one.
    pub(crate) fn of(finding: &'a Finding) -> Option<Self> {
        let text = |key: &str| finding.evidence.get(key).and_then(Value::as_str);
        let (id, package) = (text("advisory")?, text("package")?);
        let aliases = finding.evidence.get("aliases").and_then(Value::as_array).into_iter().flatten();
        let aliases = aliases.filter_map(Value::as_str).filter(|alias| *alias != id).collect();
        Some(Self { id, aliases, package })
    }

    /// Every name of the weakness.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'a str> {
        std::iter::once(self.id).chain(self.aliases.iter().copied())
    }
}

/// What to do about an advisory: the version that clears the package, or that there is none.
pub(crate) fn action(finding: &Finding) -> String {
    let text = |key: &str| finding.evidence.get(key).and_then(Value::as_str);
    let fixed = finding.evidence.get("fixed").and_then(Value::as_array).into_iter().flatten();
    let fixed: Vec<&str> = fixed.filter_map(Value::as_str).collect();
    match (text("kind"), text("clears-all")) {
        (Some("malicious"), _) => finding.rule.remedy.to_owned(),
        (_, Some(version)) => {
            format!("Move to {version}, the smallest version that no advisory known to the scan covers.")
        }
        (Some("vulnerability" | "unsound"), None) if fixed.is_empty() => {
            "No version without it is known: replace the package, or keep what it does away from strangers.".to_owned()
        }
        (_, None) if !fixed.is_empty() => {
            format!("Versions that mend this one: {}; other advisories may cover them.", fixed.join(", "))
        }
        _ => finding.rule.remedy.to_owned(),
    }
}
