//! Findings that do not count: baselines, ignores with owner, reason and expiry, and what VEX says.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use bartizan_core::{Confidence, Finding, Link, Location, Position, Rule, Severity, printable};
use globset::{GlobBuilder, GlobMatcher};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{Justification, Report, fingerprint};

/// An ignore is past its date.
pub const EXPIRED_IGNORE: Rule = Rule {
    id: "BZ-IGN-001",
    title: "An ignore has expired",
    severity: Severity::Low,
    explanation: "Somebody accepted findings until a date that has passed. They count again, and this finding names whose \
        decision it was.",
    remedy: "Mend the weakness, or decide again and set a new date.",
    links: &[Link::Cwe(1059)],
};

/// Why a finding does not count.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Suppression {
    /// It was there when the baseline was written.
    Baseline,
    /// Somebody accepted it.
    Ignored {
        /// Who decided.
        owner: String,
        /// Why.
        reason: String,
        /// The last day, as YYYY-MM-DD.
        expires: String,
        /// Why the weakness does no harm here, where the owner claims that and not only accepts it.
        #[serde(skip_serializing_if = "Option::is_none")]
        justification: Option<Justification>,
    },
    /// A VEX document says that the package is not, or no longer, affected.
    Vex {
        /// Who says so.
        author: String,
        /// The id of the document.
        document: String,
        /// `not_affected` or `fixed`.
        status: &'static str,
        /// Why, in the words of VEX.
        #[serde(skip_serializing_if = "Option::is_none")]
        justification: Option<Justification>,
        /// Why, in the author's words.
        #[serde(skip_serializing_if = "Option::is_none")]
        impact: Option<String>,
        /// The product within which that holds, where the statement names the package as a part of one.
        #[serde(skip_serializing_if = "Option::is_none")]
        product: Option<String>,
    },
}

impl fmt::Display for Suppression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Baseline => f.write_str("in the baseline"),
            Self::Ignored { owner, reason, expires, .. } => write!(f, "ignored by {owner} until {expires}: {reason}"),
            Self::Vex { author, document, status, justification, impact, product } => {
                write!(f, "{status} according to {author} ({document})")?;
                if let Some(product) = product {
                    write!(f, " within {product}")?;
                }
                if let Some(justification) = justification {
                    write!(f, ": {}", justification.as_str())?;
                }
                impact.as_ref().map_or(Ok(()), |impact| write!(f, ": {impact}"))
            }
        }
    }
}

/// A file of accepted findings can't be used.
#[derive(Debug, Error)]
pub enum SuppressionError {
    /// It is not JSON of the baseline's shape.
    #[error("this is no baseline: {0}; write one with `bartizan scan --write-baseline FILE`")]
    Baseline(serde_json::Error),
    /// It is a baseline of another version.
    #[error("baseline schema `{0}` is not known; write it anew with `bartizan scan --write-baseline FILE`")]
    Schema(String),
    /// It is not TOML of the ignores' shape.
    #[error("{}", .0.to_string().trim_end())]
    Ignores(#[from] toml::de::Error),
    /// An entry says too little or something impossible.
    #[error("ignore {number}: {problem}")]
    Entry {
        /// Which entry, from 1.
        number: usize,
        /// What is wrong with it.
        problem: String,
    },
}

const SCHEMA: &str = "bartizan.baseline/1";

/// Fingerprints of findings that were there before, and how many of each.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Baseline {
    schema: String,
    findings: BTreeMap<String, Known>,
}

/// One fingerprint; the words are for people.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Known {
    rule: String,
    path: String,
    message: String,
}

impl Baseline {
    /// All findings of a report, suppressed ones included.
    pub fn of(report: &Report) -> Self {
        let all = report.findings().iter().chain(report.suppressed().iter().map(|suppressed| &suppressed.finding));
        let known = |finding: &Finding| Known {
            rule: finding.rule.id.to_owned(),
            path: finding.location.path.clone(),
            message: finding.message.clone(),
        };
        let findings = all.map(|finding| (fingerprint(finding), known(finding))).collect();
        Self { schema: SCHEMA.to_owned(), findings }
    }

    /// Reads what [`Baseline::to_json`] wrote.
    ///
    /// # Errors
    /// It is not a baseline.
    pub fn parse(json: &str) -> Result<Self, SuppressionError> {
        let baseline: Self = serde_json::from_str(json).map_err(SuppressionError::Baseline)?;
        if baseline.schema == SCHEMA {
            Ok(baseline)
        } else {
            Err(SuppressionError::Schema(printable(&baseline.schema)))
        }
    }

