//! What the detector says about a text.

use std::fmt;
use std::ops::Range;

/// Why a text was judged as it was. The words are stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// Orders that aim at whoever reads the text: override, leak, act in the user's stead (OWASP LLM01:2025).
    Injection,
    /// Talks a model out of its rules: personas, fictions, pretended modes (MITRE ATLAS AML.T0054).
    Jailbreak,
    /// Characters that nobody sees spell something, or are there in a number that no writing system needs.
    HiddenText,
    /// The attack was found in what the text encodes: base64, hexadecimal, escapes, ROT13, backwards.
    EncodedInstruction,
    /// The attack was written in letters of other scripts, in digits, or letter by letter.
    DisguisedText,
}

impl Reason {
    /// The stable word for it.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::Injection => "injection",
            Self::Jailbreak => "jailbreak",
            Self::HiddenText => "hidden-text",
            Self::EncodedInstruction => "encoded-instruction",
            Self::DisguisedText => "disguised-text",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

/// What a text was found to be. Holds nothing of the text.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// How likely the text holds an injection or a jailbreak, from 0 to 1, were as many texts hostile as benign.
    pub probability: f32,
    /// Why, in ascending order and each once; empty where the probability is below the threshold.
    pub reasons: Vec<Reason>,
    /// Whether something was left out because the budget was used up: a low probability then proves nothing.
    pub truncated: bool,
    /// The bytes of the text that were judged the worst.
    pub window: Range<usize>,
}
