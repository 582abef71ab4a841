//! From blocks to verdicts: the deciding test, its correction, and what it could have seen.

use crate::equivalence::tost;
use crate::holm::holm_among;
use crate::sign_flip::{blocks_needed, sign_flip};
use crate::{Effect, PairedBlocks};

/// Which way is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Smaller values are better.
    Minimize,
    /// Larger values are better.
    Maximize,
}

/// What the comparisons are judged by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Criteria {
    /// Family-wise false-positive rate of "different", 0.05.
    pub level: f64,
    /// The same of "equivalent".
    pub equivalence_level: f64,
    /// Probability with which the published detectable effect would have been found, 0.8.
    pub power: f64,
    /// How many comparisons compete (trials x metrics x levels), missing ones included.
    pub comparisons: usize,
}

impl Criteria {
    /// The deciding test of the product: 0.05 over so many comparisons, power 0.8.
    pub fn of(comparisons: usize) -> Self {
        Self {
            level: 0.05,
            equivalence_level: 0.05,
            power: 0.8,
            comparisons,
        }
    }
}

/// One comparison of the family, with what is wanted of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Contest {
    /// The blocks that both share; none where they share none.
    pub blocks: Option<PairedBlocks>,
    /// Which way is better.
    pub direction: Direction,
    /// Differences below this share of the baseline do not matter; none = never "equivalent".
    pub equivalent_within: Option<f64>,
}

/// What the blocks say of one configuration against the baseline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Different, and in the wanted direction.
    Better,
    /// Different, and in the other direction.
    Worse,
    /// The same within the margin that does not matter.
    Equivalent,
    /// Not decided by these blocks.
    Undecided {
        /// Blocks in all below which no p value can pass the correction, where there were fewer.
        blocks_needed: Option<usize>,
    },
}

/// A verdict with everything that led to it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Finding {
    /// The verdict.
    pub kind: Kind,
    /// The estimated effect with its 95 % interval over blocks; none without a shared block.
    pub effect: Option<Effect>,
    /// Exact two-sided sign-flip p value; none without a shared block.
    pub p: Option<f64>,
    /// That p value after Holm's correction over all comparisons.
    pub adjusted_p: Option<f64>,
    /// Corrected p value of "not equivalent"; none without a margin or with a single block.
    pub equivalence_p: Option<f64>,
    /// The smallest effect that this design would have found with the wanted power: a share on the
    /// ratio scale (0.02 = 2 %), in the metric's unit otherwise. None below two blocks.
    pub detectable: Option<f64>,
}

/// Judges all comparisons of one family.
///
/// Equivalence goes first: a difference that is certain and does not matter is "equivalent".
pub fn judge(contests: &[Contest], criteria: &Criteria) -> Vec<Finding> {
    let family = criteria.comparisons.max(contests.len());
    let different = |contest: &Contest| Some(sign_flip(contest.blocks.as_ref()?.differences()).p);
    let not_same = |contest: &Contest| {
        let (blocks, share) = (contest.blocks.as_ref()?, contest.equivalent_within?);
        tost(blocks.differences(), blocks.margin(share))
    };
    let p_values: Vec<Option<f64>> = contests.iter().map(different).collect();
    let same: Vec<Option<f64>> = contests.iter().map(not_same).collect();
    let tested = adjust(&p_values, family)
        .into_iter()
        .zip(adjust(&same, family));
    let tested = p_values.into_iter().zip(tested);
    contests
        .iter()
        .zip(tested)
        .map(
            |(contest, (p, (adjusted_p, same_p)))| match &contest.blocks {
                None => unseen(family),
                Some(blocks) => {
                    let tested = Tested {
                        p,
                        adjusted_p,
                        same_p,
                    };
                    finding(blocks, tested, contest.direction, criteria, family)
                }
            },
        )
        .collect()
}

/// The p values of one comparison.
#[derive(Debug, Clone, Copy)]
struct Tested {
    p: Option<f64>,
    adjusted_p: Option<f64>,
    same_p: Option<f64>,
}

fn finding(
    blocks: &PairedBlocks,
    tested: Tested,
    direction: Direction,
    criteria: &Criteria,
    family: usize,
) -> Finding {
    let passes = |p: Option<f64>, level: f64| p.is_some_and(|p| p <= level);
    let mean = crate::moments::mean(blocks.differences());
    let lower_is_better = direction == Direction::Minimize;
    let kind = if passes(tested.same_p, criteria.equivalence_level) {
        Kind::Equivalent
    } else if passes(tested.adjusted_p, criteria.level) {
        if (mean < 0.0) == lower_is_better {
            Kind::Better
        } else {
            Kind::Worse
        }
    } else {
        undecided(blocks.blocks(), family)
    };
    // The smallest p of the family must pass level / k: that is the level the design works at.
    let level = criteria.level / crate::moments::to_f64(family.max(1));
    Finding {
        kind,
        effect: Some(blocks.effect(0.95)),
        p: tested.p,
        adjusted_p: tested.adjusted_p,
        equivalence_p: tested.same_p,
        detectable: blocks.detectable(level, criteria.power),
    }
}

