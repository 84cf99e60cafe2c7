//! The model file: weights of hashed features, one byte each, with what turns scores into probabilities.
//!
//! All numbers are little-endian. Magic and version (12 bytes), SHA-256 of the text it was trained from (32), the
//! binary logarithms of the three tables' sizes (3), fourteen numbers of 32 bits ([`Numbers`], in the order of its
//! fields), then the tables: one for each [`Scale`], and one that tells jailbreaks from injections.

use std::borrow::Cow;
use std::ops::Range;

use crate::features::features;
use crate::reading::Reading;

const MAGIC: &[u8; 8] = b"BZPROMPT";
const VERSION: u32 = 1;
const TABLES: usize = 12 + 32;
const NUMBERS: usize = TABLES + 3;
const HEAD: usize = NUMBERS + 14 * 4;
/// Tables larger than this (4 MiB) are refused.
const LARGEST: u8 = 22;

/// How much text is judged together. The smaller finds a sentence in a document, the larger what only many say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Windows of 256 words.
    Page,
    /// Windows of 24 words.
    Passage,
}

impl Scale {
    /// Both, in the order of the model file.
    pub const ALL: [Self; 2] = [Self::Page, Self::Passage];

    /// Words that are judged together.
    #[must_use]
    pub fn words(self) -> usize {
        match self {
            Self::Page => 256,
            Self::Passage => 24,
        }
    }

    /// Words from the start of one window to that of the next.
    #[must_use]
    pub fn stride(self) -> usize {
        self.words() / 4
    }
}

/// A window with fewer features counts as one with so many, so that a few words alone decide nothing.
pub const FEWEST: f32 = 60.0;

/// Why a model file isn't read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ModelError {
    /// It doesn't start as one.
    #[error("not a model of prompts; expected a file that starts with BZPROMPT")]
    Magic,
    /// It is of another version.
    #[error("version {0} of the model format is not known; this program reads version 1")]
    Version(u32),
    /// It is shorter or longer than it says, or says something impossible.
    #[error("the model file is damaged: {0}")]
    Damaged(&'static str),
}

/// What the scores of one scale mean.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ScaleNumbers {
    /// What one unit of a weight is worth.
    pub unit: f32,
    /// Score of a text without features.
    pub bias: f32,
    /// Slope of the probability over the score (Platt, 1999).
    pub slope: f32,
    /// Score at which the probability is one half.
    pub middle: f32,
}

/// The numbers of a model beside its tables.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Numbers {
    /// In the order of [`Scale::ALL`].
    pub scales: [ScaleNumbers; 2],
    /// What one unit of a weight of the last table is worth.
    pub kind_unit: f32,
    /// Above zero, after the last table, an attack is a jailbreak rather than an injection.
    pub kind_bias: f32,
    /// Probabilities that 5, 2, 1 and 0.1 % of the benign texts of the development split reach.
    pub thresholds: [f32; 4],
}

/// Linear models over hashed n-grams, one a scale.
pub struct Model {
    numbers: Numbers,
    data: [u8; 32],
    tables: [Cow<'static, [u8]>; 2],
    kinds: Cow<'static, [u8]>,
}

/// The window of a text that is most likely hostile.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Highest {
    pub(crate) probability: f32,
    pub(crate) words: Range<usize>,
}

