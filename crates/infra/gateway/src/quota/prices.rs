//! What tokens cost.

use serde::{Deserialize, Serialize};

use crate::quota::amounts::Amounts;

/// What a million tokens of a model cost, in millionths of a currency: 2.50 is written `2_500_000`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// A million tokens of prompts.
    pub prompt: u64,
    /// A million tokens of answers.
    pub answer: u64,
}

impl Price {
    /// The cost of so many tokens, rounded up.
    pub(crate) fn of(self, prompt: u64, answer: u64) -> u64 {
        let part = |price: u64, tokens: u64| u128::from(price) * u128::from(tokens);
        let exact = part(self.prompt, prompt).saturating_add(part(self.answer, answer));
        u64::try_from(exact.div_ceil(1_000_000)).unwrap_or(u64::MAX)
    }
}

/// Amounts of a request with so many tokens and bytes.
pub(crate) fn amounts(price: Price, prompt: u64, answer: u64, bytes: u64) -> Amounts {
    Amounts { requests: 1, tokens: prompt.saturating_add(answer), bytes, cost: price.of(prompt, answer) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_are_exact_and_rounded_up_once() {
        let price = Price { prompt: 2_500_000, answer: 10_000_000 };
        assert_eq!(price.of(0, 0), 0);
        assert_eq!(price.of(1, 0), 3);
        assert_eq!(price.of(1_000_000, 1_000_000), 12_500_000);
        assert_eq!(Price { prompt: u64::MAX, answer: u64::MAX }.of(u64::MAX, u64::MAX), u64::MAX);
    }
}
