//! Leaving out what cannot win any more: a race of trials over common blocks.

use crate::holm::holm;
use crate::moments::to_f64;
use crate::verdict::Direction;
use crate::{Moments, PairedBlocks, Sample, student};

/// No trial is dropped before it has so many blocks in common with the leader.
pub const FEWEST_BLOCKS: usize = 4;

/// Up to so many competitors all stay: each of them is to get its verdict.
pub const ALWAYS_KEPT: usize = 5;

/// Indices of competitors that are behind the leader: one-sided paired t test on their common
/// blocks at 5 %, Holm over all others. `series` has one difference to the baseline per competitor.
///
/// Blocks are matched by position, so every series must be in the same order of blocks; those that
/// lack blocks of the leader are left alone.
pub fn behind(series: &[Option<PairedBlocks>], direction: Direction) -> Vec<usize> {
    let worse_by = match direction {
        Direction::Minimize => 1.0,
        Direction::Maximize => -1.0,
    };
    let score = |blocks: &PairedBlocks| worse_by * crate::moments::mean(blocks.differences());
    let running = |index: &usize| {
        series[*index]
            .as_ref()
            .filter(|blocks| blocks.blocks() >= FEWEST_BLOCKS)
    };
    let leader = (0..series.len())
        .filter_map(|index| Some((index, score(running(&index)?))))
        .min_by(|a, b| a.1.total_cmp(&b.1));
    let Some((leader, _)) = leader else {
        return Vec::new();
    };
    if series.len() <= ALWAYS_KEPT {
        return Vec::new();
    }
    let best = series[leader].as_ref().map(PairedBlocks::differences);
    let tested: Vec<(usize, f64)> = (0..series.len())
        .filter(|index| *index != leader)
        .filter_map(|index| {
            Some((
                index,
                p_behind(running(&index)?.differences(), best?, worse_by)?,
            ))
        })
        .collect();
    let adjusted = holm(&tested.iter().map(|(_, p)| *p).collect::<Vec<_>>());
    let all = tested.iter().zip(adjusted);
    all.filter(|(_, p)| *p <= 0.05)
        .map(|((index, _), _)| *index)
        .collect()
}

/// P of being behind by so much by chance: none without equal blocks or without spread.
fn p_behind(one: &Sample, best: &Sample, worse_by: f64) -> Option<f64> {
    if one.len() != best.len() {
        return None;
    }
    let pairs = one.values().iter().zip(best.values());
    let gaps: Vec<f64> = pairs.map(|(a, b)| worse_by * (a - b)).collect();
    let moments = Moments::of(&Sample::try_from(gaps).ok()?);
    let error = moments.sd? / to_f64(moments.n).sqrt();
    (error > 0.0).then(|| student::upper_tail(moments.mean / error, to_f64(moments.n) - 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Pair;

    /// Blocks around a level, each series with a noise of its own.
    fn series(level: f64, phase: usize, blocks: usize) -> Option<PairedBlocks> {
        let noise = |i: usize| 0.03 * to_f64((i * (phase + 3) + phase * phase) % 7);
        let pair = |i: usize| Pair {
            baseline: 1.0,
            trial: level * (1.0 + noise(i)),
        };
        PairedBlocks::new(&(0..blocks).map(pair).collect::<Vec<_>>()).ok()
    }

    fn field(levels: &[f64], blocks: usize) -> Vec<Option<PairedBlocks>> {
        levels
            .iter()
            .enumerate()
            .map(|(phase, level)| series(*level, phase, blocks))
            .collect()
    }

    #[test]
    fn what_is_clearly_behind_is_dropped() {
        let all = field(&[1.0, 1.01, 2.0, 1.0, 1.5, 1.02], 7);
        assert_eq!(behind(&all, Direction::Minimize), [2, 4]);
    }

    #[test]
    fn nothing_is_dropped_early_or_among_few() {
        let early = field(&[1.0, 1.01, 2.0, 1.0, 1.5, 1.02], 3);
        assert!(behind(&early, Direction::Minimize).is_empty());
        assert!(behind(&field(&[1.0, 2.0, 3.0], 8), Direction::Minimize).is_empty());
    }

    #[test]
    fn maximizing_turns_the_race_round() {
        let all = field(&[1.0, 3.0, 2.99, 3.01, 3.0, 3.02], 7);
        assert_eq!(behind(&all, Direction::Maximize), [0]);
    }
}
