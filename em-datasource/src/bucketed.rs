//! Series of sources that keep one value per bucket of time.

use std::time::Duration;

use em_core::observe::Window;
use em_core::plan::MetricKind;
use em_core::port::{Labels, Point, Series};
use jiff::{SignedDuration, Timestamp};

/// One value per bucket, each stamped with the start of its bucket.
#[derive(Debug)]
pub(crate) struct Buckets {
    pub(crate) labels: Labels,
    pub(crate) points: Vec<Point>,
    /// How long each bucket is.
    pub(crate) width: Duration,
}

impl Buckets {
    /// The series that a metric of this kind sees in a window. A bucket that the window cuts is
    /// left out: what it holds was not all measured.
    ///
    /// A counter is told here as what happened per bucket; it becomes the total since the first one.
    pub(crate) fn into_series(mut self, kind: MetricKind, window: Window) -> Series {
        let width = SignedDuration::try_from(self.width).unwrap_or(SignedDuration::MAX);
        let end_of = |at: Timestamp| at.saturating_add(width).unwrap_or(Timestamp::MAX);
        self.points
            .retain(|point| window.start <= point.at && end_of(point.at) <= window.end);
        self.points.sort_by_key(|point| point.at);
        self.points.dedup_by_key(|point| point.at);
        if kind == MetricKind::Counter {
            self.points = totals(&self.points, end_of);
        }
        Series {
            labels: self.labels,
            points: self.points,
        }
    }
}

/// Sums since the start of the first bucket, each at the end of its bucket.
fn totals(points: &[Point], end_of: impl Fn(Timestamp) -> Timestamp) -> Vec<Point> {
    let Some(first) = points.first() else {
        return Vec::new();
    };
    let mut total = 0.0;
    let start = Point {
        at: first.at,
        value: total,
    };
    let sums = points.iter().map(|point| {
        total += point.value;
        Point {
            at: end_of(point.at),
            value: total,
        }
    });
    std::iter::once(start).chain(sums).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn seen(kind: MetricKind) -> Vec<(i64, f64)> {
        let points = [(0, 1.0), (10, 2.0), (20, 4.0), (30, 8.0)];
        let points = points.map(|(second, value)| Point {
            at: at(second),
            value,
        });
        let buckets = Buckets {
            labels: Labels::new(),
            points: points.to_vec(),
            width: Duration::from_secs(10),
        };
        let window = Window {
            start: at(5),
            end: at(39),
        };
        let series = buckets.into_series(kind, window);
        let points = series.points.iter();
        points.map(|p| (p.at.as_second(), p.value)).collect()
    }

    #[test]
    fn a_bucket_that_the_window_cuts_is_left_out() {
        assert_eq!(seen(MetricKind::Gauge), [(10, 2.0), (20, 4.0)]);
    }

    #[test]
    fn a_counter_is_the_total_since_the_first_bucket() {
        let totals = [(10, 0.0), (20, 2.0), (30, 6.0)];
        assert_eq!(seen(MetricKind::Counter), totals);
    }
}
