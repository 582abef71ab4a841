//! When to look at the blocks, and what a second look costs.
//!
//! Looking after every block until something is significant turns 5 % of false positives into 27 %.
//! So there are two looks at most: the first after the least number of blocks at which the exact
//! test can pass its correction at all; where that leaves something undecided and the plan allows
//! more blocks, the second after the greatest number. The second look spends only what the
//! discreteness of the first has left of the 5 %, so that both together stay below it.

use crate::moments::to_f64;
use crate::sign_flip::blocks_needed;

/// The false-positive rate of a whole experiment.
pub const LEVEL: f64 = 0.05;

/// The plan of looks for a family of comparisons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Looks {
    /// Comparisons that compete.
    pub comparisons: usize,
    /// Blocks before the first look.
    pub least: usize,
    /// Blocks at the most; the second look.
    pub most: usize,
}

impl Looks {
    /// Looks at `least` and at `most` blocks; none before the exact test can decide, except where
    /// `most` is less than that.
    pub fn new(comparisons: usize, least: usize, most: usize) -> Self {
        Self {
            comparisons: comparisons.max(1),
            least: least.min(most),
            most,
        }
    }

    /// Whether so many blocks belong to the second look.
    pub fn is_second(&self, blocks: usize) -> bool {
        blocks > self.least
    }

    /// Family-wise level of "different" after so many blocks.
    pub fn level(&self, blocks: usize) -> f64 {
        if self.is_second(blocks) {
            LEVEL - self.spent()
        } else {
            LEVEL
        }
    }

    /// Family-wise level of "equivalent": its test is not discrete, so two looks share evenly.
    pub fn equivalence_level(&self) -> f64 {
        if self.most > self.least {
            LEVEL / 2.0
        } else {
            LEVEL
        }
    }

    /// Blocks that it takes to decide anything at all.
    pub fn needed(&self) -> usize {
        blocks_needed(self.comparisons)
    }

    /// The false-positive rate of the first look. Its p values are multiples of 2 / 2^B; of m true
    /// null hypotheses Holm rejects one with at most m times the greatest multiple below 0.05 / m.
    fn spent(&self) -> f64 {
        let steps = (to_f64(self.least) - 1.0).exp2();
        let attained = |m: usize| {
            let nulls = to_f64(m);
            nulls * (LEVEL / nulls * steps).floor() / steps
        };
        (1..=self.comparisons).map(attained).fold(0.0, f64::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_look_has_the_whole_level() {
        let looks = Looks::new(1, 6, 12);
        assert_eq!((looks.level(5), looks.level(6)), (0.05, 0.05));
    }

    #[test]
    fn the_second_look_has_what_the_first_left() {
        // 6 blocks, one comparison: p is a multiple of 1/32, of which only the first is below 0.05.
        assert!((Looks::new(1, 6, 12).level(12) - (0.05 - 1.0 / 32.0)).abs() < 1e-15);
        // 7 blocks, three comparisons: 3 times 1/64, or 3/64 for one null alone.
        assert!((Looks::new(3, 7, 12).level(12) - (0.05 - 3.0 / 64.0)).abs() < 1e-15);
    }

    #[test]
    fn something_is_always_left() {
        for comparisons in 1..200 {
            let looks = Looks::new(comparisons, blocks_needed(comparisons), 40);
            assert!(looks.level(40) > 0.0, "{comparisons}");
        }
    }

    #[test]
    fn a_plan_with_one_look_keeps_all() {
        let looks = Looks::new(2, 7, 7);
        assert_eq!((looks.level(7), looks.equivalence_level()), (0.05, 0.05));
        assert_eq!(Looks::new(2, 9, 7).least, 7);
    }
}
