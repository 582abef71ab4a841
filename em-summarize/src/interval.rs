//! Confidence intervals of means and quantiles; where none can be honest, none is given.

use statrs::distribution::{Binomial, DiscreteCDF};

use crate::moments::to_f64;
use crate::sample::Sorted;
use crate::{Moments, Sample, student};

/// How the bounds of an [`Interval`] were found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IntervalMethod {
    /// Student's t on independent replications.
    StudentT,
    /// Student's t on the effective sample size of a first-order autoregressive series.
    Ar1,
    /// Ranks of the ordered sample with binomial tails: no assumption on the distribution.
    OrderStatistics,
}

/// A confidence interval; a side that the data cannot bound is absent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Lower bound.
    pub low: Option<f64>,
    /// Upper bound.
    pub high: Option<f64>,
    /// Nominal coverage, for example 0.95; with one side absent, that of the one-sided bound.
    pub confidence: f64,
    /// How the bounds were found.
    pub method: IntervalMethod,
    /// How many independent values the information is worth.
    pub effective_n: f64,
}

/// Student's t interval of the mean over independent replications; absent for a single one.
///
/// `confidence` lies between 0 and 1, both excluded.
pub fn student_t(replications: &Sample, confidence: f64) -> Option<Interval> {
    let moments = Moments::of(replications);
    let n = to_f64(moments.n);
    let half = half_width(moments.sd?, n, confidence);
    Some(around(
        moments.mean,
        half,
        confidence,
        IntervalMethod::StudentT,
        n,
    ))
}

/// Why a series of correlated values has no interval: it holds too little information.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error(
    "insufficient for an interval: {n} values with autocorrelation {autocorrelation:.2} are worth \
     {effective_n:.1} independent ones; measure longer or add iterations"
)]
pub struct Insufficient {
    /// Values in the series.
    pub n: usize,
    /// Bias-corrected lag-1 autocorrelation.
    pub autocorrelation: f64,
    /// How many independent values they are worth.
    pub effective_n: f64,
}

/// Interval of the mean of *one* autocorrelated series, by the effective sample size of an AR(1).
///
/// The lag-1 autocorrelation f is corrected for bias, f* = clip(f + (1 + 3 f) / n, 0, 0.98); then
/// `n_e` = n (1 - f*) / (1 + f*), the variance is corrected for the same dependence, and t has
/// `n_e` - 1 degrees of freedom.
///
/// # Errors
/// [`Insufficient`] unless `n_e` >= 10 and (n >= 300, or n >= 120 with f* <= 0.7). A looser gate
/// selects the traces that look calm by luck and covers far less than it promises.
pub fn ar1(series: &Sample, confidence: f64) -> Result<Interval, Insufficient> {
    let moments = Moments::of(series);
    let n = to_f64(moments.n);
    let raw = moments.lag1.unwrap_or(0.0);
    let autocorrelation = (raw + (1.0 + 3.0 * raw) / n).clamp(0.0, 0.98);
    let effective_n = n * (1.0 - autocorrelation) / (1.0 + autocorrelation);
    let long_enough = moments.n >= 300 || (moments.n >= 120 && autocorrelation <= 0.7);
    let (true, true, Some(sd)) = (effective_n >= 10.0, long_enough, moments.sd) else {
        return Err(Insufficient {
            n: moments.n,
            autocorrelation,
            effective_n,
        });
    };
    let corrected = sd * ((1.0 - 1.0 / n) / (1.0 - 1.0 / effective_n)).sqrt();
    let half = half_width(corrected, effective_n, confidence);
    Ok(around(
        moments.mean,
        half,
        confidence,
        IntervalMethod::Ar1,
        effective_n,
    ))
}

/// Interval of the quantile `p` of independent values, from their order alone.
///
/// With too few values for both ends (p99 at 95 % needs 368) the answer is one-sided, its bound at
/// the full error probability; with too few even for that it has no bound at all.
pub fn order_statistics(sorted: &Sorted, p: f64, confidence: f64) -> Interval {
    let n = sorted.values().len();
    let ranks = order_ranks(n as u64, p, confidence);
    let value = |rank: Option<u64>| rank.and_then(|rank| nth(sorted, rank));
    Interval {
        low: value(ranks.low),
        high: value(ranks.high),
        confidence,
        method: IntervalMethod::OrderStatistics,
        effective_n: to_f64(n),
    }
}

/// Ranks, counted from 1, whose values bound a quantile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrderRanks {
    /// Rank of the lower bound.
    pub low: Option<u64>,
    /// Rank of the upper bound.
    pub high: Option<u64>,
}

