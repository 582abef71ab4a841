//! What `/api/v2/metrics/query` answers: per metric and dimensions a list of times and one of values.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use em_core::fault::Fault;
use em_core::port::{Labels, Point};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::judge::malformed;
use super::resolution;
use crate::bucketed::Buckets;
use crate::instant::instant;

/// One page of an answer.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Page {
    /// How long the shortest slots are, `1m`; `Inf` where there is one of all.
    #[serde(default)]
    pub(super) resolution: Option<String>,
    #[serde(default)]
    next_page_key: Option<String>,
    result: Vec<One>,
    #[serde(default)]
    warnings: Option<Vec<String>>,
}

/// Everything about one metric.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct One {
    metric_id: String,
    data: Vec<Row>,
    #[serde(default)]
    warnings: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    /// Null: everything that is in no other series.
    #[serde(default)]
    dimension_map: Option<BTreeMap<String, Option<String>>>,
    /// The ends of the slots, milliseconds since 1970.
    timestamps: Vec<f64>,
    values: Vec<Option<f64>>,
}

/// One series: each point at the end of its slot.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) labels: Labels,
    pub(super) ends: Vec<Timestamp>,
    pub(super) values: Vec<Option<f64>>,
}

impl Page {
    /// How the answer goes on. The word `null` was seen, too.
    pub(super) fn next(&self) -> Option<&str> {
        let key = self.next_page_key.as_deref();
        key.filter(|key| !matches!(*key, "" | "null"))
    }

    /// What is worth knowing, each thing once.
    pub(super) fn warnings(&self) -> BTreeSet<String> {
        let own = self.warnings.iter().flatten();
        let of_metrics = self.result.iter().filter_map(|one| one.warnings.as_ref());
        own.chain(of_metrics.flatten()).cloned().collect()
    }

    pub(super) fn series(self, server: &str) -> Result<Vec<Read>, Fault> {
        let mut series = Vec::new();
        for one in self.result {
            for row in one.data {
                series.push(row.read(server, &one.metric_id)?);
            }
        }
        Ok(series)
    }
}

impl Row {
    fn read(self, server: &str, metric: &str) -> Result<Read, Fault> {
        if self.timestamps.len() != self.values.len() {
            let (times, values) = (self.timestamps.len(), self.values.len());
            let what = format!("{values} values for {times} times");
            return Err(malformed(server, &what));
        }
        let ends = self.timestamps.iter().map(|milliseconds| {
            let end = instant(milliseconds / 1_000.0);
            end.ok_or_else(|| malformed(server, &format!("the time {milliseconds}")))
        });
        let dimensions = self.dimension_map.unwrap_or_default().into_iter();
        // A series of whatever is left over has a dimension without a value.
        let mut labels: Labels = dimensions
            .map(|(name, value)| (name, value.unwrap_or_default()))
            .collect();
        labels.insert("__name__".to_owned(), metric.to_owned());
        Ok(Read {
            labels,
            ends: ends.collect::<Result<_, _>>()?,
            values: self.values,
        })
    }
}

impl Read {
    /// Its slots of this width, each at its start. A slot without data is no point.
    pub(super) fn into_buckets(self, width: Duration) -> Buckets {
        let length = SignedDuration::try_from(width).unwrap_or(SignedDuration::MAX);
        let pairs = self.ends.into_iter().zip(self.values);
        let points = pairs.filter_map(|(end, value)| {
            let at = end.saturating_sub(length).unwrap_or(Timestamp::MIN);
            value.map(|value| Point { at, value })
        });
        Buckets {
            labels: self.labels,
            points: points.collect(),
            width,
        }
    }
}

/// How long the slots are: as told, and else as the times show, and else as asked.
pub(super) fn width(told: Option<&str>, series: &[Read], asked: Duration) -> Duration {
    let shown = || {
        let pairs = series.iter().flat_map(|one| one.ends.windows(2));
        let distances = pairs.filter_map(|pair| Some(pair.last()?.duration_since(*pair.first()?)));
        let distances = distances.filter_map(|distance| Duration::try_from(distance).ok());
        distances.filter(|distance| !distance.is_zero()).min()
    };
    told.and_then(resolution::told)
        .or_else(shown)
        .unwrap_or(asked)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(body: &str) -> Page {
        serde_json::from_str(body).unwrap()
    }

    #[test]
    fn only_a_key_is_a_key_of_a_next_page() {
        let next = |key: &str| {
            let page = page(&format!(r#"{{"nextPageKey": {key}, "result": []}}"#));
            page.next().map(str::to_owned)
        };
        assert_eq!(next("null"), None);
        assert_eq!(next(r#""null""#), None);
        assert_eq!(next(r#""AQ=""#), Some("AQ=".to_owned()));
    }

    #[test]
    fn a_warning_is_told_once() {
        let page = page(
            r#"{"result": [{"metricId": "a", "data": [], "warnings": ["odd"]}], "warnings": ["odd", "late"]}"#,
        );
        let expected: BTreeSet<String> = ["late", "odd"].map(str::to_owned).into();
        assert_eq!(page.warnings(), expected);
    }

    #[test]
    fn the_times_show_how_long_slots_are_where_nobody_says() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let series = |ends: &[i64]| {
            vec![Read {
                labels: Labels::new(),
                ends: ends.iter().map(|second| at(*second)).collect(),
                values: Vec::new(),
            }]
        };
        let minute = Duration::from_mins(1);
        let seconds = |told, ends: &[i64]| width(told, &series(ends), minute).as_secs();
        assert_eq!(seconds(Some("5m"), &[60, 120]), 300);
        assert_eq!(seconds(Some("1M"), &[0, 600, 900]), 300);
        assert_eq!(seconds(None, &[900]), 60);
    }
}
