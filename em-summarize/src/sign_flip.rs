//! The exact two-sided sign-flip (paired permutation) test.
//!
//! Under "no difference" a block's difference is as likely as its negative, because the order
//! within a block was drawn at random. The test compares |sum| with that of all 2^B ways of giving
//! the differences signs: no normality, no equal variances, exact at every B.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::Sample;
use crate::moments::{compensated_sum, to_f64};

/// Most blocks whose sign patterns are enumerated exactly; 2^20 sums per half.
pub const MOST_EXACT: usize = 40;

/// Sign patterns drawn where there are more than [`MOST_EXACT`] blocks.
const DRAWS: usize = 1 << 17;

/// The seed of those draws: fixed, so that the same blocks always give the same p.
const SEED: u64 = 0x5149_4e46_4c49_5021;

/// How the p value was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enumeration {
    /// All sign patterns were counted.
    Exact,
    /// So many patterns were drawn at random (ChaCha8 with this seed) beside the observed one.
    MonteCarlo {
        /// How many patterns.
        draws: usize,
        /// Seed of the generator.
        seed: u64,
    },
}

/// The outcome of the test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SignFlip {
    /// Two-sided p value; never 0.
    pub p: f64,
    /// How it was found.
    pub enumeration: Enumeration,
}

/// The smallest p value that the exact test can give with so many blocks, 2 / 2^B (1 for none).
pub fn smallest_p(blocks: usize) -> f64 {
    (-to_f64(blocks) + 1.0).exp2().min(1.0)
}

/// Blocks needed so that the smallest of `comparisons` p values can pass Holm at 0.05:
/// the smallest B with 2 / 2^B <= 0.05 / k, that is B >= log2(40 k).
pub fn blocks_needed(comparisons: usize) -> usize {
    let patterns = comparisons.max(1).saturating_mul(40);
    (usize::BITS - (patterns - 1).leading_zeros()) as usize
}

/// Tests whether block differences are symmetric about zero.
///
/// A p value is the share of sign patterns whose |sum| reaches the observed one; sums that differ
/// only by rounding count as equal, which errs to the side of a larger p.
pub fn sign_flip(differences: &Sample) -> SignFlip {
    let sizes: Vec<f64> = differences.values().iter().map(|d| d.abs()).collect();
    let slack = 1e-12 * compensated_sum(sizes.iter().copied());
    let reach = compensated_sum(differences.values().iter().copied()).abs() - slack;
    if reach <= 0.0 {
        return SignFlip {
            p: 1.0,
            enumeration: Enumeration::Exact,
        };
    }
    if sizes.len() <= MOST_EXACT {
        SignFlip {
            p: exact(&sizes, reach),
            enumeration: Enumeration::Exact,
        }
    } else {
        let enumeration = Enumeration::MonteCarlo {
            draws: DRAWS,
            seed: SEED,
        };
        SignFlip {
            p: monte_carlo(&sizes, reach),
            enumeration,
        }
    }
}

/// Meets in the middle: the sums of either half, sorted; then one sweep counts the pairs that reach.
fn exact(sizes: &[f64], reach: f64) -> f64 {
    let (left, right) = sizes.split_at(sizes.len() / 2);
    let (left, right) = (signed_sums(left), signed_sums(right));
    let (mut count, mut first) = (0_u64, right.len());
    for low in &left {
        while first > 0 && low + right[first - 1] >= reach {
            first -= 1;
        }
        count += (right.len() - first) as u64;
    }
    // Every pattern has its mirror image: the lower tail is as large as the upper.
    2.0 * as_f64(count) / to_f64(sizes.len()).exp2()
}

/// All 2^m signed sums in ascending order: each size merges two shifted copies, so no sorting.
fn signed_sums(sizes: &[f64]) -> Vec<f64> {
    sizes.iter().fold(vec![0.0], |sums, size| {
        let mut merged = Vec::with_capacity(2 * sums.len());
        let (mut up, mut down) = (0, 0);
        while down < sums.len() {
            // Up shifts lag behind: sums[up] + size is next only when it is the smaller.
            if sums[up] + size < sums[down] - size {
                merged.push(sums[up] + size);
                up += 1;
            } else {
                merged.push(sums[down] - size);
                down += 1;
            }
        }
        merged.extend(sums[up..].iter().map(|sum| sum + size));
        merged
    })
}

