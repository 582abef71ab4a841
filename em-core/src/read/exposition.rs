//! Metric pages: the Prometheus text format 0.0.4 and OpenMetrics text 1.0.
//!
//! Both are read strictly line by line; a page that breaks off or holds a line nobody can read is an error with its place, never
//! a shorter answer. Quoted UTF-8 names are read; exemplars are checked for form and dropped.

use std::collections::BTreeMap;

use super::{ReadError, ReadSample, excerpt};

/// Which of the two formats a page is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExpositionFormat {
    /// `text/plain; version=0.0.4`: times in milliseconds.
    Prometheus,
    /// `application/openmetrics-text`: times in seconds, `# EOF` as the last line.
    OpenMetrics,
}

/// What kind of metric a family is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum MetricKind {
    /// Only grows, except when its program restarts.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Cumulative buckets with sum and count.
    Histogram,
    /// Buckets of a gauge.
    GaugeHistogram,
    /// Quantiles computed by the program itself.
    Summary,
    /// Labels are the content.
    Info,
    /// One of several states.
    StateSet,
    /// Not said.
    #[default]
    Unknown,
}

/// What a page says about a metric family besides its samples.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MetricFamily {
    /// Its kind.
    pub kind: MetricKind,
    /// The help text, unescaped.
    pub help: String,
    /// The unit (OpenMetrics only).
    pub unit: String,
}

/// A whole page.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Exposition {
    /// All samples in the order of the page.
    pub samples: Vec<ReadSample>,
    /// The families that the page describes.
    pub families: BTreeMap<String, MetricFamily>,
}

impl ExpositionFormat {
    /// The format that a `Content-Type` names: OpenMetrics when it says so, else the Prometheus text format.
    pub fn of_content_type(content_type: &str) -> Self {
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        if media_type.eq_ignore_ascii_case("application/openmetrics-text") {
            Self::OpenMetrics
        } else {
            Self::Prometheus
        }
    }
}

impl Exposition {
    /// Reads a page.
    ///
    /// ```
    /// use em_core::read::exposition::{Exposition, ExpositionFormat, MetricKind};
    /// let text = "# TYPE http_requests_total counter\nhttp_requests_total{code=\"200\"} 1027 1395066363000\n";
    /// let page = Exposition::parse(text, ExpositionFormat::Prometheus)?;
    /// assert_eq!(page.samples[0].at, Some(1_395_066_363.0));
    /// assert_eq!(page.kind_of("http_requests_total"), MetricKind::Counter);
    /// # Ok::<(), em_core::read::ReadError>(())
    /// ```
    pub fn parse(text: &str, format: ExpositionFormat) -> Result<Self, ReadError> {
        let mut page = Self::default();
        let mut has_ended = false;
        let mut number = 0;
        for (index, line) in text.lines().enumerate() {
            number = index + 1;
            if has_ended {
                return Err(ReadError::at_line(
                    number,
                    "the page goes on after \"# EOF\"",
                ));
            }
            let mut cursor = Cursor {
                line,
                at: 0,
                number,
            };
            cursor.skip_blanks();
            if cursor.rest().is_empty() {
                continue;
            }
            if cursor.eat('#') {
                has_ended = page.comment(&mut cursor)? && format == ExpositionFormat::OpenMetrics;
            } else {
                page.samples.push(sample(&mut cursor, format)?);
            }
        }
        if format == ExpositionFormat::OpenMetrics && !has_ended {
            return Err(ReadError::at_line(
                number.max(1),
                "the page breaks off (\"# EOF\" is missing)",
            ));
        }
        Ok(page)
    }

    /// The kind of the family that a sample of this name belongs to (`x_bucket` belongs to the histogram `x`).
    pub fn kind_of(&self, sample_name: &str) -> MetricKind {
        const SUFFIXES: [&str; 8] = [
            "_bucket", "_sum", "_count", "_total", "_created", "_info", "_gsum", "_gcount",
        ];
        if let Some(family) = self.families.get(sample_name) {
            return family.kind;
        }
        let stems = SUFFIXES
            .iter()
            .filter_map(|suffix| sample_name.strip_suffix(suffix));
        stems
            .filter_map(|stem| self.families.get(stem))
            .map(|family| family.kind)
            .next()
            .unwrap_or_default()
    }

