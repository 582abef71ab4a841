//! Delimited columns: CSV, TSV, per-request logs of load generators.

use std::fmt;

use super::{ReadError, ReadSample, TimeFormat, excerpt};
use crate::expression::closest;

/// One column of a table.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Column {
    /// By the name in the header.
    Named(String),
    /// By its position, from 1.
    At(usize),
}

/// Which columns of a table to read, and how the table is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CsvShape {
    /// What stands between two cells; one ASCII character.
    pub delimiter: char,
    /// Lines that start with it are skipped; one ASCII character.
    pub comment: Option<char>,
    /// Whether the first row names the columns.
    pub header: Header,
    /// The numbers to read: what they are called, and where they are. A row gives one sample for each that is not empty.
    pub values: Vec<(String, Column)>,
    /// Labels, and where their values are.
    pub labels: Vec<(String, Column)>,
    /// Where the time of a row is.
    pub at: Option<(Column, TimeFormat)>,
}

/// Whether a table has a header row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Header {
    /// The first row names the columns.
    Present,
    /// The first row is data already.
    Absent,
}

impl Default for CsvShape {
    /// Commas, a header, no comments, no columns yet.
    fn default() -> Self {
        Self {
            delimiter: ',',
            comment: None,
            header: Header::Present,
            values: Vec::new(),
            labels: Vec::new(),
            at: None,
        }
    }
}

impl CsvShape {
    /// Reads the table; rows of unequal length, unknown columns and cells that are no numbers are errors with their line.
    ///
    /// ```
    /// use em_core::read::csv::{Column, CsvShape};
    /// let shape = CsvShape { values: vec![("latency".into(), Column::Named("ms".into()))], ..CsvShape::default() };
    /// let samples = shape.read("url,ms\n\"/a,b\",12.5\n")?;
    /// assert_eq!(samples[0].value, 12.5);
    /// # Ok::<(), em_core::read::ReadError>(())
    /// ```
    pub fn read(&self, text: &str) -> Result<Vec<ReadSample>, ReadError> {
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(ascii(self.delimiter)?)
            .comment(self.comment.map(ascii).transpose()?)
            .has_headers(self.header == Header::Present)
            .from_reader(text.as_bytes());
        let header = match self.header {
            Header::Present => Some(reader.headers().map_err(|error| malformed(&error))?.clone()),
            Header::Absent => None,
        };
        let columns = Places::find(self, header.as_ref())?;
        let mut samples = Vec::new();
        for record in reader.records() {
            let record = record.map_err(|error| malformed(&error))?;
            columns.row(&record, &mut samples)?;
        }
        Ok(samples)
    }
}

/// A shape whose columns have been found in the header.
struct Places<'a> {
    values: Vec<(&'a str, usize)>,
    labels: Vec<(&'a str, usize)>,
    at: Option<(usize, TimeFormat)>,
}

impl<'a> Places<'a> {
    fn find(shape: &'a CsvShape, header: Option<&csv::StringRecord>) -> Result<Self, ReadError> {
        let place = |column: &Column| place_of(column, header);
        let all = |columns: &'a [(String, Column)]| -> Result<Vec<(&'a str, usize)>, ReadError> {
            columns
                .iter()
                .map(|(name, column)| Ok((name.as_str(), place(column)?)))
                .collect()
        };
        let at = match &shape.at {
            Some((column, format)) => Some((place(column)?, *format)),
            None => None,
        };
        Ok(Self {
            values: all(&shape.values)?,
            labels: all(&shape.labels)?,
            at,
        })
    }

    fn row(
        &self,
        record: &csv::StringRecord,
        samples: &mut Vec<ReadSample>,
    ) -> Result<(), ReadError> {
        let line = record.position().map_or(0, csv::Position::line);
        let refused = |column: usize, problem: String| ReadError {
            place: format!("line {line}, column {}", column + 1),
            problem,
        };
        let cell = |column: usize| {
            record.get(column).ok_or_else(|| {
                refused(column, format!("the row has only {} columns", record.len()))
            })
        };
        let mut at = None;
        if let Some((column, format)) = self.at {
            let text = cell(column)?;
            let problem = || {
                refused(
                    column,
                    format!("{} is not a time in the format that is set", excerpt(text)),
                )
            };
            at = Some(format.parse(text).ok_or_else(problem)?);
        }
        for (name, column) in &self.values {
            let text = cell(*column)?.trim();
            if text.is_empty() {
                continue;
            }
            let problem = |_| {
                refused(
                    *column,
                    format!("{} is not a number ({name})", excerpt(text)),
                )
            };
            let value = text.parse().map_err(problem)?;
            let mut sample = ReadSample {
                name: (*name).into(),
                labels: [].into(),
                at,
                value,
            };
            for (label, column) in &self.labels {
                sample.labels.insert((*label).into(), cell(*column)?.into());
            }
            samples.push(sample);
        }
        Ok(())
    }
}

fn place_of(column: &Column, header: Option<&csv::StringRecord>) -> Result<usize, ReadError> {
    let refused = |problem: String| Err(ReadError::at_line(1, problem));
    let name = match (column, header) {
        (Column::At(0), _) => return refused("there is no column 0 (the first is 1)".into()),
        (Column::At(position), _) => return Ok(position - 1),
        (Column::Named(_), None) => {
            return refused(format!(
                "{column} cannot be found without a header (give its position)"
            ));
        }
        (Column::Named(name), Some(_)) => name,
    };
    let names = || header.into_iter().flatten().map(str::trim);
    let places: Vec<usize> = names()
        .enumerate()
        .filter(|(_, title)| title == name)
        .map(|(place, _)| place)
        .collect();
    match places.as_slice() {
        [place] => Ok(*place),
        [] => {
            let meant = closest(name, names()).map(|meant| format!(" (did you mean {meant:?}?)"));
            let known = || {
                format!(
                    " (the header has {})",
                    excerpt(&names().collect::<Vec<_>>().join(", "))
                )
            };
            refused(format!(
                "there is no {column}{}",
                meant.unwrap_or_else(known)
            ))
        }
        _ => refused(format!(
            "{column} comes {} times (give its position)",
            places.len()
        )),
    }
}

