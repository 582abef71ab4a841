//! Paired comparison over blocks: each block holds both configurations, so what drifts between
//! blocks cancels within them.

use crate::moments::{mean, to_f64};
use crate::{Moments, Sample, SampleError, student};

/// How the difference between two configurations is expressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scale {
    /// As trial / baseline; differences are natural logarithms of that ratio.
    Ratio,
    /// As trial - baseline, in the unit of the metric; where values can be zero or negative.
    Difference,
}

/// What one block says: the same statistic of the baseline and of the trial.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pair {
    /// The block's own baseline.
    pub baseline: f64,
    /// The trial.
    pub trial: f64,
}

/// The blocks two configurations share, as differences on one scale.
#[derive(Debug, Clone, PartialEq)]
pub struct PairedBlocks {
    scale: Scale,
    differences: Sample,
    baseline: f64,
}

/// The estimated difference with its interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Effect {
    /// The scale of `estimate`, `low` and `high`.
    pub scale: Scale,
    /// Ratio trial / baseline (geometric mean over blocks), or mean difference.
    pub estimate: f64,
    /// Lower bound; absent with a single block.
    pub low: Option<f64>,
    /// Upper bound; absent with a single block.
    pub high: Option<f64>,
    /// Nominal coverage of the bounds.
    pub confidence: f64,
    /// Standard deviation of the block differences (of log ratios on the ratio scale).
    pub sd: Option<f64>,
    /// How many blocks.
    pub blocks: usize,
}

impl PairedBlocks {
    /// Log ratios where every value of every block is positive, differences otherwise.
    ///
    /// # Errors
    /// [`SampleError`] without any block, or when a value is not finite.
    pub fn new(pairs: &[Pair]) -> Result<Self, SampleError> {
        let positive = pairs
            .iter()
            .all(|pair| pair.baseline > 0.0 && pair.trial > 0.0);
        Self::on_scale(
            pairs,
            if positive {
                Scale::Ratio
            } else {
                Scale::Difference
            },
        )
    }

    /// As [`PairedBlocks::new`], on a scale that the caller chose for all comparisons alike.
    ///
    /// # Errors
    /// [`SampleError`] without any block, when a value is not finite, or when a ratio is asked of
    /// values that are not positive.
    pub fn on_scale(pairs: &[Pair], scale: Scale) -> Result<Self, SampleError> {
        let differences: Vec<f64> = pairs
            .iter()
            .map(|pair| match scale {
                Scale::Ratio => pair.trial.ln() - pair.baseline.ln(),
                Scale::Difference => pair.trial - pair.baseline,
            })
            .collect();
        let baselines: Vec<f64> = pairs.iter().map(|pair| pair.baseline).collect();
        let baseline = mean(&Sample::try_from(baselines)?);
        Ok(Self {
            scale,
            differences: Sample::try_from(differences)?,
            baseline,
        })
    }

    /// The scale in use.
    pub fn scale(&self) -> Scale {
        self.scale
    }

    /// One difference per block: ln(trial) - ln(baseline), or trial - baseline.
    pub fn differences(&self) -> &Sample {
        &self.differences
    }

    /// How many blocks both took part in.
    pub fn blocks(&self) -> usize {
        self.differences.len()
    }

    /// The estimated effect with its Student t interval over blocks.
    pub fn effect(&self, confidence: f64) -> Effect {
        let moments = Moments::of(&self.differences);
        let n = to_f64(moments.n);
        let half = moments
            .sd
            .map(|sd| student::quantile(f64::midpoint(1.0, confidence), n - 1.0) * sd / n.sqrt());
        Effect {
            scale: self.scale,
            estimate: self.shown(moments.mean),
            low: half.map(|half| self.shown(moments.mean - half)),
            high: half.map(|half| self.shown(moments.mean + half)),
            confidence,
            sd: moments.sd,
            blocks: moments.n,
        }
    }

    /// The true effect that a two-sided test at `level` would find with probability `power`,
    /// given the spread seen: (t(1 - level/2) + t(power)) sd / sqrt(B), B - 1 degrees of freedom.
    ///
    /// As a share above 1 on the ratio scale (0.02 = 2 %), in the metric's unit otherwise. Absent
    /// with a single block, whose spread is unknown.
    pub fn detectable(&self, level: f64, power: f64) -> Option<f64> {
        let size = detectable(
            Moments::of(&self.differences).sd?,
            self.blocks(),
            level,
            power,
        )?;
        Some(match self.scale {
            Scale::Ratio => size.exp_m1(),
            Scale::Difference => size,
        })
    }

