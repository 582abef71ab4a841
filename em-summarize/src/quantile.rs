//! Sample quantiles by the nine definitions of Hyndman and Fan (1996).

use crate::moments::to_f64;
use crate::sample::Sorted;

/// How a quantile is read off an ordered sample; numbered as by Hyndman and Fan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum QuantileType {
    /// Type 1: inverse of the empirical distribution, the nearest rank ceil(n p).
    NearestRank,
    /// Type 2: as type 1, averaged where the distribution is flat.
    AveragedRank,
    /// Type 3: the observation closest to n p; ties go to the even rank.
    ClosestObservation,
    /// Type 4: linear interpolation of the empirical distribution.
    InterpolatedInverse,
    /// Type 5: piecewise linear through the middle of the steps (Hazen).
    Hazen,
    /// Type 6: linear on expectations of uniform order statistics, p (n + 1) (Weibull).
    Weibull,
    /// Type 7: linear on the modes, p (n - 1); the default of R, `NumPy` and Prometheus.
    Linear,
    /// Type 8: approximately unbiased for the median of any distribution.
    MedianUnbiased,
    /// Type 9: approximately unbiased for normal data.
    NormalUnbiased,
}

impl QuantileType {
    /// All nine, type 1 first.
    pub const ALL: [Self; 9] = [
        Self::NearestRank,
        Self::AveragedRank,
        Self::ClosestObservation,
        Self::InterpolatedInverse,
        Self::Hazen,
        Self::Weibull,
        Self::Linear,
        Self::MedianUnbiased,
        Self::NormalUnbiased,
    ];

    /// The number Hyndman and Fan gave it, 1 to 9.
    pub fn number(self) -> u8 {
        match self {
            Self::NearestRank => 1,
            Self::AveragedRank => 2,
            Self::ClosestObservation => 3,
            Self::InterpolatedInverse => 4,
            Self::Hazen => 5,
            Self::Weibull => 6,
            Self::Linear => 7,
            Self::MedianUnbiased => 8,
            Self::NormalUnbiased => 9,
        }
    }

    /// The quantile at `p`, which is clamped to 0..=1.
    pub fn quantile(self, sorted: &Sorted, p: f64) -> f64 {
        let n = to_f64(sorted.values().len());
        let p = p.clamp(0.0, 1.0);
        match self {
            Self::NearestRank => step(sorted, n * p, |_, fraction| f64::from(fraction > 0.0)),
            Self::AveragedRank => step(
                sorted,
                n * p,
                |_, fraction| if fraction > 0.0 { 1.0 } else { 0.5 },
            ),
            Self::ClosestObservation => step(sorted, n * p - 0.5, |rank, fraction| {
                f64::from(fraction > 0.0 || rank.rem_euclid(2.0) > 0.5)
            }),
            Self::InterpolatedInverse => interpolate(sorted, n * p),
            Self::Hazen => interpolate(sorted, n * p + 0.5),
            Self::Weibull => interpolate(sorted, (n + 1.0) * p),
            Self::Linear => interpolate(sorted, (n - 1.0) * p + 1.0),
            Self::MedianUnbiased => interpolate(sorted, (n + 1.0 / 3.0) * p + 1.0 / 3.0),
            Self::NormalUnbiased => interpolate(sorted, (n + 0.25) * p + 0.375),
        }
    }
}

/// The median: the middle value, or the mean of the two in the middle.
pub fn median(sorted: &Sorted) -> f64 {
    QuantileType::Linear.quantile(sorted, 0.5)
}

/// Splits a position into its rank and fraction; what rounding left of a whole number is dropped,
/// so that 0.35 * 20 is the 7th value and not "a little past" it.
fn split(position: f64) -> (f64, f64) {
    let slack = 4.0 * f64::EPSILON * position.abs().max(1.0);
    let rank = (position + slack).floor();
    let fraction = position - rank;
    (
        rank,
        if fraction.abs() < slack {
            0.0
        } else {
            fraction
        },
    )
}

fn step(sorted: &Sorted, position: f64, weight: impl Fn(f64, f64) -> f64) -> f64 {
    let (rank, fraction) = split(position);
    blend(sorted, rank, weight(rank, fraction))
}

fn interpolate(sorted: &Sorted, position: f64) -> f64 {
    let (rank, fraction) = split(position);
    blend(sorted, rank, fraction)
}

/// `x[rank] + weight * (x[rank + 1] - x[rank])` with ranks counted from 1 and clamped to the sample.
fn blend(sorted: &Sorted, rank: f64, weight: f64) -> f64 {
    let (low, high) = (at(sorted, rank), at(sorted, rank + 1.0));
    // Both ends exactly, and no overflow of the difference of two huge values.
    if weight <= 0.0 || low.to_bits() == high.to_bits() {
        low
    } else if weight >= 1.0 {
        high
    } else {
        (1.0 - weight) * low + weight * high
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to the indices of the sample first"
)]
fn at(sorted: &Sorted, rank: f64) -> f64 {
    let values = sorted.values();
    values[(rank - 1.0).clamp(0.0, to_f64(values.len() - 1)) as usize]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Sample;

    fn sorted(values: &[f64]) -> Sorted {
        Sample::try_from(values).unwrap().sorted()
    }

    #[test]
    fn every_type_stays_between_the_extremes_and_reaches_them() {
        let sorted = sorted(&[5.0, 1.0, 2.0]);
        for kind in QuantileType::ALL {
            assert_eq!(kind.quantile(&sorted, 0.0), 1.0, "{kind:?}");
            assert_eq!(kind.quantile(&sorted, 1.0), 5.0, "{kind:?}");
            assert_eq!(kind.quantile(&sorted, 7.0), 5.0, "{kind:?}");
        }
    }

    #[test]
    fn one_value_is_every_quantile_of_itself() {
        for kind in QuantileType::ALL {
            assert_eq!(kind.quantile(&sorted(&[3.0]), 0.9), 3.0);
        }
    }

    #[test]
    fn a_product_that_rounds_up_does_not_skip_a_rank() {
        let sorted = sorted(&(1..=100).map(f64::from).collect::<Vec<_>>());
        assert_eq!(QuantileType::NearestRank.quantile(&sorted, 0.07), 7.0);
        assert_eq!(QuantileType::NearestRank.quantile(&sorted, 0.14), 14.0);
    }

    #[test]
    fn the_median_of_an_even_count_is_the_middle_of_two() {
        assert_eq!(median(&sorted(&[4.0, 1.0, 3.0, 2.0])), 2.5);
    }
}
