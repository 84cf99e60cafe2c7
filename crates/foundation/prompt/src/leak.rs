//! Answers that repeat what they must not: canaries, word for word or re-encoded, and system prompts, in good part.
//!
//! A [`Canary`] is a random string that a system prompt holds for this purpose only. It is looked for in letters and
//! digits alone, so spacing, case, punctuation, invisible characters and impostor letters don't hide it; also
//! backwards, in ROT13, hexadecimal and base64. A [`SystemPrompt`] is compared by winnowed shingles (Schleimer,
//! Wilkerson and Aiken, 2003, "Winnowing"): how many of its fingerprints has the answer repeated?
//!
//! ```
//! use bartizan_prompt::{Canary, LeakWatch, SystemPrompt};
//!
//! let prompt = "You are Ada, the assistant of a bank. Never talk about interest rates, never name a colleague, \
//!               and always end with a question about the customer's next goal. Reference: quail-7481-orchid";
//! let canary = Canary::new("quail-7481-orchid")?;
//! let mut watch = LeakWatch::new([canary], Some(SystemPrompt::new(prompt)?));
//! watch.push("Sure! My rules: never talk about interest rates, never name a coll");
//! watch.push("eague, and always end with a question about the customer's next goal.");
//! let leak = watch.finish();
//! assert!(!leak.canary && leak.share > 0.4);
//! # Ok::<(), bartizan_prompt::TooShort>(())
//! ```

use std::collections::VecDeque;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use unicode_normalization::char::{decompose_compatible, is_combining_mark};

use crate::hidden::invisible;
use crate::skeleton::{decorated, foreign};

/// Letters and digits that a canary must have: fewer could turn up by accident.
const SHORTEST_CANARY: usize = 8;
/// Words of a shingle.
const SHINGLE: usize = 6;
/// Of so many shingles in a row one is kept: who repeats `SHINGLE + KEPT - 1` words in a row repeats a fingerprint.
const KEPT: usize = 4;
/// Letters of a word that count.
const LONGEST_WORD: usize = 64;

/// A canary or a prompt has too little to be recognised by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TooShort {
    /// A canary that could turn up by accident.
    #[error("a canary needs at least {SHORTEST_CANARY} letters or digits; make it longer")]
    Canary,
    /// A system prompt without a single fingerprint.
    #[error("a system prompt needs at least {} words to be recognised; watch for a canary instead", SHINGLE + KEPT - 1)]
    Prompt,
}

/// A string that must never be repeated. Has no `Debug`: it is a secret.
pub struct Canary {
    patterns: Vec<Pattern>,
}

impl Canary {
    /// Prepares to look for `canary`.
    ///
    /// # Errors
    ///
    /// Where it has fewer than eight letters and digits.
    pub fn new(canary: &str) -> Result<Self, TooShort> {
        let plain = letters(canary);
        if plain.len() < SHORTEST_CANARY {
            return Err(TooShort::Canary);
        }
        let rotated = plain.iter().map(|letter| match letter {
            'a'..='z' => char::from((*letter as u8 - b'a' + 13) % 26 + b'a'),
            other => *other,
        });
        let hexadecimal = canary.bytes().flat_map(|byte| format!("{byte:02x}").chars().collect::<Vec<_>>());
        let mut forms = vec![plain.iter().rev().copied().collect(), rotated.collect(), hexadecimal.collect()];
        // Base64 of a longer text holds one of three forms, by where in three bytes the canary starts.
        for before in 0..3 {
            let encoded = STANDARD_NO_PAD.encode([&[0; 2][..before.min(2)], canary.as_bytes()].concat());
            let (first, whole) = ((before * 8).div_ceil(6), (before + canary.len()) * 8 / 6);
            forms.push(letters(encoded.get(first..whole).unwrap_or_default()));
        }
        forms.push(plain);
        forms.retain(|form: &Vec<char>| form.len() >= SHORTEST_CANARY);
        Ok(Self { patterns: forms.into_iter().map(Pattern::new).collect() })
    }
}