    /// A detectable effect as a share of the baseline; absent where the baseline's mean is 0.
    pub fn relative(&self, detectable: f64) -> Option<f64> {
        match self.scale {
            Scale::Ratio => Some(detectable),
            Scale::Difference => {
                let share = detectable / self.baseline.abs();
                share.is_finite().then_some(share)
            }
        }
    }

    /// `share` of the baseline on the scale of the differences: ln(1 + share), or share * |mean|.
    pub fn margin(&self, share: f64) -> f64 {
        match self.scale {
            Scale::Ratio => share.ln_1p(),
            Scale::Difference => share * self.baseline.abs(),
        }
    }

    fn shown(&self, difference: f64) -> f64 {
        match self.scale {
            Scale::Ratio => difference.exp(),
            Scale::Difference => difference,
        }
    }
}

/// The effect, in units of the differences, that so many blocks with spread `sd` detect with
/// probability `power` at the two-sided `level`; absent for fewer than two blocks.
pub fn detectable(sd: f64, blocks: usize, level: f64, power: f64) -> Option<f64> {
    let df = to_f64(blocks.checked_sub(2)? + 1);
    let spans = student::quantile(1.0 - level / 2.0, df) + student::quantile(power, df);
    Some(spans * sd / to_f64(blocks).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(of: &[(f64, f64)]) -> Vec<Pair> {
        of.iter()
            .map(|&(baseline, trial)| Pair { baseline, trial })
            .collect()
    }

    #[test]
    fn positive_values_are_compared_as_ratios() {
        let blocks = PairedBlocks::new(&pairs(&[(1.0, 2.0), (2.0, 4.0), (4.0, 8.0)])).unwrap();
        let effect = blocks.effect(0.95);
        assert_eq!((effect.scale, effect.blocks), (Scale::Ratio, 3));
        assert!((effect.estimate - 2.0).abs() < 1e-12);
        assert!((effect.low.unwrap() - 2.0).abs() < 1e-9);
    }

    #[test]
    fn a_value_of_zero_turns_ratios_into_differences() {
        let blocks = PairedBlocks::new(&pairs(&[(0.0, 1.0), (1.0, 3.0)])).unwrap();
        assert_eq!(blocks.scale(), Scale::Difference);
        assert_eq!(blocks.differences().values(), [1.0, 2.0]);
        assert_eq!(blocks.effect(0.95).estimate, 1.5);
    }

    #[test]
    fn a_ratio_of_what_is_not_positive_is_refused() {
        assert!(PairedBlocks::on_scale(&pairs(&[(0.0, 1.0)]), Scale::Ratio).is_err());
        assert_eq!(PairedBlocks::new(&[]).unwrap_err(), SampleError::Empty);
    }

    #[test]
    fn one_block_has_an_estimate_and_nothing_else() {
        let blocks = PairedBlocks::new(&pairs(&[(1.0, 1.1)])).unwrap();
        let effect = blocks.effect(0.95);
        assert_eq!((effect.low, effect.high, effect.sd), (None, None, None));
        assert_eq!(blocks.detectable(0.05, 0.8), None);
    }

    #[test]
    fn six_blocks_with_a_spread_of_two_percent_see_less_than_three_percent() {
        // (t(.975, 5) + t(.8, 5)) * 0.02 / sqrt(6), quantiles by SciPy.
        let size = detectable(0.02, 6, 0.05, 0.8).unwrap();
        assert!((size - 0.028_498).abs() < 1e-4, "{size}");
    }

    #[test]
    fn a_margin_of_one_percent_is_meant_of_the_baseline() {
        let ratio = PairedBlocks::new(&pairs(&[(100.0, 100.0)])).unwrap();
        assert!((ratio.margin(0.01) - 1.01_f64.ln()).abs() < 1e-15);
        let difference = PairedBlocks::new(&pairs(&[(-100.0, 100.0)])).unwrap();
        assert_eq!(difference.margin(0.01), 1.0);
    }
}
