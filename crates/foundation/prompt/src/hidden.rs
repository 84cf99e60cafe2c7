//! Characters that a reader does not see and a model reads, and what they spell.
//!
//! Three channels carry text invisibly: tag characters (U+E0020 to U+E007E mirror ASCII), variation selectors (256 of
//! them, one a byte) and runs of zero-width characters. Ordinary text uses each of them too, sparingly: flags of
//! regions end in tags, emoji are joined by U+200D and styled by U+FE0F, Persian and Indic words hold joiners.

use std::ops::Range;

/// What an invisible character is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Invisible {
    /// Mirrors this ASCII character (Unicode 16, section 23.9).
    Tag(char),
    /// Could stand for this byte.
    Selector(u8),
    /// Takes no room: zero-width spaces and joiners, soft hyphens, fillers.
    ZeroWidth,
    /// Turns the direction of writing (UAX #9).
    Direction,
}

/// What `character` is for, where it is one that nobody sees.
pub(crate) fn invisible(character: char) -> Option<Invisible> {
    let code = u32::from(character);
    Some(match code {
        0xE0020..=0xE007E => Invisible::Tag(char::from_u32(code - 0xE0000)?),
        0xE0000..=0xE007F => Invisible::ZeroWidth,
        0xFE00..=0xFE0F => Invisible::Selector(u8::try_from(code - 0xFE00).ok()?),
        0xE0100..=0xE01EF => Invisible::Selector(u8::try_from(code - 0xE0100 + 16).ok()?),
        0x00AD | 0x034F | 0x115F | 0x1160 | 0x17B4 | 0x17B5 | 0x180B..=0x180F | 0x200B..=0x200D => Invisible::ZeroWidth,
        0x2060..=0x2065 | 0x206A..=0x206F | 0x3164 | 0xFEFF | 0xFFA0 | 0x1D173..=0x1D17A => Invisible::ZeroWidth,
        0x061C | 0x200E | 0x200F | 0x202A..=0x202E | 0x2066..=0x2069 => Invisible::Direction,
        _ => return None,
    })
}

/// Zero-width characters in a row that no writing system needs.
const LONG_RUN: usize = 8;
/// Characters that tags or selectors must spell to be called a message.
const MESSAGE: usize = 4;
/// The black flag, which tags turn into the flag of a region (UTS #51, section C.1).
const FLAG: char = '\u{1F3F4}';
/// The longest code of a region behind a flag, as in `gbeng`.
const REGION: usize = 6;

/// Collects what invisible characters of one text spell.
#[derive(Default)]
pub(crate) struct Channel {
    run: Vec<Invisible>,
    run_from: usize,
    before: Option<char>,
    /// Hidden messages and where they stand.
    pub(crate) messages: Vec<(String, Range<usize>)>,
    /// Zero-width characters between two letters of the Latin script, which need none.
    pub(crate) inside_words: usize,
    /// Where the first run stands that is too long for any writing system.
    pub(crate) long_run: Option<Range<usize>>,
}

impl Channel {
    /// Takes an invisible character at byte `at`.
    pub(crate) fn hide(&mut self, character: Invisible, at: usize) {
        if self.run.is_empty() {
            self.run_from = at;
        }
        self.run.push(character);
    }

    /// Takes a visible character at byte `at`, which ends a run.
    pub(crate) fn show(&mut self, character: char, at: usize) {
        if !self.run.is_empty() {
            let letters = self.before.is_some_and(|before| before.is_ascii_alphabetic());
            if letters && character.is_ascii_alphabetic() {
                self.inside_words += 1;
            }
            self.end(at);
        }
        self.before = Some(character);
    }

    /// Ends the text at byte `at`.
    pub(crate) fn end(&mut self, at: usize) {
        let place = self.run_from..at;
        let run = std::mem::take(&mut self.run);
        let tags: String = run
            .iter()
            .filter_map(|one| match one {
                Invisible::Tag(tag) => Some(*tag),
                _ => None,
            })
            .collect();
        let flag = self.before == Some(FLAG) && tags.len() <= REGION;
        if tags.len() >= MESSAGE && !flag {
            self.messages.push((tags, place.clone()));
        }
        let selectors: Vec<u8> = run
            .iter()
            .filter_map(|one| match one {
                Invisible::Selector(byte) => Some(*byte),
                _ => None,
            })
            .collect();
        if selectors.len() >= MESSAGE {
            self.messages.push((String::from_utf8_lossy(&selectors).into_owned(), place.clone()));
        }
        let zero_width = run.iter().filter(|one| matches!(one, Invisible::ZeroWidth | Invisible::Direction)).count();
        if zero_width >= LONG_RUN && self.long_run.is_none() {
            self.long_run = Some(place);
        }
    }

    /// Whether something was hidden, whatever it says.
    pub(crate) fn speaks(&self) -> bool {
        !self.messages.is_empty() || self.long_run.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channel(text: &str) -> Channel {
        let mut channel = Channel::default();
        for (at, character) in text.char_indices() {
            match invisible(character) {
                Some(hidden) => channel.hide(hidden, at),
                None => channel.show(character, at),
            }
        }
        channel.end(text.len());
        channel
    }

    fn tags(text: &str) -> String {
        text.chars().filter_map(|c| char::from_u32(u32::from(c) + 0xE0000)).collect()
    }

    #[test]
    fn tag_characters_and_selectors_spell_what_they_hide() {
        let found = channel(&format!("hello{} world", tags("ignore this")));
        assert_eq!(found.messages, [("ignore this".to_owned(), 5..49)]);
        let selectors: String = "obey".bytes().filter_map(|b| char::from_u32(0xE0100 + u32::from(b) - 16)).collect();
        assert_eq!(channel(&format!("😀{selectors}")).messages[0].0, "obey");
    }

    #[test]
    fn flags_emoji_and_joined_letters_hide_nothing() {
        let england = format!("\u{1F3F4}{}\u{E007F} won", tags("gbeng"));
        for text in [england.as_str(), "👩‍👩‍👧 ❤️", "می‌خواهم", "co\u{AD}operate"] {
            assert!(!channel(text).speaks(), "{text}");
        }
        assert!(channel(&format!("a{}b", "\u{200B}\u{200C}".repeat(4))).speaks());
    }
}
