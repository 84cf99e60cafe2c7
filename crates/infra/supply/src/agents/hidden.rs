//! Characters that a model reads and a person does not see.
//!
//! Tag characters mirror ASCII (Unicode Standard, section 23.9), variation selectors number 256 and so carry any
//! byte, zero-width characters carry bits, and bidirectional controls show text in another order than it is read
//! (UAX #9; CVE-2021-42574). What is hidden is decoded and shown.

use bartizan_core::{Link, Rule, Severity};

use super::weakness::{Weakness, shortened};

/// Text within the text.
pub const HIDDEN_CHARACTERS: Rule = Rule {
    id: "BZ-AGT-012",
    title: "Text for an agent holds characters that people don't see",
    severity: Severity::Critical,
    explanation: "Editors and web pages show nothing of tag characters, variation selectors and zero-width characters, or show \
        reordered text in their place, while the model reads all of it. There is no ordinary reason for long runs of them in \
        instructions: they carry orders past the people who review the file.",
    remedy: "Remove the characters, find out who put them there, and look for what agents did that have read the file.",
    links: &[Link::Atlas("AML.T0068"), Link::Atlas("AML.T0051.001"), Link::Owasp("LLM01:2025"), Link::Cwe(1007)],
};

/// Variation selectors in a row: one stands behind an emoji or an ideograph, more have no meaning.
const SELECTORS: usize = 4;
/// Zero-width characters in a row that carry at least a byte.
const ZERO_WIDTH: usize = 8;
/// Characters of a kind that are decoded.
const DECODED: usize = 4096;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Tag,
    Selector,
    ZeroWidth,
    Override,
    Embedding,
}

fn kind(c: char) -> Option<Kind> {
    Some(match c {
        '\u{e0000}'..='\u{e007f}' => Kind::Tag,
        '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}' => Kind::Selector,
        '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{2064}' | '\u{feff}' | '\u{180e}' => Kind::ZeroWidth,
        '\u{202d}' | '\u{202e}' => Kind::Override,
        '\u{202a}'..='\u{202c}' | '\u{2066}'..='\u{2069}' => Kind::Embedding,
        _ => return None,
    })
}

/// Whether a character shows nothing, so that words can be split by it.
pub(super) fn is_invisible(c: char) -> bool {
    c == '\u{ad}' || kind(c).is_some()
}

/// What was met of a kind: how often, first where, and what it says.
#[derive(Default)]
struct Seen {
    count: usize,
    line: u64,
    says: Vec<u8>,
}

impl Seen {
    fn add(&mut self, count: usize, line: u64, says: &[u8]) {
        if self.count == 0 {
            self.line = line;
        }
        self.count += count;
        self.says.extend(says.iter().take(DECODED.saturating_sub(self.says.len())));
    }

    fn says(&self) -> String {
        let text = String::from_utf8_lossy(&self.says);
        let text = text.trim_matches(|c: char| c.is_control() || c.is_whitespace() || c == '\u{fffd}');
        if text.is_empty() { String::new() } else { format!(": `{}`", shortened(text)) }
    }
}

