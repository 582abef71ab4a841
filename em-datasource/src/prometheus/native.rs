//! Native histograms of an answer: as classic ones, with their sums.

use em_core::port::{Labels, Point, Series};
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny};

use super::decode::Read;
use crate::native::{Bucket, Counted, Course, classic};

/// What the query API tells of a native histogram.
#[derive(Debug)]
pub(super) struct NativeHistogram {
    counted: Counted,
    sum: Option<f64>,
}

impl<'de> Deserialize<'de> for NativeHistogram {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let told = Told::deserialize(deserializer)?;
        let buckets = told.buckets.into_iter();
        let buckets = buckets.map(|(_, Number(lower), Number(upper), Number(count))| Bucket {
            lower,
            upper,
            count,
        });
        Ok(Self {
            counted: Counted::new(buckets.collect(), told.count.0),
            sum: told.sum.map(|Number(sum)| sum),
        })
    }
}

#[derive(Deserialize)]
struct Told {
    count: Number,
    #[serde(default)]
    sum: Option<Number>,
    /// Rule of the boundaries, both boundaries, count. The rule does not matter: no measured value
    /// lies on a boundary with a share that could be seen.
    #[serde(default)]
    buckets: Vec<(IgnoredAny, Number, Number, Number)>,
}

/// A number as text.
struct Number(f64);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        let number = text.parse();
        let number = number.map_err(|_| D::Error::custom(format_args!("{text:?} is no number")))?;
        Ok(Self(number))
    }
}

/// The series of an answer as they are; native histograms as one series per boundary with the label
/// `le`, and one of their sums.
pub(super) fn series(reads: Vec<Read>) -> Vec<Series> {
    let mut series = Vec::with_capacity(reads.len());
    let mut natives = Vec::new();
    for read in reads {
        let Read {
            labels,
            points,
            histograms,
        } = read;
        if histograms.is_empty() {
            series.push(Series { labels, points });
            continue;
        }
        // It may have become native within the window.
        if !points.is_empty() {
            let labels = labels.clone();
            series.push(Series { labels, points });
        }
        natives.push((labels, histograms));
    }
    series.extend(natives.iter().filter_map(|(labels, all)| sum(labels, all)));
    let courses = natives.iter().map(|(labels, histograms)| Course {
        family: name(labels),
        labels,
        counted: histograms
            .iter()
            .map(|(at, one)| (*at, &one.counted))
            .collect(),
    });
    series.extend(classic(&courses.collect::<Vec<_>>()));
    series
}

fn name(labels: &Labels) -> &str {
    labels.get("__name__").map_or("", String::as_str)
}

fn sum(labels: &Labels, histograms: &[(Timestamp, NativeHistogram)]) -> Option<Series> {
    let points = histograms.iter().map(|(at, one)| {
        let value = one.sum?;
        Some(Point { at: *at, value })
    });
    let points: Vec<Point> = points.collect::<Option<_>>()?;
    let mut labels = labels.clone();
    labels.insert("__name__".to_owned(), format!("{}_sum", name(&labels)));
    Some(Series { labels, points })
}
