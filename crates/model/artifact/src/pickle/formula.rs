//! Formulas that statsmodels evaluates while it loads.
//!
//! A model made from a formula keeps the text, and `ModelData.__setstate__` (`statsmodels/base/data.py`) hands it to
//! patsy or formulaic, which run every factor in it as a Python expression.

/// Functions that formulas usually apply to a column, and that do nothing but arithmetic.
const FUNCTIONS: &[&str] = &["C", "I", "np.log", "np.log1p", "np.log2", "np.log10", "np.exp", "np.sqrt", "np.abs"];

/// Whether a formula has only columns, numbers, operators and well-known functions of one column.
pub(super) fn is_plain(formula: &str) -> bool {
    let mut word = String::new();
    for character in formula.chars() {
        match character {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '_' | '.' => word.push(character),
            // A space between a name and `(` doesn't end the call.
            ' ' => {
                if !word.is_empty() && !word.ends_with(' ') {
                    word.push(' ');
                }
            }
            '(' if !word.is_empty() && !FUNCTIONS.contains(&word.trim_end()) => return false,
            '(' | ')' | '+' | '-' | '*' | '/' | ':' | '~' | '^' | '|' => {
                if !is_column(word.trim_end()) && character != '(' {
                    return false;
                }
                // What a closing parenthesis ends could be called: `(name)(…)`.
                word = if character == ')' { ")".to_owned() } else { String::new() };
            }
            _ => return false,
        }
    }
    is_column(word.trim_end())
}

/// A name without attributes, a number, or nothing.
fn is_column(word: &str) -> bool {
    let word = word.strip_prefix(')').unwrap_or(word).trim_start();
    let is_number = word.chars().all(|character| character.is_ascii_digit() || character == '.');
    is_number || !(word.contains('.') || word.contains(' ') || word.starts_with("__"))
}

#[cfg(test)]
mod tests {
    use super::is_plain;

    #[test]
    fn formulas_of_columns_are_told_from_code() {
        for plain in
            ["y ~ x", "y ~ a + b*c - 1", "np.log(y) ~ C(kind) + I(x**2) + (a + b):c", "y ~ x | z", "y ~ 0.5", ""]
        {
            assert!(is_plain(plain), "{plain}");
        }
        for code in [
            "y ~ __import__('os').system('id')",
            "y ~ eval(x)",
            "y ~ eval (x)",
            "y ~ (eval)(x)",
            "y ~ x.to_pickle",
            "y ~ Q('x')",
            "y ~ [x]",
            "y ~ {x}",
            "y ~ `x`",
            "y ~ I(lambda: x)()",
        ] {
            assert!(!is_plain(code), "{code}");
        }
    }
}
