//! Rows of an answer: times of a bucket, groups, and one number.

use std::collections::BTreeMap;
use std::time::Duration;

use em_core::fault::{Fault, FaultKind};
use em_core::observe::Window;
use em_core::plan::MetricKind;
use em_core::port::{Labels, Point, Series};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::judge::malformed;
use crate::bucketed::Buckets;
use crate::instant::instant;

const BEGIN: &str = "beginTimeSeconds";
const END: &str = "endTimeSeconds";
const FACET: &str = "facet";

/// The data of an answer to a query.
#[derive(Deserialize)]
pub(super) struct Data {
    actor: Actor,
}

#[derive(Deserialize)]
struct Actor {
    account: Option<Account>,
}

#[derive(Deserialize)]
struct Account {
    nrql: Option<Results>,
}

/// Rows, and what they are.
#[derive(Debug, Deserialize)]
pub(super) struct Results {
    results: Vec<Map<String, Value>>,
    #[serde(default)]
    metadata: Option<Metadata>,
}

#[derive(Debug, Default, Deserialize)]
struct Metadata {
    /// Names of what is grouped by.
    #[serde(default)]
    facets: Option<Vec<String>>,
    #[serde(default)]
    messages: Option<Vec<String>>,
}

/// One number of one group.
#[derive(Debug, PartialEq)]
pub(super) struct Row {
    pub(super) labels: Labels,
    /// When its bucket begins and ends, where it has one.
    pub(super) bucket: Option<(Timestamp, Timestamp)>,
    pub(super) value: Option<f64>,
}

impl Data {
    pub(super) fn results(self, server: &str) -> Result<Results, Fault> {
        let account = self.actor.account.ok_or_else(|| no_account(server))?;
        let results = account.nrql;
        results.ok_or_else(|| malformed(server, "neither results nor errors"))
    }
}

/// An account that the key does not open is null, sometimes without a word.
pub(super) fn no_account(server: &str) -> Fault {
    let message = format!("{server} shows nothing of this account to whoever has this key");
    Fault::new(FaultKind::Denied, message)
}

impl Results {
    pub(super) fn read(self, server: &str) -> Result<(Vec<Row>, Vec<String>), Fault> {
        let metadata = self.metadata.unwrap_or_default();
        let facets = metadata.facets.unwrap_or_default();
        let rows = self.results.iter();
        let rows: Vec<Row> = rows
            .map(|row| read(server, row, &facets))
            .collect::<Result<_, _>>()?;
        Ok((rows, metadata.messages.unwrap_or_default()))
    }
}

fn read(server: &str, row: &Map<String, Value>, facets: &[String]) -> Result<Row, Fault> {
    let (name, value) = number(row, facets)?;
    let mut labels = match row.get(FACET) {
        Some(facet) => groups(server, facet, facets)?,
        None => Labels::new(),
    };
    labels.insert("__name__".to_owned(), name);
    let time = |key: &str| match row.get(key) {
        None => Ok(None),
        Some(time) => match time.as_f64().and_then(instant) {
            Some(at) => Ok(Some(at)),
            None => Err(malformed(server, &format!("{key}: {time}"))),
        },
    };
    Ok(Row {
        labels,
        bucket: time(BEGIN)?.zip(time(END)?),
        value,
    })
}

/// The only column that is no time and no group, and its number, where there is one.
fn number(row: &Map<String, Value>, facets: &[String]) -> Result<(String, Option<f64>), Fault> {
    let is_other = |name: &str| {
        matches!(name, BEGIN | END | FACET) || facets.iter().any(|facet| facet == name)
    };
    let columns = row.iter().filter(|(name, value)| {
        // Names of groups are repeated as texts.
        !(is_other(name) || value.is_string() && row.contains_key(FACET))
    });
    let columns: Vec<(&String, &Value)> = columns.collect();
    let [(name, value)] = columns.as_slice() else {
        let mut names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
        names.truncate(5);
        let message = format!(
            "the query answers {} columns ({}), and a metric is one number",
            columns.len(),
            names.join(", ")
        );
        return Err(Fault::new(FaultKind::Invalid, message));
    };
    let refused = |what: &str| {
        let message =
            format!("column {name} of the answer holds {what}, and a metric is one number");
        Err(Fault::new(FaultKind::Invalid, message))
    };
    match value {
        Value::Null => Ok(((*name).clone(), None)),
        Value::Number(number) => Ok(((*name).clone(), number.as_f64())),
        // A percentile: its rank and its value.
        Value::Object(parts) => match parts.iter().collect::<Vec<_>>().as_slice() {
            [(rank, value)] if value.is_number() || value.is_null() => {
                Ok((format!("{name}.{rank}"), value.as_f64()))
            }
            parts => refused(&format!("{} parts", parts.len())),
        },
        Value::Bool(_) | Value::String(_) => refused("no number"),
        Value::Array(_) => refused("a list"),
    }
}

/// What a row is grouped by. A group without a value has an empty one.
fn groups(server: &str, facet: &Value, names: &[String]) -> Result<Labels, Fault> {
    let word = |value: &Value| match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
            other.to_string()
        }
    };
    let values: Vec<String> = match facet {
        Value::Array(values) => values.iter().map(word).collect(),
        other @ (Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Object(_)) => vec![word(other)],
    };
    match (names, values.as_slice()) {
        ([], [value]) => Ok(Labels::from([(FACET.to_owned(), value.clone())])),
        (names, values) if names.len() == values.len() => {
            Ok(names.iter().cloned().zip(values.iter().cloned()).collect())
        }
        (names, values) => {
            let what = format!(
                "{} groups where {} were asked for",
                values.len(),
                names.len()
            );
            Err(malformed(server, &what))
        }
    }
}

