//! Values that statistics may be computed from: at least one, all finite.

/// A set of measured values: at least one, all of them finite.
///
/// Everything in this crate that divides by a count or sorts takes a `Sample`, so that neither an
/// empty set nor a NaN can reach the arithmetic.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample(Vec<f64>);

/// Why a set of values is no [`Sample`].
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SampleError {
    /// There is no value at all.
    #[error("no value to summarize: the sample is empty")]
    Empty,
    /// One of the values is NaN or infinite.
    #[error("value {index} of the sample is {value}: only finite numbers can be summarized")]
    NotFinite {
        /// Position of the first such value, counted from 0.
        index: usize,
        /// The value itself.
        value: f64,
    },
}

impl Sample {
    /// The values in the order they were measured.
    pub fn values(&self) -> &[f64] {
        &self.0
    }

    /// How many values there are; never 0.
    #[expect(clippy::len_without_is_empty, reason = "a sample is never empty")]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The values in ascending order.
    pub fn sorted(&self) -> Sorted {
        let mut values = self.0.clone();
        values.sort_unstable_by(f64::total_cmp);
        Sorted(values)
    }

    /// The value measured last.
    pub fn last(&self) -> f64 {
        self.0[self.0.len() - 1]
    }
}

impl TryFrom<Vec<f64>> for Sample {
    type Error = SampleError;

    fn try_from(values: Vec<f64>) -> Result<Self, SampleError> {
        if values.is_empty() {
            return Err(SampleError::Empty);
        }
        match values.iter().position(|value| !value.is_finite()) {
            Some(index) => Err(SampleError::NotFinite {
                index,
                value: values[index],
            }),
            None => Ok(Self(values)),
        }
    }
}

impl TryFrom<&[f64]> for Sample {
    type Error = SampleError;

    fn try_from(values: &[f64]) -> Result<Self, SampleError> {
        Self::try_from(values.to_vec())
    }
}

/// The values of a [`Sample`] in ascending order; made by [`Sample::sorted`] only.
#[derive(Debug, Clone, PartialEq)]
pub struct Sorted(Vec<f64>);

impl Sorted {
    /// The values, smallest first.
    pub fn values(&self) -> &[f64] {
        &self.0
    }

    /// The smallest value.
    pub fn min(&self) -> f64 {
        self.0[0]
    }

    /// The largest value.
    pub fn max(&self) -> f64 {
        self.0[self.0.len() - 1]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_no_sample() {
        assert_eq!(Sample::try_from(vec![]), Err(SampleError::Empty));
    }

    #[test]
    fn the_first_value_that_is_not_finite_is_named() {
        let error = Sample::try_from(vec![1.0, f64::INFINITY, f64::NAN]).unwrap_err();
        assert_eq!(
            error,
            SampleError::NotFinite {
                index: 1,
                value: f64::INFINITY
            }
        );
        let error = Sample::try_from(vec![f64::NAN]).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("value 0 of the sample is NaN"),
            "{error}"
        );
    }

    #[test]
    fn sorting_leaves_the_order_of_measurement_alone() {
        let sample = Sample::try_from(vec![3.0, -1.0, 2.0]).unwrap();
        assert_eq!(sample.sorted().values(), [-1.0, 2.0, 3.0]);
        assert_eq!(sample.values(), [3.0, -1.0, 2.0]);
        assert_eq!(
            (sample.sorted().min(), sample.sorted().max(), sample.last()),
            (-1.0, 3.0, 2.0)
        );
    }
}
