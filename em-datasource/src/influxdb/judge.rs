//! Whether an answer counts, and what it means where it does not.

use em_core::fault::{Fault, FaultKind};
use em_core::port::{Labels, Point};
use jiff::Timestamp;

use super::decode::{Cell, Document, Outcome, Table};
use crate::distinct::first_twice;
use crate::remote::{Reply, fault_of_status};

/// Series of an answer that counts, and what the server says beside.
#[derive(Debug, Default)]
pub(super) struct Judged {
    pub(super) series: Vec<Rows>,
    pub(super) warnings: Vec<String>,
}

/// One series, wherever its points lie.
#[derive(Debug)]
pub(super) struct Rows {
    pub(super) labels: Labels,
    /// In order of time, without those that have no value.
    pub(super) points: Vec<Point>,
    /// How many rows there were.
    pub(super) count: usize,
}

/// Reads an answer to one statement.
pub(super) fn judge(server: &str, reply: &Reply) -> Result<Judged, Fault> {
    let outcome = outcome(server, reply)?;
    if let Some(error) = &outcome.error {
        return Err(told(server, error));
    }
    if outcome.partial || outcome.series.iter().any(|table| table.partial) {
        let message = format!(
            "{server} answers only in part (max-row-limit): ask for fewer rows, as GROUP BY time(...) does"
        );
        return Err(Fault::new(FaultKind::Malformed, message));
    }
    let mut judged = Judged::default();
    for table in outcome.series {
        judged.series.push(rows(server, table)?);
    }
    if let Some(twice) = first_twice(judged.series.iter().map(|rows| &rows.labels)) {
        let message = format!("{server} answers two series {twice:?}");
        return Err(Fault::new(FaultKind::Malformed, message));
    }
    let messages = outcome.messages.into_iter();
    judged.warnings.extend(messages.map(|message| message.text));
    Ok(judged)
}

/// The outcome of the one statement that was sent.
pub(super) fn outcome(server: &str, reply: &Reply) -> Result<Outcome, Fault> {
    let read: Result<Document, _> = serde_json::from_slice(&reply.body);
    let document = match read {
        Ok(document) => document,
        // What stands between speaks no JSON.
        Err(_) if !reply.status.is_success() => {
            let said = reply.first_line();
            return Err(fault_of_status(server, reply.status, &reply.headers, &said));
        }
        Err(source) => {
            let message = format!("failed to read the answer of {server}");
            return Err(Fault::new(FaultKind::Malformed, message).caused_by(source));
        }
    };
    let said = document.error.or(document.message).unwrap_or_default();
    if !reply.status.is_success() {
        return Err(fault_of_status(server, reply.status, &reply.headers, &said));
    }
    let mut outcomes = document.results.unwrap_or_default();
    match (outcomes.pop(), outcomes.is_empty()) {
        (Some(outcome), true) => Ok(outcome),
        (None, _) if !said.is_empty() => Err(told(server, &said)),
        _ => {
            let message = format!("{server} does not answer with one result for one statement");
            Err(Fault::new(FaultKind::Malformed, message))
        }
    }
}

/// An error within an answer that is none by its status.
pub(super) fn told(server: &str, error: &str) -> Fault {
    let said: String = error.chars().take(500).collect();
    let message = format!("{server} answers with an error: {said}");
    Fault::new(kind_of(error), message)
}

/// Errors within an answer have no status of their own.
fn kind_of(error: &str) -> FaultKind {
    let says = |words: &[&str]| words.iter().any(|words| error.contains(words));
    if says(&["database not found", "retention policy not found"]) {
        FaultKind::NotFound
    } else if says(&["authoriz"]) {
        FaultKind::Denied
    } else if says(&[
        "timeout",
        "max-concurrent-queries",
        "query interrupted",
        "engine is closed",
    ]) {
        FaultKind::Unavailable
    } else {
        FaultKind::Invalid
    }
}

fn rows(server: &str, table: Table) -> Result<Rows, Fault> {
    let malformed = |what: &str| {
        let message = format!("failed to read the answer of {server}: {what}");
        Fault::new(FaultKind::Malformed, message)
    };
    let is_time = |name: &String| name == "time";
    let time = table.columns.iter().position(is_time);
    let time = time.ok_or_else(|| malformed("there is no column time"))?;
    // A field may be called `time` by the query: it is the later one.
    let value = one_value(&table.columns, time)?;
    let count = table.values.len();
    let mut points = Vec::with_capacity(count);
    for row in &table.values {
        if row.len() != table.columns.len() {
            return Err(malformed("a row is not as long as its columns"));
        }
        let (Some(at), Some(cell)) = (row.get(time), row.get(value)) else {
            return Err(malformed("a row has no value"));
        };
        let at = instant(at).ok_or_else(|| malformed("a time is no time"))?;
        if let Some(value) = number(cell, table.columns.get(value))? {
            points.push(Point { at, value });
        }
    }
    let mut labels = table.tags;
    if let Some(name) = table.name {
        labels.insert("__name__".to_owned(), name);
    }
    points.sort_by_key(|point| point.at);
    let is_apart = points.is_sorted_by(|one, next| one.at < next.at);
    if !is_apart {
        return Err(mixed(&labels));
    }
    Ok(Rows {
        labels,
        points,
        count,
    })
}

