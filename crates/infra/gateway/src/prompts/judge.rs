//! Judges texts on a bounded pool, with a deadline.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bartizan_prompt::{Budget, Detector};
use bytes::Bytes;
use tokio::sync::Semaphore;

use crate::prompts::settings::PromptSettings;
use crate::prompts::text::texts;

/// Texts up to this length are judged where they stand: it takes less than handing them over.
const SHORT: usize = 512;
/// Longest wait for a place on the pool and for the judgement.
const PATIENCE: Duration = Duration::from_secs(2);

/// What was found in the texts of a request. Nothing of the texts.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct PromptFinding {
    /// How likely it is hostile, in per cent.
    pub(crate) percent: u8,
    /// Whether that is above the threshold in force.
    pub(crate) is_hostile: bool,
    /// Stable words that say why.
    pub(crate) reasons: Vec<&'static str>,
    /// Whether a part was not judged, for its length or for want of time.
    pub(crate) is_partial: bool,
    /// Microseconds that it took.
    pub(crate) microseconds: u64,
}

/// Judges requests.
pub(crate) struct Judge {
    places: Arc<Semaphore>,
}

impl Default for Judge {
    fn default() -> Self {
        let places = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
        Self { places: Arc::new(Semaphore::new(places)) }
    }
}

impl Judge {
    /// Judges the texts of a body that has been found to be plain JSON.
    pub(crate) async fn judge(&self, body: &Bytes, settings: &PromptSettings) -> PromptFinding {
        if body.len() <= SHORT {
            return judge(body, settings);
        }
        let unjudged = PromptFinding { is_partial: true, ..PromptFinding::default() };
        let (body, settings, places) = (body.clone(), settings.clone(), self.places.clone());
        let judged = tokio::time::timeout(PATIENCE, async move {
            let place = places.acquire_owned().await.ok()?;
            let work = move || {
                let finding = judge(&body, &settings);
                drop(place);
                finding
            };
            tokio::task::spawn_blocking(work).await.ok()
        });
        judged.await.ok().flatten().unwrap_or(unjudged)
    }
}

fn judge(body: &[u8], settings: &PromptSettings) -> PromptFinding {
    let started = Instant::now();
    let mut found = Vec::new();
    match serde_json::from_slice(body) {
        Ok(body) => texts(&body, settings.system, &mut found),
        Err(_) => return PromptFinding { is_partial: true, ..PromptFinding::default() },
    }
    let (detector, mut left) = (Detector::embedded(), settings.bytes);
    let mut worst = PromptFinding::default();
    let mut probability = 0.0_f32;
    // The newest is what the caller added: where not all can be judged, the oldest is left out.
    for text in found.iter().rev() {
        if left == 0 {
            worst.is_partial = true;
            break;
        }
        let budget = Budget { bytes: left, ..Budget::default() };
        let judgement = detector.judge(text, &budget);
        left = left.saturating_sub(text.len());
        worst.is_partial |= judgement.truncated;
        if judgement.probability > probability {
            probability = judgement.probability;
            worst.reasons = judgement.reasons.iter().map(|reason| reason.id()).collect();
        }
    }
    worst.is_hostile = probability > 0.0 && probability >= detector.threshold(settings.rate());
    // A probability, so the result is between 0 and 100.
    worst.percent = (probability * 100.0).round().clamp(0.0, 100.0) as u8;
    worst.microseconds = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
    worst
}
