//! What can be used up.

/// Amounts of everything that a window limits. Money is in millionths of the currency that prices are in:
/// sums of floating-point numbers drift.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Amounts {
    /// Requests.
    pub(crate) requests: u64,
    /// Tokens of prompt and answer.
    pub(crate) tokens: u64,
    /// Bytes of bodies, both ways.
    pub(crate) bytes: u64,
    /// Millionths of the currency.
    pub(crate) cost: u64,
}

/// One of the things that are counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Unit {
    Requests,
    Tokens,
    Bytes,
    Cost,
}

impl Unit {
    pub(crate) const ALL: [Self; 4] = [Self::Requests, Self::Tokens, Self::Bytes, Self::Cost];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Tokens => "tokens",
            Self::Bytes => "bytes",
            Self::Cost => "cost",
        }
    }
}

impl Amounts {
    pub(crate) const fn of(&self, unit: Unit) -> u64 {
        match unit {
            Unit::Requests => self.requests,
            Unit::Tokens => self.tokens,
            Unit::Bytes => self.bytes,
            Unit::Cost => self.cost,
        }
    }

    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            requests: self.requests.saturating_add(other.requests),
            tokens: self.tokens.saturating_add(other.tokens),
            bytes: self.bytes.saturating_add(other.bytes),
            cost: self.cost.saturating_add(other.cost),
        }
    }

    pub(crate) fn minus(self, other: Self) -> Self {
        Self {
            requests: self.requests.saturating_sub(other.requests),
            tokens: self.tokens.saturating_sub(other.tokens),
            bytes: self.bytes.saturating_sub(other.bytes),
            cost: self.cost.saturating_sub(other.cost),
        }
    }
}
