//! Sigma rules, compiled by rsigma.

use std::collections::HashMap;
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
    summaries: Vec<RuleSummary>,
    /// From what rsigma reports (id or title) to our summary.
    index: HashMap<String, usize>,
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
        let (summaries, index) = summarize(&all)?;
        Ok(Self { engine, summaries, index })
    }

    fn alert(&self, event: &Event, fired: &EvaluationResult) -> Alert {
        let header = &fired.header;
        let summary =
            header.rule_id.as_ref().and_then(|id| self.index.get(id)).or_else(|| self.index.get(&header.rule_title));
        let summary = summary.and_then(|index| self.summaries.get(*index));
        let text = |key: &str| event.data.get(key).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
        let mut message = match fired.as_correlation() {
            Some(body) => format!("{}: {} within {} s", header.rule_title, body.aggregated_value, body.timespan_secs),
            None => format!("{}: {} {}", header.rule_title, event.kind, event.reason).trim_end().to_owned(),
        };
        if let (Some(score), Some(threshold)) = (ppm(event, "score_ppm"), ppm(event, "threshold_ppm")) {
            message.push_str(&format!(" (score {score:.2}, threshold {threshold:.2})"));
        }
        Alert {
            rule: summary.map_or_else(|| header.rule_title.clone(), |summary| summary.id.clone()),
            title: header.rule_title.clone(),
            severity: severity(header.level),
            techniques: techniques(&header.tags),
            tenant: event.tenant.clone(),
            principal: event.principal.clone(),
            key: text("key"),
            asset: event.asset.clone(),
            drill: event.data.get("drill").and_then(serde_json::Value::as_bool).unwrap_or_default(),
            time: event.time,
            message: printable(&message),
            event: event.id.clone(),
        }
    }
}

impl RuleEngine for Sigma {
    fn evaluate(&mut self, event: &Event) -> Vec<Alert> {
        let fields = flatten(event);
        let fired = self.engine.process_event_at(&JsonEvent::borrow(&fields), event.time.seconds());
        fired.iter().map(|fired| self.alert(event, fired)).collect()
    }

    fn rules(&self) -> Vec<RuleSummary> {
        self.summaries.clone()
    }
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

type Summaries = (Vec<RuleSummary>, HashMap<String, usize>);

/// What can raise alerts: rules that no correlation uses up, and correlations.
fn summarize(all: &SigmaCollection) -> Result<Summaries, DetectError> {
    let (mut summaries, mut index) = (Vec::new(), HashMap::new());
    let plain = all.rules.iter().map(|rule| (&rule.id, &rule.name, &rule.title, rule.level, &rule.tags));
    let correlations = all.correlations.iter().map(|rule| (&rule.id, &rule.name, &rule.title, rule.level, &rule.tags));
    let absorbed: Vec<&String> = all
        .correlations
        .iter()
        .filter(|correlation| !correlation.generate)
        .flat_map(|correlation| &correlation.rules)
        .collect();
    for (id, name, title, level, tags) in plain.chain(correlations) {
        let key = id.as_ref().unwrap_or(title);
        if index.insert(key.clone(), summaries.len()).is_some() {
            return Err(DetectError::Compile(format!("two rules have the id `{}`", printable(key))));
        }
        let stable = name.as_ref().or(id.as_ref()).unwrap_or(title);
        summaries.push(RuleSummary {
            id: printable(stable),
            title: printable(title),
            severity: severity(level),
            techniques: techniques(tags),
        });
    }
    let is_absorbed = |summary: &RuleSummary| absorbed.iter().any(|name| **name == summary.id);
    // Positions in `index` must stay true, so what is absorbed is only left out of the list at its end.
    let shown: Vec<bool> = summaries.iter().map(|summary| !is_absorbed(summary)).collect();
    index.retain(|_, place| shown.get(*place).copied().unwrap_or_default());
    let mut places = Vec::with_capacity(shown.len());
    let mut next = 0;
    for shown in &shown {
        places.push(next);
        next += usize::from(*shown);
    }
    index.values_mut().for_each(|place| *place = places.get(*place).copied().unwrap_or_default());
    let mut keep = shown.iter();
    summaries.retain(|_| keep.next().copied().unwrap_or_default());
    Ok((summaries, index))
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
