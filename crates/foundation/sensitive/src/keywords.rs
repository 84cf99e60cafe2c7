//! All keywords at once: a filter over three bytes at every place, then a comparison.
//!
//! An automaton over the same words walks from state to state and waits for memory at each byte; here no place
//! waits for another, and nearly all of them end at one bit of a table that fits the nearest cache.

/// Words that are looked for at once, in any case of ASCII letters.
pub(crate) struct Keywords {
    words: Vec<&'static str>,
    /// One bit for each hash of three bytes that a word begins with.
    filter: [u64; 1024],
    /// One bit for each hash of four bytes that a word begins with, or of all three it has.
    second: [u64; 1024],
    /// For each hash, one more than the index of its list; 0 for none.
    list_of: Vec<u16>,
    lists: Vec<Vec<u16>>,
    longest: usize,
}

/// A place where a keyword stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Keyword {
    pub(crate) index: usize,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// Places that are tested together.
const LANES: usize = 8;

/// Setting 0x20 makes letters lower case and confuses few other bytes; the comparison settles it.
fn hash_of_three(bytes: [u8; 4]) -> u16 {
    let folded = u32::from_le_bytes(bytes) & 0x00ff_ffff | 0x0020_2020;
    (folded.wrapping_mul(0x9e37_79b1) >> 16) as u16
}

fn hash_of_four(bytes: [u8; 4]) -> u16 {
    let folded = u32::from_le_bytes(bytes) | 0x2020_2020;
    (folded.wrapping_mul(0x85eb_ca77) >> 16) as u16
}

fn set(filter: &mut [u64; 1024], hash: u16) {
    if let Some(bits) = filter.get_mut(usize::from(hash >> 6)) {
        *bits |= 1 << (hash & 63);
    }
}

fn is_set(filter: &[u64; 1024], hash: u16) -> bool {
    filter.get(usize::from(hash >> 6)).is_some_and(|bits| bits >> (hash & 63) & 1 == 1)
}

impl Keywords {
    /// `words` of at least three bytes.
    pub(crate) fn new(words: Vec<&'static str>) -> Self {
        let mut keywords = Self {
            longest: words.iter().map(|word| word.len()).max().unwrap_or(0),
            filter: [0; 1024],
            second: [0; 1024],
            list_of: vec![0; 1 << 16],
            lists: Vec::new(),
            words,
        };
        for (index, word) in keywords.words.iter().enumerate() {
            let [first, second, third, ..] = word.as_bytes() else {
                panic!("the keyword `{word}` has fewer than three bytes");
            };
            let hash = hash_of_three([*first, *second, *third, 0]);
            set(&mut keywords.filter, hash);
            // A word of three bytes is followed by any fourth: its own hash stands in.
            let four = word.as_bytes().first_chunk::<4>();
            set(&mut keywords.second, four.map_or(hash, |four| hash_of_four(*four)));
            let Some(list) = keywords.list_of.get_mut(usize::from(hash)) else { continue };
            if *list == 0 {
                keywords.lists.push(Vec::new());
                *list = keywords.lists.len() as u16;
            }
            if let Some(list) = keywords.lists.get_mut(usize::from(*list) - 1) {
                list.push(index as u16);
            }
        }
        keywords
    }

    /// Bytes of the longest word.
    pub(crate) fn longest(&self) -> usize {
        self.longest
    }

    /// Hands the keywords that begin at a place in `from..to` to `found`, in order of place. A word may end
    /// behind `to`, but not behind the end of `text`.
    pub(crate) fn find(&self, text: &[u8], from: usize, to: usize, mut found: impl FnMut(Keyword)) {
        let mut at = from;
        while let Some(block) = text.get(at..).and_then(|rest| rest.first_chunk::<{ LANES + 3 }>()) {
            if at >= to {
                return;
            }
            let mut hits = 0_u32;
            for lane in 0..LANES {
                let bytes = [block[lane], block[lane + 1], block[lane + 2], block[lane + 3]];
                hits |= u32::from(is_set(&self.filter, hash_of_three(bytes))) << lane;
            }
            while hits != 0 {
                let place = at + hits.trailing_zeros() as usize;
                hits &= hits - 1;
                let Some(four) = text.get(place..place + 4).and_then(|rest| rest.first_chunk::<4>()) else { continue };
                let is_likely = is_set(&self.second, hash_of_four(*four)) || is_set(&self.second, hash_of_three(*four));
                if is_likely && place < to {
                    self.compare(text, place, &mut found);
                }
            }
            at += LANES;
        }
        for place in at..to {
            self.compare(text, place, &mut found);
        }
    }

    /// Whether any of the words stands in `text`.
    pub(crate) fn is_any_in(&self, text: &[u8]) -> bool {
        let mut is_any = false;
        self.find(text, 0, text.len(), |_| is_any = true);
        is_any
    }

    fn compare(&self, text: &[u8], place: usize, found: &mut impl FnMut(Keyword)) {
        let rest = text.get(place..).unwrap_or_default();
        let [first, second, third, ..] = rest else { return };
        let hash = hash_of_three([*first, *second, *third, 0]);
        let list = self.list_of.get(usize::from(hash)).copied().unwrap_or(0);
        let Some(list) = usize::from(list).checked_sub(1).and_then(|list| self.lists.get(list)) else { return };
        for index in list {
            let index = usize::from(*index);
            let Some(word) = self.words.get(index) else { continue };
            if rest.get(..word.len()).is_some_and(|there| there.eq_ignore_ascii_case(word.as_bytes())) {
                found(Keyword { index, start: place, end: place + word.len() });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_of_every_word_is_found_in_any_case() {
        let keywords = Keywords::new(vec!["key", "api_key", "-us", "sk-"]);
        for offset in 0..20 {
            let text = format!("{}API_KeY sk-us", ".".repeat(offset));
            let mut found = Vec::new();
            keywords
                .find(text.as_bytes(), 0, text.len(), |keyword| found.push((keyword.index, keyword.start - offset)));
            assert_eq!(found, [(1, 0), (0, 4), (3, 8), (2, 10)]);
        }
    }
}