    /// Reads what follows a `#`; answers whether it is the end mark.
    fn comment(&mut self, cursor: &mut Cursor<'_>) -> Result<bool, ReadError> {
        cursor.skip_blanks();
        let keyword = cursor.take_while(|c| !is_blank(c));
        if keyword == "EOF" && cursor.rest().trim().is_empty() {
            return Ok(true);
        }
        if !matches!(keyword, "HELP" | "TYPE" | "UNIT") {
            return Ok(false);
        }
        cursor.skip_blanks();
        let name = if cursor.rest().starts_with('"') {
            cursor.quoted()?
        } else {
            cursor.take_while(|c| !is_blank(c)).to_owned()
        };
        if name.is_empty() {
            return Err(cursor.error("a metric name is missing"));
        }
        cursor.skip_blanks();
        let family = self.families.entry(name).or_default();
        match keyword {
            "TYPE" => family.kind = kind(cursor)?,
            "UNIT" => family.unit = cursor.rest().trim().into(),
            _ => family.help = unescaped_help(cursor.rest()),
        }
        Ok(false)
    }
}

fn kind(cursor: &mut Cursor<'_>) -> Result<MetricKind, ReadError> {
    Ok(match cursor.rest().trim() {
        "counter" => MetricKind::Counter,
        "gauge" => MetricKind::Gauge,
        "histogram" => MetricKind::Histogram,
        "gaugehistogram" => MetricKind::GaugeHistogram,
        "summary" => MetricKind::Summary,
        "info" => MetricKind::Info,
        "stateset" => MetricKind::StateSet,
        "untyped" | "unknown" => MetricKind::Unknown,
        other => return Err(cursor.error(format!("{} is not a type of metric", excerpt(other)))),
    })
}

fn unescaped_help(text: &str) -> String {
    let mut help = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        match (c, characters.clone().next()) {
            ('\\', Some('n')) => help.push('\n'),
            ('\\', Some('\\')) => help.push('\\'),
            ('\\', Some('"')) => help.push('"'),
            _ => {
                help.push(c);
                continue;
            }
        }
        characters.next();
    }
    help
}

fn sample(cursor: &mut Cursor<'_>, format: ExpositionFormat) -> Result<ReadSample, ReadError> {
    let mut name = cursor.take_while(is_name).to_owned();
    if name.starts_with(|c: char| c.is_ascii_digit()) {
        cursor.at -= name.len();
        return Err(cursor.error("a metric name cannot start with a digit"));
    }
    cursor.skip_blanks();
    let mut labels = BTreeMap::new();
    if cursor.eat('{') {
        labels = label_set(cursor, &mut name)?;
    }
    if name.is_empty() {
        return Err(cursor.error(format!(
            "a metric name is missing before {}",
            excerpt(cursor.rest())
        )));
    }
    let value = number(cursor, "a value")?;
    cursor.skip_blanks();
    let has_time = !(cursor.rest().is_empty() || cursor.rest().starts_with('#'));
    let at = if has_time {
        Some(time(cursor, format)?)
    } else {
        None
    };
    cursor.skip_blanks();
    if format == ExpositionFormat::OpenMetrics && cursor.eat('#') {
        exemplar(cursor)?;
    }
    cursor.skip_blanks();
    if !cursor.rest().is_empty() {
        return Err(cursor.error(format!(
            "{} is not expected after the sample",
            excerpt(cursor.rest())
        )));
    }
    Ok(ReadSample {
        name,
        labels,
        at,
        value,
    })
}

/// Reads labels up to the closing brace; a quoted name without a value is the name of the metric itself.
fn label_set(
    cursor: &mut Cursor<'_>,
    metric: &mut String,
) -> Result<BTreeMap<String, String>, ReadError> {
    let mut labels = BTreeMap::new();
    loop {
        cursor.skip_blanks();
        if cursor.eat('}') {
            return Ok(labels);
        }
        let is_quoted = cursor.rest().starts_with('"');
        let label = if is_quoted {
            cursor.quoted()?
        } else {
            cursor.take_while(is_name).to_owned()
        };
        if label.is_empty() {
            return Err(cursor.error("a label name is missing"));
        }
        cursor.skip_blanks();
        if cursor.eat('=') {
            cursor.skip_blanks();
            let value = cursor.quoted()?;
            if labels.insert(label.clone(), value).is_some() {
                return Err(cursor.error(format!("label {} comes twice", excerpt(&label))));
            }
        } else if is_quoted && metric.is_empty() {
            *metric = label;
        } else {
            return Err(cursor.error(format!("\"=\" is missing after label {}", excerpt(&label))));
        }
        cursor.skip_blanks();
        if !cursor.eat(',') && !cursor.rest().starts_with('}') {
            return Err(cursor.error("\",\" or \"}\" is missing"));
        }
    }
}