/// A pattern with its failure function (Knuth, Morris and Pratt, 1977).
struct Pattern {
    letters: Vec<char>,
    failure: Vec<usize>,
}

impl Pattern {
    fn new(letters: Vec<char>) -> Self {
        let mut pattern = Self { failure: vec![0; letters.len()], letters };
        let mut matched = 0;
        for at in 1..pattern.letters.len() {
            if let Some(letter) = pattern.letters.get(at) {
                matched = pattern.step(matched, *letter);
            }
            if let Some(failure) = pattern.failure.get_mut(at) {
                *failure = matched;
            }
        }
        pattern
    }

    /// How many letters of the pattern match after `letter`, when `matched` of them did before.
    fn step(&self, mut matched: usize, letter: char) -> usize {
        loop {
            if self.letters.get(matched) == Some(&letter) {
                return matched + 1;
            }
            let Some(before) = matched.checked_sub(1) else { return 0 };
            matched = self.failure.get(before).copied().unwrap_or(0);
        }
    }
}

/// The fingerprints of a system prompt. Has no `Debug`: it is a secret.
pub struct SystemPrompt {
    /// Ascending.
    fingerprints: Vec<u64>,
}

impl SystemPrompt {
    /// Takes the fingerprints of `prompt`.
    ///
    /// # Errors
    ///
    /// Where it is shorter than nine words.
    pub fn new(prompt: &str) -> Result<Self, TooShort> {
        let mut shingles = Vec::new();
        let mut words = Words::default();
        for letter in plain(prompt) {
            shingles.extend(words.take(letter).into_iter().flatten());
        }
        shingles.extend(words.end());
        let mut fingerprints: Vec<u64> =
            shingles.windows(KEPT).filter_map(|window| window.iter().min().copied()).collect();
        fingerprints.sort_unstable();
        fingerprints.dedup();
        if fingerprints.is_empty() { Err(TooShort::Prompt) } else { Ok(Self { fingerprints }) }
    }
}

/// What an answer has repeated so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Leak {
    /// Whether it held a canary.
    pub canary: bool,
    /// Which part of the system prompt's fingerprints it held, from 0 to 1.
    pub share: f32,
}

/// Reads an answer piece by piece. Memory depends on what is watched for, never on the answer.
pub struct LeakWatch {
    canaries: Arc<[Canary]>,
    prompt: Option<Arc<SystemPrompt>>,
    matched: Vec<usize>,
    words: Words,
    seen: Vec<bool>,
    seen_count: usize,
    canary: bool,
}

impl LeakWatch {
    /// Watches for `canaries` and, where there is one, for `prompt`.
    pub fn new(canaries: impl Into<Arc<[Canary]>>, prompt: Option<impl Into<Arc<SystemPrompt>>>) -> Self {
        let (canaries, prompt) = (canaries.into(), prompt.map(Into::into));
        let matched = vec![0; canaries.iter().map(|canary| canary.patterns.len()).sum()];
        let seen = vec![false; prompt.as_ref().map_or(0, |prompt: &Arc<SystemPrompt>| prompt.fingerprints.len())];
        Self { canaries, prompt, matched, words: Words::default(), seen, seen_count: 0, canary: false }
    }

    /// Takes the next piece of the answer and says what was repeated up to its last whole word.
    pub fn push(&mut self, piece: &str) -> Leak {
        for letter in plain(piece) {
            if letter.is_alphanumeric() {
                self.step(letter);
            }
            for shingle in self.words.take(letter).into_iter().flatten() {
                self.meet(shingle);
            }
        }
        self.leak()
    }

    /// Ends the answer and says what it repeated.
    pub fn finish(&mut self) -> Leak {
        if let Some(shingle) = self.words.end() {
            self.meet(shingle);
        }
        self.leak()
    }

    fn step(&mut self, letter: char) {
        let patterns = self.canaries.iter().flat_map(|canary| &canary.patterns);
        for (pattern, matched) in patterns.zip(&mut self.matched) {
            *matched = pattern.step(*matched, letter);
            self.canary |= *matched == pattern.letters.len();
        }
    }

