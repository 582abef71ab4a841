//! Which points of a series belong to a window.

use em_core::observe::Window;
use em_core::plan::MetricKind;
use em_core::port::{Point, Series};
use jiff::{SignedDuration, Timestamp};

use super::judge::Rows;
use super::statement::Statement;

/// What to add to a statement that asks about more than the window.
pub(super) const CONDITION: &str =
    "add WHERE time >= {{start_ms}}ms AND time <= {{end_ms}}ms to the query";

/// A series within a window.
#[derive(Debug, PartialEq)]
pub(super) struct Placed {
    /// None: nothing of it lies within.
    pub(super) series: Option<Series>,
    pub(super) warning: Option<String>,
}

/// The series that a metric of this kind sees in a window.
pub(super) fn place(statement: Statement, kind: MetricKind, rows: Rows, window: Window) -> Placed {
    let is_told = !rows.points.is_empty();
    let is_one = kind == MetricKind::Value && rows.count == 1 && statement.bucket.is_none();
    let mut points = rows.points;
    if is_one {
        for point in &mut points {
            if belongs(statement, point.at, window) {
                point.at = window.end;
            }
        }
    }
    // A bucket is stamped with its start. What the window cuts was not all measured within it.
    let width = statement.bucket.unwrap_or_default();
    let width = SignedDuration::try_from(width).unwrap_or(SignedDuration::MAX);
    let end_of = |at: Timestamp| at.saturating_add(width).unwrap_or(Timestamp::MAX);
    let is_inside = |point: &Point| window.start <= point.at && end_of(point.at) <= window.end;
    let touches = |point: &Point| window.start < end_of(point.at) && point.at <= window.end;
    let is_outside = match statement.bucket {
        Some(_) => points.iter().any(|point| !touches(point)),
        None => points.iter().any(|point| !is_inside(point)),
    };
    points.retain(is_inside);
    let warning = match statement.bucket {
        _ if is_outside => Some(format!(
            "points outside the window are left out: {CONDITION}"
        )),
        Some(bucket) if points.is_empty() && is_told => Some(format!(
            "no bucket of {bucket:?} lies within the window as a whole: make them shorter"
        )),
        None if is_one && is_told && !statement.has_start => Some(format!(
            "the query counts everything there is, not only the window: {CONDITION}"
        )),
        _ => None,
    };
    let labels = rows.labels;
    Placed {
        series: (!points.is_empty()).then_some(Series { labels, points }),
        warning,
    }
}

/// Whether the only row of a series is about the window. An aggregate is stamped with the start of
/// what was asked for or with 1970, a selector such as `last()` with the time of its point.
fn belongs(statement: Statement, at: Timestamp, window: Window) -> bool {
    let is_aggregate = at == Timestamp::UNIX_EPOCH;
    let is_early = at < window.start && !is_aggregate && !statement.has_start;
    !is_early && at <= window.end
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use em_core::port::Labels;

    use super::*;

    const RAW: Statement = Statement {
        bucket: None,
        has_start: true,
    };
    const WITHOUT_START: Statement = Statement {
        bucket: None,
        has_start: false,
    };
    const BUCKETS: Statement = Statement {
        bucket: Some(Duration::from_secs(10)),
        has_start: true,
    };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// Seconds within 100 to 135, and the warning.
    fn seen(statement: Statement, kind: MetricKind, seconds: &[i64]) -> (Vec<i64>, String) {
        let points = seconds.iter().map(|second| Point {
            at: at(*second),
            value: 1.0,
        });
        let rows = Rows {
            labels: Labels::new(),
            points: points.collect(),
            count: seconds.len(),
        };
        let window = Window {
            start: at(100),
            end: at(135),
        };
        let placed = place(statement, kind, rows, window);
        let points = placed.series.map(|series| series.points);
        let points = points.unwrap_or_default();
        let seconds = points.iter().map(|point| point.at.as_second()).collect();
        (seconds, placed.warning.unwrap_or_default())
    }

    #[test]
    fn what_lies_outside_is_left_out_and_told() {
        let (seconds, warning) = seen(RAW, MetricKind::Gauge, &[99, 100, 135, 136]);
        assert_eq!(seconds, [100, 135]);
        assert!(warning.contains("outside the window"), "{warning}");
        assert_eq!(
            seen(RAW, MetricKind::Counter, &[100]),
            (vec![100], String::new())
        );
    }

    #[test]
    fn a_bucket_that_the_window_cuts_is_left_out_without_a_word() {
        let all = [95, 105, 115, 125, 135];
        assert_eq!(
            seen(BUCKETS, MetricKind::Gauge, &all),
            (vec![105, 115, 125], String::new())
        );
        let (_, warning) = seen(BUCKETS, MetricKind::Gauge, &[85, 105]);
        assert!(warning.contains("outside the window"), "{warning}");
        let (seconds, warning) = seen(BUCKETS, MetricKind::Value, &[95]);
        assert!(seconds.is_empty());
        assert!(warning.contains("no bucket of 10s"), "{warning}");
    }

    #[test]
    fn the_one_row_of_a_value_stands_at_the_end() {
        for second in [0, 40, 100, 120, 135] {
            let one = seen(RAW, MetricKind::Value, &[second]);
            assert_eq!(one, (vec![135], String::new()), "{second}");
        }
        assert_eq!(seen(RAW, MetricKind::Value, &[110, 120]).0, [110, 120]);
        assert_eq!(seen(RAW, MetricKind::Gauge, &[110]).0, [110]);
        assert!(seen(RAW, MetricKind::Value, &[136]).0.is_empty());
    }

    #[test]
    fn without_a_beginning_a_late_value_is_no_value_and_a_sum_is_of_everything() {
        let (seconds, warning) = seen(WITHOUT_START, MetricKind::Value, &[40]);
        assert!(seconds.is_empty());
        assert!(warning.contains("outside the window"), "{warning}");
        let (seconds, warning) = seen(WITHOUT_START, MetricKind::Value, &[0]);
        assert_eq!(seconds, [135]);
        assert!(warning.contains("counts everything"), "{warning}");
    }
}
