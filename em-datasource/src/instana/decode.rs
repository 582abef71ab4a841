//! An answer, read into labelled points.

use std::collections::BTreeMap;

use em_core::observe::Window;
use em_core::port::{Labels, Point};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::inquiry::Inquiry;

/// One page of an answer, of any endpoint. What an endpoint never tells is missing.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Page {
    /// What went wrong, whatever the status says.
    pub(super) errors: Option<Value>,
    pub(super) items: Option<Vec<Item>>,
    /// The one item of an endpoint that has no others.
    metrics: Option<Metrics>,
    #[serde(rename = "pageSize")]
    pub(super) size: Option<u64>,
    pub(super) total_hits: Option<u64>,
    pub(super) can_load_more: Option<bool>,
    /// Where it goes on, given back as it is.
    pub(super) next: Option<Value>,
    adjusted_timeframe: Option<TimeFrame>,
}

/// What was found about one thing.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Item {
    snapshot_id: Option<String>,
    plugin: Option<String>,
    label: Option<String>,
    host: Option<String>,
    application: Option<Entity>,
    service: Option<Entity>,
    endpoint: Option<Entity>,
    /// A list of words (of a snapshot), or the tags of a group by name.
    tags: Option<Value>,
    metrics: Option<Metrics>,
}

#[derive(Debug, Deserialize)]
struct Entity {
    id: Option<String>,
    label: Option<String>,
}

/// Points by the name of a metric, which is spelled with its aggregation and granularity.
type Metrics = BTreeMap<String, Option<Vec<Sample>>>;

/// `[MILLISECONDS, VALUE]`; a value that is null is missing.
type Sample = (f64, Option<f64>);

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct TimeFrame {
    to: f64,
    window_size: f64,
}

/// One series, its points as they came.
#[derive(Debug, PartialEq)]
pub(super) struct Read {
    pub(super) labels: Labels,
    pub(super) points: Vec<Point>,
}

impl Page {
    /// What it is really about, where it tells.
    pub(super) fn frame(&self) -> Result<Option<Window>, String> {
        let Some(frame) = &self.adjusted_timeframe else {
            return Ok(None);
        };
        let (start, end) = (time(frame.to - frame.window_size)?, time(frame.to)?);
        Ok(Some(Window { start, end }))
    }

    /// The series of this page.
    pub(super) fn read(self, inquiry: &Inquiry) -> Result<Vec<Read>, String> {
        let labels = Labels::from([("__name__".to_owned(), inquiry.metric.clone())]);
        match (self.items, self.metrics) {
            (Some(items), _) => {
                let read = |item: Item| item.read(inquiry, labels.clone());
                items.into_iter().map(read).collect()
            }
            (None, Some(metrics)) => {
                let points = points(metrics, inquiry)?;
                Ok(vec![Read { labels, points }])
            }
            (None, None) => Err("answers with neither items nor metrics".to_owned()),
        }
    }
}

impl Item {
    fn read(self, inquiry: &Inquiry, mut labels: Labels) -> Result<Read, String> {
        let mut label = |name: &str, text: Option<String>| {
            if let Some(text) = text.filter(|text| !text.is_empty()) {
                labels.insert(name.to_owned(), text);
            }
        };
        label("snapshotId", self.snapshot_id);
        label("plugin", self.plugin);
        label("label", self.label);
        label("host", self.host);
        let entities = [
            ("application", "applicationId", self.application),
            ("service", "serviceId", self.service),
            ("endpoint", "endpointId", self.endpoint),
        ];
        for (name, id, entity) in entities {
            if let Some(entity) = entity {
                label(name, entity.label);
                label(id, entity.id);
            }
        }
        if let Some(Value::Object(tags)) = self.tags {
            for (name, text) in spelled(tags) {
                label(&name, Some(text));
            }
        }
        let points = points(self.metrics.unwrap_or_default(), inquiry)?;
        Ok(Read { labels, points })
    }
}

