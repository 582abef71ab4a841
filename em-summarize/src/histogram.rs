//! Latency histograms: merged, never averaged.
//!
//! The wire form is the encoded HDR V2 blob (plain or compressed) that load drivers and HDR tools
//! of every language write. A histogram knows a value only to its cell, so the exact smallest and
//! largest value travel beside it.

use hdrhistogram::serialization::Deserializer;

use crate::interval::{Interval, IntervalMethod, order_ranks};

/// One or more HDR histograms merged into one, with values scaled to the metric's unit.
#[derive(Debug, Clone)]
pub struct Merged {
    counts: hdrhistogram::Histogram<u64>,
    unit: f64,
    exact: Option<(f64, f64)>,
}

/// A histogram as it is stored.
#[derive(Debug, Clone, Copy)]
pub struct Encoded<'a> {
    /// The HDR V2 blob, plain or deflated.
    pub blob: &'a [u8],
    /// What one count of the blob's integer values is worth in the metric's unit: 1e-9 for
    /// nanoseconds in a metric of seconds.
    pub unit: f64,
    /// The exact smallest and largest value in the metric's unit, where the writer knew them.
    pub exact: Option<(f64, f64)>,
}

/// Why a histogram cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum HistogramError {
    /// The bytes are no HDR V2 histogram.
    #[error("cannot decode an HDR V2 histogram from {bytes} bytes: {reason}")]
    Malformed {
        /// Length of the blob.
        bytes: usize,
        /// What the decoder said.
        reason: String,
    },
    /// Two histograms count in different units.
    #[error("cannot merge a histogram in units of {other} into one in units of {unit}")]
    Units {
        /// Unit of the first.
        unit: f64,
        /// Unit of the other.
        other: f64,
    },
    /// The counts of both together do not fit.
    #[error("cannot merge two histograms: {reason}")]
    Overflow {
        /// What does not fit.
        reason: String,
    },
}

impl Merged {
    /// Decodes one histogram.
    ///
    /// # Errors
    /// [`HistogramError::Malformed`] when the bytes are none.
    pub fn decode(encoded: &Encoded<'_>) -> Result<Self, HistogramError> {
        let mut counts: hdrhistogram::Histogram<u64> = Deserializer::new()
            .deserialize(&mut std::io::Cursor::new(encoded.blob))
            .map_err(|error| HistogramError::Malformed {
                bytes: encoded.blob.len(),
                reason: error.to_string(),
            })?;
        counts.auto(true);
        Ok(Self {
            counts,
            unit: encoded.unit,
            exact: encoded.exact,
        })
    }

    /// Adds all that another histogram has counted.
    ///
    /// # Errors
    /// When units differ or the sum does not fit.
    pub fn merge(&mut self, other: &Self) -> Result<(), HistogramError> {
        if self.unit.to_bits() != other.unit.to_bits() {
            return Err(HistogramError::Units {
                unit: self.unit,
                other: other.unit,
            });
        }
        let exact = self.extremes_with(other);
        self.counts
            .add(&other.counts)
            .map_err(|error| HistogramError::Overflow {
                reason: error.to_string(),
            })?;
        self.exact = exact;
        Ok(())
    }

    /// How many values were counted.
    pub fn count(&self) -> u64 {
        self.counts.len()
    }

    /// The quantile at `p` by nearest rank: the top of the cell that holds rank ceil(p n), but
    /// never outside the exact extremes. Absent without any value.
    pub fn quantile(&self, p: f64) -> Option<f64> {
        let value = (!self.counts.is_empty()).then(|| self.counts.value_at_quantile(p))?;
        Some(self.clamped(value))
    }

    /// Interval of the quantile `p` from the order of the values, as if they were independent.
    ///
    /// Requests of one run are not: this interval speaks of the requests counted, not of the next
    /// deployment. With too few values it is one-sided.
    pub fn quantile_interval(&self, p: f64, confidence: f64) -> Interval {
        let ranks = order_ranks(self.count(), p, confidence);
        Interval {
            low: ranks.low.and_then(|rank| self.at_rank(rank, Edge::Bottom)),
            high: ranks.high.and_then(|rank| self.at_rank(rank, Edge::Top)),
            confidence,
            method: IntervalMethod::OrderStatistics,
            effective_n: as_f64(self.count()),
        }
    }

    /// The mean of all values, each taken as the middle of its cell; absent without any value.
    pub fn mean(&self) -> Option<f64> {
        (!self.counts.is_empty()).then(|| self.counts.mean() * self.unit)
    }