fn ascii(character: char) -> Result<u8, ReadError> {
    let byte = u8::try_from(character)
        .ok()
        .filter(|byte| byte.is_ascii() && !b"\"\r\n".contains(byte));
    byte.ok_or_else(|| {
        ReadError::at_line(
            1,
            format!("{character:?} cannot be a delimiter or comment mark (one ASCII character)"),
        )
    })
}

fn malformed(error: &csv::Error) -> ReadError {
    let line = error.position().map_or(1, csv::Position::line);
    let problem = if let csv::ErrorKind::UnequalLengths {
        expected_len, len, ..
    } = error.kind()
    {
        format!("the row has {len} columns, those before it {expected_len}")
    } else {
        "the row cannot be read".into()
    };
    ReadError {
        place: format!("line {line}"),
        problem,
    }
}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(name) => write!(f, "column {}", excerpt(name)),
            Self::At(position) => write!(f, "column {position}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn named(name: &str) -> Column {
        Column::Named(name.into())
    }

    fn shape(column: Column) -> CsvShape {
        CsvShape {
            values: vec![("x".into(), column)],
            ..CsvShape::default()
        }
    }

    #[test]
    fn a_load_tools_log_becomes_labelled_series() {
        let shape = CsvShape {
            values: vec![
                ("elapsed".into(), named("elapsed")),
                ("bytes".into(), named("bytes")),
            ],
            labels: vec![("label".into(), named("label"))],
            at: Some((named("timeStamp"), TimeFormat::Milliseconds)),
            comment: Some('#'),
            ..CsvShape::default()
        };
        let text = "timeStamp,elapsed,label,bytes\r\n# remark\r\n1000,12,\"GET /a,b \"\"x\"\"\n2\",\r\n2000,NaN,plain,7\r\n";
        let samples = shape.read(text).unwrap();
        assert_eq!(samples.len(), 3);
        assert_eq!((samples[0].at, samples[0].value), (Some(1.0), 12.0));
        assert_eq!(samples[0].labels["label"], "GET /a,b \"x\"\n2");
        assert!(samples[1].value.is_nan());
        assert_eq!((samples[2].name.as_str(), samples[2].value), ("bytes", 7.0));
    }

    #[test]
    fn columns_can_be_counted_where_there_is_no_header() {
        let shape = CsvShape {
            delimiter: '\t',
            header: Header::Absent,
            ..shape(Column::At(2))
        };
        let samples = shape.read("a\t1.5\nb\t2.5\n").unwrap();
        let values: Vec<f64> = samples.iter().map(|sample| sample.value).collect();
        assert_eq!(values, [1.5, 2.5]);
        assert!(shape.read("").unwrap().is_empty());
    }

    #[test]
    fn a_broken_table_is_an_error_with_its_line() {
        for (column, text, message) in [
            (
                named("elapsd"),
                "t,elapsed\n",
                r#"line 1: there is no column "elapsd" (did you mean "elapsed"?)"#,
            ),
            (
                named("zzz"),
                "t,elapsed\n",
                r#"line 1: there is no column "zzz" (the header has "t, elapsed")"#,
            ),
            (
                named("a"),
                "a,a\n1,2\n",
                r#"line 1: column "a" comes 2 times (give its position)"#,
            ),
            (
                named("b"),
                "a,b\n1,2\n1,2,3\n",
                "line 3: the row has 3 columns, those before it 2",
            ),
            (
                named("b"),
                "a,b\n1,x\n",
                r#"line 2, column 2: "x" is not a number (x)"#,
            ),
            (
                Column::At(3),
                "a,b\n1,2\n",
                "line 2, column 3: the row has only 2 columns",
            ),
            (
                Column::At(0),
                "a,b\n1,2\n",
                "line 1: there is no column 0 (the first is 1)",
            ),
        ] {
            assert_eq!(shape(column).read(text).unwrap_err().to_string(), message);
        }
        let odd = CsvShape {
            delimiter: '→',
            ..shape(Column::At(1))
        };
        assert!(odd.read("a\n").is_err());
        let blind = CsvShape {
            header: Header::Absent,
            ..shape(named("a"))
        };
        assert_eq!(
            blind.read("1\n").unwrap_err().to_string(),
            r#"line 1: column "a" cannot be found without a header (give its position)"#
        );
    }

    proptest! {
        #[test]
        fn any_label_survives_quoting(label in "\\PC{0,20}[\"\n,]{0,4}") {
            let shape = CsvShape { labels: vec![("l".into(), named("l"))], ..shape(named("v")) };
            let text = format!("v,l\n1,\"{}\"\n", label.replace('"', "\"\""));
            prop_assert_eq!(&shape.read(&text).unwrap()[0].labels["l"], &label);
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,60}", near in "[a,\"\n\r0-9#;]{0,60}") {
            let by_name = shape(named("a"));
            let by_place = CsvShape { header: Header::Absent, ..shape(Column::At(2)) };
            for text in [text, near] {
                let _ = by_name.read(&text);
                let _ = by_place.read(&text);
            }
        }
    }
}
