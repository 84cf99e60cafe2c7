//! The tokens of Jinja's expressions and statements (`jinja2/lexer.py`).

/// Tokens that are kept of one template; real ones have a few thousand.
const TOKENS: usize = 200_000;
/// Brackets within each other; real templates have a dozen.
const DEPTH: usize = 40;
/// Operators, longest first.
const SIGNS: &[&str] = &[
    "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<", "=", ".",
    ":", "|", ",", ";",
];

/// One token.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Token {
    Name(String),
    /// A literal text, its escapes resolved.
    Text(String),
    Number,
    Sign(&'static str),
}

impl Token {
    pub(super) fn name(&self) -> Option<&str> {
        match self {
            Self::Name(name) => Some(name),
            _ => None,
        }
    }

    pub(super) fn is_name(&self, name: &str) -> bool {
        self.name() == Some(name)
    }

    pub(super) fn is_sign(&self, sign: &str) -> bool {
        matches!(self, Self::Sign(own) if *own == sign)
    }

    /// Whether a bracket behind it is a call or an index.
    pub(super) fn is_operand(&self) -> bool {
        const WORDS: &[&str] =
            &["in", "not", "and", "or", "if", "else", "is", "set", "for", "elif", "do", "return", "print"];
        match self {
            Self::Name(name) => !WORDS.contains(&name.as_str()),
            Self::Text(_) | Self::Number => true,
            Self::Sign(sign) => matches!(*sign, ")" | "]" | "}"),
        }
    }
}

/// The code of a template, block by block, and why it could not be read to the end.
pub(super) fn blocks(text: &str) -> (Vec<Vec<Token>>, Option<String>) {
    let mut blocks = Vec::new();
    let (mut rest, mut left) = (text, TOKENS);
    while let Some(start) = rest.find('{') {
        let block = rest.get(start + 1..).unwrap_or_default();
        match block.as_bytes().first() {
            Some(b'#') => match block.find("#}") {
                Some(end) => rest = block.get(end + 2..).unwrap_or_default(),
                None => return (blocks, Some("a comment does not end".to_owned())),
            },
            Some(kind @ (b'{' | b'%')) => {
                let end = if *kind == b'{' { "}}" } else { "%}" };
                let code = block.get(1..).unwrap_or_default();
                let code = code.strip_prefix(['-', '+']).unwrap_or(code);
                let mut tokens = Vec::new();
                let ended = read(code, end, &mut tokens, &mut left);
                blocks.push(tokens);
                match ended {
                    Ok(after) => rest = after,
                    Err(problem) => return (blocks, Some(problem)),
                }
            }
            _ => rest = block,
        }
    }
    (blocks, None)
}

/// Reads tokens up to `end`; what stands behind it is returned.
fn read<'t>(code: &'t str, end: &str, tokens: &mut Vec<Token>, left: &mut usize) -> Result<&'t str, String> {
    let (mut rest, mut open) = (code, Vec::new());
    loop {
        rest = rest.trim_start();
        if open.is_empty() {
            let closing = rest.strip_prefix(['-', '+']).filter(|rest| rest.starts_with(end)).unwrap_or(rest);
            if let Some(after) = closing.strip_prefix(end) {
                return Ok(after);
            }
        }
        let Some(first) = rest.chars().next() else { return Err("a block does not end".to_owned()) };
        *left = left.checked_sub(1).ok_or_else(|| "it has too many tokens".to_owned())?;
        if first == '\'' || first == '"' {
            let (text, after) = literal(rest, first)?;
            tokens.push(Token::Text(text));
            rest = after;
        } else if is_in_name(first) && !first.is_ascii_digit() {
            let length = rest.find(|c: char| !is_in_name(c)).unwrap_or(rest.len());
            let (name, after) = rest.split_at(length);
            // Python looks names up in their compatibility form: what looks like another letter may be that letter.
            tokens.push(Token::Name(if name.is_ascii() { name.to_owned() } else { plain(name) }));
            rest = after;
        } else if first.is_ascii_digit() {
            let length = rest.find(|c: char| c != '_' && !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
            tokens.push(Token::Number);
            rest = rest.get(length..).unwrap_or_default();
        } else {
            let sign = SIGNS.iter().find(|sign| rest.starts_with(**sign));
            let sign = sign.ok_or_else(|| format!("`{}` is no token", bartizan_core::printable(&first.to_string())))?;
            match *sign {
                "(" | "[" | "{" if open.len() >= DEPTH => return Err("its brackets nest too deeply".to_owned()),
                "(" => open.push(")"),
                "[" => open.push("]"),
                "{" => open.push("}"),
                ")" | "]" | "}" if open.pop() != Some(*sign) => return Err(format!("`{sign}` closes nothing")),
                _ => {}
            }
            tokens.push(Token::Sign(sign));
            rest = rest.get(sign.len()..).unwrap_or_default();
        }
    }
}

/// Jinja takes whatever Python takes for a name; beyond ASCII that is nearly everything.
fn is_in_name(character: char) -> bool {
    character == '_' || character.is_ascii_alphanumeric() || (!character.is_ascii() && !character.is_whitespace())
}

/// A name with letters beyond ASCII: full-width forms and the low lines among them as what they stand for.
fn plain(name: &str) -> String {
    name.chars()
        .map(|character| match character {
            '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(character) - 0xff01 + 0x21).unwrap_or(character),
            '\u{fe33}' | '\u{fe34}' | '\u{fe4d}'..='\u{fe4f}' => '_',
            other => other,
        })
        .collect()
}

/// A literal and what stands behind it. Escapes are those of Python's `unicode-escape`.
fn literal(code: &str, quote: char) -> Result<(String, &str), String> {
    let mut out = String::new();
    let mut characters = code.char_indices().skip(1);
    while let Some((place, character)) = characters.next() {
        if character == quote {
            return Ok((out, code.get(place + 1..).unwrap_or_default()));
        }
        if character != '\\' {
            out.push(character);
            continue;
        }
        let Some((at, kind)) = characters.next() else { break };
        let rest = code.get(at + kind.len_utf8()..).unwrap_or_default();
        let (digits, radix, width) = match kind {
            'x' => (rest, 16, 2),
            'u' => (rest, 16, 4),
            'U' => (rest, 16, 8),
            '0'..='7' => (code.get(at..).unwrap_or_default(), 8, 3),
            // A character by its name: which one is not looked up, so it may be any.
            'N' => {
                out.push_str("__");
                continue;
            }
            'n' => {
                out.push('\n');
                continue;
            }
            't' => {
                out.push('\t');
                continue;
            }
            'r' => {
                out.push('\r');
                continue;
            }
            '\n' => continue,
            '\\' | '\'' | '"' => {
                out.push(kind);
                continue;
            }
            other => {
                out.push('\\');
                out.push(other);
                continue;
            }
        };
        let count = digits.chars().take(width).take_while(|digit| digit.is_digit(radix)).count();
        let value = u32::from_str_radix(digits.get(..count).unwrap_or_default(), radix).ok();
        match value.and_then(char::from_u32) {
            Some(character) => {
                out.push(character);
                let passed = if radix == 8 { count - 1 } else { count };
                for _ in 0..passed {
                    characters.next();
                }
            }
            None => out.push('\u{fffd}'),
        }
    }
    Err("a text does not end".to_owned())
}
