//! Numbers in JSON documents, found by path.
//!
//! The paths are the part of RFC 9535 that names places: `$`, `.name`, `['any name']`, `[0]`, `[-1]`, `[*]`, `.*`. Filters, slices,
//! unions and `..` are refused by name.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde_json::Value as Json;

use super::{ReadError, ReadSample, TimeFormat, excerpt};

/// A path into a JSON document.
///
/// ```
/// use em_core::read::json_path::JsonPath;
/// let path: JsonPath = "$.runs[*]['p 99']".parse()?;
/// assert_eq!(path.to_string(), "$.runs[*]['p 99']");
/// # Ok::<(), em_core::read::json_path::JsonPathError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonPath {
    steps: Vec<Step>,
}

/// Which numbers of a document to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonShape {
    /// What the numbers are called.
    pub name: String,
    /// Where they are; several places are several samples.
    pub value: JsonPath,
    /// Where their times are: as many places as values, or one for all.
    pub at: Option<(JsonPath, TimeFormat)>,
    /// Where their labels are: as many places as values, or one for all.
    pub labels: BTreeMap<String, JsonPath>,
}

/// Why a text is not a path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem} at character {column} of path {path:?}")]
pub struct JsonPathError {
    /// The text (shortened when very long).
    pub path: String,
    /// The character, from 1.
    pub column: usize,
    /// What is wrong and what to do.
    pub problem: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Member(String),
    /// From the end when negative.
    Element(i64),
    All,
}

impl JsonShape {
    /// Reads the document. A place that is not there or is `null` gives no sample; numbers may be written as strings.
    pub fn read(&self, text: &str) -> Result<Vec<ReadSample>, ReadError> {
        let document: Json = serde_json::from_str(text).map_err(|error| {
            ReadError::at_column(
                error.line(),
                error.column(),
                format!("this is not JSON, which starts {}", excerpt(text)),
            )
        })?;
        let values = self.value.find(&document);
        let times = self.beside(
            &document,
            "times",
            self.at.as_ref().map(|(path, _)| path),
            values.len(),
        )?;
        let mut labels = Vec::new();
        for (label, path) in &self.labels {
            labels.push((
                label,
                self.beside(&document, label, Some(path), values.len())?,
            ));
        }
        let mut samples = Vec::new();
        for (index, (place, value)) in values.iter().enumerate() {
            let Some(value) = number(place, value)? else {
                continue;
            };
            let at = match (pick(&times, index), &self.at) {
                (Some((place, time)), Some((_, format))) => Some(instant(place, time, *format)?),
                _ => None,
            };
            let mut sample = ReadSample {
                name: self.name.clone(),
                labels: BTreeMap::new(),
                at,
                value,
            };
            for (label, found) in &labels {
                if let Some((place, text)) = pick(found, index) {
                    sample.labels.insert((*label).clone(), scalar(place, text)?);
                }
            }
            samples.push(sample);
        }
        Ok(samples)
    }

    /// What stands beside the values: one for each of them, or one for all.
    fn beside<'d>(
        &self,
        document: &'d Json,
        what: &str,
        path: Option<&JsonPath>,
        values: usize,
    ) -> Result<Vec<(String, &'d Json)>, ReadError> {
        let Some(path) = path else {
            return Ok(Vec::new());
        };
        let found = path.find(document);
        if values == 0 || found.len() == 1 || found.len() == values {
            return Ok(found);
        }
        let problem = format!(
            "{} {what} do not match {values} values of {:?}",
            found.len(),
            self.name
        );
        Err(ReadError {
            place: path.to_string(),
            problem,
        })
    }
}

fn pick<'f, 'd>(found: &'f [(String, &'d Json)], index: usize) -> Option<(&'f str, &'d Json)> {
    let chosen = if found.len() == 1 {
        found.first()
    } else {
        found.get(index)
    };
    chosen.map(|(place, value)| (place.as_str(), *value))
}

fn number(place: &str, value: &Json) -> Result<Option<f64>, ReadError> {
    let number = match value {
        Json::Null => return Ok(None),
        Json::Number(number) => number.as_f64(),
        Json::String(text) => text.trim().parse().ok(),
        Json::Bool(_) | Json::Array(_) | Json::Object(_) => None,
    };
    let problem = || format!("{} is not a number", excerpt(&value.to_string()));
    number.map(Some).ok_or_else(|| ReadError {
        place: place.into(),
        problem: problem(),
    })
}

fn instant(place: &str, value: &Json, format: TimeFormat) -> Result<f64, ReadError> {
    let text = scalar(place, value)?;
    let problem = || format!("{} is not a time in the format that is set", excerpt(&text));
    format.parse(&text).ok_or_else(|| ReadError {
        place: place.into(),
        problem: problem(),
    })
}

fn scalar(place: &str, value: &Json) -> Result<String, ReadError> {
    match value {
        Json::String(text) => Ok(text.clone()),
        Json::Null | Json::Bool(_) | Json::Number(_) => Ok(value.to_string()),
        Json::Array(_) | Json::Object(_) => {
            let problem = format!("{} is not a single value", excerpt(&value.to_string()));
            Err(ReadError {
                place: place.into(),
                problem,
            })
        }
    }
}

impl JsonPath {
    /// All places that the path names, in document order, each with its own path.
    pub fn find<'d>(&self, document: &'d Json) -> Vec<(String, &'d Json)> {
        let mut found = vec![("$".to_owned(), document)];
        for step in &self.steps {
            found = found
                .into_iter()
                .flat_map(|(place, json)| step.take(&place, json))
                .collect();
        }
        found
    }
}

