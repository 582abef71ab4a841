//! Mean, standard deviation and lag-1 autocorrelation, accurate where textbook formulas are not.

use crate::Sample;

/// First and second moments of a sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moments {
    /// How many values.
    pub n: usize,
    /// Arithmetic mean.
    pub mean: f64,
    /// Standard deviation with divisor n - 1; absent for one value, which says nothing of spread.
    pub sd: Option<f64>,
    /// Autocorrelation at lag 1; absent for fewer than two values or without any spread.
    pub lag1: Option<f64>,
}

impl Moments {
    /// Computes the moments in two passes with compensated sums.
    ///
    /// The second pass works on deviations from the mean kept to twice the working precision, so
    /// that a large common offset costs no digits beyond those the input itself has lost.
    pub fn of(sample: &Sample) -> Self {
        let values = sample.values();
        let (mean, rest) = precise_mean(values);
        let deviations: Vec<f64> = values.iter().map(|value| (value - mean) - rest).collect();
        let squares = compensated_sum(deviations.iter().map(|d| d * d));
        let drift = compensated_sum(deviations.iter().copied());
        let n = to_f64(values.len());
        let spread = (squares - drift * drift / n).max(0.0);
        let products = compensated_sum(deviations.windows(2).map(|pair| pair[0] * pair[1]));
        Self {
            n: values.len(),
            mean: mean + rest,
            sd: (values.len() > 1).then(|| (spread / (n - 1.0)).sqrt()),
            lag1: (values.len() > 1 && spread > 0.0).then(|| products / spread),
        }
    }

    /// Coefficient of variation, sd / |mean|; absent without a spread or with a mean of zero.
    pub fn cv(&self) -> Option<f64> {
        let ratio = self.sd? / self.mean.abs();
        ratio.is_finite().then_some(ratio)
    }
}

/// The arithmetic mean of a sample.
pub fn mean(sample: &Sample) -> f64 {
    let (mean, rest) = precise_mean(sample.values());
    mean + rest
}

/// The sum of all terms, with the rounding error of every addition carried along (Neumaier 1974).
pub fn compensated_sum(terms: impl IntoIterator<Item = f64>) -> f64 {
    let (mut sum, mut lost) = (0.0_f64, 0.0_f64);
    for term in terms {
        let next = sum + term;
        lost += if sum.abs() >= term.abs() {
            (sum - next) + term
        } else {
            (term - next) + sum
        };
        sum = next;
    }
    sum + lost
}

/// A count as a floating-point number.
#[expect(
    clippy::cast_precision_loss,
    reason = "counts of measurements stay far below 2^53"
)]
pub(crate) fn to_f64(count: usize) -> f64 {
    count as f64
}

fn precise_mean(values: &[f64]) -> (f64, f64) {
    let n = to_f64(values.len());
    let mean = compensated_sum(values.iter().map(|value| value / n));
    let rest = compensated_sum(values.iter().map(|value| value - mean)) / n;
    (mean, rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(values: &[f64]) -> Moments {
        Moments::of(&Sample::try_from(values).unwrap())
    }

    #[test]
    fn one_value_has_a_mean_and_no_spread() {
        let one = moments(&[4.0]);
        assert_eq!(
            (one.mean, one.sd, one.lag1, one.cv()),
            (4.0, None, None, None)
        );
    }

    #[test]
    fn equal_values_have_spread_zero_and_no_autocorrelation() {
        let flat = moments(&[0.1, 0.1, 0.1]);
        assert_eq!((flat.sd, flat.lag1), (Some(0.0), None));
    }

    #[test]
    fn a_mean_of_zero_has_no_coefficient_of_variation() {
        assert_eq!(moments(&[-1.0, 1.0]).cv(), None);
        assert_eq!(moments(&[-2.0, -2.0]).cv(), Some(0.0));
    }

    #[test]
    fn what_plain_summation_loses_is_carried_along() {
        assert_eq!(compensated_sum([1.0, 1e100, 1.0, -1e100]), 2.0);
    }

    #[test]
    fn the_mean_of_huge_values_does_not_overflow() {
        assert_eq!(moments(&[f64::MAX, f64::MAX]).mean, f64::MAX);
    }
}
