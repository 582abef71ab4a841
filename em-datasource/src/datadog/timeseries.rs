//! Answers of API v2 over time: one row of values per series, and the times of all rows.

use std::time::Duration;

use em_core::fault::Fault;
use em_core::port::Point;
use jiff::Timestamp;
use serde::Deserialize;

use super::judge::{self, malformed};
use super::{step, tags};
use crate::bucketed::Buckets;
use crate::remote::Reply;

#[derive(Deserialize)]
struct Whole {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    attributes: Attributes,
}

/// A list may be null where it is empty, but it is there.
#[derive(Deserialize)]
struct Attributes {
    #[serde(deserialize_with = "Option::deserialize")]
    series: Option<Vec<One>>,
    /// Milliseconds since 1970, some as floats.
    #[serde(deserialize_with = "Option::deserialize")]
    times: Option<Vec<f64>>,
    #[serde(deserialize_with = "Option::deserialize")]
    values: Option<Vec<Vec<Option<f64>>>>,
}

#[derive(Deserialize)]
struct One {
    #[serde(default)]
    group_tags: Option<Vec<String>>,
    #[serde(default)]
    query_index: Option<i64>,
}

/// The series of an answer to a question for buckets of the length `asked`.
pub(super) fn read(server: &str, reply: &Reply, asked: Duration) -> Result<Vec<Buckets>, Fault> {
    let whole: Whole = judge::read(server, reply)?;
    let Attributes {
        series,
        times,
        values,
    } = whole.data.attributes;
    let (series, rows) = (series.unwrap_or_default(), values.unwrap_or_default());
    if series.len() != rows.len() {
        let what = format!("{} series and {} rows of values", series.len(), rows.len());
        return Err(malformed(server, &what));
    }
    one_formula(server, &series)?;
    let times = instants(server, &times.unwrap_or_default())?;
    let width = step::real(&times, asked);
    let pairs = series.into_iter().zip(rows);
    let buckets = pairs.map(|(one, row)| {
        Ok(Buckets {
            labels: tags::labels(&one.group_tags.unwrap_or_default()),
            points: points(server, &times, &row)?,
            width,
        })
    });
    buckets.collect()
}

/// One formula was asked for: series of two cannot be told apart.
fn one_formula(server: &str, series: &[One]) -> Result<(), Fault> {
    let first = series.first().and_then(|one| one.query_index);
    match series.iter().find(|one| one.query_index != first) {
        None => Ok(()),
        Some(other) => {
            let shown = |index: Option<i64>| index.map_or("none".to_owned(), |n| n.to_string());
            let what = format!(
                "series of several queries (query_index {} and {}) to one formula: which one counts is ambiguous",
                shown(first),
                shown(other.query_index)
            );
            Err(malformed(server, &what))
        }
    }
}

fn instants(server: &str, times: &[f64]) -> Result<Vec<Timestamp>, Fault> {
    let times = times.iter().map(|milliseconds| {
        let at = tags::instant(*milliseconds);
        at.ok_or_else(|| malformed(server, &format!("the time {milliseconds}")))
    });
    times.collect()
}

/// A bucket without data is null: it is no point.
fn points(server: &str, times: &[Timestamp], row: &[Option<f64>]) -> Result<Vec<Point>, Fault> {
    if times.len() != row.len() {
        let what = format!("a row of {} values for {} times", row.len(), times.len());
        return Err(malformed(server, &what));
    }
    let pairs = times.iter().zip(row);
    let points = pairs.filter_map(|(at, value)| {
        let (at, value) = (*at, (*value)?);
        Some(Point { at, value })
    });
    Ok(points.collect())
}
