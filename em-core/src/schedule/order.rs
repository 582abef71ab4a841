//! The drawn order of a block.

use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;

use crate::id::{BlockNo, TrialId};
use crate::plan::Design;

/// The trials of a block in waves of at most `slots`, in the order of its own draw (ChaCha8).
///
/// Where a block has more trials than there are slots, waves are as even as possible: a lone trial
/// in the last wave would run on an emptier machine than the others.
pub(super) fn draw(
    mut trials: Vec<TrialId>,
    slots: usize,
    design: Design,
    seed: u64,
    block: BlockNo,
) -> Vec<Vec<TrialId>> {
    if design == Design::RandomizedBlocks {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(u64::from(block.0));
        trials.shuffle(&mut random);
    }
    let waves = trials.len().div_ceil(slots.max(1)).max(1);
    let size = trials.len().div_ceil(waves).max(1);
    trials.chunks(size).map(<[TrialId]>::to_vec).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trials(n: u32) -> Vec<TrialId> {
        (0..n).map(TrialId).collect()
    }

    #[test]
    fn a_draw_holds_each_trial_once_and_depends_on_seed_and_block_alone() {
        let draw_of =
            |seed, block| draw(trials(9), 4, Design::RandomizedBlocks, seed, BlockNo(block));
        let waves = draw_of(1, 1);
        assert_eq!(waves.iter().map(Vec::len).collect::<Vec<_>>(), [3, 3, 3]);
        let mut all: Vec<_> = waves.concat();
        all.sort_unstable();
        assert_eq!(all, trials(9));
        assert_eq!(waves, draw_of(1, 1));
        assert_ne!(waves, draw_of(1, 2));
        assert_ne!(waves, draw_of(2, 1));
    }

    #[test]
    fn every_trial_comes_first_about_equally_often() {
        let mut first = [0_u32; 4];
        for block in 1..=4000 {
            let waves = draw(trials(4), 1, Design::RandomizedBlocks, 7, BlockNo(block));
            first[waves[0][0].0 as usize] += 1;
        }
        // Chi-square with 3 degrees of freedom stays below 16.27 in 999 of 1,000 fair draws.
        let chi_square: f64 = first
            .iter()
            .map(|seen| (f64::from(*seen) - 1000.0).powi(2) / 1000.0)
            .sum();
        assert!(chi_square < 16.27, "{first:?}");
    }

    #[test]
    fn the_sequential_design_keeps_the_order_of_the_file() {
        let waves = draw(trials(3), 1, Design::Sequential, 1, BlockNo(1));
        assert_eq!(waves.concat(), trials(3));
    }
}
