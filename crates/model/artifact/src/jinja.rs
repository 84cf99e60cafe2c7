//! Jinja templates, read as far as it takes to see whether they reach for Python's internals.
//!
//! Every way out of a template leads through an attribute whose name starts with an underscore, or through one that
//! holds a frame or code. Such a name can be written, spelled with escapes, put together from pieces or carried in a
//! variable; which name a computed one is can't be known. So the code between the delimiters is cut into tokens as
//! `jinja2/lexer.py` does, and names of attributes must be literal and harmless. What Jinja itself would not
//! compile is said to be not understood.

use std::collections::{HashMap, HashSet};

mod lexer;

use lexer::{Token, blocks};

/// Attributes of Python that lead to code and do not start with an underscore (`jinja2/sandbox.py`).
const INTERNALS: &[&str] = &[
    "mro",
    "func_globals",
    "func_code",
    "func_closure",
    "func_defaults",
    "im_class",
    "im_func",
    "im_self",
    "gi_frame",
    "gi_code",
    "cr_frame",
    "cr_code",
    "ag_frame",
    "ag_code",
    "tb_frame",
    "tb_next",
    "f_back",
    "f_builtins",
    "f_code",
    "f_globals",
    "f_locals",
];
/// Names with two underscores that stand in the known ways out, wherever in a literal.
const KNOWN: &[&str] = &[
    "__class__",
    "__globals__",
    "__builtins__",
    "__subclasses__",
    "__mro__",
    "__base__",
    "__bases__",
    "__import__",
    "__init__",
    "__getattribute__",
    "__getitem__",
    "__reduce__",
    "__dict__",
    "__code__",
    "__call__",
    "__self__",
    "__func__",
    "__loader__",
    "__spec__",
];
/// Filters that make other text out of text.
const BUILDING_FILTERS: &[&str] = &[
    "join",
    "format",
    "replace",
    "reverse",
    "center",
    "indent",
    "truncate",
    "wordwrap",
    "sum",
    "map",
    "urlencode",
    "random",
    "batch",
    "slice",
    "pprint",
    "xmlattr",
    "striptags",
    "regex_replace",
    "b64decode",
];
/// Methods of text that put other text together.
const BUILDERS: &[&str] = &[
    "replace",
    "join",
    "format",
    "format_map",
    "center",
    "ljust",
    "rjust",
    "zfill",
    "translate",
    "decode",
    "encode",
    "removeprefix",
    "removesuffix",
    "expandtabs",
];
/// Filters that take an attribute's name: by keyword, and at which place among their arguments.
const ATTRIBUTE_FILTERS: &[(&str, usize)] = &[
    ("attr", 0),
    ("map", 0),
    ("selectattr", 0),
    ("rejectattr", 0),
    ("groupby", 0),
    ("sum", 0),
    ("unique", 1),
    ("min", 1),
    ("max", 1),
    ("join", 1),
    ("sort", 2),
];
/// Rounds in which variables are followed into each other.
const ROUNDS: usize = 32;

/// What a template is.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Verdict {
    /// How it reaches out.
    pub(crate) reaches_out: Option<String>,
    /// Why it was not read to the end.
    pub(crate) problem: Option<String>,
}

/// Reads a template.
pub(crate) fn judge(text: &str) -> Verdict {
    let (blocks, problem) = blocks(text);
    let blocks: Vec<Vec<Token>> = blocks.into_iter().map(fold).collect();
    let (variables, are_followed) = Variables::of(&blocks);
    let reaches_out = blocks.iter().find_map(|block| variables.reaches_out(block));
    let entangled = (!are_followed).then(|| "its variables depend on each other without end".to_owned());
    Verdict { reaches_out, problem: problem.or(entangled) }
}