fn monte_carlo(sizes: &[f64], reach: f64) -> f64 {
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let hits = (0..DRAWS)
        .filter(|_| signed_sum(sizes, &mut rng).abs() >= reach)
        .count();
    to_f64(hits + 1) / to_f64(DRAWS + 1)
}

fn signed_sum(sizes: &[f64], rng: &mut ChaCha8Rng) -> f64 {
    let mut sum = 0.0;
    for chunk in sizes.chunks(64) {
        let mut signs = rng.next_u64();
        for size in chunk {
            sum += if signs & 1 == 1 { *size } else { -size };
            signs >>= 1;
        }
    }
    sum
}

#[expect(
    clippy::cast_precision_loss,
    reason = "at most 2^40 patterns, exact in 53 bits"
)]
fn as_f64(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn p(differences: &[f64]) -> f64 {
        sign_flip(&Sample::try_from(differences).unwrap()).p
    }

    /// Every pattern, one by one.
    fn brute_force(differences: &[f64]) -> f64 {
        let observed: f64 = differences.iter().sum::<f64>().abs() - 1e-9;
        let patterns = 1_u32 << differences.len();
        let hits = (0..patterns)
            .filter(|pattern| {
                let signed = differences.iter().enumerate();
                let sum: f64 = signed
                    .map(|(i, d)| if pattern >> i & 1 == 1 { *d } else { -d })
                    .sum();
                sum.abs() >= observed
            })
            .count();
        to_f64(hits) / f64::from(patterns)
    }

    #[test]
    fn six_blocks_of_one_sign_give_two_in_sixty_four() {
        assert_eq!(p(&[0.1, 0.2, 0.1, 0.3, 0.1, 0.2]), 2.0 / 64.0);
        assert_eq!(smallest_p(6), 2.0 / 64.0);
    }

    #[test]
    fn meeting_in_the_middle_counts_what_brute_force_counts() {
        for n in 1..=13_usize {
            let differences: Vec<f64> = (0..n)
                .map(|i| to_f64((i * 7919 + n * 31) % 23) / 10.0 - 0.8)
                .collect();
            assert!(
                (p(&differences) - brute_force(&differences)).abs() < 1e-12,
                "{differences:?}"
            );
        }
    }

    #[test]
    fn differences_of_zero_change_nothing() {
        assert_eq!(p(&[0.0, 0.0]), 1.0);
        assert_eq!(p(&[0.1, 0.2, 0.0]), p(&[0.1, 0.2]));
    }

    #[test]
    fn ties_by_rounding_count_as_reached() {
        assert_eq!(
            p(&[0.1, 0.2, -0.3, 0.1]),
            brute_force(&[1.0, 2.0, -3.0, 1.0])
        );
    }

    #[test]
    fn thirty_blocks_are_still_exact() {
        let test = sign_flip(&Sample::try_from(vec![1.0; 30]).unwrap());
        assert_eq!(test.enumeration, Enumeration::Exact);
        assert_eq!(test.p, smallest_p(30));
    }

    #[test]
    fn beyond_forty_blocks_patterns_are_drawn_and_that_is_said() {
        let mut differences = vec![1.0; 25];
        differences.extend([-1.0; 17]);
        let sample = Sample::try_from(differences).unwrap();
        let test = sign_flip(&sample);
        assert_eq!(
            test.enumeration,
            Enumeration::MonteCarlo {
                draws: DRAWS,
                seed: SEED
            }
        );
        // Binomial(42, 1/2): P(X >= 25 or X <= 17).
        assert!((test.p - 0.280_1).abs() < 0.005, "{}", test.p);
        assert_eq!(test, sign_flip(&sample));
    }

    #[test]
    fn blocks_needed_follow_the_number_of_comparisons() {
        let table = [
            (1, 6),
            (2, 7),
            (3, 7),
            (4, 8),
            (6, 8),
            (7, 9),
            (12, 9),
            (13, 10),
            (25, 10),
        ];
        for (comparisons, blocks) in table {
            assert_eq!(blocks_needed(comparisons), blocks, "{comparisons}");
        }
        assert_eq!(blocks_needed(26), 11);
        assert_eq!(blocks_needed(0), 6);
    }
}
