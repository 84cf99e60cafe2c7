//! Commands of the type `bartizan`.

use bartizan_core::ActionKind;

use crate::settings::Mode;

/// One command: what to do, and how.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Command {
    pub(crate) kind: ActionKind,
    /// By how much a limit is divided.
    pub(crate) divisor: Option<u32>,
    /// The webhook to call; all when absent.
    pub(crate) webhook: Option<String>,
    /// Dares less than the playbook.
    pub(crate) mode: Option<Mode>,
    /// Seconds that the action is in force; the playbook's when absent.
    pub(crate) expiry: Option<u32>,
}

const VERBS: [ActionKind; 5] = [
    ActionKind::RevokeKey,
    ActionKind::BlockPrincipal,
    ActionKind::BlockModel,
    ActionKind::TightenLimit,
    ActionKind::Notify,
];

impl Command {
    /// Reads `verb name=value …`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut words = text.split_whitespace();
        let verb = words.next().unwrap_or_default();
        let kind = VERBS.into_iter().find(|kind| kind.as_str() == verb).ok_or_else(|| {
            let verbs: Vec<_> = VERBS.iter().map(|kind| kind.as_str()).collect();
            format!("unknown command `{verb}`; use one of {}", verbs.join(", "))
        })?;
        let mut command = Self { kind, divisor: None, webhook: None, mode: None, expiry: None };
        for word in words {
            let (name, value) = word.split_once('=').ok_or_else(|| format!("`{word}` is not `name=value`"))?;
            let number = || match value.parse::<u32>() {
                Ok(number) if number > 0 => Ok(number),
                _ => Err(format!("`{name}` must be a whole number above 0, not `{value}`")),
            };
            match (name, kind) {
                ("divisor", ActionKind::TightenLimit) => command.divisor = Some(number()?),
                ("webhook", ActionKind::Notify) => command.webhook = Some(value.to_owned()),
                ("expiry", kind) if kind.is_reversible() => command.expiry = Some(number()?),
                ("mode", kind) if kind.is_reversible() => command.mode = Some(mode(value)?),
                _ => return Err(format!("`{verb}` has no argument `{name}`")),
            }
        }
        if kind == ActionKind::TightenLimit && command.divisor.is_none() {
            return Err("`tighten-limit` needs `divisor=…`, by how much the limit is divided".to_owned());
        }
        Ok(command)
    }
}

fn mode(word: &str) -> Result<Mode, String> {
    match word {
        "shadow" => Ok(Mode::Shadow),
        "approval" => Ok(Mode::Approval),
        "automatic" => Ok(Mode::Automatic),
        _ => Err(format!("`mode` is shadow, approval or automatic, not `{word}`")),
    }
}
