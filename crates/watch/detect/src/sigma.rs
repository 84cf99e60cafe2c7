//! Sigma rules, compiled by rsigma.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use bartizan_core::{Event, Severity, printable};
use rsigma_eval::event::JsonEvent;
use rsigma_eval::{CorrelationConfig, CorrelationEngine, EvaluationResult, TimestampFallback};
use rsigma_parser::{Level, SigmaCollection, parse_sigma_yaml};

use crate::alert::{Alert, RuleEngine, RuleSummary};
use crate::error::DetectError;
use crate::fields::flatten;
use crate::pack;

/// Largest rule file.
const FILE_BYTES: u64 = 1 << 20;
/// Most rule files.
const FILES: usize = 20_000;
/// Groups that correlations keep apart, and entries in each: what bounds their memory.
const GROUPS: usize = 20_000;
const GROUP_ENTRIES: usize = 1_000;
/// Seconds in which a correlation that fired stays silent for the same group.
const QUIET_SECONDS: u64 = 30;

/// The default pack and the user's folders.
pub struct Sigma {
    engine: CorrelationEngine,
    known: BTreeMap<String, Option<RuleSummary>>,
    /// The kinds of event that any rule can match; `None` when that is not known, because the user's
    /// rules may ask for anything.
    kinds: Option<BTreeSet<String>>,
}

impl Sigma {
    /// Loads the default pack and all `*.yml` and `*.yaml` in the folders (or files) given.
    ///
    /// # Errors
    /// Anything that can't be read or understood; it names the file. Nothing is skipped silently.
    pub fn load(folders: &[PathBuf]) -> Result<Self, DetectError> {
        let mut all = SigmaCollection::new();
        for (name, text) in pack::defaults() {
            add(&mut all, Path::new(name), text)?;
        }
        let mut files = Vec::new();
        folders.iter().try_for_each(|folder| collect(folder, &mut files, 0))?;
        files.sort();
        for path in &files {
            let text =
                std::fs::read_to_string(path).map_err(|source| DetectError::Read { path: path.clone(), source })?;
            add(&mut all, path, &text)?;
        }
        let config = CorrelationConfig {
            timestamp_fallback: TimestampFallback::Skip,
            max_state_entries: GROUPS,
            max_group_entries: Some(GROUP_ENTRIES),
            suppress: Some(QUIET_SECONDS),
            ..CorrelationConfig::default()
        };
        let mut engine = CorrelationEngine::new(config);
        engine.add_collection(&all).map_err(|error| DetectError::Compile(printable(&error.to_string())))?;
        let known = summarize(&all)?;
        let kinds = if files.is_empty() { pack_kinds() } else { None };
        Ok(Self { engine, known, kinds })
    }

    fn alert(&self, event: &Event, fired: &EvaluationResult) -> Option<Alert> {
        let header = &fired.header;
        let summary = self.known.get(header.rule_id.as_ref().unwrap_or(&header.rule_title))?.as_ref()?;
        let text = |key: &str| event.data.get(key).and_then(serde_json::Value::as_str).unwrap_or_default();
        let mut message = match (fired.as_correlation(), text("message")) {
            (Some(body), _) => format!("{}: {} within {} s", summary.title, body.aggregated_value, body.timespan_secs),
            (None, "") => format!("{}: {} {}", summary.title, event.kind, event.reason),
            (None, said) => format!("{}: {said}", summary.title),
        };
        if let (Some(score), Some(threshold)) = (ppm(event, "score_ppm"), ppm(event, "threshold_ppm")) {
            message.push_str(&format!(" (score {score:.2}, threshold {threshold:.2})"));
        }
        Some(Alert {
            rule: summary.id.clone(),
            title: summary.title.clone(),
            severity: summary.severity,
            techniques: summary.techniques.clone(),
            tenant: event.tenant.clone(),
            principal: event.principal.clone(),
            members: members(event),
            key: text("key").to_owned(),
            asset: event.asset.clone(),
            drill: event.data.get("drill").and_then(serde_json::Value::as_bool).unwrap_or_default(),
            time: event.time,
            message: printable(message.trim_end()),
            event: event.id.clone(),
        })
    }
}

/// The principals that an event is about together.
fn members(event: &Event) -> Vec<String> {
    let members = event.data.get("members").and_then(serde_json::Value::as_array).into_iter().flatten();
    members.filter_map(serde_json::Value::as_str).map(str::to_owned).collect()
}

impl RuleEngine for Sigma {
    fn evaluate(&mut self, event: &Event) -> Vec<Alert> {
        // Most events are admissions and completions that no rule asks for.
        if self.kinds.as_ref().is_some_and(|kinds| !kinds.contains(&event.kind)) {
            return Vec::new();
        }
        let fields = flatten(event);
        let fired = self.engine.process_event_at(&JsonEvent::borrow(&fields), event.time.seconds());
        fired.iter().filter_map(|fired| self.alert(event, fired)).collect()
    }

    fn kinds(&self) -> Option<BTreeSet<String>> {
        self.kinds.clone()
    }

    fn rules(&self) -> Vec<RuleSummary> {
        self.known.values().flatten().cloned().collect()
    }
}

