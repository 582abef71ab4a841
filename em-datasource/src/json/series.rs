//! From the numbers of a document to series. Pure.

use std::collections::BTreeMap;

use em_core::fault::{Fault, FaultKind};
use em_core::port::{Labels, Point, Series};
use em_core::read::ReadSample;
use jiff::Timestamp;

use crate::instant::instant;

/// Series, each in order of time; or why there are none.
pub(super) type Gathered = Result<Vec<Series>, Fault>;

/// The time that a sample tells.
pub(super) fn told(sample: &ReadSample) -> Result<Timestamp, Fault> {
    let at = sample.at.and_then(instant);
    at.ok_or_else(|| {
        let message = match sample.at {
            Some(seconds) => format!("{seconds} seconds after 1970 is no time of a value"),
            None => "a value tells no time".to_owned(),
        };
        Fault::new(FaultKind::Malformed, message)
    })
}

/// The time of a look, whatever a sample tells.
pub(super) fn of_now(now: Timestamp) -> impl Fn(&ReadSample) -> Result<Timestamp, Fault> {
    move |_| Ok(now)
}

/// Samples with the same labels, together. There is one value at a time, or nobody knows which counts.
pub(super) fn gathered(
    samples: Vec<ReadSample>,
    query: &str,
    stamp: impl Fn(&ReadSample) -> Result<Timestamp, Fault>,
) -> Gathered {
    let mut by_labels: BTreeMap<Labels, Vec<Point>> = BTreeMap::new();
    for sample in samples {
        let (at, value) = (stamp(&sample)?, sample.value);
        let points = by_labels.entry(sample.labels).or_default();
        points.push(Point { at, value });
    }
    let series = by_labels.into_iter().map(|(labels, mut points)| {
        points.sort_by_key(|point| point.at);
        let is_distinct = points.is_sorted_by(|one, next| one.at < next.at);
        if is_distinct {
            return Ok(Series { labels, points });
        }
        let shown: Vec<String> = labels
            .iter()
            .map(|(name, value)| format!("{name}={value:?}"))
            .collect();
        let message = format!(
            "{query} finds several values of one time with the same labels {{{}}}: give labels that tell them apart (labels: {{NAME: JSONPATH}}), or a path to one of them",
            shown.join(", ")
        );
        Err(Fault::new(FaultKind::Invalid, message))
    });
    series.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(label: &str, at: f64, value: f64) -> ReadSample {
        ReadSample {
            name: "x".to_owned(),
            labels: [("pod".to_owned(), label.to_owned())].into(),
            at: Some(at),
            value,
        }
    }

    #[test]
    fn series_are_told_apart_by_labels_and_put_in_order() {
        let samples = vec![
            sample("b", 2.0, 20.0),
            sample("a", 3.0, 3.0),
            sample("a", 1.5, 1.0),
        ];
        let series = gathered(samples, "$.x", told).unwrap();
        let seen: Vec<_> = series
            .iter()
            .map(|one| {
                let points = one.points.iter();
                let points = points.map(|p| (p.at.as_millisecond(), p.value));
                (one.labels["pod"].as_str(), points.collect::<Vec<_>>())
            })
            .collect();
        let wanted = [
            ("a", vec![(1_500, 1.0), (3_000, 3.0)]),
            ("b", vec![(2_000, 20.0)]),
        ];
        assert_eq!(seen, wanted);
    }

    #[test]
    fn two_values_of_one_time_are_refused_even_when_they_are_equal() {
        let samples = || vec![sample("a", 1.0, 5.0), sample("a", 1.0, 5.0)];
        let fault = gathered(samples(), "$.x", told).unwrap_err();
        assert_eq!(fault.kind, FaultKind::Invalid);
        assert!(
            fault.message.contains(r#"{pod="a"}: give labels"#),
            "{fault}"
        );
        let now = of_now(Timestamp::UNIX_EPOCH);
        let two = vec![sample("a", 1.0, 5.0), sample("a", 2.0, 5.0)];
        assert_eq!(
            gathered(two, "$.x", now).unwrap_err().kind,
            FaultKind::Invalid
        );
    }

    #[test]
    fn a_time_beyond_all_times_is_no_zero() {
        let fault = gathered(vec![sample("a", 1e15, 1.0)], "$.x", told).unwrap_err();
        assert_eq!(fault.kind, FaultKind::Malformed);
    }
}
