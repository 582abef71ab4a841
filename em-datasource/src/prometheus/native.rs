//! Native histograms: as the cumulative buckets of which a classic one is made.

use std::collections::BTreeMap;

use em_core::port::{Labels, Point, Series};
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny};

use super::decode::Read;

/// What the query API tells of a native histogram.
#[derive(Debug, Deserialize)]
pub(super) struct NativeHistogram {
    #[serde(deserialize_with = "number")]
    count: f64,
    #[serde(default)]
    buckets: Vec<Bucket>,
}

/// Rule of the boundaries, both boundaries, count. The rule does not matter: no measured value lies
/// on a boundary with a share that could be seen.
#[derive(Debug, Deserialize)]
struct Bucket(
    IgnoredAny,
    IgnoredAny,
    #[serde(deserialize_with = "number")] f64,
    #[serde(deserialize_with = "number")] f64,
);

fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
    let number = text.parse();
    number.map_err(|_| D::Error::custom(format_args!("{text:?} is no number")))
}

impl Read {
    /// The series as they are, a native histogram as one series per boundary with the label `le`.
    ///
    /// Which boundaries there are differs from time to time, because empty buckets are left out: each
    /// series has a value at every time.
    pub(super) fn into_series(self) -> Vec<Series> {
        let Self {
            labels,
            points,
            histograms,
        } = self;
        let mut series = Vec::new();
        if !points.is_empty() || histograms.is_empty() {
            series.push(Series {
                labels: labels.clone(),
                points,
            });
        }
        series.extend(classic(&labels, &histograms));
        series
    }
}

fn classic(labels: &Labels, histograms: &[(Timestamp, NativeHistogram)]) -> Vec<Series> {
    if histograms.is_empty() {
        return Vec::new();
    }
    let mut bounds: Vec<f64> = histograms
        .iter()
        .flat_map(|(_, one)| one.buckets.iter().map(|Bucket(_, _, right, _)| *right))
        .filter(|right| right.is_finite())
        .collect();
    bounds.sort_by(f64::total_cmp);
    bounds.dedup();
    let mut by_bound: BTreeMap<usize, Vec<Point>> = BTreeMap::new();
    for (at, one) in histograms {
        let mut buckets = one.buckets.iter().peekable();
        let mut below = 0.0;
        for (index, bound) in bounds.iter().enumerate() {
            // They come in order of their boundaries.
            while let Some(Bucket(_, _, _, count)) = buckets.next_if(|next| next.2 <= *bound) {
                below += count;
            }
            let value = below;
            by_bound
                .entry(index)
                .or_default()
                .push(Point { at: *at, value });
        }
        let value = one.count;
        let all = by_bound.entry(bounds.len()).or_default();
        all.push(Point { at: *at, value });
    }
    let series = by_bound.into_iter().map(|(index, points)| {
        let bound = bounds.get(index).map_or("+Inf".to_owned(), f64::to_string);
        let mut labels = labels.clone();
        labels.insert("le".to_owned(), bound);
        Series { labels, points }
    });
    series.collect()
}
