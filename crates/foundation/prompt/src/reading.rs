//! The second reading of a text: its words, in the form in which a model meets them.

use std::ops::Range;

use crate::clean::{Letter, clean};
use crate::disguise::{fold_foreign, join_spelled, undo_leet};

/// A word, or a group of other signs, and where it stood.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Word {
    from: usize,
    to: usize,
    /// First byte of it in the text that was read.
    pub(crate) at: usize,
    /// Whether it is made of letters or digits.
    pub(crate) is_word: bool,
}

/// What was undone to read a text.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Undone {
    /// Words with letters of another script among them.
    pub(crate) impostors: usize,
    /// Words written with digits and signs.
    pub(crate) leet: usize,
    /// Words spelled letter by letter.
    pub(crate) spelled: usize,
    /// Characters in other forms than the plain one: mathematical, circled, fullwidth.
    pub(crate) disguised: usize,
}

/// A text as words.
pub(crate) struct Reading {
    letters: Vec<Letter>,
    pub(crate) words: Vec<Word>,
    pub(crate) undone: Undone,
}

/// Longer words are cut, so that the work per word is bounded.
const LONGEST: usize = 40;
/// Of a group of signs, so many count.
const SIGNS: usize = 3;

impl Reading {
    /// Reads `text` in time linear in its length.
    pub(crate) fn of(text: &str) -> Self {
        let clean = clean(text);
        Self::from_letters(clean.letters, clean.disguised)
    }

    pub(crate) fn from_letters(mut letters: Vec<Letter>, disguised: usize) -> Self {
        let spelled = join_spelled(&mut letters);
        let leet = undo_leet(&mut letters);
        let impostors = fold_foreign(&mut letters);
        let words = words(&letters);
        Self { letters, words, undone: Undone { impostors, leet, spelled, disguised } }
    }

    /// The letters of `word`.
    pub(crate) fn letters(&self, word: &Word) -> impl Iterator<Item = char> + Clone {
        self.letters.get(word.from..word.to).unwrap_or_default().iter().map(|letter| letter.character)
    }

    /// The bytes of the text that was read, from the first to before the last of `words`.
    pub(crate) fn place(&self, words: Range<usize>, length: usize) -> Range<usize> {
        let start = self.words.get(words.start).map_or(0, |word| word.at);
        start..self.words.get(words.end).map_or(length, |word| word.at)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Space,
    Letter,
    /// Scripts that write words without spaces: each character is a word.
    Ideograph,
    Sign,
}

fn class(character: char) -> Class {
    match character {
        '\'' => Class::Letter,
        _ if character.is_whitespace() => Class::Space,
        '\u{2E80}'..='\u{2FDF}' | '\u{3040}'..='\u{30FF}' | '\u{3400}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}' => {
            Class::Ideograph
        }
        '\u{20000}'..='\u{3FFFF}' => Class::Ideograph,
        _ if character.is_alphanumeric() => Class::Letter,
        _ => Class::Sign,
    }
}

fn words(letters: &[Letter]) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    let mut open = Class::Space;
    for (index, letter) in letters.iter().enumerate() {
        let class = class(letter.character);
        if class == Class::Space {
            open = class;
            continue;
        }
        let limit = if class == Class::Sign { SIGNS } else { LONGEST };
        match words.last_mut() {
            Some(word) if class == open && class == Class::Sign && index - word.from >= limit => {}
            Some(word) if class == open && class != Class::Ideograph && index - word.from < limit => {
                word.to = index + 1;
            }
            _ => {
                let is_word = class != Class::Sign;
                words.push(Word { from: index, to: index + 1, at: letter.at, is_word });
            }
        }
        open = class;
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<String> {
        let reading = Reading::of(text);
        reading.words.iter().map(|word| reading.letters(word).collect()).collect()
    }

    #[test]
    fn words_signs_and_ideographs_are_told_apart() {
        assert_eq!(read("Don't STOP!!!!! <|im_start|>"), ["don't", "stop", "!!!", "<|", "im", "_", "start", "|>"]);
        assert_eq!(read("忽略 所有"), ["忽", "略", "所", "有"]);
        assert_eq!(read("a  b"), ["a", "b"]);
        assert!(read(&"x".repeat(1000)).iter().all(|word| word.len() <= LONGEST));
    }
}
