//! Letters that pass for Latin ones.
//!
//! A small table of our own for lower-case letters; compatibility forms (fullwidth, mathematical, circled) are undone
//! by NFKD before it is asked. Letters of Cyrillic, Greek, Armenian and Cherokee are folded only in words that mix
//! scripts or stand in Latin text: a Russian word stays Russian.

/// Foreign letters, each before the Latin one it passes for.
const FOREIGN: &[(char, char)] = &[
    // Cyrillic
    ('а', 'a'),
    ('в', 'b'),
    ('с', 'c'),
    ('ԁ', 'd'),
    ('е', 'e'),
    ('ҽ', 'e'),
    ('ғ', 'f'),
    ('ԍ', 'g'),
    ('һ', 'h'),
    ('н', 'h'),
    ('і', 'i'),
    ('ј', 'j'),
    ('к', 'k'),
    ('ӏ', 'l'),
    ('м', 'm'),
    ('п', 'n'),
    ('о', 'o'),
    ('р', 'p'),
    ('ԛ', 'q'),
    ('г', 'r'),
    ('ѕ', 's'),
    ('т', 't'),
    ('ц', 'u'),
    ('ѵ', 'v'),
    ('ԝ', 'w'),
    ('ѡ', 'w'),
    ('х', 'x'),
    ('у', 'y'),
    ('ү', 'y'),
    ('ᴢ', 'z'),
    ('з', '3'),
    ('б', '6'),
    ('ь', 'b'),
    ('ё', 'e'),
    ('и', 'u'),
    ('я', 'r'),
    // Greek
    ('α', 'a'),
    ('β', 'b'),
    ('ϲ', 'c'),
    ('δ', 'd'),
    ('ε', 'e'),
    ('ϝ', 'f'),
    ('η', 'n'),
    ('ι', 'i'),
    ('ϳ', 'j'),
    ('κ', 'k'),
    ('μ', 'm'),
    ('ν', 'v'),
    ('ο', 'o'),
    ('ρ', 'p'),
    ('σ', 'o'),
    ('ς', 's'),
    ('τ', 't'),
    ('υ', 'u'),
    ('χ', 'x'),
    ('γ', 'y'),
    ('ω', 'w'),
    ('ζ', 'z'),
    ('θ', 'o'),
    ('λ', 'l'),
    ('π', 'n'),
    // Armenian
    ('ա', 'w'),
    ('ց', 'g'),
    ('հ', 'h'),
    ('ո', 'n'),
    ('օ', 'o'),
    ('զ', 'q'),
    ('ս', 'u'),
    ('ռ', 'n'),
    ('ք', 'p'),
    ('յ', 'j'),
    ('ւ', 'i'),
    ('ժ', 'd'),
    ('տ', 's'),
    ('ե', 't'),
    // Cherokee, lower and upper case
    ('ꭰ', 'd'),
    ('ꭱ', 'r'),
    ('ꭲ', 't'),
    ('ꭺ', 'a'),
    ('ꭼ', 'e'),
    ('ꮃ', 'w'),
    ('ꮇ', 'm'),
    ('ꮋ', 'h'),
    ('ꮐ', 'g'),
    ('ꮓ', 'z'),
    ('ꮪ', 's'),
    ('ꮩ', 'v'),
    ('ꮮ', 'l'),
    ('ꮯ', 'c'),
    ('ꮲ', 'p'),
    ('ꮶ', 'k'),
    ('ᏼ', 'b'),
];

