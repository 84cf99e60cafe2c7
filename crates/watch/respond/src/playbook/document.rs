//! One playbook, read and checked.

use std::collections::{BTreeMap, BTreeSet};

use bartizan_core::Severity;
use serde::Deserialize;

use super::command::Command;
use super::condition::{Condition, Facts};
use crate::settings::Mode;

/// Id of our CACAO extension: what a playbook reacts to and how much it dares.
pub(crate) const EXTENSION: &str = "extension-definition--0b7c3a52-6f3e-5a4e-9d3c-7a1f0c5e2b11";
/// Steps of one playbook.
const STEPS: usize = 200;

/// A playbook that can be run.
#[derive(Clone, Debug)]
pub(crate) struct Playbook {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) policy: Policy,
    start: String,
    steps: BTreeMap<String, Step>,
}

/// Our extension.
#[derive(Clone, PartialEq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Policy {
    /// Rules that start it.
    pub(crate) rules: Vec<String>,
    /// Alerts at least as bad start it, whatever the rule.
    pub(crate) severity: Option<Severity>,
    /// Dares less than the settings.
    pub(crate) mode: Option<Mode>,
    /// Seconds that its actions are in force.
    pub(crate) expiry_seconds: Option<u32>,
    /// Automatic actions within an hour.
    pub(crate) actions_per_hour: Option<u32>,
}

#[derive(Deserialize)]
struct Document {
    #[serde(rename = "type")]
    kind: String,
    spec_version: String,
    id: String,
    name: String,
    workflow_start: String,
    workflow: BTreeMap<String, Raw>,
    #[serde(default)]
    playbook_extensions: BTreeMap<String, serde_json::Value>,
    #[serde(default)]
    revoked: bool,
}

#[derive(Deserialize)]
struct Raw {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    on_completion: Option<String>,
    #[serde(default)]
    on_success: Option<String>,
    #[serde(default)]
    on_failure: Option<String>,
    #[serde(default)]
    commands: Vec<RawCommand>,
    #[serde(default)]
    next_steps: Vec<String>,
    #[serde(default)]
    condition: Option<String>,
    #[serde(default)]
    on_true: Option<String>,
    #[serde(default)]
    on_false: Option<String>,
}

#[derive(Deserialize)]
struct RawCommand {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    command: String,
}

#[derive(Clone, Debug)]
struct Step {
    what: What,
    next: Option<String>,
}

#[derive(Clone, Debug)]
enum What {
    Pass,
    Act(Vec<Command>),
    Fork(Vec<String>),
    If { condition: Condition, yes: String, no: Option<String> },
}

