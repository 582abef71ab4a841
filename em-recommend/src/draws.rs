//! Seeded randomness: ChaCha8, and the same numbers for the same seed on every machine.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// A stream of random numbers.
#[derive(Debug, Clone)]
pub struct Draws(ChaCha8Rng);

impl Draws {
    /// The stream with this number of the generator with this seed.
    pub fn new(seed: u64, stream: u64) -> Self {
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        generator.set_stream(stream);
        Self(generator)
    }

    /// Uniform in 0..1, 1 excluded, in steps of 2^-53.
    #[expect(
        clippy::cast_precision_loss,
        reason = "53 bits fit the mantissa exactly"
    )]
    pub fn uniform(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 * (0.5_f64).powi(53)
    }

    /// A whole number below `bound`, which is at least 1.
    pub fn below(&mut self, bound: usize) -> usize {
        // The product method: its bias is below bound / 2^64.
        let wide = u128::from(self.0.next_u64()) * bound as u128;
        usize::try_from(wide >> 64).expect("below a bound that is a usize")
    }

    /// Normal with mean 0 and standard deviation 1.
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// Between `low` and `high`, both above zero, uniform in the logarithm.
    pub fn log_uniform(&mut self, low: f64, high: f64) -> f64 {
        (low.ln() + self.uniform() * (high / low).ln()).exp()
    }

    /// Puts a list into random order.
    pub fn shuffle<T>(&mut self, list: &mut [T]) {
        for last in (1..list.len()).rev() {
            list.swap(last, self.below(last + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_and_stream_is_one_sequence() {
        let take = |seed, stream| {
            let mut draws = Draws::new(seed, stream);
            (0..5).map(|_| draws.below(1000)).collect::<Vec<_>>()
        };
        assert_eq!(take(1, 0), take(1, 0));
        assert_ne!(take(1, 0), take(1, 1));
        assert_ne!(take(1, 0), take(2, 0));
    }

    #[test]
    fn draws_have_the_moments_of_their_distribution() {
        let mut draws = Draws::new(7, 0);
        let n = 20_000;
        let uniform = (0..n).map(|_| draws.uniform()).sum::<f64>() / f64::from(n);
        let squares = (0..n).map(|_| draws.normal().powi(2)).sum::<f64>() / f64::from(n);
        assert!((uniform - 0.5).abs() < 0.01 && (squares - 1.0).abs() < 0.05);
    }

    #[test]
    fn a_shuffle_keeps_every_element() {
        let mut list: Vec<u32> = (0..50).collect();
        Draws::new(3, 0).shuffle(&mut list);
        assert_ne!(list, (0..50).collect::<Vec<_>>());
        list.sort_unstable();
        assert_eq!(list, (0..50).collect::<Vec<_>>());
    }
}