    /// Pretty-printed JSON with a final line feed.
    pub fn to_json(&self) -> String {
        let value = serde_json::to_value(self).unwrap_or_default();
        format!("{value:#}\n")
    }

    /// Whether the finding was there before.
    pub fn accepts(&self, finding: &Finding) -> Option<Suppression> {
        self.findings.contains_key(&fingerprint(finding)).then_some(Suppression::Baseline)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    ignore: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    rule: Option<String>,
    path: Option<String>,
    fingerprint: Option<String>,
    owner: String,
    reason: String,
    expires: toml::Value,
    justification: Option<String>,
}

/// Decisions to accept findings, each with owner, reason and last day.
#[derive(Debug, Default)]
pub struct Ignores(Vec<Ignore>);

#[derive(Debug)]
struct Ignore {
    rule: Option<String>,
    path: Option<GlobMatcher>,
    fingerprint: Option<String>,
    owner: String,
    reason: String,
    expires: String,
    justification: Option<Justification>,
}

impl Ignores {
    /// Reads TOML: `[[ignore]]` with `owner`, `reason`, `expires`, and at least one of `rule`, `path` (a
    /// glob) and `fingerprint`. `justification`, one of those of VEX, claims that the weakness does no harm here.
    ///
    /// # Errors
    /// The text is no TOML, or an entry is incomplete.
    pub fn parse(text: &str) -> Result<Self, SuppressionError> {
        let file: File = toml::from_str(text)?;
        let read = |(index, entry): (usize, Entry)| {
            let wrong = |problem: &str| SuppressionError::Entry { number: index + 1, problem: problem.to_owned() };
            if entry.rule.is_none() && entry.path.is_none() && entry.fingerprint.is_none() {
                return Err(wrong("name at least one of `rule`, `path` and `fingerprint`"));
            }
            if entry.owner.trim().is_empty() || entry.reason.trim().is_empty() {
                return Err(wrong("`owner` and `reason` must say something"));
            }
            let expires = match &entry.expires {
                toml::Value::String(day) => day.clone(),
                toml::Value::Datetime(day) => day.to_string(),
                _ => String::new(),
            };
            let is_day =
                expires.len() == 10 && bartizan_core::Timestamp::parse(&format!("{expires}T00:00:00Z")).is_some();
            if !is_day {
                return Err(wrong("`expires` must be a day, as 2027-01-31"));
            }
            let path = entry
                .path
                .map(|glob| GlobBuilder::new(&glob).literal_separator(true).build().map(|glob| glob.compile_matcher()));
            let path = path.transpose().map_err(|error| wrong(&format!("`path` is no glob: {error}")))?;
            let justification = match entry.justification {
                Some(word) => Some(Justification::parse(&word).ok_or_else(|| {
                    let known = Justification::ALL.map(Justification::as_str).join(", ");
                    wrong(&format!("`justification` must be one of {known}"))
                })?),
                None => None,
            };
            let (rule, fingerprint) = (entry.rule, entry.fingerprint);
            Ok(Ignore { rule, path, fingerprint, owner: entry.owner, reason: entry.reason, expires, justification })
        };
        file.ignore.into_iter().enumerate().map(read).collect::<Result<_, _>>().map(Self)
    }

    /// Whether a decision that is in force on `day` (YYYY-MM-DD) accepts the finding.
    pub fn accepts(&self, finding: &Finding, day: &str) -> Option<Suppression> {
        let ignore = self.0.iter().find(|ignore| ignore.expires.as_str() >= day && ignore.matches(finding))?;
        Some(Suppression::Ignored {
            owner: ignore.owner.clone(),
            reason: ignore.reason.clone(),
            expires: ignore.expires.clone(),
            justification: ignore.justification,
        })
    }