/// Tags that are there, as text.
fn spelled(tags: Map<String, Value>) -> impl Iterator<Item = (String, String)> {
    tags.into_iter().filter_map(|(name, value)| match value {
        Value::Null => None,
        Value::String(text) => Some((name, text)),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            Some((name, value.to_string()))
        }
    })
}

/// The points of the one metric that was asked for.
fn points(mut metrics: Metrics, inquiry: &Inquiry) -> Result<Vec<Point>, String> {
    let Some(name) = spelling(&metrics, inquiry)? else {
        return Ok(Vec::new());
    };
    let samples = metrics.remove(&name).flatten().unwrap_or_default();
    let there = samples
        .into_iter()
        .filter_map(|(at, value)| Some((at, value?)));
    let point = |(at, value)| time(at).map(|at| Point { at, value });
    there.map(point).collect()
}

/// How the answer calls the metric: its only name, or the only one that begins like it.
fn spelling(metrics: &Metrics, inquiry: &Inquiry) -> Result<Option<String>, String> {
    let mut names: Vec<&String> = metrics.keys().collect();
    let metric = inquiry.metric.to_lowercase();
    let aggregated = inquiry.aggregation.iter();
    let aggregated = aggregated.map(|name| format!("{metric}.{}", name.to_lowercase()));
    for prefix in std::iter::once(metric.clone()).chain(aggregated) {
        if names.len() > 1 {
            names.retain(|name| name.to_lowercase().starts_with(&prefix));
        }
    }
    match (names.as_slice(), metrics.is_empty()) {
        ([name], _) => Ok(Some((*name).clone())),
        (_, true) => Ok(None),
        _ => {
            let all: Vec<&str> = metrics.keys().map(String::as_str).collect();
            Err(format!(
                "answers with {}, and which of it is {:?} cannot be told",
                all.join(", "),
                inquiry.metric
            ))
        }
    }
}

fn time(milliseconds: f64) -> Result<Timestamp, String> {
    let whole = milliseconds.round();
    // Beyond this there are no timestamps; NaN is neither.
    let is_near = whole.abs() < 1e15;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "it is a whole number below 2^53"
    )]
    let at = is_near.then(|| Timestamp::from_millisecond(whole as i64));
    at.and_then(Result::ok)
        .ok_or_else(|| format!("answers with {milliseconds}, which is no time"))
}

#[cfg(test)]
mod tests {
    use em_core::plan::MetricKind;

    use super::*;

    fn inquiry() -> Inquiry {
        let text = r#"{"metrics": [{"metric": "latency", "aggregation": "P95"}]}"#;
        Inquiry::parse(text, MetricKind::Gauge).unwrap()
    }

    fn called(names: &[&str]) -> Result<Option<String>, String> {
        let named = names.iter().map(|name| ((*name).to_owned(), None));
        spelling(&named.collect(), &inquiry())
    }

    #[test]
    fn a_metric_is_found_however_it_is_spelled() {
        let found = |names: &[&str]| called(names).unwrap();
        assert_eq!(found(&[]), None);
        assert_eq!(found(&["whatever"]).as_deref(), Some("whatever"));
        assert_eq!(
            found(&["calls", "Latency.P95"]).as_deref(),
            Some("Latency.P95")
        );
        let two = found(&["latency.mean.60", "latency.p95.60"]);
        assert_eq!(two.as_deref(), Some("latency.p95.60"));
        let error = called(&["calls.sum", "errors.mean"]).unwrap_err();
        assert!(error.contains("calls.sum, errors.mean"), "{error}");
        assert!(called(&["latency.p95.1", "latency.p95.60"]).is_err());
    }

    #[test]
    fn times_beyond_all_clocks_are_refused() {
        assert_eq!(
            time(1500.4).unwrap(),
            Timestamp::from_millisecond(1500).unwrap()
        );
        for wrong in [1e15, -1e300, f64::NAN, f64::INFINITY] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
    }
}
