//! Buckets of an answer, as the metric sees them.

use std::time::Duration;

use em_core::fault::Fault;
use em_core::observe::Window;
use em_core::plan::MetricKind;
use em_core::port::{Labels, Series};
use jiff::SignedDuration;

use super::judge::malformed;
use crate::bucketed::Buckets;
use crate::distinct::first_twice;

/// What an answer over time says.
#[derive(Debug)]
pub(super) struct Graph {
    pub(super) series: Vec<Series>,
    /// The longest bucket; none where there is no series.
    pub(super) step: Option<Duration>,
    pub(super) warnings: Vec<String>,
}

impl Graph {
    /// The whole buckets of the window. Series without one are left out.
    pub(super) fn of(
        server: &str,
        found: Vec<Buckets>,
        kind: MetricKind,
        window: Window,
    ) -> Result<Self, Fault> {
        distinct(server, found.iter().map(|one| &one.labels))?;
        about_the_window(server, &found, window)?;
        let widths = || found.iter().map(|one| one.width);
        let (shortest, step) = (widths().min(), widths().max());
        let had_values = found.iter().any(|one| !one.points.is_empty());
        let (mut series, mut gaps) = (Vec::new(), 0);
        for one in found {
            let expected = whole(window, one.width);
            let one = one.into_series(kind, window);
            if one.points.is_empty() {
                continue;
            }
            // The total begins with a point of its own.
            gaps += usize::from(one.points.len().saturating_sub(1) < expected);
            series.push(one);
        }
        let mut warnings = Vec::new();
        if shortest != step {
            let (shortest, step) = (shortest.unwrap_or_default(), step.unwrap_or_default());
            warnings.push(format!(
                "some series have one value per {shortest:?}, others one per {step:?}"
            ));
        }
        if kind == MetricKind::Counter && gaps > 0 {
            warnings.push(format!(
                "{gaps} of {} series lack the counts of some buckets, so a rate is one of the others \
                 only: add .fill(zero) to the query where nothing counted means 0",
                series.len()
            ));
        }
        if series.is_empty() && had_values {
            let step = step.unwrap_or_default();
            warnings.push(format!("no bucket of {step:?} lies wholly in the window"));
        }
        Ok(Self {
            series,
            step,
            warnings,
        })
    }
}

/// Buckets that lie wholly in the window: they begin at multiples of their length.
fn whole(window: Window, width: Duration) -> usize {
    let width = i128::try_from(width.as_millis())
        .unwrap_or(i128::MAX)
        .max(1);
    let start = i128::from(window.start.as_millisecond());
    let end = i128::from(window.end.as_millisecond());
    let first = start.div_euclid(width) + i128::from(start.rem_euclid(width) > 0);
    usize::try_from(end.div_euclid(width) - first).unwrap_or_default()
}

/// Labels that are there twice tell two series apart no more.
pub(super) fn distinct<'l>(
    server: &str,
    labels: impl Iterator<Item = &'l Labels>,
) -> Result<(), Fault> {
    match first_twice(labels) {
        None => Ok(()),
        Some(twice) => {
            let what = format!("two series with the same tags {twice:?}");
            Err(malformed(server, &what))
        }
    }
}

/// Times in another unit would all be cut off, and look like nothing found.
fn about_the_window(server: &str, found: &[Buckets], window: Window) -> Result<(), Fault> {
    let mut times = found.iter().flat_map(|one| {
        // One that the start cuts began before it.
        let width = SignedDuration::try_from(one.width).unwrap_or(SignedDuration::MAX);
        let earliest = window.start.saturating_sub(width).unwrap_or(window.start);
        let times = one.points.iter().map(|point| point.at);
        times.map(move |at| (at, earliest <= at && at <= window.end))
    });
    let Some((first, is_inside)) = times.next() else {
        return Ok(());
    };
    if is_inside || times.any(|(_, is_inside)| is_inside) {
        return Ok(());
    }
    let what = format!("times such as {first}, when it was asked about {window}");
    Err(malformed(server, &what))
}

#[cfg(test)]
mod tests {
    use em_core::port::Point;
    use jiff::Timestamp;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn window(start: i64, end: i64) -> Window {
        Window {
            start: at(start),
            end: at(end),
        }
    }

    fn buckets(name: &str, seconds: &[i64]) -> Buckets {
        let point = |second: &i64| Point {
            at: at(*second),
            value: 1.0,
        };
        Buckets {
            labels: Labels::from([("pod".to_owned(), name.to_owned())]),
            points: seconds.iter().map(point).collect(),
            width: Duration::from_secs(20),
        }
    }

    fn warnings(kind: MetricKind, found: Vec<Buckets>, window: Window) -> Vec<String> {
        Graph::of("h", found, kind, window).unwrap().warnings
    }

    #[test]
    fn buckets_that_a_window_holds_are_counted() {
        let count = |start, end| whole(window(start, end), Duration::from_secs(20));
        assert_eq!(count(100, 160), 3);
        assert_eq!(count(101, 160), 2);
        assert_eq!(count(101, 139), 0);
        assert_eq!(count(101, 119), 0);
    }

    #[test]
    fn a_count_that_is_missing_is_told_and_not_taken_for_none() {
        let full = || buckets("a", &[100, 120, 140]);
        let window = window(100, 160);
        assert!(warnings(MetricKind::Counter, vec![full()], window).is_empty());
        let sparse = || vec![full(), buckets("b", &[120, 140])];
        let told = warnings(MetricKind::Counter, sparse(), window);
        assert!(told[0].starts_with("1 of 2 series lack"), "{told:?}");
        assert!(warnings(MetricKind::Gauge, sparse(), window).is_empty());
    }

    #[test]
    fn a_window_that_cuts_all_buckets_is_told() {
        let told = warnings(
            MetricKind::Gauge,
            vec![buckets("a", &[100])],
            window(105, 115),
        );
        assert_eq!(told, ["no bucket of 20s lies wholly in the window"]);
        let nothing = warnings(MetricKind::Gauge, vec![buckets("a", &[])], window(105, 115));
        assert!(nothing.is_empty(), "{nothing:?}");
    }

    #[test]
    fn times_of_another_unit_are_no_empty_answer() {
        let far = vec![buckets("a", &[1, 2])];
        let fault = Graph::of("h", far, MetricKind::Gauge, window(1000, 2000)).unwrap_err();
        assert!(fault.message.contains("it was asked about"), "{fault}");
        let cut = vec![buckets("a", &[980])];
        assert!(Graph::of("h", cut, MetricKind::Gauge, window(999, 2000)).is_ok());
    }

    #[test]
    fn the_same_tags_twice_are_refused() {
        let twice = vec![buckets("a", &[100]), buckets("a", &[])];
        let fault = Graph::of("h", twice, MetricKind::Gauge, window(100, 200)).unwrap_err();
        assert!(fault.message.contains("the same tags"), "{fault}");
    }
}
