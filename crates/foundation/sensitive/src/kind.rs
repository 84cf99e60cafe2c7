//! What a kind of secret is: a row of data, judged by [`crate::Matcher`].

use crate::checksum::Verdict;

/// What a kind of secret opens; decides which remedy fits and how bad a leak is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Family {
    /// Models, experiments, vector stores and other AI services.
    Ai,
    /// Accounts of cloud providers.
    Cloud,
    /// Source hosts, package registries, build services.
    Software,
    /// Money.
    Payment,
    /// Mail, chat and telephone.
    Messaging,
    /// Databases, queues and URLs with a password.
    Database,
    /// Private keys.
    PrivateKey,
    /// Other services with a recognisable token.
    Service,
    /// Values that only their name gives away.
    Generic,
}

/// Where a candidate lies relative to the keyword that led to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Anchor {
    /// The token begins with the keyword, and no letter, digit or `_` stands before it.
    Token,
    /// The same, and no `-` stands before it either: for tokens that contain `-`, so that a chain of
    /// prefixes isn't looked at once per link.
    Dashed,
    /// The pattern begins with the keyword, whatever stands before it.
    Loose,
    /// The token begins that many bytes before the keyword.
    Back(usize),
    /// The token begins with the digits before the keyword, at most that many.
    Digits(usize),
    /// The keyword is part of the name that a value is assigned to.
    Name,
    /// The same, and the value must be quoted or be all that is left of the line.
    Literal,
}

/// One kind of secret.
///
/// Rows are pure data: keywords lead to a candidate, a pattern of linear time bounds it, entropy,
/// checksum and context judge it.
#[derive(Debug)]
pub struct Kind {
    /// Stable word, such as `openai-api-key`.
    pub id: &'static str,
    /// The name for people.
    pub title: &'static str,
    /// What it opens.
    pub family: Family,
    pub(crate) anchor: Anchor,
    pub(crate) keywords: &'static [&'static str],
    pub(crate) pattern: &'static str,
    pub(crate) entropy: f32,
    pub(crate) reach: usize,
    pub(crate) check: fn(&[u8]) -> Verdict,
    examples: &'static [&'static str],
    counterexamples: &'static [&'static str],
}

impl Kind {
    const fn row(id: &'static str, title: &'static str, family: Family, anchor: Anchor) -> Self {
        Self {
            id,
            title,
            family,
            anchor,
            keywords: &[],
            pattern: "",
            entropy: 3.0,
            reach: 320,
            check: crate::checksum::none,
            examples: &[],
            counterexamples: &[],
        }
    }

    /// A token that begins with one of `keywords`.
    pub(crate) const fn token(
        family: Family,
        id: &'static str,
        title: &'static str,
        keywords: &'static [&'static str],
        pattern: &'static str,
    ) -> Self {
        Self { keywords, pattern, ..Self::row(id, title, family, Anchor::Token) }
    }

    /// A value without a mark of its own, assigned to a name that holds one of `keywords`.
    pub(crate) const fn named(
        family: Family,
        id: &'static str,
        title: &'static str,
        keywords: &'static [&'static str],
        pattern: &'static str,
    ) -> Self {
        Self { keywords, pattern, entropy: 3.2, ..Self::row(id, title, family, Anchor::Name) }
    }

    pub(crate) const fn anchored(mut self, anchor: Anchor) -> Self {
        self.anchor = anchor;
        self
    }

    /// Bits per character that the secret must have at least; 0 asks for none.
    pub(crate) const fn entropy(mut self, floor: f32) -> Self {
        self.entropy = floor;
        self
    }

    /// Bytes after the keyword that are looked at.
    pub(crate) const fn reach(mut self, bytes: usize) -> Self {
        self.reach = bytes;
        self
    }

    pub(crate) const fn check(mut self, check: fn(&[u8]) -> Verdict) -> Self {
        self.check = check;
        self
    }

    /// Templates of [`crate::sample`] that must match and that must not.
    pub(crate) const fn examples(
        mut self,
        examples: &'static [&'static str],
        counterexamples: &'static [&'static str],
    ) -> Self {
        self.examples = examples;
        self.counterexamples = counterexamples;
        self
    }

    /// Text with such a secret, as templates for [`crate::sample`].
    pub fn examples_of(&self) -> &'static [&'static str] {
        self.examples
    }

    /// Text that looks alike and holds none, as templates for [`crate::sample`].
    pub fn counterexamples_of(&self) -> &'static [&'static str] {
        self.counterexamples
    }

    /// Whether only a name gives the value away, not its own form.
    pub(crate) const fn is_named(&self) -> bool {
        matches!(self.anchor, Anchor::Name | Anchor::Literal)
    }
}
