//! `metrics`: what is measured beside the load.

use std::collections::BTreeMap;
use std::time::Duration;

use super::output;
use super::process::optional;
use super::reader::{Keys, Reader};
use super::scene::{Place, Scene};
use super::target::time_or;
use crate::expression::closest;
use crate::id::{DatasourceName, MetricName};
use crate::plan::{
    Compare, DatasourceKind, DatasourceSpec, During, Fold, Lag, Metric, MetricKind, Query,
    WhenMissing,
};
use crate::value::{ScaledUnit, Unit};

/// Keys of one metric.
pub(super) const KEYS: [&str; 16] = [
    "name",
    "datasource",
    "query",
    "as",
    "unit",
    "fold",
    "during",
    "on_empty",
    "on_nan",
    "valid",
    "required",
    "timeout",
    "attempts",
    "lag",
    "compare",
    "summarizer",
];

/// A metric with its place.
#[derive(Debug)]
pub(super) struct ReadMetric<'a> {
    pub(super) metric: Metric,
    pub(super) reader: Reader<'a>,
}

/// Reads the metrics; what is broken is left out.
pub(super) fn metrics<'a>(reader: &Reader<'a>, scene: &Scene<'a>) -> Vec<ReadMetric<'a>> {
    let mut metrics: Vec<ReadMetric<'a>> = Vec::new();
    for entry in reader.list().unwrap_or_default() {
        let Some(metric) = metric(&entry, scene) else {
            continue;
        };
        if let Some(first) = metrics.iter().find(|m| m.metric.name == metric.name) {
            entry.refuse_with(
                format!("there are two metrics {}", metric.name),
                format!("the first is on line {}", first.reader.at().line),
            );
            continue;
        }
        metrics.push(ReadMetric {
            metric,
            reader: entry,
        });
    }
    metrics
}

/// The name of a metric: none of the reserved ones.
fn metric_name(reader: &Reader<'_>) -> Option<MetricName> {
    let text = reader.text()?;
    if matches!(text, "load" | "baseline" | "values") || text.starts_with("load.") {
        reader.refuse_with(
            format!("{text:?} is a reserved name"),
            "load, baseline and values mean something already",
        );
        return None;
    }
    reader.name()
}

fn metric<'a>(reader: &Reader<'a>, scene: &Scene<'a>) -> Option<Metric> {
    let keys = reader.keys(&KEYS, &[])?;
    let name = keys.required("name").and_then(|name| metric_name(&name));
    let datasource = keys
        .required("datasource")
        .and_then(|reader| reader.parsed::<DatasourceName>());
    let text = keys.required("query").and_then(|query| {
        let text = from_kruize(&query.json_or_text()?);
        scene.template_of(&query, &text, Place::Query)
    });
    let kind = keys
        .required_as("as", "one of gauge, counter, histogram, value")
        .and_then(|kind| kind.one_of(&output::KINDS));
    let unit = optional(&keys, "unit", Reader::unit);
    let fold = fold(&keys, kind);
    let during = optional(&keys, "during", |reader| {
        reader.one_of(&[
            ("measure", During::Measure),
            ("deploy", During::Deploy),
            ("iteration", During::Iteration),
        ])
    });
    let (on_empty, on_nan) = (missing(&keys, "on_empty"), missing(&keys, "on_nan"));
    let valid = optional(&keys, "valid", valid);
    let required = optional(&keys, "required", Reader::bool);
    let timeout = time_or(&keys, "timeout", Duration::from_secs(10));
    let attempts = optional(&keys, "attempts", |reader| reader.count(1..=100));
    let lag = optional(&keys, "lag", |reader| match reader.text_if_any() {
        Some("auto") => Some(Lag::Auto),
        _ => reader.duration().map(Lag::Fixed),
    });
    let compare = optional(&keys, "compare", |reader| {
        reader.one_of(&[
            ("lower-is-better", Compare::LowerIsBetter),
            ("higher-is-better", Compare::HigherIsBetter),
            ("neither", Compare::Neither),
        ])
    });
    let summarizer = optional(&keys, "summarizer", |reader| summarizer(reader, scene));
    let kind = kind?;
    let unit = unit?.unwrap_or_else(|| plain(kind));
    Some(Metric {
        name: name?,
        datasource: datasource?,
        query: Query { text: text? },
        kind,
        scale: unit.to_base(1.0),
        unit: unit.unit,
        fold: fold?,
        during: during?.unwrap_or(During::Measure),
        on_empty: on_empty?,
        on_nan: on_nan?,
        valid: valid?,
        required: required?.unwrap_or(true),
        timeout: timeout?,
        attempts: attempts?.unwrap_or(3),
        lag: lag?.unwrap_or(Lag::Auto),
        compare: compare?.unwrap_or(Compare::Neither),
        summarizer: summarizer?.unwrap_or_else(|| BUILT_IN.to_owned()),
    })
}

