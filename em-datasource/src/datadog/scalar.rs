//! Answers of API v2 over a whole window: columns of tags, and one of numbers.

use em_core::fault::Fault;
use em_core::port::{Labels, Point, Series};
use jiff::Timestamp;
use serde::Deserialize;

use super::judge::{self, malformed};
use super::{graph, tags};
use crate::remote::Reply;

#[derive(Deserialize)]
struct Whole {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    attributes: Attributes,
}

#[derive(Deserialize)]
struct Attributes {
    /// It may be null where it is empty, but it is there.
    #[serde(deserialize_with = "Option::deserialize")]
    columns: Option<Vec<Column>>,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Column {
    /// A tag; each row may have several values of it.
    Group {
        name: String,
        values: Vec<Vec<String>>,
    },
    /// What the formula says of each row.
    Number { values: Vec<Option<f64>> },
}

/// One series per group that has a number, with that number at `at`.
pub(super) fn read(server: &str, reply: &Reply, at: Timestamp) -> Result<Vec<Series>, Fault> {
    let whole: Whole = judge::read(server, reply)?;
    let (mut groups, mut numbers) = (Vec::new(), Vec::new());
    for column in whole.data.attributes.columns.unwrap_or_default() {
        match column {
            Column::Group { name, values } => groups.push((name, values)),
            Column::Number { values } => numbers.push(values),
        }
    }
    let rows = match (numbers.pop(), numbers.len()) {
        (Some(rows), 0) => rows,
        (None, _) if groups.is_empty() => Vec::new(),
        (None, _) => return Err(malformed(server, "groups without a column of numbers")),
        (Some(_), more) => {
            let what = format!("{} columns of numbers to one formula", more + 1);
            return Err(malformed(server, &what));
        }
    };
    for (name, values) in &groups {
        if values.len() != rows.len() {
            let (tags, rows) = (values.len(), rows.len());
            let what = format!("{tags} values of tag {name:?} for {rows} numbers");
            return Err(malformed(server, &what));
        }
    }
    let rows = rows.into_iter().enumerate();
    // A group without data has no number: it is left out.
    let rows = rows.filter_map(|(row, value)| Some((row, value?)));
    let series = rows.map(|(row, value)| Series {
        labels: labels(&groups, row),
        points: vec![Point { at, value }],
    });
    let series: Vec<Series> = series.collect();
    graph::distinct(server, series.iter().map(|one| &one.labels))?;
    Ok(series)
}

fn labels(groups: &[(String, Vec<Vec<String>>)], row: usize) -> Labels {
    let tags = groups.iter().flat_map(|(name, values)| {
        let values = values.get(row).into_iter().flatten();
        values.map(move |value| (name.as_str(), value.as_str()))
    });
    tags::joined(tags)
}