/// Text side by side is one text to Jinja, and `~` and `+` make one of two.
fn fold(tokens: Vec<Token>) -> Vec<Token> {
    let mut out: Vec<Token> = Vec::with_capacity(tokens.len());
    for token in tokens {
        out.push(token);
        loop {
            match out.as_slice() {
                [before @ .., Token::Sign("("), Token::Text(_), Token::Sign(")")]
                    if !before.last().is_some_and(Token::is_operand) =>
                {
                    out.pop();
                    out.swap_remove(out.len() - 2);
                }
                [.., Token::Text(_), Token::Sign("~" | "+"), Token::Text(_)] => {
                    out.swap_remove(out.len() - 2);
                }
                [.., Token::Text(_), Token::Text(_)] => {
                    if let (Some(Token::Text(other)), Some(Token::Text(one))) = (out.pop(), out.last_mut()) {
                        one.push_str(&other);
                    }
                }
                _ => break,
            }
        }
    }
    out
}

/// Whether an attribute of that name leads out of a template.
fn is_internal(name: &str) -> bool {
    name.split('.').any(|part| part.starts_with('_') || INTERNALS.contains(&part))
}

/// Whether text is such a name, a part of one, or holds one.
fn is_suspicious(text: &str) -> bool {
    let is_word = text.chars().all(|character| character == '_' || character.is_alphanumeric());
    let is_blank = text.trim_matches('_').is_empty();
    let has_edge = is_word && !is_blank && (text.starts_with("__") || text.ends_with("__"));
    let lower = text.to_ascii_lowercase();
    has_edge || KNOWN.iter().any(|known| lower.contains(known))
}

/// What the variables of a template may be.
#[derive(Default)]
struct Variables<'a> {
    /// Text that was put together, so that it may be any name.
    built: HashSet<String>,
    /// Text that is written somewhere.
    texts: HashSet<String>,
    /// Parameters of macros.
    macros: HashMap<&'a str, Vec<&'a str>>,
}

impl<'a> Variables<'a> {
    /// The variables, and whether all could be followed.
    fn of(blocks: &'a [Vec<Token>]) -> (Self, bool) {
        let mut variables = Self::default();
        variables.built.insert("caller".to_owned());
        let mut assignments: Vec<(String, &[Token])> = Vec::new();
        for block in blocks {
            match block.as_slice() {
                [Token::Name(tag), rest @ ..] if tag == "set" => set(rest, &mut assignments, &mut variables.built),
                [Token::Name(tag), rest @ ..] if tag == "for" => {
                    if let Some(place) = rest.iter().position(|token| token.is_name("in")) {
                        let (targets, from) = rest.split_at(place);
                        assignments.extend(targets.iter().filter_map(|token| Some((token.name()?.to_owned(), from))));
                    }
                }
                [Token::Name(tag), Token::Name(name), rest @ ..] if tag == "macro" => {
                    variables.built.insert(name.clone());
                    let parameters = rest.iter().filter_map(Token::name).collect();
                    variables.macros.insert(name, parameters);
                    for (place, token) in rest.iter().enumerate() {
                        if let (Some(name), Some(Token::Sign("="))) = (token.name(), rest.get(place + 1)) {
                            let default = rest.get(place + 2..).unwrap_or_default();
                            assignments.push((name.to_owned(), argument(default)));
                        }
                    }
                }
                [Token::Name(tag), rest @ ..] if tag == "with" => keywords(rest, "", &mut assignments),
                _ => {}
            }
        }
        let assignments: Vec<(String, Vec<Token>)> =
            assignments.into_iter().map(|(target, value)| (target, chosen(value))).collect();
        // A variable may get its text from another one, and a macro from whoever calls it.
        for _ in 0..ROUNDS {
            let before = variables.built.len() + variables.texts.len();
            for (target, value) in &assignments {
                if variables.builds_text(value) {
                    variables.built.insert(target.clone());
                }
                if has_text(value) || variables.mentions(value, &variables.texts) {
                    variables.texts.insert(target.clone());
                }
            }
            let calls: Vec<&str> = blocks.iter().flat_map(|block| variables.macros_given_text(block)).collect();
            for name in calls {
                let parameters = variables.macros.get(name).cloned().unwrap_or_default();
                variables.built.extend(parameters.into_iter().map(str::to_owned));
            }
            if variables.built.len() + variables.texts.len() == before {
                return (variables, true);
            }
        }
        (variables, false)
    }