/// Looks for hidden characters in a text whose first line is `line`.
pub(super) fn judge(text: &str, line: u64, weaknesses: &mut Vec<Weakness>) {
    let (mut tags, mut selectors, mut zero_width) = (Seen::default(), Seen::default(), Seen::default());
    let (mut overrides, mut embeddings) = (Seen::default(), Seen::default());
    let (mut line, mut before, mut is_right_to_left) = (line, '\0', false);
    let mut characters = text.strip_prefix('\u{feff}').unwrap_or(text).chars().peekable();
    while let Some(c) = characters.next() {
        line += u64::from(c == '\n');
        is_right_to_left |= matches!(c, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{fefc}');
        let Some(kind) = kind(c) else {
            before = c;
            continue;
        };
        let mut run = vec![c];
        while let Some(next) = characters.next_if(|next| self::kind(*next) == Some(kind)) {
            run.push(next);
        }
        match kind {
            Kind::Tag if !is_flag(before, &run) => {
                tags.add(run.len(), line, &run.iter().map(|c| tag(*c)).collect::<Vec<_>>());
            }
            Kind::Selector if run.len() >= SELECTORS => {
                selectors.add(run.len(), line, &run.iter().map(|c| selector(*c)).collect::<Vec<_>>());
            }
            Kind::ZeroWidth if run.len() >= ZERO_WIDTH => zero_width.add(run.len(), line, &bits(&run)),
            Kind::Override => overrides.add(run.len(), line, &[]),
            Kind::Embedding => embeddings.add(run.len(), line, &[]),
            Kind::Tag | Kind::Selector | Kind::ZeroWidth => {}
        }
        before = c;
    }
    if is_right_to_left {
        embeddings.count = 0;
    }
    for (seen, severity, what) in [
        (tags, Severity::Critical, "invisible tag characters"),
        (selectors, Severity::Critical, "variation selectors in a row"),
        (zero_width, Severity::High, "zero-width characters in a row"),
        (overrides, Severity::High, "characters that override the order of text"),
        (embeddings, Severity::High, "characters that change the order of text"),
    ] {
        if seen.count > 0 {
            let message = format!("{} {what}{}", seen.count, seen.says());
            weaknesses.push(Weakness::new(&HIDDEN_CHARACTERS, seen.line, message).at(severity));
        }
    }
}

/// The flags of regions are a black flag, a short code in tags, and the cancel tag (UTS #51).
fn is_flag(before: char, run: &[char]) -> bool {
    before == '\u{1f3f4}' && (3..=7).contains(&run.len()) && run.last() == Some(&'\u{e007f}')
}

fn tag(c: char) -> u8 {
    u8::try_from(u32::from(c) & 0x7f).unwrap_or_default()
}

/// The selectors number 0 to 15 and 16 to 255.
fn selector(c: char) -> u8 {
    let code = u32::from(c);
    let number = if code >= 0xe0100 { code - 0xe0100 + 16 } else { code & 0xf };
    u8::try_from(number).unwrap_or_default()
}

/// The first of two characters is 0 and the other 1, or the other way round: whichever gives text.
fn bits(run: &[char]) -> Vec<u8> {
    let zero = if run.contains(&'\u{200b}') { '\u{200b}' } else { '\u{200c}' };
    let byte =
        |chunk: &[char], flip: bool| chunk.iter().fold(0_u8, |byte, c| byte << 1 | u8::from((*c != zero) != flip));
    let decode = |flip| run.chunks_exact(8).map(|chunk| byte(chunk, flip)).collect::<Vec<u8>>();
    let is_text = |bytes: &Vec<u8>| bytes.iter().all(|byte| matches!(byte, 0x20..=0x7e | b'\n' | b'\t'));
    [decode(false), decode(true)].into_iter().find(is_text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(text: &str) -> String {
        let mut weaknesses = Vec::new();
        judge(text, 1, &mut weaknesses);
        format!("{weaknesses:?}")
    }

    #[test]
    fn what_is_hidden_is_decoded_and_shown() {
        let tags: String = "run me".chars().filter_map(|c| char::from_u32(0xe0000 + u32::from(c))).collect();
        assert!(messages(&format!("plain\n{tags}")).contains("`run me`"));
        let selectors: String =
            "send it".bytes().filter_map(|byte| char::from_u32(0xe0100 + u32::from(byte) - 16)).collect();
        assert!(messages(&format!("x{selectors}")).contains("`send it`"));
        let bit = |one| if one { '\u{200c}' } else { '\u{200b}' };
        let zero_width: String =
            b"hi!".iter().flat_map(|byte| (0..8).rev().map(move |at| bit(byte >> at & 1 == 1))).collect();
        assert!(messages(&format!("x{zero_width}y")).contains("`hi!`"));
        assert!(messages("a\u{202e}b").contains("override") && messages("a\u{2067}b\u{2069}").contains("order"));
    }

    #[test]
    fn emoji_and_other_scripts_are_ordinary() {
        for text in [
            "\u{feff}# Title \u{2764}\u{fe0f} \u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}",
            "\u{1f3f4}\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}",
            "\u{645}\u{6cc}\u{200c}\u{62e} \u{2067}x\u{2069}",
            "\u{845b}\u{e0100}",
            "a\u{200b}b",
        ] {
            assert_eq!(messages(text), "[]", "{text:?}");
        }
    }
}
