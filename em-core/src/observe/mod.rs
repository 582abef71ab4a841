//! What was seen, and what is said about it.
//!
//! Observations are labelled by cycle, summarised per iteration, evaluated per block and compared
//! over blocks. A number that is not known is absent, with a reason; never 0 and never NaN.

mod collected;
mod history;
mod origin;
mod statistic;
mod summary;

use std::fmt;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::CycleNo;

pub use collected::{Batch, Collected, Cycle, CycleState, Labelled, Steadiness};
pub use history::{
    Block, Comparison, ConstraintHistory, ConstraintState, ConstraintVerdict, Enough, History,
    Judgement, Quantity, TrialLevel, Verdict, VerdictKind,
};
pub use origin::Origin;
pub use statistic::{Statistic, StatisticError};
pub use summary::{Estimate, Interval, MetricSummary, Replication, Summary};

/// A span of time, from `start` to `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Window {
    /// Its start.
    pub start: Timestamp,
    /// Its end, not before the start.
    pub end: Timestamp,
}

impl Window {
    /// So long before an instant, until that instant.
    pub fn until(end: Timestamp, length: SignedDuration) -> Self {
        let start = end.saturating_sub(length).unwrap_or(end);
        Self { start, end }
    }

    /// Whether the instant lies in it or at one of its ends.
    pub fn reaches(&self, at: Timestamp) -> bool {
        self.start <= at && at <= self.end
    }

    /// Its length.
    pub fn length(&self) -> SignedDuration {
        self.end.duration_since(self.start)
    }

    /// Its length in seconds.
    pub fn seconds(&self) -> f64 {
        self.end.duration_since(self.start).as_secs_f64()
    }

    /// Its length in milliseconds.
    pub fn milliseconds(&self) -> i64 {
        let length = self.end.duration_since(self.start).as_millis();
        i64::try_from(length).unwrap_or(i64::MAX)
    }

    /// Stretches of this length one after the other; what is left over at its end is in none.
    pub fn stretches(&self, length: Duration) -> Vec<Self> {
        let step = SignedDuration::try_from(length).unwrap_or(SignedDuration::MAX);
        let mut stretches = Vec::new();
        let mut start = self.start;
        while !step.is_zero() {
            let end = start.saturating_add(step).unwrap_or(Timestamp::MAX);
            if end > self.end || end <= start {
                break;
            }
            stretches.push(Self { start, end });
            start = end;
        }
        stretches
    }

    /// Whether it holds the instant; the end does not belong to it.
    pub fn contains(&self, at: Timestamp) -> bool {
        self.start <= at && at < self.end
    }

    /// Whether it lies wholly within another.
    pub fn within(&self, other: &Self) -> bool {
        other.start <= self.start && self.end <= other.end
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} .. {}", self.start, self.end)
    }
}

/// What was seen of one metric over one stretch of time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "form", rename_all = "snake_case")]
pub enum Observed {
    /// Values at instants, all finite, in order of time.
    Values {
        /// The values.
        points: Vec<TimedValue>,
    },
    /// How much a counter grew.
    Counter {
        /// Its increase; a lower bound where there were resets.
        increase: f64,
        /// Over how many seconds.
        seconds: f64,
        /// Resets in between.
        resets: u32,
    },
    /// A distribution, as an HDR histogram.
    Histogram(HistogramBlob),
    /// A distribution, as increases of cumulative buckets.
    Buckets {
        /// Upper bounds, growing; the last may be infinite, written as none.
        bounds: Vec<Option<f64>>,
        /// Cumulative counts.
        counts: Vec<f64>,
        /// Sum of all values, where it is known.
        sum: Option<f64>,
        /// Resets in between.
        resets: u32,
    },
}

impl Observed {
    /// One finite value at an instant.
    pub fn value(at: Timestamp, value: f64) -> Self {
        let points = vec![TimedValue { at, value }];
        Self::Values { points }
    }
}

/// A finite value at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TimedValue {
    /// When.
    pub at: Timestamp,
    /// What, in the metric's base unit.
    pub value: f64,
}

/// An HDR histogram in the V2 wire form without compression, with what its cells do not keep.
///
/// `unit` is the value of one count step in the metric's base unit: 1e-9 for a histogram that
/// counts nanoseconds of a metric in seconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HistogramBlob {
    /// Base units per step.
    pub unit: f64,
    /// Recorded values.
    pub count: u64,
    /// Exact least value in base units; none where there is none.
    pub min: Option<f64>,
    /// Exact greatest value in base units; none where there is none.
    pub max: Option<f64>,
    /// Exact sum in base units.
    pub sum: f64,
    /// Exact sum of squares in base units.
    pub sum_of_squares: f64,
    /// The histogram.
    #[serde(with = "base64_bytes")]
    pub encoded: Vec<u8>,
}

mod base64_bytes {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD as BASE64;
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&BASE64.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(from)?;
        BASE64.decode(text).map_err(D::Error::custom)
    }
}

/// What was seen of one metric in one iteration: the kept stretches, each with its cycle.
#[derive(Debug, Clone, PartialEq)]
pub struct Observations {
    /// Stretches in order of time.
    pub kept: Vec<Kept>,
    /// Where kept stretches come from: a window of one deployment, or whole deployments.
    pub replication: Replication,
}

/// One kept stretch.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    /// The cycle it belongs to.
    pub cycle: CycleNo,
    /// Its batch.
    pub batch: u32,
    /// When.
    pub window: Window,
    /// What was seen.
    pub observed: Observed,
}
