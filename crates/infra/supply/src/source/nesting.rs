//! How deep the syntax tree of a program can get, known before it is built.
//!
//! Parsing, reading and dropping a tree recurse. Within brackets, the part between two commas or line ends can't
//! nest deeper than it has tokens, except that `lambda x, y:` goes on behind its comma; the sum over
//! all open brackets bounds the depth.

use ruff_python_ast::token::TokenKind;
use ruff_python_parser::{Mode, lexer};

/// Deeper than any program that people write, and well within the stack that is provided.
pub(super) const DEEPEST: u32 = 3_000;

/// Tokens of the current part in one pair of brackets.
#[derive(Clone, Copy, Default)]
struct Level {
    part: u32,
    lambdas: u32,
}

/// Whether the tree of the program stays below [`DEEPEST`].
pub(super) fn is_shallow(program: &str, mode: Mode) -> bool {
    let mut lexer = lexer::lex(program, mode);
    let mut levels = vec![Level::default()];
    let (mut below, mut blocks) = (0_u32, 0_u32);
    loop {
        let token = lexer.next_token();
        if token == TokenKind::EndOfFile {
            return true;
        }
        let is_within = levels.len() > 1;
        let Some(level) = levels.last_mut() else { return false };
        level.part += 1;
        match token {
            TokenKind::Lpar
            | TokenKind::Lsqb
            | TokenKind::Lbrace
            | TokenKind::FStringStart
            | TokenKind::TStringStart => {
                below += level.part + level.lambdas;
                levels.push(Level::default());
            }
            TokenKind::Rpar | TokenKind::Rsqb | TokenKind::Rbrace | TokenKind::FStringEnd | TokenKind::TStringEnd
                if is_within =>
            {
                levels.pop();
                below = below.saturating_sub(levels.last().map_or(0, |level| level.part + level.lambdas));
            }
            TokenKind::Comma => level.part = 0,
            TokenKind::Lambda => level.lambdas += 3,
            // The end of a logical line; within brackets line ends are no tokens of that kind.
            TokenKind::Newline => {
                levels.truncate(1);
                levels.fill(Level::default());
                below = 0;
            }
            TokenKind::Indent => blocks += 1,
            TokenKind::Dedent => blocks = blocks.saturating_sub(1),
            _ => {}
        }
        let here = levels.last().map_or(0, |level| level.part + level.lambdas);
        if below + here + blocks > DEEPEST {
            return false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deep_programs_are_told_from_long_ones() {
        let long = format!("x = [{}]\n", "f(1, 2), ".repeat(20_000));
        assert!(is_shallow(&long, Mode::Module));
        assert!(is_shallow(&"a = b.c(1).d(2)\n".repeat(10_000), Mode::Module));
        for deep in ["(", "[", "-", "not ", "f(", "lambda a, b: ", "x.y", "f'{f\"{", "1+", "x[", "{1:", "a if b else "]
        {
            assert!(!is_shallow(&deep.repeat(5_000), Mode::Module), "{deep}");
        }
    }
}
