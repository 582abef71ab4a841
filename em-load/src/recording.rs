//! A distribution of times: an HDR histogram with the exact extremes and sum beside it.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{
    Deserializer, Serializer as _, V2DeflateSerializer, V2Serializer,
};

use crate::moment::saturating_nanos;

/// Times in nanoseconds, to three significant digits, from 1 ns to an hour.
///
/// The histogram alone answers bucket edges for its extremes, so the exact smallest and largest
/// value and the exact sum are kept beside it. Merging is exact: the percentiles of a merged
/// recording are those of the pooled data, within one bucket (0.1 %).
#[derive(Debug, Clone, PartialEq)]
pub struct Recording {
    histogram: Histogram<u64>,
    shortest: Duration,
    longest: Duration,
    sum: Duration,
    /// In square nanoseconds: integers, so that merging is exact in any order.
    sum_of_squares: u128,
}

/// Why an encoded recording cannot be read back.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordingError {
    /// The text is not base64.
    #[error("failed to read a histogram: it is not base64")]
    Text(#[source] base64::DecodeError),
    /// The bytes are not an HDR histogram of format V2.
    #[error("failed to read a histogram: it is not an HDR histogram of format V2")]
    Format(#[source] hdrhistogram::serialization::DeserializeError),
    /// The histogram covers another range than recordings do.
    #[error("failed to read a histogram: it was not recorded in ns from 1 ns to 1 h")]
    Range,
}

const LONGEST_NANOS: u64 = 3_600_000_000_000;

impl Recording {
    /// Holds nothing yet.
    pub fn new() -> Self {
        Self {
            histogram: empty(),
            shortest: Duration::MAX,
            longest: Duration::ZERO,
            sum: Duration::ZERO,
            sum_of_squares: 0,
        }
    }

    /// Adds one time. Times beyond an hour count as an hour in the percentiles.
    pub fn record(&mut self, time: Duration) {
        self.record_n(time, 1);
    }

    /// Adds the same time `n` times.
    pub fn record_n(&mut self, time: Duration, n: u64) {
        if n == 0 {
            return;
        }
        self.histogram
            .saturating_record_n(saturating_nanos(time).clamp(1, LONGEST_NANOS), n);
        self.shortest = self.shortest.min(time);
        self.longest = self.longest.max(time);
        let nanos = time.as_nanos().saturating_mul(u128::from(n));
        self.sum = self.sum.saturating_add(duration_of_nanos(nanos));
        let squares = nanos.saturating_mul(time.as_nanos());
        self.sum_of_squares = self.sum_of_squares.saturating_add(squares);
    }

    /// Pools `other` into this recording.
    pub fn merge(&mut self, other: &Self) {
        // Cannot fail: all recordings share one range.
        let added = self.histogram.add(&other.histogram);
        debug_assert!(added.is_ok());
        self.shortest = self.shortest.min(other.shortest);
        self.longest = self.longest.max(other.longest);
        self.sum = self.sum.saturating_add(other.sum);
        self.sum_of_squares = self.sum_of_squares.saturating_add(other.sum_of_squares);
    }

    /// How many times were recorded.
    pub fn count(&self) -> u64 {
        self.histogram.len()
    }

    /// The smallest value whose rank is at least `quantile` of the count (nearest rank, then the
    /// upper edge of its bucket), kept within the exact extremes. `None` when empty.
    pub fn quantile(&self, quantile: f64) -> Option<Duration> {
        let edge = Duration::from_nanos(self.histogram.value_at_quantile(quantile));
        (self.count() > 0).then(|| edge.clamp(self.shortest, self.longest))
    }

    /// The exact smallest value.
    pub fn min(&self) -> Option<Duration> {
        (self.count() > 0).then_some(self.shortest)
    }

    /// The exact largest value.
    pub fn max(&self) -> Option<Duration> {
        (self.count() > 0).then_some(self.longest)
    }

    /// The exact mean.
    pub fn mean(&self) -> Option<Duration> {
        let nanos = self.sum.as_nanos().checked_div(u128::from(self.count()))?;
        Some(duration_of_nanos(nanos))
    }

    /// The exact sum of all values.
    pub fn sum(&self) -> Duration {
        self.sum
    }

    /// The histogram, values in nanoseconds.
    pub fn histogram(&self) -> &Histogram<u64> {
        &self.histogram
    }

    /// The histogram as compressed HDR V2 bytes in base64: what other HDR tools read.
    pub fn to_base64(&self) -> String {
        let mut bytes = Vec::new();
        // Cannot fail: it writes to memory, and the range is far below the format's limit.
        let written = V2DeflateSerializer::new().serialize(&self.histogram, &mut bytes);
        debug_assert!(written.is_ok());
        BASE64.encode(bytes)
    }

    /// Reads [`Recording::to_base64`] back; the exact extremes and sum travel beside it.
    pub fn from_base64(text: &str, exact: Exact) -> Result<Self, RecordingError> {
        let bytes = BASE64.decode(text).map_err(RecordingError::Text)?;
        Self::from_bytes(&bytes, exact)
    }

    /// Reads an HDR V2 histogram, compressed or not.
    fn from_bytes(bytes: &[u8], exact: Exact) -> Result<Self, RecordingError> {
        let read: Histogram<u64> = Deserializer::new()
            .deserialize(&mut &*bytes)
            .map_err(RecordingError::Format)?;
        if (read.low(), read.sigfig()) != (1, 3) || read.high() < LONGEST_NANOS {
            return Err(RecordingError::Range);
        }
        let mut recording = Self::new();
        recording
            .histogram
            .add(&read)
            .map_err(|_| RecordingError::Range)?;
        if recording.count() > 0 {
            recording.shortest = exact.min;
            recording.longest = exact.max;
            recording.sum = exact.sum;
            recording.sum_of_squares = exact.sum_of_squares;
        }
        Ok(recording)
    }

    /// The compact form, for keeping.
    pub fn pack(&self) -> Packed {
        let mut histogram = Vec::new();
        // Cannot fail: see `to_base64`.
        let written = V2Serializer::new().serialize(&self.histogram, &mut histogram);
        debug_assert!(written.is_ok());
        Packed {
            histogram,
            count: self.count(),
            exact: self.exact(),
        }
    }

    /// The numbers that the histogram only knows to three digits.
    pub fn exact(&self) -> Option<Exact> {
        (self.count() > 0).then_some(Exact {
            min: self.shortest,
            max: self.longest,
            sum: self.sum,
            sum_of_squares: self.sum_of_squares,
        })
    }
}

impl Default for Recording {
    fn default() -> Self {
        Self::new()
    }
}

/// Exact extremes and sum of a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Exact {
    /// Smallest value.
    pub min: Duration,
    /// Largest value.
    pub max: Duration,
    /// Sum of all values.
    pub sum: Duration,
    /// Sum of the squares of all values, in square nanoseconds.
    pub sum_of_squares: u128,
}