    fn meet(&mut self, shingle: u64) {
        let found = self.prompt.as_ref().and_then(|prompt| prompt.fingerprints.binary_search(&shingle).ok());
        if let Some(seen) = found.and_then(|index| self.seen.get_mut(index))
            && !*seen
        {
            *seen = true;
            self.seen_count += 1;
        }
    }

    fn leak(&self) -> Leak {
        let share = if self.seen.is_empty() { 0.0 } else { self.seen_count as f32 / self.seen.len() as f32 };
        Leak { canary: self.canary, share }
    }
}

/// The visible characters of `text`, in plain lower case.
fn plain(text: &str) -> impl Iterator<Item = char> {
    text.chars().filter(|character| invisible(*character).is_none()).flat_map(|character| {
        let mut parts: [Option<char>; 4] = [None; 4];
        let mut count = 0;
        decompose_compatible(character, |part| {
            if !is_combining_mark(part)
                && let Some(slot) = parts.get_mut(count)
            {
                let part = decorated(part).unwrap_or(part);
                let lower = part.to_lowercase().next().unwrap_or(part);
                *slot = Some(foreign(lower).unwrap_or(lower));
                count += 1;
            }
        });
        parts.into_iter().flatten()
    })
}

fn letters(text: &str) -> Vec<char> {
    plain(text).filter(|letter| letter.is_alphanumeric()).collect()
}

/// Turns letters into words and words into shingles, all as hashes.
#[derive(Default)]
struct Words {
    word: Option<u64>,
    length: usize,
    last: VecDeque<u64>,
}

impl Words {
    /// Takes a letter; gives the shingles that end with the words that it ends.
    fn take(&mut self, letter: char) -> [Option<u64>; 2] {
        let ideograph = matches!(u32::from(letter), 0x2E80..=0x2FDF | 0x3040..=0x30FF | 0x3400..=0x9FFF | 0x20000..);
        if ideograph {
            let before = self.end();
            self.word = Some(mix(0, u64::from(letter)));
            [before, self.end()]
        } else if letter.is_alphanumeric() {
            if self.length < LONGEST_WORD {
                self.word = Some(mix(self.word.unwrap_or(0), u64::from(letter)));
                self.length += 1;
            }
            [None, None]
        } else if letter == '\'' {
            [None, None]
        } else {
            [self.end(), None]
        }
    }

    /// Ends the open word, if there is one; gives the shingle that ends with it.
    fn end(&mut self) -> Option<u64> {
        let word = self.word.take()?;
        self.length = 0;
        self.last.push_back(word);
        if self.last.len() > SHINGLE {
            self.last.pop_front();
        }
        (self.last.len() == SHINGLE).then(|| self.last.iter().fold(1, |hash, word| mix(hash, *word)))
    }
}

/// One step of a hash: the multiplier of PCG and the shift of `SplitMix64`.
fn mix(hash: u64, next: u64) -> u64 {
    let mixed = (hash ^ next).wrapping_add(0x9e37_79b9_7f4a_7c15).wrapping_mul(0x5851_f42d_4c95_7f2d);
    mixed ^ (mixed >> 31)
}

/// An answer in any pieces leaks what it leaks as a whole.
pub(crate) fn fuzz_pieces(text: &str) {
    let head: String = text.chars().take(40).collect();
    let watch = || {
        let canaries: Vec<Canary> = Canary::new(&head).ok().into_iter().collect();
        LeakWatch::new(canaries, SystemPrompt::new(text).ok())
    };
    let (mut whole, mut pieces) = (watch(), watch());
    whole.push(text);
    let mut rest = text;
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(rest.ceil_char_boundary((rest.len() % 5) + 1));
        pieces.push(piece);
        rest = after;
    }
    assert_eq!(whole.finish(), pieces.finish(), "where an answer is cut must change nothing");
}