/// A query with the placeholders that Kruize has for the same things. Several pods are an expression,
/// which an equality would take literally.
fn from_kruize(query: &str) -> String {
    query
        .replace("=\"$POD$\"", "=~\"{{pods}}\"")
        .replace("$POD$", "{{pods}}")
        .replace("$CONTAINER$", "{{container}}")
        .replace("$POD_LABEL$", "pod")
        .replace("$CONTAINER_LABEL$", "container")
}

/// The summarizer that is always there.
pub(super) const BUILT_IN: &str = "built-in";

/// A counter without a unit counts things; everything else is a plain number.
fn plain(kind: MetricKind) -> ScaledUnit {
    let text = if kind == MetricKind::Counter {
        "count"
    } else {
        "none"
    };
    ScaledUnit::parse(text).expect("it is in the table of units")
}

fn fold(keys: &Keys<'_>, kind: Option<MetricKind>) -> Option<Fold> {
    let Some(reader) = keys.get("fold") else {
        return Some(Fold::Single);
    };
    let fold = reader.one_of(&[
        ("single", Fold::Single),
        ("sum", Fold::Sum),
        ("mean", Fold::Mean),
        ("min", Fold::Min),
        ("max", Fold::Max),
        ("merge", Fold::Merge),
    ])?;
    let is_histogram = kind == Some(MetricKind::Histogram);
    match (fold, kind) {
        (Fold::Merge, Some(_)) if !is_histogram => {
            reader.refuse_with("only histograms are merged", "use sum, mean, min or max");
            None
        }
        (Fold::Sum | Fold::Mean | Fold::Min | Fold::Max, _) if is_histogram => {
            reader.refuse_with(
                "histograms are merged, not computed with",
                "write fold: merge",
            );
            None
        }
        _ => Some(fold),
    }
}

fn missing(keys: &Keys<'_>, key: &str) -> Option<WhenMissing> {
    optional(keys, key, |reader| {
        reader.one_of(&[
            ("fail", WhenMissing::Fail),
            ("skip", WhenMissing::Skip),
            ("zero", WhenMissing::Zero),
        ])
    })
    .map(|missing| missing.unwrap_or(WhenMissing::Fail))
}

fn valid(reader: &Reader<'_>) -> Option<(f64, f64)> {
    let [low, high] = reader.pair()?;
    let number = |reader: &Reader<'_>| reader.number(f64::MIN..=f64::MAX);
    let (low, high) = (number(&low), number(&high));
    let (low, high) = (low?, high?);
    if low >= high {
        reader.refuse_with(
            format!("no value is valid: {low} is not below {high}"),
            "write [LOW, HIGH]",
        );
        return None;
    }
    Some((low, high))
}

fn summarizer(reader: &Reader<'_>, scene: &Scene<'_>) -> Option<String> {
    let text = reader.text()?;
    if text == BUILT_IN || scene.context.summarizers.contains_key(text) {
        return Some(text.to_owned());
    }
    let names = scene.context.summarizers.keys().map(String::as_str);
    let known: Vec<&str> = std::iter::once(BUILT_IN).chain(names).collect();
    let remedy = format!("known are {}", known.join(", "));
    reader.refuse_with(format!("there is no summarizer {text:?}"), remedy);
    None
}