/// A [`Recording`] in its compact form.
#[derive(Debug, Clone, PartialEq)]
pub struct Packed {
    histogram: Vec<u8>,
    count: u64,
    exact: Option<Exact>,
}

impl Packed {
    /// HDR histogram, format V2 without compression (runs of empty buckets take a byte or two
    /// anyway), values in nanoseconds.
    pub fn histogram(&self) -> &[u8] {
        &self.histogram
    }

    /// How many times were recorded.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Exact extremes and sum; `None` when empty.
    pub fn exact(&self) -> Option<Exact> {
        self.exact
    }

    /// The recording again, unchanged.
    pub fn unpack(&self) -> Recording {
        let exact = self.exact.unwrap_or_default();
        let read = Recording::from_bytes(&self.histogram, exact);
        debug_assert!(read.is_ok(), "packed by `Recording::pack`");
        read.unwrap_or_default()
    }
}

fn empty() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LONGEST_NANOS, 3).expect("1 <= low, 2 * low <= high, 3 <= 5")
}

fn duration_of_nanos(nanos: u128) -> Duration {
    const NANOS_PER_SECOND: u128 = 1_000_000_000;
    let seconds = u64::try_from(nanos / NANOS_PER_SECOND).unwrap_or(u64::MAX);
    let rest = u32::try_from(nanos % NANOS_PER_SECOND).expect("less than 10^9");
    Duration::new(seconds, rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_micros(micros: impl IntoIterator<Item = u64>) -> Recording {
        let mut recording = Recording::new();
        micros
            .into_iter()
            .for_each(|us| recording.record(Duration::from_micros(us)));
        recording
    }

    #[test]
    fn extremes_and_mean_are_exact_where_the_histogram_only_knows_buckets() {
        let recording = of_micros([1, 999_990, 500_009]);
        assert_eq!(recording.max(), Some(Duration::from_micros(999_990)));
        assert_eq!(
            recording.quantile(1.0),
            Some(Duration::from_micros(999_990))
        );
        assert_eq!(recording.mean(), Some(Duration::from_millis(500)));
    }

    #[test]
    fn an_empty_recording_has_no_numbers() {
        let recording = Recording::new();
        assert_eq!(
            (recording.min(), recording.max(), recording.mean()),
            (None, None, None)
        );
        assert_eq!(recording.quantile(0.99), None);
    }

    #[test]
    fn percentiles_of_a_merge_are_those_of_the_pooled_data() {
        let mut merged = of_micros((0..5000).map(|k| 100 + k * 7));
        merged.merge(&of_micros((0..3000).map(|k| 90 + k * 31)));
        let pooled = of_micros(
            (0..5000)
                .map(|k| 100 + k * 7)
                .chain((0..3000).map(|k| 90 + k * 31)),
        );
        assert_eq!(merged, pooled);
    }

    #[test]
    fn a_recording_survives_the_way_through_text() {
        let recording = of_micros((1..4000).map(|k| k * k));
        let exact = recording.exact().unwrap();
        assert_eq!(
            Recording::from_base64(&recording.to_base64(), exact).unwrap(),
            recording
        );
    }

    #[test]
    fn times_beyond_an_hour_are_kept_as_an_hour_and_their_maximum_exactly() {
        let recording = of_micros([7_200_000_000]);
        assert_eq!(recording.count(), 1);
        assert_eq!(recording.max(), Some(Duration::from_hours(2)));
    }

    #[test]
    fn rubbish_is_not_a_histogram() {
        let exact = Exact::default();
        assert!(matches!(
            Recording::from_base64("?", exact),
            Err(RecordingError::Text(_))
        ));
        assert!(matches!(
            Recording::from_base64("aGFsbG8=", exact),
            Err(RecordingError::Format(_))
        ));
    }
}