impl Model {
    /// Reads a model file.
    ///
    /// # Errors
    ///
    /// Where it is no model, of another version, or damaged.
    pub fn parse(bytes: impl Into<Cow<'static, [u8]>>) -> Result<Self, ModelError> {
        let bytes = bytes.into();
        let head = bytes.get(..HEAD).ok_or(ModelError::Damaged("it ends early"))?;
        if !head.starts_with(MAGIC) {
            return Err(ModelError::Magic);
        }
        let word = |at: usize| -> [u8; 4] {
            let mut word = [0; 4];
            word.copy_from_slice(head.get(at..at + 4).unwrap_or(&[0; 4]));
            word
        };
        let version = u32::from_le_bytes(word(8));
        if version != VERSION {
            return Err(ModelError::Version(version));
        }
        let mut numbers = [0.0; 14];
        for (index, number) in numbers.iter_mut().enumerate() {
            *number = f32::from_le_bytes(word(NUMBERS + 4 * index));
        }
        if !numbers.iter().all(|number| number.is_finite()) {
            return Err(ModelError::Damaged("a number is infinite or none"));
        }
        let logarithms = head.get(TABLES..NUMBERS).unwrap_or_default();
        if logarithms.iter().any(|logarithm| *logarithm > LARGEST) {
            return Err(ModelError::Damaged("a table is too large"));
        }
        let mut start = HEAD;
        let mut places = logarithms.iter().map(|logarithm| {
            let place = start..start + (1_usize << logarithm);
            start = place.end;
            place
        });
        let (Some(page), Some(passage), Some(kinds)) = (places.next(), places.next(), places.next()) else {
            return Err(ModelError::Damaged("it ends early"));
        };
        if bytes.len() != kinds.end {
            return Err(ModelError::Damaged("its length is not that of its tables"));
        }
        let mut data = [0; 32];
        data.copy_from_slice(head.get(12..TABLES).unwrap_or(&[0; 32]));
        let part = |range: Range<usize>| -> Cow<'static, [u8]> {
            match &bytes {
                Cow::Borrowed(bytes) => Cow::Borrowed(bytes.get(range).unwrap_or_default()),
                Cow::Owned(bytes) => Cow::Owned(bytes.get(range).unwrap_or_default().to_vec()),
            }
        };
        let [a, b, c, d, e, f, g, h, kind_unit, kind_bias, thresholds @ ..] = numbers;
        let scales =
            [[a, b, c, d], [e, f, g, h]].map(|[unit, bias, slope, middle]| ScaleNumbers { unit, bias, slope, middle });
        let numbers = Numbers { scales, kind_unit, kind_bias, thresholds };
        Ok(Self { numbers, data, tables: [part(page), part(passage)], kinds: part(kinds) })
    }

    /// The file of a model with these numbers and tables, whose sizes must be powers of two.
    #[must_use]
    pub fn encode(numbers: &Numbers, data: &[u8; 32], tables: [&[i8]; 2], kinds: &[i8]) -> Vec<u8> {
        let [page, passage] = tables;
        let tables = [page, passage, kinds];
        let mut out = Vec::with_capacity(HEAD + tables.iter().map(|table| table.len()).sum::<usize>());
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(data);
        out.extend(tables.map(|table| u8::try_from(table.len().ilog2()).unwrap_or(u8::MAX)));
        let scales = numbers.scales.map(|scale| [scale.unit, scale.bias, scale.slope, scale.middle]);
        let others = [numbers.kind_unit, numbers.kind_bias];
        for number in scales.into_iter().flatten().chain(others).chain(numbers.thresholds) {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend(tables.into_iter().flatten().map(|weight| weight.cast_unsigned()));
        out
    }

    /// The numbers beside the tables.
    #[must_use]
    pub fn numbers(&self) -> &Numbers {
        &self.numbers
    }

    /// SHA-256 of the text that it was trained from.
    #[must_use]
    pub fn data(&self) -> &[u8; 32] {
        &self.data
    }

    /// Scores `reading` window by window at both scales and gives the worst; time is linear in its words.
    pub(crate) fn highest(&self, reading: &Reading) -> Highest {
        let [page, passage] = &self.tables;
        let mut sums: Vec<([i32; 2], u32)> = vec![([0, 0], 0); reading.words.len()];
        features(reading, |word, hash| {
            if let Some((sum, count)) = sums.get_mut(word) {
                *sum = [sum[0] + i32::from(entry(page, hash)), sum[1] + i32::from(entry(passage, hash))];
                *count += 1;
            }
        });
        let mut highest = Highest { probability: 0.0, words: 0..0 };
        for ((index, scale), numbers) in Scale::ALL.into_iter().enumerate().zip(self.numbers.scales) {
            for words in windows(sums.len(), scale) {
                let window = sums.get(words.clone()).unwrap_or_default();
                let sum: i32 = window.iter().filter_map(|(sum, _)| sum.get(index)).sum();
                let count = window.iter().map(|(_, count)| count).sum();
                let score = numbers.bias + numbers.unit * sum as f32 * norm(count);
                let probability = numbers.probability(score);
                if probability > highest.probability {
                    highest = Highest { probability, words };
                }
            }
        }
        highest
    }

    /// Whether the attack in `words` of `reading` is a jailbreak rather than an injection.
    pub(crate) fn is_jailbreak(&self, reading: &Reading, words: &Range<usize>) -> bool {
        let (mut sum, mut count) = (0, 0);
        features(reading, |word, hash| {
            if words.contains(&word) {
                sum += i32::from(entry(&self.kinds, hash));
                count += 1;
            }
        });
        self.numbers.kind_bias + self.numbers.kind_unit * sum as f32 * norm(count) > 0.0
    }
}

