//! An answer of `/query` as it is written.

use std::fmt;

use em_core::port::Labels;
use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};

/// The whole answer. Refusals have no results.
#[derive(Debug, Deserialize)]
pub(super) struct Document {
    #[serde(default)]
    pub(super) results: Option<Vec<Outcome>>,
    #[serde(default)]
    pub(super) error: Option<String>,
    /// What later versions say instead of `error`.
    #[serde(default)]
    pub(super) message: Option<String>,
}

/// What came of one statement.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Outcome {
    #[serde(default)]
    pub(super) series: Vec<Table>,
    #[serde(default)]
    pub(super) error: Option<String>,
    #[serde(default)]
    pub(super) messages: Vec<Message>,
    #[serde(default)]
    pub(super) partial: bool,
}

/// What the server has to say beside.
#[derive(Debug, Deserialize)]
pub(super) struct Message {
    #[serde(default)]
    pub(super) text: String,
}

/// The rows of one series.
#[derive(Debug, Deserialize)]
pub(super) struct Table {
    #[serde(default)]
    pub(super) name: Option<String>,
    #[serde(default)]
    pub(super) tags: Labels,
    pub(super) columns: Vec<String>,
    #[serde(default)]
    pub(super) values: Vec<Vec<Cell>>,
    /// Rows are missing here, and series after this one.
    #[serde(default)]
    pub(super) partial: bool,
}

/// One value of a row.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell {
    Null,
    /// A whole number: times are beyond what a float holds exactly.
    Whole(i64),
    Real(f64),
    Text(String),
    Flag(bool),
}

impl<'de> Deserialize<'de> for Cell {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CellVisitor)
    }
}

struct CellVisitor;

impl Visitor<'_> for CellVisitor {
    type Value = Cell;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, a text, true, false, or null")
    }

    fn visit_unit<E: Error>(self) -> Result<Cell, E> {
        Ok(Cell::Null)
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<Cell, E> {
        Ok(Cell::Flag(flag))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Cell, E> {
        Ok(Cell::Whole(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Cell, E> {
        #[expect(
            clippy::cast_precision_loss,
            reason = "a field this large is a float to whoever folds it"
        )]
        let cell = i64::try_from(number).map_or(Cell::Real(number as f64), Cell::Whole);
        Ok(cell)
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Cell, E> {
        Ok(Cell::Real(number))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Cell, E> {
        Ok(Cell::Text(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nanoseconds_keep_their_last_digit() {
        let row = r#"[1700000000123456789,null,1.5,-2,18446744073709551615,"x",true]"#;
        let row: Vec<Cell> = serde_json::from_str(row).unwrap();
        let wanted = [
            Cell::Whole(1_700_000_000_123_456_789),
            Cell::Null,
            Cell::Real(1.5),
            Cell::Whole(-2),
            Cell::Real(18_446_744_073_709_551_615.0),
            Cell::Text("x".to_owned()),
            Cell::Flag(true),
        ];
        assert_eq!(row, wanted);
    }

    #[test]
    fn whatever_is_missing_is_nothing() {
        let document: Document =
            serde_json::from_str(r#"{"results":[{"statement_id":0}]}"#).unwrap();
        let outcome = document.results.unwrap().pop().unwrap();
        assert!(outcome.series.is_empty() && outcome.error.is_none() && !outcome.partial);
        assert!(serde_json::from_str::<Vec<Cell>>("[[1]]").is_err());
    }
}
