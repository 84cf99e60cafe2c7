//! `[gateway.prompts]` of `bartizan.toml`.

use bartizan_prompt::FalseAlarmRate;
use serde::{Deserialize, Serialize};

/// What is done about prompt injections and jailbreaks in requests. Unknown fields are refused.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct PromptSettings {
    /// `off`; `shadow`: record what would have been refused; `enforce`: refuse it.
    pub mode: PromptMode,
    /// How many benign texts of a hundred may be called hostile, as measured where the model was made: `five`, `two`,
    /// `one` or `tenth`. On texts of another kind there are more.
    pub false_alarms: FalseAlarms,
    /// Bytes of text that are judged in one request.
    pub bytes: usize,
    /// Whether what stands in the system's and the developer's part is judged too. It comes from the application.
    pub system: bool,
}

/// Whether prompts are refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PromptMode {
    /// Prompts are not looked at.
    Off,
    /// Record only.
    Shadow,
    /// Refuse.
    Enforce,
}

/// False alarms in a hundred benign texts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FalseAlarms {
    /// Five.
    Five,
    /// Two.
    Two,
    /// One.
    One,
    /// A tenth.
    Tenth,
}

impl Default for PromptSettings {
    fn default() -> Self {
        Self { mode: PromptMode::Shadow, false_alarms: FalseAlarms::Tenth, bytes: 256 << 10, system: false }
    }
}

impl PromptSettings {
    /// What can't be used of it: the key, and why.
    pub(crate) fn fault(&self) -> Option<(&'static str, &'static str)> {
        let is_useful = (1..=16 << 20).contains(&self.bytes);
        (!is_useful)
            .then_some(("prompts.bytes", "must be between 1 and 16777216; to look at no prompt, set `mode` to `off`"))
    }

    pub(crate) fn rate(&self) -> FalseAlarmRate {
        match self.false_alarms {
            FalseAlarms::Five => FalseAlarmRate::Five,
            FalseAlarms::Two => FalseAlarmRate::Two,
            FalseAlarms::One => FalseAlarmRate::One,
            FalseAlarms::Tenth => FalseAlarmRate::Tenth,
        }
    }
}