    /// A finding for each decision that has expired by `day` and would accept one of `findings`; `name` is the
    /// file that holds the decisions.
    pub fn expired(&self, findings: &[Finding], day: &str, name: &str) -> Vec<Finding> {
        let mut seen = BTreeSet::new();
        let expired = self.0.iter().filter(|ignore| ignore.expires.as_str() < day);
        let met = expired.filter(|ignore| findings.iter().any(|finding| ignore.matches(finding)));
        met.filter_map(|ignore| {
            let message = format!(
                "the ignore of {} by {} expired on {}: {}",
                ignore.subject(),
                ignore.owner,
                ignore.expires,
                ignore.reason
            );
            let place = Location { path: name.to_owned(), position: Position::Whole };
            seen.insert(message.clone())
                .then(|| Finding::new(&EXPIRED_IGNORE, place, &message).with_confidence(Confidence::High))
        })
        .collect()
    }
}

/// A file of a history is written `path@` and 12 hexadecimal digits of a commit.
fn without_commit(file: &str) -> &str {
    match file.rsplit_once('@') {
        Some((path, commit)) if commit.len() == 12 && commit.bytes().all(|byte| byte.is_ascii_hexdigit()) => path,
        _ => file,
    }
}

impl Ignore {
    fn matches(&self, finding: &Finding) -> bool {
        self.rule.as_ref().is_none_or(|rule| rule == finding.rule.id)
            && self.path.as_ref().is_none_or(|path| {
                let whole = &finding.location.path;
                let file = whole.split_once('!').map_or(whole.as_str(), |(file, _)| file);
                path.is_match(whole) || path.is_match(file) || path.is_match(without_commit(file))
            })
            && self.fingerprint.as_ref().is_none_or(|known| *known == fingerprint(finding))
    }

    fn subject(&self) -> String {
        let path = self.path.as_ref().map(|path| path.glob().glob().to_owned());
        let parts: Vec<String> = [self.rule.clone(), path, self.fingerprint.clone()].into_iter().flatten().collect();
        parts.join(" in ")
    }
}

#[cfg(test)]
#[allow(clippy::expect_used, reason = "a test that cannot prepare its world has failed")]
mod tests {
    use super::*;

    fn finding(path: &str) -> Finding {
        let place = Location { path: path.to_owned(), position: Position::Line(3) };
        Finding::new(&EXPIRED_IGNORE, place, "something")
    }

    #[test]
    fn an_ignore_counts_until_its_last_day_and_is_reported_after_it() {
        let text = "[[ignore]]\nrule = \"BZ-IGN-001\"\npath = \"models/*.pkl\"\nowner = \"ada\"\nreason = \"known\"\nexpires = 2026-11-22\n";
        let ignores = Ignores::parse(text).expect("ignores");
        let inside = finding("models/a.pkl");
        assert!(ignores.accepts(&inside, "2026-11-22").is_some());
        assert!(ignores.accepts(&inside, "2026-11-23").is_none());
        assert!(ignores.accepts(&finding("other/a.pkl"), "2026-11-22").is_none());
        assert!(ignores.accepts(&finding("models/deep/a.pkl"), "2026-11-22").is_none());
        assert!(ignores.accepts(&finding("models/a.pkl!member"), "2026-11-22").is_some());
        assert!(ignores.accepts(&finding("models/a.pkl@0123456789ab"), "2026-11-22").is_some());
        assert!(ignores.accepts(&finding("models/a.pkl@0123456789ab!member"), "2026-11-22").is_some());
        let expired = ignores.expired(&[inside], "2026-11-23", "ignores.toml");
        assert_eq!(expired.len(), 1);
        assert!(expired.iter().all(|finding| finding.message.contains("ada")));
        assert!(ignores.expired(&[finding("other")], "2026-11-23", "ignores.toml").is_empty());
    }

    #[test]
    fn an_ignore_without_owner_reason_date_or_subject_is_refused() {
        for text in [
            "[[ignore]]\nrule = \"X\"\nowner = \"\"\nreason = \"r\"\nexpires = 2026-01-01\n",
            "[[ignore]]\nrule = \"X\"\nowner = \"a\"\nreason = \"r\"\nexpires = \"soon\"\n",
            "[[ignore]]\nowner = \"a\"\nreason = \"r\"\nexpires = 2026-01-01\n",
            "[[ignore]]\nrule = \"X\"\nreason = \"r\"\nexpires = 2026-01-01\n",
        ] {
            assert!(Ignores::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_baseline_accepts_what_it_holds_and_nothing_else() {
        let report = Report::new(Vec::new(), vec![finding("a")]);
        let baseline = Baseline::parse(&Baseline::of(&report).to_json()).expect("a baseline");
        assert_eq!(baseline.accepts(&finding("a")), Some(Suppression::Baseline));
        assert_eq!(baseline.accepts(&finding("b")), None);
        assert!(Baseline::parse("{}").is_err());
    }
}
