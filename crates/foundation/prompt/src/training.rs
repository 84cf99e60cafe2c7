//! What a trainer needs: the features that the detector will look at, and the way it adds them up.
//!
//! `examples/train.rs` is the trainer. It shares this code, so that a model can't be trained on other features than
//! it is used with.

use std::ops::Range;

pub use crate::model::{FEWEST, Scale};

use crate::features::features;
use crate::model::{norm, windows};
use crate::reading::Reading;

/// The hashed features of a text, word by word.
#[derive(Clone, Debug, Default)]
pub struct Document {
    hashes: Vec<u32>,
    ends: Vec<u32>,
}

impl Document {
    /// Reads the first `words` words of `text`. What `text` encodes is not unwrapped.
    #[must_use]
    pub fn of(text: &str, words: usize) -> Self {
        let reading = Reading::of(text);
        let mut hashes: Vec<u32> = Vec::new();
        let mut ends = vec![0; reading.words.len().min(words)];
        features(&reading, |word, hash| {
            if let Some(end) = ends.get_mut(word) {
                hashes.push(hash);
                *end = u32::try_from(hashes.len()).unwrap_or(u32::MAX);
            }
        });
        Self { hashes, ends }
    }

    /// The windows that a model scores at this scale, as ranges of words.
    pub fn windows(&self, scale: Scale) -> impl Iterator<Item = Range<usize>> + use<> {
        windows(self.ends.len(), scale)
    }

    /// The features of the words in `window`.
    #[must_use]
    pub fn features(&self, window: &Range<usize>) -> &[u32] {
        let end =
            |words: usize| words.checked_sub(1).and_then(|word| self.ends.get(word)).map_or(0, |end| *end as usize);
        self.hashes.get(end(window.start)..end(window.end)).unwrap_or_default()
    }
}

/// What the sum of the weights of `count` features is multiplied with.
#[must_use]
pub fn norm_of(count: usize) -> f32 {
    norm(u32::try_from(count).unwrap_or(u32::MAX))
}
