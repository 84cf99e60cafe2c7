//! Judges a text: reads it, unwraps it, scores every window of every reading, and lets the highest count.

use std::ops::Range;
use std::sync::LazyLock;

use crate::clean::{Clean, clean};
use crate::judgement::{Judgement, Reason};
use crate::model::Model;
use crate::reading::{Reading, Undone};
use crate::unwrap::unwrap;

/// How much work a judgement may take. Time and memory are linear in these bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Bytes of the text that are judged, from its start.
    pub bytes: usize,
    /// How often what was unwrapped is unwrapped again.
    pub depth: u8,
    /// Bytes that are unwrapped and judged on top, in all.
    pub unwrapped: usize,
}

impl Default for Budget {
    /// 64 KiB of text, two layers of encoding, 64 KiB of what they hold.
    fn default() -> Self {
        Self { bytes: 64 << 10, depth: 2, unwrapped: 64 << 10 }
    }
}

/// How many benign texts of a hundred a threshold may hit, as measured on the development split.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FalseAlarmRate {
    /// Five of a hundred: for a first stage whose alarms are looked at again.
    Five,
    /// Two of a hundred.
    Two,
    /// One of a hundred.
    #[default]
    One,
    /// One of a thousand: for refusing without asking.
    Tenth,
}

/// At least this likely is a text that hides something from its reader.
const HIDDEN: f32 = 0.95;

/// Finds prompt injections and jailbreaks. Shared by all threads, made once.
pub struct Detector {
    model: Model,
}

static EMBEDDED: LazyLock<Detector> =
    LazyLock::new(|| match Model::parse(include_bytes!("../model/prompt.bzp").as_slice()) {
        Ok(model) => Detector::new(model),
        Err(error) => unreachable!("the embedded model is checked by a test: {error}"),
    });

/// What the worst reading of a text was found to be.
struct Worst {
    probability: f32,
    window: Range<usize>,
    jailbreak: bool,
    disguised: bool,
    encoded: bool,
}

impl Detector {
    /// The detector with the model that comes with this crate.
    #[must_use]
    pub fn embedded() -> &'static Self {
        &EMBEDDED
    }

    /// A detector with another model.
    #[must_use]
    pub fn new(model: Model) -> Self {
        Self { model }
    }

    /// The model that it judges by.
    #[must_use]
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The probability from which on a text should be called hostile, at this rate of false alarms.
    #[must_use]
    pub fn threshold(&self, rate: FalseAlarmRate) -> f32 {
        let [five, two, one, tenth] = self.model.numbers().thresholds;
        match rate {
            FalseAlarmRate::Five => five,
            FalseAlarmRate::Two => two,
            FalseAlarmRate::One => one,
            FalseAlarmRate::Tenth => tenth,
        }
    }

    /// Judges `text` within `budget`. Never fails: what the budget doesn't reach is said by `truncated`.
    #[must_use]
    pub fn judge(&self, text: &str, budget: &Budget) -> Judgement {
        let judged = text.get(..text.floor_char_boundary(budget.bytes)).unwrap_or_default();
        let mut left = budget.unwrapped;
        let mut truncated = judged.len() < text.len();
        let first = clean(judged);
        let speaks = first.hidden.speaks();
        let hidden = first.hidden.messages.first().map(|(_, place)| place.clone());
        let hidden = hidden.or_else(|| first.hidden.long_run.clone());
        let worst = self.worst(first, judged.len(), budget.depth, &mut left, &mut truncated);

        let mut judgement =
            Judgement { probability: worst.probability, reasons: Vec::new(), truncated, window: worst.window };
        if judgement.probability >= self.threshold(FalseAlarmRate::One) {
            judgement.reasons.push(if worst.jailbreak { Reason::Jailbreak } else { Reason::Injection });
            judgement.reasons.extend(worst.encoded.then_some(Reason::EncodedInstruction));
            judgement.reasons.extend(worst.disguised.then_some(Reason::DisguisedText));
        }
        if speaks {
            judgement.reasons.push(Reason::HiddenText);
            if judgement.probability < HIDDEN {
                judgement.probability = HIDDEN;
                judgement.window = hidden.unwrap_or(judgement.window);
            }
        }
        judgement.reasons.sort_unstable();
        judgement
    }

    /// The worst reading of a cleaned text of `length` bytes, and of what it wraps.
    fn worst(&self, read: Clean, length: usize, depth: u8, left: &mut usize, truncated: &mut bool) -> Worst {
        let inner = if depth > 0 { unwrap(&read.letters, length, *left, truncated) } else { Vec::new() };
        let messages = read.hidden.messages.clone();
        let reading = Reading::from_letters(read.letters, read.disguised);
        let highest = self.model.highest(&reading);
        let Undone { impostors, leet, spelled, disguised } = reading.undone;
        let mut worst = Worst {
            probability: highest.probability,
            window: reading.place(highest.words.clone(), length),
            jailbreak: self.model.is_jailbreak(&reading, &highest.words),
            // Single cases of each are ordinary: names of products, `50 cm²`, letters with strokes.
            disguised: impostors + leet + spelled > 2 || disguised > 8,
            encoded: false,
        };
        let wrapped = inner.into_iter().map(|wrapped| (wrapped.text, wrapped.place, true));
        for (text, place, encoded) in wrapped.chain(messages.into_iter().map(|(text, place)| (text, place, false))) {
            let Some(rest) = left.checked_sub(text.len()) else {
                *truncated = true;
                break;
            };
            *left = rest;
            let below = self.worst(clean(&text), text.len(), depth.saturating_sub(1), left, truncated);
            if below.probability > worst.probability {
                worst = Worst { window: place, encoded: encoded || below.encoded, ..below };
            }
        }
        worst
    }
}
