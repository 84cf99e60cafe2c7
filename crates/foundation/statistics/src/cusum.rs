//! Evidence that adds up: a share that is higher than it should be.

/// Page's cumulative sum ("Continuous inspection schemes", 1954) of the log-likelihood ratio between
/// two shares of hits. It forgets what speaks for the lower share, so that a long honest past does
/// not buy an attack.
///
/// Under the lower share, a sum of `h` is first passed after at least e^h trials on average (Lorden,
/// "Procedures for reacting to a change in distribution", 1971), and is above `h` at any one time with a
/// chance of at most e^-h.
///
/// ```
/// use bartizan_statistics::Cusum;
/// let mut evidence = Cusum::default();
/// for _ in 0..9 {
///     evidence.observe(true, 0.05, 0.35, 40.0);
/// }
/// assert!(evidence.value() > 16.0);
/// ```
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Cusum(f64);

impl Cusum {
    /// Takes in one trial: `usual` is the share of hits that is expected, `raised` the one that is
    /// looked for. The sum never passes `most`, so that it can come down again.
    pub fn observe(&mut self, hit: bool, usual: f64, raised: f64, most: f64) {
        let usual = usual.clamp(1e-6, 0.9);
        let raised = raised.clamp(usual, 1.0 - 1e-6);
        let ratio = if hit { raised / usual } else { (1.0 - raised) / (1.0 - usual) };
        self.0 = (self.0 + ratio.ln()).clamp(0.0, most);
    }

    /// The sum, in nats.
    pub const fn value(self) -> f64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Numbers;

    #[test]
    fn the_usual_share_passes_a_bound_as_rarely_as_it_says() {
        let (mut numbers, mut evidence, mut above) = (Numbers::new(1), Cusum::default(), 0);
        for _ in 0..200_000 {
            evidence.observe(numbers.unit() < 0.05, 0.05, 0.35, 100.0);
            above += u64::from(evidence.value() > 5.0);
        }
        assert!((above as f64) < 200_000.0 * (-5.0_f64).exp(), "{above}");
    }

    #[test]
    fn an_honest_past_buys_nothing() {
        let mut evidence = Cusum::default();
        (0..10_000).for_each(|_| evidence.observe(false, 0.05, 0.35, 100.0));
        (0..6).for_each(|_| evidence.observe(true, 0.05, 0.35, 100.0));
        assert!(evidence.value() > 11.0, "{}", evidence.value());
    }
}