    /// Standard deviation of the values (divisor n - 1), each taken as the middle of its cell;
    /// absent for fewer than two.
    pub fn sd(&self) -> Option<f64> {
        let n = as_f64(self.count());
        (n > 1.0).then(|| self.counts.stdev() * self.unit * (n / (n - 1.0)).sqrt())
    }

    /// The smallest value: exact where known, else the bottom of the lowest cell in use.
    pub fn min(&self) -> Option<f64> {
        let bottom = (!self.counts.is_empty()).then(|| self.counts.min())?;
        Some(
            self.exact
                .map_or(as_f64(bottom) * self.unit, |(min, _)| min),
        )
    }

    /// The largest value: exact where known, else the top of the highest cell in use.
    pub fn max(&self) -> Option<f64> {
        let top = (!self.counts.is_empty()).then(|| self.counts.max())?;
        Some(self.exact.map_or(as_f64(top) * self.unit, |(_, max)| max))
    }

    fn at_rank(&self, rank: u64, edge: Edge) -> Option<f64> {
        let mut seen = 0;
        for cell in self.counts.iter_recorded() {
            seen += cell.count_since_last_iteration();
            if seen >= rank {
                let value = cell.value_iterated_to();
                return Some(self.clamped(match edge {
                    Edge::Bottom => self.counts.lowest_equivalent(value),
                    Edge::Top => self.counts.highest_equivalent(value),
                }));
            }
        }
        None
    }

    fn clamped(&self, cell: u64) -> f64 {
        let value = as_f64(cell) * self.unit;
        match self.exact {
            Some((min, max)) => value.min(max).max(min),
            None => value,
        }
    }

    fn extremes_with(&self, other: &Self) -> Option<(f64, f64)> {
        if self.counts.is_empty() {
            return other.exact;
        }
        if other.counts.is_empty() {
            return self.exact;
        }
        let ((min, max), (other_min, other_max)) = (self.exact?, other.exact?);
        Some((min.min(other_min), max.max(other_max)))
    }
}

