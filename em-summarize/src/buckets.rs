//! Cumulative buckets, as Prometheus keeps them: a quantile is known to its bucket only.

/// Counts at or below ascending upper bounds; the last bound is infinite.
#[derive(Debug, Clone, PartialEq)]
pub struct Buckets(Vec<(f64, f64)>);

/// Why a set of buckets has no quantiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BucketsError {
    /// The bucket without an upper bound is missing, so the total is unknown.
    #[error("the buckets lack the one with bound +Inf: the total count is unknown")]
    NoInfiniteBound,
    /// A bound is NaN or appears twice, or a count is negative or not finite.
    #[error("bucket {index} has a bound or count that makes no sense")]
    Malformed {
        /// Position in ascending order of bounds.
        index: usize,
    },
}

/// A quantile read from buckets.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BucketQuantile {
    /// The interpolated value; in the infinite bucket the highest finite bound.
    pub value: f64,
    /// Lower edge of the bucket: the true quantile is not below.
    pub low: f64,
    /// Upper edge of the bucket; absent for the infinite one.
    pub high: Option<f64>,
}

impl Buckets {
    /// Takes pairs of upper bound and cumulative count, in any order.
    ///
    /// Counts that fall from one bound to the next, as races between scrapes make them, are raised
    /// to the one before.
    ///
    /// # Errors
    /// See [`BucketsError`].
    pub fn new(mut pairs: Vec<(f64, f64)>) -> Result<Self, BucketsError> {
        pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
        let broken = |index: usize| {
            let (bound, count) = pairs[index];
            bound.is_nan()
                || !count.is_finite()
                || count < 0.0
                || (index > 0 && pairs[index - 1].0 >= bound)
        };
        if let Some(index) = (0..pairs.len()).find(|index| broken(*index)) {
            return Err(BucketsError::Malformed { index });
        }
        if pairs.last().is_none_or(|(bound, _)| *bound < f64::INFINITY) {
            return Err(BucketsError::NoInfiniteBound);
        }
        let mut highest = 0.0_f64;
        for (_, count) in &mut pairs {
            highest = highest.max(*count);
            *count = highest;
        }
        Ok(Self(pairs))
    }

    /// How many values all buckets hold.
    pub fn count(&self) -> f64 {
        self.0[self.0.len() - 1].1
    }

    /// The quantile at `p`, linear inside its bucket from the lower edge (0 for a first bucket
    /// with a positive bound), as Prometheus does. Absent without any value, or when only the
    /// infinite bucket exists.
    pub fn quantile(&self, p: f64) -> Option<BucketQuantile> {
        let total = self.count();
        if total <= 0.0 || self.0.len() < 2 {
            return None;
        }
        let rank = p.clamp(0.0, 1.0) * total;
        let index = self.0.iter().position(|(_, count)| *count >= rank)?;
        let (high, count) = self.0[index];
        let (low, before) = match index {
            0 if high > 0.0 => (0.0, 0.0),
            0 => {
                return Some(BucketQuantile {
                    value: high,
                    low: f64::NEG_INFINITY,
                    high: Some(high),
                });
            }
            _ => self.0[index - 1],
        };
        if high.is_infinite() {
            return Some(BucketQuantile {
                value: low,
                low,
                high: None,
            });
        }
        let inside = count - before;
        let share = if inside > 0.0 {
            (rank - before) / inside
        } else {
            0.0
        };
        Some(BucketQuantile {
            value: low + (high - low) * share,
            low,
            high: Some(high),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buckets() -> Buckets {
        Buckets::new(vec![(0.25, 95.0), (0.1, 50.0), (f64::INFINITY, 100.0)]).unwrap()
    }

    #[test]
    fn quantiles_agree_with_promtool() {
        // promtool 2.42: histogram_quantile of 50/95/100 at .1/.25/+Inf.
        assert!((buckets().quantile(0.9).unwrap().value - 0.233_333_333_333_333_34).abs() < 1e-15);
        assert_eq!(buckets().quantile(0.99).unwrap().value, 0.25);
    }

    #[test]
    fn a_quantile_says_what_the_bucket_allows() {
        let inside = buckets().quantile(0.9).unwrap();
        assert_eq!((inside.low, inside.high), (0.1, Some(0.25)));
        let beyond = buckets().quantile(0.99).unwrap();
        assert_eq!((beyond.low, beyond.high), (0.25, None));
        assert_eq!(buckets().quantile(0.0).unwrap().low, 0.0);
    }

    #[test]
    fn counts_that_fall_are_raised() {
        let raced = Buckets::new(vec![(1.0, 10.0), (2.0, 9.0), (f64::INFINITY, 20.0)]).unwrap();
        assert_eq!(raced.quantile(0.5).unwrap().value, 1.0);
    }

    #[test]
    fn buckets_without_a_total_or_with_nonsense_are_refused() {
        assert_eq!(
            Buckets::new(vec![(1.0, 5.0)]),
            Err(BucketsError::NoInfiniteBound)
        );
        assert_eq!(Buckets::new(vec![]), Err(BucketsError::NoInfiniteBound));
        let twice = Buckets::new(vec![(1.0, 5.0), (1.0, 6.0), (f64::INFINITY, 7.0)]);
        assert_eq!(twice, Err(BucketsError::Malformed { index: 1 }));
        let negative = Buckets::new(vec![(1.0, -5.0), (f64::INFINITY, 7.0)]);
        assert_eq!(negative, Err(BucketsError::Malformed { index: 0 }));
    }

    #[test]
    fn no_value_has_no_quantile() {
        let empty = Buckets::new(vec![(1.0, 0.0), (f64::INFINITY, 0.0)]).unwrap();
        assert_eq!(empty.quantile(0.5), None);
    }
}