impl Step {
    fn take<'d>(&self, place: &str, json: &'d Json) -> Vec<(String, &'d Json)> {
        let below = |step: &Self, json: &'d Json| (format!("{place}{step}"), json);
        match (self, json) {
            (Self::Member(name), Json::Object(members)) => members
                .get(name)
                .map(|json| below(self, json))
                .into_iter()
                .collect(),
            (Self::Element(index), Json::Array(elements)) => {
                let from_end = usize::try_from(index.unsigned_abs()).ok();
                let index = match from_end {
                    Some(distance) if *index < 0 => elements.len().checked_sub(distance),
                    index => index,
                };
                let element = index.and_then(|index| elements.get(index));
                element.map(|json| below(self, json)).into_iter().collect()
            }
            (Self::All, Json::Array(elements)) => (0..)
                .zip(elements)
                .map(|(index, json)| below(&Self::Element(index), json))
                .collect(),
            (Self::All, Json::Object(members)) => members
                .iter()
                .map(|(name, json)| below(&Self::Member(name.clone()), json))
                .collect(),
            _ => Vec::new(),
        }
    }
}

impl FromStr for JsonPath {
    type Err = JsonPathError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // kubectl writes {$.a}; taking one pair of braces off costs nothing.
        let path = text
            .strip_prefix('{')
            .and_then(|rest| rest.strip_suffix('}'))
            .unwrap_or(text);
        let mut reader = PathReader { rest: path };
        reader.path().map_err(|problem| JsonPathError {
            path: path.chars().take(80).collect(),
            column: path[..path.len() - reader.rest.len()].chars().count() + 1,
            problem,
        })
    }
}

impl fmt::Display for JsonPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("$")?;
        self.steps.iter().try_for_each(|step| write!(f, "{step}"))
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("[*]"),
            Self::Element(index) => write!(f, "[{index}]"),
            Self::Member(name) if is_plain(name) => write!(f, ".{name}"),
            Self::Member(name) => {
                write!(f, "['{}']", name.replace('\\', r"\\").replace('\'', r"\'"))
            }
        }
    }
}

fn is_plain(name: &str) -> bool {
    name.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_alphanumeric() || c == '_')
}

struct PathReader<'a> {
    rest: &'a str,
}

impl PathReader<'_> {
    fn path(&mut self) -> Result<JsonPath, String> {
        if !self.eat("$") {
            return Err("a path starts with \"$\"".into());
        }
        let mut steps = Vec::new();
        while !self.rest.is_empty() {
            steps.push(self.step()?);
        }
        Ok(JsonPath { steps })
    }

    fn step(&mut self) -> Result<Step, String> {
        if self.rest.starts_with("..") {
            return Err("\"..\" is not supported (name the way)".into());
        }
        if self.eat(".*") || self.eat("[*]") {
            return Ok(Step::All);
        }
        if self.eat(".") {
            let end = self
                .rest
                .find(|c: char| !(c.is_alphanumeric() || c == '_'))
                .unwrap_or(self.rest.len());
            let name = self.take(end);
            if name.is_empty() {
                return Err("a name is missing (other characters need ['...'])".into());
            }
            return Ok(Step::Member(name));
        }
        if !self.rest.starts_with('[') {
            return Err("\".\" or \"[\" is missing (characters like \"-\" need ['...'])".into());
        }
        self.bracket()
    }

    fn bracket(&mut self) -> Result<Step, String> {
        let inside = &self.rest[1..];
        let step = if inside.starts_with(['\'', '"']) {
            self.take(1);
            Step::Member(self.quoted()?)
        } else if inside.starts_with('?') {
            return Err("filters are not supported".into());
        } else {
            let end = inside.find([']', ',', ':']).ok_or("\"[\" is not closed")?;
            let index = inside[..end].trim().parse().map_err(
                |_| "a whole number, a quoted name or \"*\" belongs between \"[\" and \"]\"",
            )?;
            self.take(end + 1);
            Step::Element(index)
        };
        if self.rest.starts_with([',', ':']) {
            return Err("unions and slices are not supported".into());
        }
        if self.eat("]") {
            Ok(step)
        } else {
            Err("\"]\" is missing".into())
        }
    }

    fn quoted(&mut self) -> Result<String, String> {
        let mut name = String::new();
        let mut characters = self.rest.char_indices();
        let quote = characters.next().map(|(_, quote)| quote);
        while let Some((at, c)) = characters.next() {
            match c {
                c if Some(c) == quote => {
                    self.take(at + 1);
                    return Ok(name);
                }
                '\\' => match characters.next() {
                    Some((_, c @ ('\\' | '\'' | '"' | '/'))) => name.push(c),
                    Some((_, 'n')) => name.push('\n'),
                    Some((_, 't')) => name.push('\t'),
                    _ => return Err("this escape is not supported".into()),
                },
                c => name.push(c),
            }
        }
        Err("the quoted name does not end".into())
    }

    fn eat(&mut self, wanted: &str) -> bool {
        match self.rest.strip_prefix(wanted) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn take(&mut self, length: usize) -> String {
        let (taken, rest) = self.rest.split_at(length);
        self.rest = rest;
        taken.into()
    }
}

#[cfg(test)]
mod tests;