/// The kinds of event that the default pack asks for; `None` when one of its rules names none.
fn pack_kinds() -> Option<BTreeSet<String>> {
    let mut kinds = BTreeSet::new();
    for rule in pack::defaults().iter().flat_map(|(_, text)| text.split("\n---")) {
        let Some((_, detection)) = rule.split_once("\ndetection:") else { continue };
        let named: Vec<&str> = detection.lines().filter_map(|line| line.trim().strip_prefix("type: ")).collect();
        if named.is_empty() {
            return None;
        }
        kinds.extend(named.into_iter().map(|kind| kind.trim().to_owned()));
    }
    Some(kinds)
}

/// Adds the rules of one file.
fn add(all: &mut SigmaCollection, path: &Path, text: &str) -> Result<(), DetectError> {
    let invalid = |reason: &str| DetectError::Invalid { path: path.to_owned(), reason: printable(reason) };
    let collection = parse_sigma_yaml(text).map_err(|error| invalid(&error.to_string()))?;
    if let Some(error) = collection.errors.first() {
        return Err(invalid(error));
    }
    if collection.rules.is_empty() && collection.correlations.is_empty() && collection.filters.is_empty() {
        return Err(invalid("it holds no Sigma rule"));
    }
    all.rules.extend(collection.rules);
    all.correlations.extend(collection.correlations);
    all.filters.extend(collection.filters);
    Ok(())
}

/// The rule files at or under `path`.
fn collect(path: &Path, files: &mut Vec<PathBuf>, depth: u32) -> Result<(), DetectError> {
    let read = |source| DetectError::Read { path: path.to_owned(), source };
    let metadata = std::fs::metadata(path).map_err(read)?;
    if metadata.is_file() {
        if metadata.len() > FILE_BYTES {
            return Err(DetectError::TooLarge { path: path.to_owned(), limit: FILE_BYTES });
        }
        files.push(path.to_owned());
        return Ok(());
    }
    let refuse = |reason: &str| DetectError::Invalid { path: path.to_owned(), reason: reason.to_owned() };
    if depth > 16 {
        return Err(refuse("folders are nested more than 16 deep"));
    }
    for entry in std::fs::read_dir(path).map_err(read)? {
        let entry = entry.map_err(read)?.path();
        let is_rule = entry.extension().is_some_and(|extension| extension == "yml" || extension == "yaml");
        if entry.is_dir() || is_rule {
            collect(&entry, files, depth + 1)?;
        }
        if files.len() > FILES {
            return Err(refuse("there are more than 20,000 rule files"));
        }
    }
    Ok(())
}

/// Each rule's summary by what rsigma reports of it (id, or title where it has none); `None` for a
/// rule that only feeds correlations, which says nothing by itself.
fn summarize(all: &SigmaCollection) -> Result<BTreeMap<String, Option<RuleSummary>>, DetectError> {
    let plain = all.rules.iter().map(|rule| (&rule.id, &rule.name, &rule.title, rule.level, &rule.tags));
    let correlations = all.correlations.iter().map(|rule| (&rule.id, &rule.name, &rule.title, rule.level, &rule.tags));
    let silent = all.correlations.iter().filter(|correlation| !correlation.generate);
    let fed: BTreeSet<&str> = silent.flat_map(|correlation| &correlation.rules).map(String::as_str).collect();
    let (mut known, mut stable_names) = (BTreeMap::new(), BTreeSet::new());
    for (id, name, title, level, tags) in plain.chain(correlations) {
        let stable = name.as_ref().or(id.as_ref()).unwrap_or(title);
        let is_fed =
            [name.as_ref(), id.as_ref(), Some(title)].into_iter().flatten().any(|word| fed.contains(word.as_str()));
        let summary = RuleSummary {
            id: printable(stable),
            title: printable(title),
            severity: severity(level),
            techniques: techniques(tags),
        };
        let reported = id.as_ref().unwrap_or(title);
        let is_new = known.insert(reported.clone(), (!is_fed).then_some(summary)).is_none();
        if !is_new || !stable_names.insert(stable) {
            return Err(DetectError::Compile(format!("two rules have the id or name `{}`", printable(stable))));
        }
    }
    Ok(known)
}

fn ppm(event: &Event, key: &str) -> Option<f64> {
    event.data.get(key).and_then(serde_json::Value::as_i64).map(|value| value as f64 / 1e6)
}

fn severity(level: Option<Level>) -> Severity {
    match level {
        Some(Level::Informational) => Severity::Info,
        Some(Level::Low) => Severity::Low,
        Some(Level::Medium) | None => Severity::Medium,
        Some(Level::High) => Severity::High,
        Some(Level::Critical) => Severity::Critical,
    }
}

/// `atlas.aml.t0024.002` becomes `AML.T0024.002`; tags of other catalogues are left out.
fn techniques(tags: &[String]) -> Vec<String> {
    let upper = tags.iter().map(|tag| tag.to_ascii_uppercase());
    upper.filter_map(|tag| tag.strip_prefix("ATLAS.").filter(|id| id.starts_with("AML.T")).map(printable)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_traffic_is_not_even_looked_at_by_the_default_pack() {
        let kinds = pack_kinds().unwrap();
        assert!(
            kinds.contains("request.refusal") && kinds.contains("monitor.signal") && kinds.contains("admin.change")
        );
        assert!(!kinds.contains("request.admission") && !kinds.contains("request.completion"));
    }
}
