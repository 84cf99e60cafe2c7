//! `bartizan explain`.

use std::fmt::Write as _;
use std::io::Write as _;

use bartizan_core::{Rule, printable};
use bartizan_engine::scan::rules;

use crate::exit::Ended;

/// Say what a rule means, why it matters and what to do about it
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  bartizan explain BZ-PKL-001
  bartizan explain            lists every rule")]
pub(crate) struct Arguments {
    /// Id of the rule, such as BZ-PKL-001; all rules are listed when it is left out
    #[arg(value_name = "RULE")]
    rule: Option<String>,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<Ended> {
    let rules = rules();
    let text = match &arguments.rule {
        None => rules.iter().fold(String::new(), |mut out, rule| {
            let _ = writeln!(out, "{}  {:<8}  {}", rule.id, rule.severity, rule.title);
            out
        }),
        Some(id) => match rules.iter().find(|rule| rule.id.eq_ignore_ascii_case(id)) {
            Some(rule) => describe(rule),
            None => match nearest(id, &rules) {
                Some(near) => anyhow::bail!("unknown rule `{}`; did you mean `{near}`?", printable(id)),
                None => anyhow::bail!("unknown rule `{}`; findings name theirs, such as `BZ-PKL-001`", printable(id)),
            },
        },
    };
    let mut output = std::io::stdout().lock();
    output.write_all(text.as_bytes())?;
    output.flush()?;
    Ok(Ended::Well)
}

fn describe(rule: &Rule) -> String {
    let links: Vec<String> = rule.links.iter().map(ToString::to_string).collect();
    format!(
        "{id}  {title}\n\nSeverity: {severity}\n\n{explanation}\n\nWhat to do: {remedy}\n\nSee: {links}\n",
        id = rule.id,
        title = rule.title,
        severity = rule.severity,
        explanation = rule.explanation,
        remedy = rule.remedy,
        links = links.join(", "),
    )
}

/// The rule whose id is a slip away, if any is.
fn nearest(id: &str, rules: &[&'static Rule]) -> Option<&'static str> {
    let id = id.to_ascii_uppercase();
    let away = |rule: &&Rule| strsim::damerau_levenshtein(rule.id, &id);
    rules.iter().map(|rule| (away(rule), rule.id)).min().filter(|(slips, _)| *slips <= 4).map(|(_, id)| id)
}
