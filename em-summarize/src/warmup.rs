//! Where warm-up ends: MSER-5 (White 1997; Spratt 1998), applied after the fact.

use crate::Sample;
use crate::moments::{mean, to_f64};

/// How many raw values form one batch of MSER-5.
pub const BATCH: usize = 5;

/// Fewer batches than this say nothing of a trend.
pub const FEWEST_BATCHES: usize = 6;

/// What the rule makes of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truncation {
    /// Everything from `index` on is steady; what lies before is warm-up.
    From {
        /// Index of the first value to keep.
        index: usize,
    },
    /// The best cut lies at half of the series or beyond: the series is too short to tell where
    /// warm-up ends, and the run should go on.
    Extend,
    /// Too few values for the rule: fewer than six batches.
    TooShort,
}

/// [`mser`] on means of five values.
pub fn mser5(series: &Sample) -> Truncation {
    mser(series, BATCH)
}

/// Finds the cut that minimises the squared standard error of the mean of what remains:
/// d* = argmin over d <= n/2 of (n - d)^-2 * sum over i > d of (`y_i` - mean)^2, on means of
/// `batch` values (0 counts as 1).
///
/// Values left over behind the last whole batch belong to the kept part.
pub fn mser(series: &Sample, batch: usize) -> Truncation {
    let batch = batch.max(1);
    let batches: Vec<f64> = series
        .values()
        .chunks_exact(batch)
        .map(batch_mean)
        .collect();
    if batches.len() < FEWEST_BATCHES {
        return Truncation::TooShort;
    }
    let half = batches.len() / 2;
    let scores = standard_errors(&batches);
    let mut best = 0;
    for cut in 1..=half {
        if scores[cut] < scores[best] {
            best = cut;
        }
    }
    if best == half {
        Truncation::Extend
    } else {
        Truncation::From {
            index: best * batch,
        }
    }
}

fn batch_mean(batch: &[f64]) -> f64 {
    mean(&Sample::try_from(batch).expect("a whole batch of values that are finite"))
}

/// The MSER statistic of every suffix, by Welford's update from the end: one pass, no cancellation.
fn standard_errors(batches: &[f64]) -> Vec<f64> {
    let mut scores = vec![f64::INFINITY; batches.len()];
    let (mut mean, mut squares) = (0.0, 0.0);
    for (count, (score, value)) in scores.iter_mut().zip(batches).rev().enumerate() {
        let n = to_f64(count + 1);
        let delta = value - mean;
        mean += delta / n;
        squares += delta * (value - mean);
        *score = squares / (n * n);
    }
    scores
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(f: impl Fn(usize) -> f64, n: usize) -> Sample {
        Sample::try_from((0..n).map(f).collect::<Vec<_>>()).unwrap()
    }

    /// A fixed zigzag: no trend, mean 0.
    fn ripple(i: usize) -> f64 {
        [0.3, -0.1, 0.2, -0.4, 0.1, -0.2, 0.4, -0.3][(i * 5 + i / 8) % 8]
    }

    #[test]
    fn a_slow_start_is_cut_off_and_no_more() {
        let warming = series(|i| if i < 40 { 10.0 } else { 1.0 } + ripple(i), 300);
        let Truncation::From { index } = mser5(&warming) else {
            panic!("{:?}", mser5(&warming))
        };
        assert!((40..=60).contains(&index), "{index}");
    }

    #[test]
    fn a_steady_series_keeps_nearly_all() {
        let Truncation::From { index } = mser5(&series(ripple, 400)) else {
            panic!()
        };
        assert!(index < 100, "{index}");
    }

    #[test]
    fn a_series_that_still_falls_must_be_extended() {
        assert_eq!(mser5(&series(|i| -to_f64(i), 100)), Truncation::Extend);
    }

    #[test]
    fn a_handful_of_values_is_too_short() {
        assert_eq!(mser5(&series(ripple, 29)), Truncation::TooShort);
        assert_ne!(mser5(&series(ripple, 30)), Truncation::TooShort);
    }

    #[test]
    fn a_flat_series_is_kept_whole() {
        assert_eq!(mser5(&series(|_| 2.0, 60)), Truncation::From { index: 0 });
    }
}