/// The ranks for [`order_statistics`]: the largest l with P(X < l) <= a and the smallest u with
/// P(X >= u) <= a for X ~ Binomial(n, p), where a is half of 1 - `confidence` when both exist.
pub fn order_ranks(n: u64, p: f64, confidence: f64) -> OrderRanks {
    let Ok(binomial) = Binomial::new(p.clamp(0.0, 1.0), n) else {
        return OrderRanks {
            low: None,
            high: None,
        };
    };
    let error = 1.0 - confidence;
    let sides = |error| (low_rank(&binomial, error), high_rank(&binomial, n, error));
    if let (Some(low), Some(high)) = sides(error / 2.0) {
        return OrderRanks {
            low: Some(low),
            high: Some(high),
        };
    }
    // One bound alone may use up the whole error; it is the one on the side where the values are.
    match sides(error) {
        (low, _) if p >= 0.5 => OrderRanks { low, high: None },
        (_, high) => OrderRanks { low: None, high },
    }
}

fn low_rank(binomial: &Binomial, error: f64) -> Option<u64> {
    let n = binomial.n();
    // P(X < l) = P(X <= l - 1) grows with l: the first l that breaks the bound, less one.
    let broken = first(1, n + 1, |l| binomial.cdf(l - 1) > error);
    (broken > 1).then(|| broken - 1)
}

fn high_rank(binomial: &Binomial, n: u64, error: f64) -> Option<u64> {
    let rank = first(1, n + 1, |u| binomial.sf(u - 1) <= error);
    (rank <= n).then_some(rank)
}

/// The first number in `from..to` for which `holds`, monotone from false to true; `to` if none.
fn first(from: u64, to: u64, holds: impl Fn(u64) -> bool) -> u64 {
    let (mut low, mut high) = (from, to);
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    low
}

fn nth(sorted: &Sorted, rank: u64) -> Option<f64> {
    sorted
        .values()
        .get(usize::try_from(rank).ok()?.checked_sub(1)?)
        .copied()
}

fn half_width(sd: f64, n: f64, confidence: f64) -> f64 {
    student::quantile(f64::midpoint(1.0, confidence), n - 1.0) * sd / n.sqrt()
}

fn around(
    center: f64,
    half: f64,
    confidence: f64,
    method: IntervalMethod,
    effective_n: f64,
) -> Interval {
    let (low, high) = (Some(center - half), Some(center + half));
    Interval {
        low,
        high,
        confidence,
        method,
        effective_n,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(values: impl IntoIterator<Item = f64>) -> Sample {
        Sample::try_from(values.into_iter().collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn one_iteration_has_no_interval() {
        assert_eq!(student_t(&sample([1.0]), 0.95), None);
    }

    #[test]
    fn a_finite_interval_needs_the_published_number_of_values() {
        for (p, n) in [(0.5, 6), (0.9, 36), (0.95, 72), (0.99, 368), (0.999, 3688)] {
            let enough = order_ranks(n, p, 0.95);
            assert!(
                enough.low.is_some() && enough.high == Some(n),
                "{p}: {enough:?}"
            );
            assert_eq!(order_ranks(n - 1, p, 0.95).high, None, "{p}");
        }
    }

    #[test]
    fn a_p99_of_a_hundred_values_is_bounded_from_below_only() {
        let sorted = sample((1..=100).map(f64::from)).sorted();
        let interval = order_statistics(&sorted, 0.99, 0.95);
        // P(Binomial(100, 0.99) <= 96) = 0.018, P(<= 97) = 0.079.
        assert_eq!((interval.low, interval.high), (Some(97.0), None));
    }

    #[test]
    fn a_low_quantile_of_few_values_is_bounded_from_above_only() {
        let sorted = sample((1..=100).map(f64::from)).sorted();
        let interval = order_statistics(&sorted, 0.01, 0.95);
        assert_eq!((interval.low, interval.high), (None, Some(4.0)));
    }

    #[test]
    fn a_median_of_three_values_has_no_bound() {
        let interval = order_statistics(&sample([1.0, 2.0, 3.0]).sorted(), 0.5, 0.95);
        assert_eq!((interval.low, interval.high), (None, None));
    }

    #[test]
    fn a_short_series_is_refused_with_the_reason() {
        let error = ar1(&sample((0..60).map(|i| f64::from(i % 7))), 0.95).unwrap_err();
        assert_eq!(error.n, 60);
        assert!(error.to_string().contains("60 values"), "{error}");
    }

    #[test]
    fn a_trend_is_refused_however_long() {
        let error = ar1(&sample((0..400).map(f64::from)), 0.95).unwrap_err();
        assert!(error.effective_n < 10.0, "{error:?}");
    }

    #[test]
    fn correlated_values_are_worth_fewer_and_the_interval_is_wider() {
        let block = |i: u32| f64::from((i / 3) * 37 % 11);
        let series = sample((0..600).map(block));
        let honest = ar1(&series, 0.95).unwrap();
        let naive = student_t(&series, 0.95).unwrap();
        assert!(honest.effective_n < 300.0, "{honest:?}");
        assert!(honest.high > naive.high && honest.low < naive.low);
    }
}