impl ScaleNumbers {
    /// The probability that belongs to a score.
    #[must_use]
    pub fn probability(&self, score: f32) -> f32 {
        1.0 / (1.0 + (-self.slope * (score - self.middle)).exp())
    }
}

/// What a sum over `count` features is multiplied with: the inverse of the features' length as a vector, were each
/// there once.
pub(crate) fn norm(count: u32) -> f32 {
    1.0 / (count as f32).max(FEWEST).sqrt()
}

/// Windows that cover `words` words, overlapping.
pub(crate) fn windows(words: usize, scale: Scale) -> impl Iterator<Item = Range<usize>> {
    let behind = words.saturating_sub(scale.words());
    (0..=behind.div_ceil(scale.stride())).map(move |index| {
        let start = (index * scale.stride()).min(behind);
        start..(start + scale.words()).min(words)
    })
}

fn entry(table: &[u8], hash: u32) -> i8 {
    let mask = table.len().wrapping_sub(1);
    table.get(hash as usize & mask).map_or(0, |weight| weight.cast_signed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_cover_every_word_and_end_with_the_last() {
        for (words, scale) in
            [0, 1, 24, 25, 256, 257, 1000].into_iter().flat_map(|words| Scale::ALL.map(|scale| (words, scale)))
        {
            let mut covered = 0;
            for window in windows(words, scale) {
                assert!(window.start <= covered && window.len() <= scale.words(), "{words}");
                covered = window.end;
            }
            assert_eq!(covered, words);
        }
    }

    #[test]
    fn a_damaged_file_is_refused_and_a_whole_one_is_read_back() {
        let scale = ScaleNumbers { unit: 0.5, bias: -1.0, slope: 2.0, middle: 0.25 };
        let numbers = Numbers { scales: [scale; 2], kind_unit: 1.0, kind_bias: -0.5, thresholds: [0.1, 0.2, 0.3, 0.4] };
        let bytes = Model::encode(&numbers, &[7; 32], [&[1, -2, 3, 4], &[9]], &[5, 6]);
        let model = Model::parse(bytes.clone()).ok().unwrap();
        assert_eq!((model.numbers(), model.data()), (&numbers, &[7; 32]));
        assert_eq!((&*model.tables[0], &*model.kinds), (&[1, 254, 3, 4][..], &[5, 6][..]));
        for length in 0..bytes.len() {
            assert!(Model::parse(bytes[..length].to_vec()).is_err());
        }
        let mut newer = bytes;
        newer[8] = 2;
        assert_eq!(Model::parse(newer).err(), Some(ModelError::Version(2)));
    }
}