/// Which end of a cell stands for the values in it.
#[derive(Debug, Clone, Copy)]
enum Edge {
    Bottom,
    Top,
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts and cell values stay far below 2^53"
)]
fn as_f64(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use hdrhistogram::serialization::{Serializer, V2DeflateSerializer, V2Serializer};

    fn histogram(values: impl IntoIterator<Item = u64>) -> hdrhistogram::Histogram<u64> {
        let mut histogram = hdrhistogram::Histogram::new_with_bounds(1, 3_600_000_000, 3).unwrap();
        for value in values {
            histogram.record(value).unwrap();
        }
        histogram
    }

    fn blob(values: impl IntoIterator<Item = u64>) -> Vec<u8> {
        let mut bytes = Vec::new();
        V2DeflateSerializer::new()
            .serialize(&histogram(values), &mut bytes)
            .unwrap();
        bytes
    }

    fn merged(values: impl IntoIterator<Item = u64>, exact: Option<(f64, f64)>) -> Merged {
        Merged::decode(&Encoded {
            blob: &blob(values),
            unit: 1e-6,
            exact,
        })
        .unwrap()
    }

    #[test]
    fn plain_and_compressed_blobs_are_both_read() {
        let mut plain = Vec::new();
        V2Serializer::new()
            .serialize(&histogram([1000, 2000]), &mut plain)
            .unwrap();
        let read = Merged::decode(&Encoded {
            blob: &plain,
            unit: 1.0,
            exact: None,
        })
        .unwrap();
        assert_eq!(read.count(), 2);
        assert_eq!(merged([1000, 2000], None).count(), 2);
    }

    #[test]
    fn bytes_that_are_no_histogram_are_refused() {
        for bytes in [&b""[..], b"junk", &blob([1])[..9]] {
            let error = Merged::decode(&Encoded {
                blob: bytes,
                unit: 1.0,
                exact: None,
            });
            assert!(
                matches!(error, Err(HistogramError::Malformed { .. })),
                "{error:?}"
            );
        }
    }

    #[test]
    fn the_percentile_of_merged_windows_is_that_of_all_values_together() {
        let windows =
            (0..10_u64).map(|w| (0..500).map(move |i| 100 + (i * 37 + w * w * 11) % 5000));
        let mut pooled = merged([], None);
        for window in windows.clone() {
            pooled.merge(&merged(window, None)).unwrap();
        }
        let mut all: Vec<u64> = windows.flatten().collect();
        all.sort_unstable();
        for (p, rank) in [(0.5, 2500), (0.9, 4500), (0.99, 4950), (0.999, 4995)] {
            let want = as_f64(all[rank - 1]) * 1e-6;
            let got = pooled.quantile(p).unwrap();
            assert!((got / want - 1.0).abs() < 1e-3, "p{p}: {got} {want}");
        }
    }

    #[test]
    fn one_bad_window_is_not_averaged_away() {
        let mut pooled = merged(vec![1000; 900], None);
        pooled.merge(&merged(vec![50_000; 100], None)).unwrap();
        assert!(pooled.quantile(0.99).unwrap() > 0.049);
    }

    #[test]
    fn extremes_are_exact_and_quantiles_never_pass_them() {
        let one = merged([999_990], Some((0.999_990, 0.999_990)));
        assert_eq!((one.min(), one.max()), (Some(0.999_990), Some(0.999_990)));
        assert_eq!(one.quantile(0.5), Some(0.999_990));
        assert!(merged([999_990], None).quantile(0.5).unwrap() > 0.999_990);
    }

    #[test]
    fn extremes_survive_a_merge_only_when_both_sides_know_them() {
        let mut known = merged([1000], Some((0.001, 0.001)));
        known.merge(&merged([3000], Some((0.003, 0.003)))).unwrap();
        assert_eq!((known.min(), known.max()), (Some(0.001), Some(0.003)));
        known.merge(&merged([9000], None)).unwrap();
        assert!(known.max().unwrap() >= 0.009);
    }

    #[test]
    fn a_value_above_the_range_of_the_first_widens_it() {
        let mut small = hdrhistogram::Histogram::<u64>::new_with_bounds(1, 1000, 3).unwrap();
        small.record(10).unwrap();
        let mut bytes = Vec::new();
        V2Serializer::new().serialize(&small, &mut bytes).unwrap();
        let mut first = Merged::decode(&Encoded {
            blob: &bytes,
            unit: 1e-6,
            exact: None,
        })
        .unwrap();
        first.merge(&merged([3_000_000_000], None)).unwrap();
        assert!((first.quantile(1.0).unwrap() / 3000.0 - 1.0).abs() < 1e-3);
    }

    #[test]
    fn different_units_do_not_mix() {
        let other = Merged::decode(&Encoded {
            blob: &blob([1]),
            unit: 1e-3,
            exact: None,
        })
        .unwrap();
        let error = merged([1], None).merge(&other).unwrap_err();
        assert_eq!(
            error,
            HistogramError::Units {
                unit: 1e-6,
                other: 1e-3
            }
        );
    }

    #[test]
    fn an_empty_histogram_has_no_statistics() {
        let empty = merged([], None);
        assert_eq!(
            (empty.count(), empty.quantile(0.5), empty.mean()),
            (0, None, None)
        );
        assert_eq!((empty.min(), empty.max(), empty.sd()), (None, None, None));
        assert_eq!(empty.quantile_interval(0.5, 0.95).low, None);
    }

    #[test]
    fn a_percentile_of_few_requests_is_bounded_on_one_side_only() {
        let few = merged((1..=100).map(|i| i * 1000), None);
        let interval = few.quantile_interval(0.99, 0.95);
        assert!(interval.low.is_some() && interval.high.is_none());
        let many = merged((1..=1000).map(|i| i * 1000), None);
        let interval = many.quantile_interval(0.99, 0.95);
        assert!(interval.low < many.quantile(0.99) && interval.high > many.quantile(0.99));
    }

    #[test]
    fn corrected_stalls_read_as_published() {
        // The vector of HdrHistogram's own tests: 10,000 of 1,000 and one of 100,000,000.
        let mut raw = hdrhistogram::Histogram::<u64>::new_with_max(3_600_000_000, 3).unwrap();
        raw.record_n(1000, 10_000).unwrap();
        raw.record(100_000_000).unwrap();
        let corrected = raw.clone_correct(10_000);
        let read = |source: &hdrhistogram::Histogram<u64>| {
            let mut bytes = Vec::new();
            V2DeflateSerializer::new()
                .serialize(source, &mut bytes)
                .unwrap();
            Merged::decode(&Encoded {
                blob: &bytes,
                unit: 1.0,
                exact: None,
            })
            .unwrap()
        };
        assert!((read(&raw).quantile(0.9999).unwrap() / 1000.0 - 1.0).abs() < 1e-3);
        for (p, want) in [(0.5, 1e3), (0.75, 5e7), (0.9, 8e7), (0.99, 9.8e7)] {
            let got = read(&corrected).quantile(p).unwrap();
            assert!((got / want - 1.0).abs() < 1e-3, "p{p}: {got}");
        }
    }
}