    /// Macros that are called in a block with text that was put together.
    fn macros_given_text(&self, block: &'a [Token]) -> Vec<&'a str> {
        let mut called = Vec::new();
        for (place, token) in block.iter().enumerate() {
            if let (Some(name), Some(Token::Sign("("))) = (token.name(), block.get(place + 1))
                && self.macros.contains_key(name)
                && !block.first().is_some_and(|tag| tag.is_name("macro") && place == 1)
                && self.builds_text(inside(block, place + 1))
            {
                called.push(name);
            }
        }
        called
    }

    /// How a block reaches out of the template.
    fn reaches_out(&self, block: &[Token]) -> Option<String> {
        for (place, token) in block.iter().enumerate() {
            let before = place.checked_sub(1).and_then(|before| block.get(before));
            let next = block.get(place + 1);
            let found = match token {
                Token::Text(text) if is_suspicious(text) => Some(format!("'{text}'")),
                Token::Text(text) if text.trim_matches('_').is_empty() && !text.is_empty() => {
                    let joins = |token: &Token| {
                        token.is_sign("*") || (text.len() > 1 && matches!(token, Token::Sign("~" | "+")))
                    };
                    let is_joined = [before, next].into_iter().flatten().any(joins);
                    is_joined.then(|| format!("'{text}', joined"))
                }
                Token::Name(name) if before.is_some_and(|token| token.is_sign(".")) => {
                    let receiver = place.checked_sub(2).and_then(|at| block.get(at));
                    let is_built = receiver.is_some_and(|receiver| match receiver {
                        Token::Name(name) => self.built.contains(name),
                        Token::Sign(")") => true,
                        _ => false,
                    });
                    let formats = matches!(name.as_str(), "format" | "format_map") && is_built;
                    (is_internal(name) || formats).then(|| format!(".{name}"))
                }
                Token::Name(name) if name.starts_with("__") || name == "lipsum" || is_suspicious(name) => {
                    Some(name.clone())
                }
                Token::Name(name)
                    if matches!(name.as_str(), "cycler" | "joiner") && next.is_some_and(|next| next.is_sign(".")) =>
                {
                    Some(format!("{name}."))
                }
                Token::Name(name)
                    if before.is_some_and(|token| token.is_sign("|"))
                        || (place == 1 && before.is_some_and(|token| token.is_name("filter"))) =>
                {
                    self.filter_reaches_out(name, block, place + 1)
                }
                Token::Sign("[") if before.is_some_and(Token::is_operand) => {
                    self.index_reaches_out(inside(block, place))
                }
                _ => None,
            };
            if found.is_some() {
                return found.map(|found| found.chars().take(60).collect());
            }
        }
        None
    }

    /// Filters that look up an attribute must name a harmless one.
    fn filter_reaches_out(&self, name: &str, block: &[Token], at: usize) -> Option<String> {
        let (_, expected) = ATTRIBUTE_FILTERS.iter().find(|(filter, _)| *filter == name)?;
        let given = if block.get(at).is_some_and(|token| token.is_sign("(")) { inside(block, at) } else { &[] };
        for (place, given) in arguments(given).into_iter().enumerate() {
            let (is_attribute, value) = match given {
                [Token::Sign("*" | "**"), ..] => return Some(format!("|{name}(*")),
                [Token::Name(keyword), Token::Sign("="), value @ ..] => {
                    (matches!(keyword.as_str(), "attribute" | "name"), value)
                }
                value => (place == *expected, value),
            };
            let is_harmless = match value {
                // Another filter that looks up an attribute, by its name.
                [Token::Text(text)] if name == "map" && text == "attr" => false,
                [Token::Text(text)] => !is_internal(text),
                [Token::Number] => true,
                _ => false,
            };
            if is_attribute && !is_harmless {
                return Some(format!("|{name}(…)"));
            }
        }
        None
    }

    fn index_reaches_out(&self, index: &[Token]) -> Option<String> {
        if let [Token::Text(text)] = index {
            return is_internal(text).then(|| format!("['{text}']"));
        }
        // A slice looks up no attribute.
        if arguments_by(index, ":").len() > 1 {
            return None;
        }
        let is_sum = index.iter().any(|token| matches!(token, Token::Sign("+" | "*" | "%")));
        let adds_text = is_sum && self.mentions(index, &self.texts);
        (self.builds_text(index) || adds_text).then(|| "[…] with a name that is put together".to_owned())
    }

    /// Whether an expression puts text together that may be a name of Python's internals.
    fn builds_text(&self, value: &[Token]) -> bool {
        if starts_harmlessly(value) {
            return false;
        }
        let has_text = has_text(value);
        value.iter().enumerate().any(|(place, token)| {
            let before = place.checked_sub(1).and_then(|before| value.get(before));
            match token {
                Token::Sign("~") => true,
                Token::Sign("+" | "*" | "%") => has_text,
                Token::Sign("[") if arguments_by(inside(value, place), ":").len() > 1 => match before {
                    Some(Token::Text(_) | Token::Sign(")")) => true,
                    Some(Token::Name(name)) => self.texts.contains(name),
                    _ => false,
                },
                Token::Name(name) => match before {
                    Some(Token::Sign("|")) => BUILDING_FILTERS.contains(&name.as_str()),
                    Some(Token::Sign(".")) => BUILDERS.contains(&name.as_str()),
                    _ => false,
                },
                _ => false,
            }
        }) || self.mentions(value, &self.built)
    }

    /// Whether one of the variables stands in an expression.
    fn mentions(&self, value: &[Token], variables: &HashSet<String>) -> bool {
        value.iter().enumerate().any(|(place, token)| {
            let Some(name) = token.name() else { return false };
            let before = place.checked_sub(1).and_then(|before| value.get(before));
            if before.is_some_and(|before| before.is_sign(".") || before.is_sign("|")) {
                return false;
            }
            let attribute = match (value.get(place + 1), value.get(place + 2)) {
                (Some(Token::Sign(".")), Some(Token::Name(attribute))) => Some(attribute),
                _ => None,
            };
            variables.contains(name)
                || attribute.is_some_and(|attribute| variables.contains(&format!("{name}.{attribute}")))
        })
    }
}

/// Whether text that an expression puts together starts with something that no internal name starts with.
fn starts_harmlessly(value: &[Token]) -> bool {
    let [Token::Text(text), Token::Sign("~" | "+"), rest @ ..] = value else { return false };
    let chooses = |token: &Token| matches!(token.name(), Some("if" | "else" | "or" | "and"));
    let is_whole = arguments(rest).len() == 1 && !rest.iter().any(chooses);
    is_whole && !text.starts_with('_') && !text.is_empty() && !INTERNALS.iter().any(|name| name.starts_with(text))
}

/// Whether the value of an expression may be or hold a text that is written in it: not one that it compares with,
/// looks up or hands to a function.
fn has_text(value: &[Token]) -> bool {
    let mut inner = Vec::new();
    for (place, token) in value.iter().enumerate() {
        let before = place.checked_sub(1).and_then(|before| value.get(before));
        match token {
            Token::Sign("(" | "[" | "{") => {
                inner.push(!token.is_sign("{") && before.is_some_and(Token::is_operand));
            }
            Token::Sign(")" | "]" | "}") => {
                inner.pop();
            }
            Token::Text(_) if !inner.contains(&true) => {
                let compares = |token: &Token| {
                    matches!(token, Token::Sign("==" | "!=" | "<" | ">" | "<=" | ">="))
                        || matches!(token.name(), Some("in" | "not" | "is"))
                };
                if ![before, value.get(place + 1)].into_iter().flatten().any(compares) {
                    return true;
                }
            }
            _ => {}
        }
    }
    false
}

/// An expression without the conditions in it, which choose a value and are none.
fn chosen(value: &[Token]) -> Vec<Token> {
    let (mut out, mut depth, mut skipped) = (Vec::new(), 0_usize, None);
    for token in value {
        match token {
            Token::Sign("(" | "[" | "{") => depth += 1,
            Token::Sign(")" | "]" | "}") => depth = depth.saturating_sub(1),
            Token::Name(word) if word == "if" && skipped.is_none() => skipped = Some(depth),
            Token::Name(word) if word == "else" && skipped == Some(depth) => skipped = None,
            _ => {}
        }
        if skipped.is_some_and(|at| depth < at) {
            skipped = None;
        }
        if skipped.is_none() {
            out.push(token.clone());
        }
    }
    out
}

/// `{% set … %}`: one target or several, with a value or, without one, whatever stands up to `{% endset %}`.
fn set<'a>(rest: &'a [Token], assignments: &mut Vec<(String, &'a [Token])>, built: &mut HashSet<String>) {
    let Some(place) = rest.iter().position(|token| token.is_sign("=")) else {
        built.extend(rest.first().and_then(Token::name).map(str::to_owned));
        return;
    };
    let (targets, value) = rest.split_at(place);
    let value = value.get(1..).unwrap_or_default();
    if let [Token::Name(name), Token::Sign("."), Token::Name(attribute)] = targets {
        assignments.push((format!("{name}.{attribute}"), value));
        return;
    }
    if let ([Token::Name(name)], [Token::Name(function), Token::Sign("("), ..]) = (targets, value)
        && function == "namespace"
    {
        keywords(inside(value, 1), &format!("{name}."), assignments);
        return;
    }
    assignments.extend(targets.iter().filter_map(|token| Some((token.name()?.to_owned(), value))));
}

/// `name=value, …`
fn keywords<'a>(given: &'a [Token], prefix: &str, assignments: &mut Vec<(String, &'a [Token])>) {
    for given in arguments(given) {
        if let [Token::Name(name), Token::Sign("="), value @ ..] = given {
            assignments.push((format!("{prefix}{name}"), value));
        }
    }
}

/// The tokens between a bracket and the one that closes it.
fn inside(tokens: &[Token], open: usize) -> &[Token] {
    let mut depth = 0_usize;
    let rest = tokens.get(open + 1..).unwrap_or_default();
    for (place, token) in rest.iter().enumerate() {
        match token {
            Token::Sign("(" | "[" | "{") => depth += 1,
            Token::Sign(")" | "]" | "}") => match depth.checked_sub(1) {
                Some(less) => depth = less,
                None => return rest.get(..place).unwrap_or_default(),
            },
            _ => {}
        }
    }
    rest
}

/// The parts between commas.
fn arguments(tokens: &[Token]) -> Vec<&[Token]> {
    arguments_by(tokens, ",")
}

/// The tokens up to the next comma or closing bracket.
fn argument(tokens: &[Token]) -> &[Token] {
    let mut depth = 0_usize;
    for (place, token) in tokens.iter().enumerate() {
        match token {
            Token::Sign("(" | "[" | "{") => depth += 1,
            Token::Sign(")" | "]" | "}") if depth == 0 => return tokens.get(..place).unwrap_or_default(),
            Token::Sign(")" | "]" | "}") => depth -= 1,
            Token::Sign(",") if depth == 0 => return tokens.get(..place).unwrap_or_default(),
            _ => {}
        }
    }
    tokens
}

fn arguments_by<'t>(tokens: &'t [Token], separator: &str) -> Vec<&'t [Token]> {
    let (mut depth, mut start, mut parts) = (0_usize, 0, Vec::new());
    for (place, token) in tokens.iter().enumerate() {
        match token {
            Token::Sign("(" | "[" | "{") => depth += 1,
            Token::Sign(")" | "]" | "}") => depth = depth.saturating_sub(1),
            Token::Sign(sign) if depth == 0 && *sign == separator => {
                parts.push(tokens.get(start..place).unwrap_or_default());
                start = place + 1;
            }
            _ => {}
        }
    }
    parts.push(tokens.get(start..).unwrap_or_default());
    parts
}