fn exemplar(cursor: &mut Cursor<'_>) -> Result<(), ReadError> {
    cursor.skip_blanks();
    if !cursor.eat('{') {
        return Err(cursor.error("the labels of the exemplar are missing"));
    }
    // A name that is already there: an exemplar has none of its own.
    label_set(cursor, &mut "exemplar".to_owned())?;
    number(cursor, "the exemplar's value")?;
    cursor.skip_blanks();
    if !cursor.rest().is_empty() {
        time(cursor, ExpositionFormat::OpenMetrics)?;
    }
    Ok(())
}

fn number(cursor: &mut Cursor<'_>, what: &str) -> Result<f64, ReadError> {
    cursor.skip_blanks();
    let start = cursor.at;
    let word = cursor.take_while(|c| !is_blank(c));
    word.parse().map_err(|_| {
        cursor.at = start;
        if word.is_empty() {
            cursor.error(format!("{what} is missing"))
        } else {
            cursor.error(format!("{} is not a number", excerpt(word)))
        }
    })
}

fn time(cursor: &mut Cursor<'_>, format: ExpositionFormat) -> Result<f64, ReadError> {
    let start = cursor.at;
    let word = cursor.take_while(|c| !is_blank(c));
    let seconds = match format {
        ExpositionFormat::OpenMetrics => super::TimeFormat::Seconds.parse(word),
        // Only whole milliseconds: a fraction here is a page in the other format, a thousandfold off.
        ExpositionFormat::Prometheus => word
            .parse::<i64>()
            .ok()
            .and_then(|_| super::TimeFormat::Milliseconds.parse(word)),
    };
    seconds.ok_or_else(|| {
        cursor.at = start;
        let form = match format {
            ExpositionFormat::OpenMetrics => "seconds",
            ExpositionFormat::Prometheus => "whole milliseconds",
        };
        cursor.error(format!("{} is not a time in {form}", excerpt(word)))
    })
}

struct Cursor<'a> {
    line: &'a str,
    at: usize,
    number: usize,
}

impl<'a> Cursor<'a> {
    fn rest(&self) -> &'a str {
        &self.line[self.at..]
    }

    fn eat(&mut self, wanted: char) -> bool {
        let is_there = self.rest().starts_with(wanted);
        if is_there {
            self.at += wanted.len_utf8();
        }
        is_there
    }

    fn skip_blanks(&mut self) {
        self.take_while(is_blank);
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c| !wanted(c)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    /// A text in double quotes with the escapes `\\`, `\"` and `\n`.
    fn quoted(&mut self) -> Result<String, ReadError> {
        let start = self.at;
        if !self.eat('"') {
            return Err(self.error("a text in double quotes is missing"));
        }
        let mut text = String::new();
        let mut characters = self.rest().char_indices();
        while let Some((offset, c)) = characters.next() {
            match c {
                '"' => {
                    self.at += offset + 1;
                    return Ok(text);
                }
                '\\' => match characters.next() {
                    Some((_, 'n')) => text.push('\n'),
                    Some((_, c @ ('\\' | '"'))) => text.push(c),
                    // Prometheus keeps an unknown escape as it stands.
                    Some((_, c)) => text.extend(['\\', c]),
                    None => break,
                },
                c => text.push(c),
            }
        }
        self.at = start;
        Err(self.error("the quoted text does not end on its line"))
    }

    fn error(&self, problem: impl Into<String>) -> ReadError {
        ReadError::at_column(
            self.number,
            self.line[..self.at].chars().count() + 1,
            problem,
        )
    }
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r')
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == ':'
}

#[cfg(test)]
mod tests;