/// Letters that are Latin by script or by sight, used for nothing else in prose: folded wherever they stand.
const DECORATED: &[(char, char)] = &[
    ('ᴀ', 'a'),
    ('ʙ', 'b'),
    ('ᴄ', 'c'),
    ('ᴅ', 'd'),
    ('ᴇ', 'e'),
    ('ꜰ', 'f'),
    ('ɢ', 'g'),
    ('ʜ', 'h'),
    ('ɪ', 'i'),
    ('ᴊ', 'j'),
    ('ᴋ', 'k'),
    ('ʟ', 'l'),
    ('ᴍ', 'm'),
    ('ɴ', 'n'),
    ('ᴏ', 'o'),
    ('ᴘ', 'p'),
    ('ǫ', 'q'),
    ('ʀ', 'r'),
    ('ꜱ', 's'),
    ('ᴛ', 't'),
    ('ᴜ', 'u'),
    ('ᴠ', 'v'),
    ('ᴡ', 'w'),
    ('ʏ', 'y'),
    ('ᴢ', 'z'),
    ('ɑ', 'a'),
    ('ɐ', 'a'),
    ('ƅ', 'b'),
    ('ɓ', 'b'),
    ('ƈ', 'c'),
    ('ɖ', 'd'),
    ('ɗ', 'd'),
    ('ǝ', 'e'),
    ('ə', 'e'),
    ('ɛ', 'e'),
    ('ƒ', 'f'),
    ('ɡ', 'g'),
    ('ɠ', 'g'),
    ('ɦ', 'h'),
    ('ɥ', 'h'),
    ('ı', 'i'),
    ('ɩ', 'i'),
    ('ɨ', 'i'),
    ('ʝ', 'j'),
    ('ƙ', 'k'),
    ('ʞ', 'k'),
    ('ɭ', 'l'),
    ('ł', 'l'),
    ('ɫ', 'l'),
    ('ɱ', 'm'),
    ('ɯ', 'm'),
    ('ɲ', 'n'),
    ('ŋ', 'n'),
    ('ø', 'o'),
    ('ɵ', 'o'),
    ('ɔ', 'o'),
    ('ƥ', 'p'),
    ('ʠ', 'q'),
    ('ɹ', 'r'),
    ('ɾ', 'r'),
    ('ʂ', 's'),
    ('ƨ', 's'),
    ('ƭ', 't'),
    ('ʇ', 't'),
    ('ʋ', 'u'),
    ('ʌ', 'v'),
    ('ʍ', 'w'),
    ('ƴ', 'y'),
    ('ʎ', 'y'),
    ('ƶ', 'z'),
    ('ʐ', 'z'),
    ('đ', 'd'),
    ('ħ', 'h'),
    ('ŧ', 't'),
    ('ⱥ', 'a'),
    ('ȼ', 'c'),
    ('ɇ', 'e'),
    ('ꞁ', 'l'),
    ('ⅼ', 'l'),
    ('ℓ', 'l'),
    ('∪', 'u'),
    ('ⲟ', 'o'),
    ('ⲥ', 'c'),
    ('ꓲ', 'i'),
    ('ᗪ', 'd'),
    ('ᑎ', 'n'),
    ('ᑭ', 'p'),
    ('ᖇ', 'r'),
    ('ᗰ', 'm'),
    ('ᗩ', 'a'),
    ('’', '\''),
    ('‘', '\''),
    ('“', '"'),
    ('”', '"'),
    ('–', '-'),
    ('—', '-'),
    ('‑', '-'),
    ('−', '-'),
    ('⁄', '/'),
];

/// First letters of blocks of 26 that NFKD leaves as they are: squared, negative circled, negative squared, regional.
const ALPHABETS: &[u32] = &[0x1F130, 0x1F150, 0x1F170, 0x1F1E6];

/// The Latin letter that a foreign, lower-case `letter` passes for.
pub(crate) fn foreign(letter: char) -> Option<char> {
    find(FOREIGN, letter)
}

/// What `character` is by sight alone, wherever it stands.
pub(crate) fn decorated(character: char) -> Option<char> {
    let code = u32::from(character);
    let start = ALPHABETS.iter().find(|start| (**start..**start + 26).contains(&code));
    start.and_then(|start| char::from_u32(u32::from('a') + code - start)).or_else(|| find(DECORATED, character))
}

fn find(table: &[(char, char)], wanted: char) -> Option<char> {
    table.iter().find(|(letter, _)| *letter == wanted).map(|(_, latin)| *latin)
}

/// Whether `letter` belongs to a script whose letters [`foreign`] knows.
pub(crate) fn is_foreign(letter: char) -> bool {
    matches!(u32::from(letter), 0x370..=0x58F | 0x13A0..=0x13FD | 0xAB70..=0xABBF)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_letter_of_the_alphabet_has_an_impostor_that_is_recognised() {
        for letter in 'a'..='y' {
            assert!(FOREIGN.iter().any(|(_, latin)| *latin == letter), "{letter}");
        }
        assert_eq!(decorated('🅸'), Some('i'));
        assert_eq!(decorated('🇮'), Some('i'));
        assert_eq!(decorated('i'), None);
    }
}