fn unseen(family: usize) -> Finding {
    Finding {
        kind: undecided(0, family),
        effect: None,
        p: None,
        adjusted_p: None,
        equivalence_p: None,
        detectable: None,
    }
}

fn undecided(blocks: usize, family: usize) -> Kind {
    let needed = blocks_needed(family);
    Kind::Undecided {
        blocks_needed: (blocks < needed).then_some(needed),
    }
}

fn adjust(p_values: &[Option<f64>], family: usize) -> Vec<Option<f64>> {
    let known: Vec<f64> = p_values.iter().copied().flatten().collect();
    let mut adjusted = holm_among(&known, family).into_iter();
    p_values
        .iter()
        .map(|p| p.and_then(|_| adjusted.next()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Pair;

    fn contest(ratios: &[f64]) -> Contest {
        let pairs: Vec<Pair> = ratios
            .iter()
            .map(|&trial| Pair {
                baseline: 1.0,
                trial,
            })
            .collect();
        Contest {
            blocks: PairedBlocks::new(&pairs).ok(),
            direction: Direction::Minimize,
            equivalent_within: None,
        }
    }

    fn within(share: f64, contest: Contest) -> Contest {
        Contest {
            equivalent_within: Some(share),
            ..contest
        }
    }

    fn kinds(contests: &[Contest]) -> Vec<Kind> {
        let criteria = Criteria::of(contests.len());
        judge(contests, &criteria)
            .into_iter()
            .map(|finding| finding.kind)
            .collect()
    }

    const FASTER: [f64; 6] = [0.9, 0.91, 0.92, 0.9, 0.89, 0.93];
    const SLOWER: [f64; 6] = [1.1, 1.09, 1.12, 1.1, 1.11, 1.08];
    const SAME: [f64; 6] = [1.001, 0.999, 1.0005, 0.9995, 1.0, 1.0008];
    const NOISY: [f64; 6] = [1.2, 0.8, 1.1, 0.95, 1.05, 0.9];
    const SLIGHT: [f64; 6] = [0.998, 0.9981, 0.9979, 0.998, 0.9982, 0.9978];

    #[test]
    fn six_blocks_decide_one_comparison() {
        assert_eq!(kinds(&[contest(&FASTER)]), [Kind::Better]);
        assert_eq!(kinds(&[contest(&SLOWER)]), [Kind::Worse]);
    }

    #[test]
    fn maximizing_turns_the_verdict_round() {
        let turned = Contest {
            direction: Direction::Maximize,
            ..contest(&FASTER)
        };
        assert_eq!(kinds(&[turned]), [Kind::Worse]);
    }

    #[test]
    fn five_blocks_are_undecided_and_say_how_many_it_takes() {
        let finding = judge(&[contest(&FASTER[..5])], &Criteria::of(1))[0];
        assert_eq!(
            finding.kind,
            Kind::Undecided {
                blocks_needed: Some(6)
            }
        );
        assert!(finding.detectable.is_some() && finding.effect.is_some());
    }

    #[test]
    fn a_second_competitor_raises_the_price() {
        let undecided = Kind::Undecided {
            blocks_needed: Some(7),
        };
        assert_eq!(
            kinds(&[contest(&FASTER), contest(&NOISY)]),
            [undecided, undecided]
        );
    }

    #[test]
    fn enough_blocks_of_noise_are_undecided_without_a_plea_for_more() {
        let finding = judge(&[contest(&NOISY)], &Criteria::of(1))[0];
        assert_eq!(
            finding.kind,
            Kind::Undecided {
                blocks_needed: None
            }
        );
        assert!(finding.detectable.unwrap() > 0.1);
    }

    #[test]
    fn equivalence_needs_a_margin() {
        assert_eq!(kinds(&[within(0.01, contest(&SAME))]), [Kind::Equivalent]);
        assert_eq!(
            kinds(&[contest(&SAME)]),
            [Kind::Undecided {
                blocks_needed: None
            }]
        );
    }

    #[test]
    fn a_certain_difference_that_does_not_matter_is_equivalent() {
        assert_eq!(kinds(&[contest(&SLIGHT)]), [Kind::Better]);
        assert_eq!(kinds(&[within(0.01, contest(&SLIGHT))]), [Kind::Equivalent]);
    }

    #[test]
    fn a_trial_without_a_shared_block_is_undecided_and_still_counts() {
        let alone = Contest {
            blocks: None,
            ..contest(&[1.0])
        };
        let found = judge(&[contest(&FASTER), alone], &Criteria::of(2));
        assert_eq!(
            found[1].kind,
            Kind::Undecided {
                blocks_needed: Some(7)
            }
        );
        assert_eq!(found[1].p, None);
        assert_eq!(found[0].adjusted_p, Some(4.0 / 64.0));
    }
}