/// Metrics whose datasource is not there, and queries that their source cannot answer.
pub(super) fn check(
    metrics: &[ReadMetric<'_>],
    sources: &BTreeMap<DatasourceName, DatasourceSpec>,
    broken: &[String],
) {
    for ReadMetric { metric, reader } in metrics {
        let Some(source) = sources.get(&metric.datasource) else {
            if broken.iter().any(|name| name == metric.datasource.as_str()) {
                continue;
            }
            let known = sources.keys().map(DatasourceName::as_str);
            let remedy = match closest(metric.datasource.as_str(), known.clone()) {
                Some(near) => format!("did you mean {near:?}?"),
                None => format!("known are {}", known.collect::<Vec<_>>().join(", ")),
            };
            let place = reader.peek("datasource").unwrap_or_else(|| reader.clone());
            place.refuse_with(
                format!("there is no datasource {:?}", metric.datasource.as_str()),
                remedy,
            );
            continue;
        };
        check_query(metric, reader, &source.kind);
        if source.every.is_none() && metric.query.text.names().any(|name| name == "step") {
            let place = reader.peek("query").unwrap_or_else(|| reader.clone());
            place.refuse_with(
                "{{step}} is the time between two samples, and nobody says how long that is",
                format!("give it at datasource {}: every: 15s", metric.datasource),
            );
        }
        if matches!(source.kind, DatasourceKind::Csv { time: None, .. })
            && metric.kind == MetricKind::Counter
        {
            let place = reader.peek("as").unwrap_or_else(|| reader.clone());
            place.refuse_with(
                format!(
                    "a counter grows from one time to the next, and the rows of {} have no time",
                    metric.datasource
                ),
                "name the column with the time at the datasource: time: COLUMN",
            );
        }
        if metric.unit == Unit::Dimensionless && metric.kind == MetricKind::Histogram {
            reader.warn(
                format!("the histogram {} has no unit", metric.name),
                "write unit: s for times in seconds",
            );
        }
    }
}

/// Whether the source can answer such a query at all.
fn check_query(metric: &Metric, reader: &Reader<'_>, source: &DatasourceKind) {
    let place = |key: &str| reader.peek(key).unwrap_or_else(|| reader.clone());
    let query = place("query");
    let is_map = query.map_if_any().is_some();
    if matches!(source, DatasourceKind::Instana(_)) {
        if !metric.query.text.text().trim_start().starts_with('{') {
            query.refuse_with(
                "what Instana is asked is a JSON object",
                "give the body of the request without timeFrame, such as {plugin: host, query: \"entity.zone:test\", metrics: [cpu.user]}",
            );
        }
    } else if matches!(source, DatasourceKind::CloudWatch(_)) {
        if !metric.query.text.text().trim_start().starts_with('{') {
            query.refuse_with(
                "what CloudWatch is asked is a JSON object",
                "give an entry of MetricDataQueries, such as {MetricStat: {Metric: {Namespace: AWS/SQS, MetricName: NumberOfMessagesSent}, Stat: Sum}}",
            );
        }
    } else if is_map && !matches!(source, DatasourceKind::Datadog(_)) {
        query.refuse("the query of this source is a text, not a map");
    } else if let DatasourceKind::Command { output, .. } = source {
        check_output(metric, reader, output);
    } else if matches!(source, DatasourceKind::Json(_)) {
        // Reports itself what is wrong with it.
        super::vendor::json_path(&query);
    }
    let has_buckets = !matches!(
        source,
        DatasourceKind::Datadog(_)
            | DatasourceKind::Instana(_)
            | DatasourceKind::Dynatrace(_)
            | DatasourceKind::CloudWatch(_)
            | DatasourceKind::NewRelic(_)
            | DatasourceKind::InfluxDb(_)
            | DatasourceKind::Graphite(_)
            | DatasourceKind::Json(_)
    );
    if metric.kind == MetricKind::Histogram && !has_buckets {
        place("as").refuse_with(
            format!(
                "{} has no buckets to make a histogram of",
                metric.datasource
            ),
            "ask for a percentile of its own, as: value or as: gauge",
        );
    }
}

fn check_output(metric: &Metric, reader: &Reader<'_>, output: &crate::plan::OutputRules) {
    let names = output.patterns.keys().chain(output.json.keys());
    let mut names = names.chain(output.samples.keys()).map(MetricName::as_str);
    let query = metric.query.text.text();
    if metric.query.text.is_constant() && !names.clone().any(|name| name == query) {
        let place = reader.peek("query").unwrap_or_else(|| reader.clone());
        let known: Vec<&str> = names.by_ref().collect();
        place.refuse_with(
            format!("no output rule of {} gives {query:?}", metric.datasource),
            format!("its rules give {}", known.join(", ")),
        );
    }
}