/// Points of each group, and how long the bucket of each is.
pub(super) type Groups = BTreeMap<Labels, Vec<(Point, Duration)>>;

/// The points of each group. A bucket without data is no point.
pub(super) fn grouped(server: &str, rows: &[Row]) -> Result<Groups, Fault> {
    let mut groups = Groups::new();
    for row in rows {
        let Some((at, end)) = row.bucket else {
            return Err(malformed(server, "a bucket without times"));
        };
        let Ok(length) = Duration::try_from(end.duration_since(at)) else {
            return Err(malformed(server, "a bucket that ends before it begins"));
        };
        let points = groups.entry(row.labels.clone()).or_default();
        if points.iter().any(|(point, _)| point.at == at) {
            return Err(malformed(server, "two values of one bucket"));
        }
        points.extend(row.value.map(|value| (Point { at, value }, length)));
    }
    Ok(groups)
}

/// How long buckets are; the last one may be cut off at the end of the window.
pub(super) fn width(groups: &Groups, asked: Duration) -> Duration {
    let widths = groups.values().flatten().map(|(_, width)| *width);
    widths.max().unwrap_or(asked)
}

/// What a metric of this kind sees of the buckets of a window.
pub(super) fn in_buckets(
    groups: Groups,
    width: Duration,
    kind: MetricKind,
    window: Window,
) -> Vec<Series> {
    let series = groups.into_iter().map(|(labels, points)| {
        let whole = points.into_iter().filter(|(_, length)| *length == width);
        let points = whole.map(|(point, _)| point).collect();
        let buckets = Buckets {
            labels,
            points,
            width,
        };
        buckets.into_series(kind, window)
    });
    series.filter(|one| !one.points.is_empty()).collect()
}

/// The one number of each group, where it has one.
pub(super) fn numbers(rows: Vec<Row>) -> Result<BTreeMap<Labels, Option<f64>>, Fault> {
    let mut groups = BTreeMap::new();
    for row in rows {
        if groups.insert(row.labels, row.value).is_some() {
            let message = "the query answers several rows of one group, and a metric is one number (use a function such as average(NAME))";
            return Err(Fault::new(FaultKind::Invalid, message));
        }
    }
    Ok(groups)
}

/// Numbers as series of one point each, at this instant.
pub(super) fn at(at: Timestamp, numbers: BTreeMap<Labels, Option<f64>>) -> Vec<Series> {
    let series = numbers.into_iter().filter_map(|(labels, value)| {
        let points = vec![Point { at, value: value? }];
        Some(Series { labels, points })
    });
    series.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn one(row: &Value, facets: &[&str]) -> Result<Row, Fault> {
        let facets: Vec<String> = facets.iter().map(|&facet| facet.to_owned()).collect();
        read("http://h", row.as_object().unwrap(), &facets)
    }

    #[test]
    fn the_only_number_is_the_value() {
        let value = |row: &Value| {
            let row = one(row, &[])?;
            let name = row.labels["__name__"].clone();
            Ok::<_, Fault>((name, row.value))
        };
        let found = |row| value(&row).unwrap();
        assert_eq!(found(json!({"count": 5})), ("count".to_owned(), Some(5.0)));
        assert_eq!(found(json!({"average.x": null})).1, None);
        assert_eq!(
            found(json!({"percentile.x": {"95": 1.5}})),
            ("percentile.x.95".to_owned(), Some(1.5))
        );
        assert_eq!(found(json!({"percentile.x": {"95": null}})).1, None);
        for row in [
            json!({}),
            json!({"count": 5, "average.x": 2}),
            json!({"count": 5, "average.x": null}),
            json!({"percentile.x": {"50": 1, "95": 2}}),
            json!({"latest.x": "text"}),
            json!({"uniques.x": [1]}),
        ] {
            assert_eq!(value(&row).unwrap_err().kind, FaultKind::Invalid, "{row}");
        }
    }

    #[test]
    fn groups_are_labels() {
        let labels = |row: &Value, facets: &[&str]| {
            let mut labels = one(row, facets)?.labels;
            labels.remove("__name__");
            Ok::<_, Fault>(labels.into_iter().collect::<Vec<_>>())
        };
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let row = json!({"facet": "a", "host": "a", "count": 1});
        assert_eq!(labels(&row, &["host"]).unwrap(), [pair("host", "a")]);
        assert_eq!(labels(&row, &[]).unwrap(), [pair("facet", "a")]);
        let row = json!({"facet": ["a", 200], "host": "a", "code": 200, "count": 1});
        let both = [pair("code", "200"), pair("host", "a")];
        assert_eq!(labels(&row, &["host", "code"]).unwrap(), both);
        let row = json!({"facet": null, "count": 1});
        assert_eq!(labels(&row, &["host"]).unwrap(), [pair("host", "")]);
        let row = json!({"facet": ["a", "b"], "count": 1});
        assert_eq!(
            labels(&row, &["host"]).unwrap_err().kind,
            FaultKind::Malformed
        );
    }

    #[test]
    fn times_are_seconds_with_or_without_a_fraction() {
        let row = one(
            &json!({"beginTimeSeconds": 60.0, "endTimeSeconds": 90, "count": 1}),
            &[],
        );
        let at = |second| Timestamp::from_second(second).unwrap();
        assert_eq!(row.unwrap().bucket, Some((at(60), at(90))));
        let odd = one(
            &json!({"beginTimeSeconds": "1", "endTimeSeconds": 90, "count": 1}),
            &[],
        );
        assert_eq!(odd.unwrap_err().kind, FaultKind::Malformed);
    }
}
