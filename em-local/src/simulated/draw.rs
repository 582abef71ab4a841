//! Seeded draws: ChaCha8, keyed by what they are for.

use em_core::id::Digest;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// A stream of draws for one purpose.
#[derive(Debug)]
pub(super) struct Draw {
    random: ChaCha8Rng,
}

impl Draw {
    /// The stream of `seed` for `purpose`.
    pub(super) fn new(seed: u64, purpose: &str) -> Self {
        let digest = Digest::of(format!("{seed}/{purpose}").as_bytes());
        Self {
            random: ChaCha8Rng::from_seed(*digest.as_bytes()),
        }
    }

    /// Evenly from 0 (included) to 1 (excluded).
    pub(super) fn uniform(&mut self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "53 bits are what a float holds")]
        let mantissa = (self.random.next_u64() >> 11) as f64;
        mantissa / 9_007_199_254_740_992.0
    }

    /// Normal with mean 0 and deviation 1, by Box and Muller's transformation.
    pub(super) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// A factor around 1 with this relative deviation, never negative: log-normal with mean 1.
    pub(super) fn factor(&mut self, deviation: f64) -> f64 {
        let sigma = deviation.mul_add(deviation, 1.0).ln().sqrt();
        (sigma * self.normal() - sigma * sigma / 2.0).exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_purpose_draws_the_same_and_another_does_not() {
        let first = |purpose| Draw::new(1, purpose).uniform();
        assert!(first("a").total_cmp(&first("a")).is_eq());
        assert!(first("a").total_cmp(&first("b")).is_ne());
    }

    #[test]
    fn factors_have_mean_one_and_the_asked_deviation() {
        let mut draw = Draw::new(7, "factors");
        let factors: Vec<f64> = (0..20_000).map(|_| draw.factor(0.1)).collect();
        let mean = factors.iter().sum::<f64>() / 20_000.0;
        let variance = factors.iter().map(|one| (one - mean).powi(2)).sum::<f64>() / 20_000.0;
        // Five standard errors: 0.1 / sqrt(20,000) = 0.0007, and about half of a percent of 0.1.
        assert!((mean - 1.0).abs() < 0.0036, "{mean}");
        assert!((variance.sqrt() - 0.1).abs() < 0.003, "{}", variance.sqrt());
        assert!(factors.iter().all(|one| *one > 0.0));
    }
}