impl Playbook {
    /// Reads a playbook; the error says what is wrong and where.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let document: Document =
            serde_json::from_str(text).map_err(|error| format!("is not a CACAO playbook: {error}"))?;
        expect("type", &document.kind, "playbook")?;
        expect("spec_version", &document.spec_version, "cacao-2.0")?;
        if !document.id.starts_with("playbook--") {
            return Err(format!("`id` must start with `playbook--`, not `{}`", document.id));
        }
        if document.revoked {
            return Err("is revoked; remove it from the folder".to_owned());
        }
        if document.workflow.len() > STEPS {
            return Err(format!("has more than {STEPS} steps; split it"));
        }
        let policy = document.playbook_extensions.get(EXTENSION).ok_or_else(|| {
            format!(
                "says not what it reacts to; add `playbook_extensions` with `{EXTENSION}`: {{ \"rules\": [\"…\"] }}"
            )
        })?;
        let policy: Policy =
            serde_json::from_value(policy.clone()).map_err(|error| format!("playbook_extensions: {error}"))?;
        if policy.rules.is_empty() && policy.severity.is_none() {
            return Err("reacts to nothing; give `rules` or `severity` in its extension".to_owned());
        }
        let mut steps = BTreeMap::new();
        for (id, raw) in document.workflow {
            let step = step(&id, raw).map_err(|reason| format!("step `{id}`: {reason}"))?;
            steps.insert(id, step);
        }
        let playbook = Self { id: document.id, name: document.name, policy, start: document.workflow_start, steps };
        playbook.check()?;
        Ok(playbook)
    }

    /// Whether an alert starts it.
    pub(crate) fn reacts_to(&self, rule: &str, severity: Severity) -> bool {
        self.policy.rules.iter().any(|name| name == rule) || self.policy.severity.is_some_and(|least| severity >= least)
    }

    /// The commands that are due, in order. Walking again with more alerts may give more; never less.
    pub(crate) fn commands(&self, facts: &Facts) -> Vec<&Command> {
        let (mut commands, mut seen) = (Vec::new(), BTreeSet::new());
        self.walk(&self.start, facts, &mut seen, &mut commands);
        commands
    }

    /// Webhooks that it names.
    pub(crate) fn webhooks(&self) -> impl Iterator<Item = &String> {
        let commands = self.steps.values().flat_map(|step| match &step.what {
            What::Act(commands) => commands.as_slice(),
            _ => &[],
        });
        commands.filter_map(|command| command.webhook.as_ref())
    }

    fn walk<'a>(&'a self, id: &'a str, facts: &Facts, seen: &mut BTreeSet<&'a str>, commands: &mut Vec<&'a Command>) {
        let Some(step) = self.steps.get(id).filter(|_| seen.insert(id)) else { return };
        match &step.what {
            What::Pass => {}
            What::Act(all) => commands.extend(all),
            What::Fork(branches) => branches.iter().for_each(|branch| self.walk(branch, facts, seen, commands)),
            What::If { condition, yes, no } => {
                let branch = if condition.holds(facts) { Some(yes) } else { no.as_ref() };
                if let Some(branch) = branch {
                    self.walk(branch, facts, seen, commands);
                }
            }
        }
        if let Some(next) = &step.next {
            self.walk(next, facts, seen, commands);
        }
    }

    /// Every step that is named exists, and every step that exists is reached, without circles.
    fn check(&self) -> Result<(), String> {
        let mut entered = BTreeSet::new();
        self.descend(&self.start, "workflow_start", &mut Vec::new(), &mut entered)?;
        if !self.start.starts_with("start--") {
            return Err(format!("`workflow_start` must name a `start` step, not `{}`", self.start));
        }
        match self.steps.keys().find(|id| !entered.contains(id.as_str())) {
            Some(id) => Err(format!("step `{id}` is never reached; link it or remove it")),
            None => Ok(()),
        }
    }

    fn descend<'a>(
        &'a self,
        id: &'a str,
        from: &str,
        path: &mut Vec<&'a str>,
        done: &mut BTreeSet<&'a str>,
    ) -> Result<(), String> {
        if path.contains(&id) {
            return Err(format!("step `{id}` leads back to itself; playbooks must end"));
        }
        let step =
            self.steps.get(id).ok_or_else(|| format!("`{from}` names the step `{id}`, which is not in `workflow`"))?;
        if !done.insert(id) {
            return Ok(());
        }
        path.push(id);
        let branches: Vec<&String> = match &step.what {
            What::Pass | What::Act(_) => Vec::new(),
            What::Fork(branches) => branches.iter().collect(),
            What::If { yes, no, .. } => std::iter::once(yes).chain(no).collect(),
        };
        for next in branches.into_iter().chain(&step.next) {
            self.descend(next, id, path, done)?;
        }
        path.pop();
        Ok(())
    }
}

fn expect(field: &str, found: &str, wanted: &str) -> Result<(), String> {
    if found == wanted { Ok(()) } else { Err(format!("`{field}` is `{found}`; only `{wanted}` is understood")) }
}

fn step(id: &str, raw: Raw) -> Result<Step, String> {
    if !id.starts_with(&format!("{}--", raw.kind)) {
        return Err(format!("its id must start with its type: `{}--<uuid>`", raw.kind));
    }
    if raw.on_failure.is_some() {
        return Err(
            "`on_failure` is not understood: a step that fails is tried again, and the incident says so".to_owned()
        );
    }
    let what = match raw.kind.as_str() {
        "start" | "end" => What::Pass,
        "action" => What::Act(commands(&raw.commands)?),
        "parallel" if raw.next_steps.is_empty() => return Err("`next_steps` is empty".to_owned()),
        "parallel" => What::Fork(raw.next_steps),
        "if-condition" => {
            let condition = raw.condition.ok_or("it has no `condition`")?;
            What::If {
                condition: Condition::parse(&condition).map_err(|reason| format!("condition: {reason}"))?,
                yes: raw.on_true.ok_or("it has no `on_true`")?,
                no: raw.on_false,
            }
        }
        other => {
            return Err(format!(
                "steps of type `{other}` are not understood; use start, action, parallel, if-condition, end"
            ));
        }
    };
    let next = raw.on_completion.or(raw.on_success);
    if raw.kind == "start" && next.is_none() {
        return Err("it has no `on_completion`".to_owned());
    }
    Ok(Step { what, next })
}

fn commands(raw: &[RawCommand]) -> Result<Vec<Command>, String> {
    if raw.is_empty() {
        return Err("it has no `commands`".to_owned());
    }
    let parse = |raw: &RawCommand| match raw.kind.as_str() {
        "bartizan" => Command::parse(&raw.command),
        other => Err(format!("commands of type `{other}` are not understood; only `bartizan` is")),
    };
    raw.iter().map(parse).collect()
}
