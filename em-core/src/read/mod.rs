//! Pure readers of the texts that measuring programs print: metric pages, free output, JSON, delimited columns.
//!
//! They read what is there and judge nothing: NaN and infinities are passed on, what is absent yields no sample, numbers stay in
//! the unit of the source (a pattern with a `unit` group brings them to base units). Folding series, counter resets, and what an
//! empty or non-finite answer means are the caller's business. No reader panics, whatever the text.

pub mod csv;
pub mod exposition;
pub mod json_path;
pub mod pattern;
pub mod printed;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One number that a text gives.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadSample {
    /// What it is called.
    pub name: String,
    /// What tells it from others of that name.
    pub labels: BTreeMap<String, String>,
    /// When it was taken, in seconds since 1970, if the text says so.
    pub at: Option<f64>,
    /// The number, possibly NaN or infinite.
    pub value: f64,
}

/// A text that does not have the form it should have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct ReadError {
    /// Where: `line 3, column 7`, or a path such as `$.a[3]`.
    pub place: String,
    /// What is wrong there.
    pub problem: String,
}

/// How a text writes points in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TimeFormat {
    /// Seconds since 1970.
    #[serde(rename = "s")]
    Seconds,
    /// Milliseconds since 1970.
    #[serde(rename = "ms")]
    Milliseconds,
    /// Microseconds since 1970.
    #[serde(rename = "us")]
    Microseconds,
    /// Nanoseconds since 1970.
    #[serde(rename = "ns")]
    Nanoseconds,
    /// `2026-11-24T04:06:41Z`, with any offset.
    Rfc3339,
}

impl TimeFormat {
    /// Seconds since 1970, or nothing when the text is not in this format.
    pub fn parse(self, text: &str) -> Option<f64> {
        let divisor = match self {
            Self::Seconds => 1.0,
            Self::Milliseconds => 1e3,
            Self::Microseconds => 1e6,
            Self::Nanoseconds => 1e9,
            Self::Rfc3339 => {
                let timestamp: jiff::Timestamp = text.trim().parse().ok()?;
                return Some(timestamp.as_duration().as_secs_f64());
            }
        };
        let number: f64 = text.trim().parse().ok()?;
        number.is_finite().then_some(number / divisor)
    }
}

impl ReadError {
    fn at_line(line: usize, problem: impl Into<String>) -> Self {
        Self {
            place: format!("line {line}"),
            problem: problem.into(),
        }
    }

    fn at_column(line: usize, column: usize, problem: impl Into<String>) -> Self {
        Self {
            place: format!("line {line}, column {column}"),
            problem: problem.into(),
        }
    }
}

/// A piece of a foreign text, short enough for a message.
fn excerpt(text: &str) -> String {
    let mut shown: String = text.chars().take(40).collect();
    if shown.len() < text.len() {
        shown.push_str("...");
    }
    format!("{shown:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_become_seconds_since_1970() {
        for (format, text, seconds) in [
            (TimeFormat::Seconds, "1.5", Some(1.5)),
            (TimeFormat::Milliseconds, " 1500 ", Some(1.5)),
            (TimeFormat::Microseconds, "1500000", Some(1.5)),
            (TimeFormat::Nanoseconds, "1500000000", Some(1.5)),
            (
                TimeFormat::Rfc3339,
                "1970-01-01T01:00:01.5+01:00",
                Some(1.5),
            ),
            (TimeFormat::Rfc3339, "1970-01-01", None),
            (TimeFormat::Seconds, "NaN", None),
            (TimeFormat::Seconds, "1970-01-01T00:00:00Z", None),
        ] {
            assert_eq!(format.parse(text), seconds, "{text}");
        }
    }
}