/// The only column beside the time.
fn one_value(columns: &[String], time: usize) -> Result<usize, Fault> {
    let beside = columns.iter().enumerate().filter(|(at, _)| *at != time);
    let beside: Vec<(usize, &str)> = beside.map(|(at, name)| (at, name.as_str())).collect();
    if let [(value, _)] = beside.as_slice() {
        return Ok(*value);
    }
    let names: Vec<&str> = beside.iter().map(|(_, name)| *name).collect();
    let message = format!(
        "the query answers {} columns beside the time ({}), and a metric is one: SELECT one field, \
         and put tags into GROUP BY",
        names.len(),
        names.join(", ")
    );
    Err(Fault::new(FaultKind::Invalid, message))
}

fn instant(cell: &Cell) -> Option<Timestamp> {
    match cell {
        Cell::Whole(nanoseconds) => Timestamp::from_nanosecond(i128::from(*nanoseconds)).ok(),
        // Who does not know about `epoch` writes it out.
        Cell::Text(text) => text.parse().ok(),
        Cell::Null | Cell::Real(_) | Cell::Flag(_) => None,
    }
}

fn number(cell: &Cell, column: Option<&String>) -> Result<Option<f64>, Fault> {
    let what = match cell {
        Cell::Null => return Ok(None),
        Cell::Real(value) => return Ok(Some(*value)),
        Cell::Whole(value) => {
            #[expect(
                clippy::cast_precision_loss,
                reason = "a metric is a float; an integer field beyond 2^53 loses its last digit"
            )]
            let value = *value as f64;
            return Ok(Some(value));
        }
        Cell::Text(_) => "a text",
        Cell::Flag(_) => "true or false",
    };
    let column = column.map(String::as_str).unwrap_or_default();
    let message = format!("{column} is {what}, and a metric is a number");
    Err(Fault::new(FaultKind::Invalid, message))
}

/// Without GROUP BY the rows of all tags come as one series.
fn mixed(labels: &Labels) -> Fault {
    let message = format!(
        "the query answers several values at one time as one series {labels:?}: GROUP BY the tags \
         that tell them apart, or make one of them (mean, sum, max)"
    );
    Fault::new(FaultKind::Invalid, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Table {
        serde_json::from_str(text).unwrap()
    }

    fn read(text: &str) -> Result<Rows, Fault> {
        rows("http://h", table(text))
    }

    #[test]
    fn errors_within_an_answer_have_a_kind() {
        for (error, kind) in [
            ("database not found: em", FaultKind::NotFound),
            ("retention policy not found: rp", FaultKind::NotFound),
            ("query-timeout limit exceeded", FaultKind::Unavailable),
            (
                "max-concurrent-queries limit exceeded(3, 3)",
                FaultKind::Unavailable,
            ),
            ("undefined function nofunc()", FaultKind::Invalid),
            (
                "max-select-buckets limit exceeded: (9/1)",
                FaultKind::Invalid,
            ),
            ("not authorized to execute", FaultKind::Denied),
        ] {
            assert_eq!(kind_of(error), kind, "{error}");
        }
    }

    #[test]
    fn the_time_is_found_by_its_name_and_nulls_are_no_points() {
        let table = r#"{"name":"m","tags":{"host":"a"},"columns":["v","time"],
            "values":[[3,2000000000],[null,3000000000],[1.5,1000000000]]}"#;
        let rows = read(table).unwrap();
        let seconds = |point: &Point| (point.at.as_second(), point.value);
        let points: Vec<_> = rows.points.iter().map(seconds).collect();
        assert_eq!(points, [(1, 1.5), (2, 3.0)]);
        assert_eq!(rows.count, 3);
        assert_eq!(rows.labels["__name__"], "m");
        assert_eq!(rows.labels["host"], "a");
    }

    #[test]
    fn a_time_that_is_written_out_is_read() {
        let table = r#"{"columns":["time","v"],"values":[["2023-11-14T22:13:20.5Z",1]]}"#;
        let at = read(table).unwrap().points[0].at;
        assert_eq!(at.as_millisecond(), 1_700_000_000_500);
    }

    #[test]
    fn what_is_no_series_of_numbers_is_refused() {
        for (columns, row, kind, words) in [
            (
                r#"["time","a","b"]"#,
                "[1,2,3]",
                FaultKind::Invalid,
                "(a, b)",
            ),
            (r#"["time"]"#, "[1]", FaultKind::Invalid, "0 columns"),
            (
                r#"["time","t"]"#,
                r#"[1,"5"]"#,
                FaultKind::Invalid,
                "t is a text",
            ),
            (
                r#"["time","t"]"#,
                "[1,true]",
                FaultKind::Invalid,
                "true or false",
            ),
            (
                r#"["when","t"]"#,
                "[1,2]",
                FaultKind::Malformed,
                "no column time",
            ),
            (
                r#"["time","t"]"#,
                "[1]",
                FaultKind::Malformed,
                "not as long",
            ),
            (
                r#"["time","t"]"#,
                "[1,2,3]",
                FaultKind::Malformed,
                "not as long",
            ),
            (
                r#"["time","t"]"#,
                "[1.5,2]",
                FaultKind::Malformed,
                "no time",
            ),
            (
                r#"["time","t"]"#,
                "[1,2],[1,3]",
                FaultKind::Invalid,
                "GROUP BY",
            ),
        ] {
            let table = format!(r#"{{"name":"m","columns":{columns},"values":[{row}]}}"#);
            let fault = read(&table).unwrap_err();
            assert_eq!(fault.kind, kind, "{table}");
            assert!(fault.message.contains(words), "{}", fault.message);
        }
    }
}
