//! Templates: text with `{{name}}` and `{{name|filter}}`, and nothing else - no logic, no nesting.
//!
//! A template is parsed once; what it names is checked when the experiment is submitted; each value is escaped for the language
//! and the place it enters, so that a value can never change the meaning of a command, a query or a document.

mod escape;
mod filter;
mod onto;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use escape::Escape;
pub use filter::Filter;
pub use onto::{Pieces, replace_argument};

use crate::expression::closest;
use crate::value::Value;

/// What encloses a placeholder; `{{` and `}}` unless the file uses those itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delimiters {
    open: String,
    close: String,
}

/// A parsed template.
///
/// ```
/// use em_core::template::{Escape, Template};
/// use em_core::value::{Quantity, Value};
/// let template = Template::parse("-Xmx{{heap|Mi}}m")?;
/// let heap = Value::Quantity("1.5Gi".parse::<Quantity>()?);
/// assert_eq!(template.render(&|name| (name == "heap").then(|| heap.clone()), Escape::None)?, "-Xmx1536m");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "TemplateText", into = "TemplateText")]
pub struct Template {
    text: String,
    delimiters: Delimiters,
    segments: Vec<Segment>,
}

/// What is wrong with a template, or with a value that should enter it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {problem}")]
pub struct TemplateError {
    /// The line, from 1.
    pub line: usize,
    /// The character in the line, from 1.
    pub column: usize,
    /// What is wrong and what to do.
    pub problem: String,
}

/// Delimiters that cannot be told from the text or from names.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{open:?} and {close:?} cannot be delimiters (1 to 8 characters each; no letters, digits, spaces, \"_\", \"-\", \".\" or \"|\")"
)]
pub struct DelimitersError {
    /// The opening one.
    pub open: String,
    /// The closing one.
    pub close: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Text(String),
    Placeholder {
        name: String,
        filter: Option<Filter>,
        at: usize,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TemplateText {
    text: String,
    #[serde(default, skip_serializing_if = "Delimiters::are_usual")]
    delimiters: Delimiters,
}

impl Delimiters {
    /// Other delimiters than the usual ones.
    pub fn new(open: &str, close: &str) -> Result<Self, DelimitersError> {
        let is_fit = |text: &str| {
            (1..=8).contains(&text.chars().count())
                && !text
                    .chars()
                    .any(|c| c.is_alphanumeric() || c.is_whitespace() || "_-.|".contains(c))
        };
        let (open, close) = (open.to_owned(), close.to_owned());
        if is_fit(&open) && is_fit(&close) {
            Ok(Self { open, close })
        } else {
            Err(DelimitersError { open, close })
        }
    }

    fn are_usual(&self) -> bool {
        *self == Self::default()
    }
}

impl Default for Delimiters {
    fn default() -> Self {
        Self {
            open: "{{".into(),
            close: "}}".into(),
        }
    }
}

impl Template {
    /// Reads a template with the usual delimiters; never panics, whatever the text.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        Self::parse_with(text, &Delimiters::default())
    }

    /// Reads a template with other delimiters.
    pub fn parse_with(text: &str, delimiters: &Delimiters) -> Result<Self, TemplateError> {
        let mut segments = Vec::new();
        let mut at = 0;
        while let Some(found) = text[at..].find(&delimiters.open) {
            let open = at + found;
            if open > at {
                segments.push(Segment::Text(text[at..open].into()));
            }
            let inside = open + delimiters.open.len();
            let line = text[inside..].lines().next().unwrap_or_default();
            let Some(length) = line.find(&delimiters.close) else {
                return Err(error_at(text, open, unclosed(delimiters)));
            };
            let placeholder = placeholder(&line[..length], open)
                .map_err(|problem| error_at(text, open, problem))?;
            segments.push(placeholder);
            at = inside + length + delimiters.close.len();
        }
        if at < text.len() {
            segments.push(Segment::Text(text[at..].into()));
        }
        Ok(Self {
            text: text.into(),
            delimiters: delimiters.clone(),
            segments,
        })
    }

    /// The text it was read from.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The names it uses, in order, repeated when used repeatedly.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Placeholder { name, .. } => Some(name.as_str()),
            Segment::Text(_) => None,
        })
    }

    /// Whether it is plain text.
    pub fn is_constant(&self) -> bool {
        self.names().next().is_none()
    }

    /// All uses of names that are not among `known`, each with its place and the nearest known name.
    pub fn unknown<'a>(&self, known: impl IntoIterator<Item = &'a str>) -> Vec<TemplateError> {
        let known: Vec<&str> = known.into_iter().collect();
        let places = self.segments.iter().filter_map(|segment| match segment {
            Segment::Placeholder { name, at, .. } => Some((name, *at)),
            Segment::Text(_) => None,
        });
        places
            .filter(|(name, _)| !known.contains(&name.as_str()))
            .map(|(name, at)| {
                let meant = closest(name, known.iter().copied());
                let hint = meant
                    .map(|meant| format!(" (did you mean {meant:?}?)"))
                    .unwrap_or_default();
                self.error(at, format!("nothing is called {name:?}{hint}"))
            })
            .collect()
    }

    /// The text with every placeholder replaced.
    pub fn render(
        &self,
        lookup: &dyn Fn(&str) -> Option<Value>,
        escape: Escape,
    ) -> Result<String, TemplateError> {
        let mut place = escape::Place::start(escape);
        let mut rendered = String::with_capacity(self.text.len());
        for segment in &self.segments {
            match segment {
                Segment::Text(text) => {
                    place.advance(text);
                    rendered.push_str(text);
                }
                Segment::Placeholder { name, filter, at } => {
                    let value = lookup(name)
                        .ok_or_else(|| format!("{name:?} has no value"))
                        .and_then(|value| {
                            filter.map_or(Ok(value.clone()), |filter| filter.apply(&value))
                        })
                        .and_then(|value| place.escape(&value));
                    let refused =
                        |problem| self.error(*at, format!("cannot fill in {name:?}: {problem}"));
                    rendered.push_str(&value.map_err(refused)?);
                }
            }
        }
        Ok(rendered)
    }

    fn error(&self, at: usize, problem: String) -> TemplateError {
        error_at(&self.text, at, problem)
    }
}

/// Those of `names` that no template uses.
pub fn unused<'n, 't>(
    names: impl IntoIterator<Item = &'n str>,
    templates: impl IntoIterator<Item = &'t Template>,
) -> Vec<&'n str> {
    let used: Vec<&str> = templates.into_iter().flat_map(Template::names).collect();
    names
        .into_iter()
        .filter(|name| !used.contains(name))
        .collect()
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl TryFrom<TemplateText> for Template {
    type Error = TemplateError;

    fn try_from(raw: TemplateText) -> Result<Self, Self::Error> {
        Self::parse_with(&raw.text, &raw.delimiters)
    }
}

impl From<Template> for TemplateText {
    fn from(template: Template) -> Self {
        Self {
            text: template.text,
            delimiters: template.delimiters,
        }
    }
}

fn placeholder(inside: &str, at: usize) -> Result<Segment, String> {
    let (name, filter) = match inside.split_once('|') {
        Some((name, filter)) => (name.trim(), Some(Filter::parse(filter.trim())?)),
        None => (inside.trim(), None),
    };
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c));
    if is_name {
        return Ok(Segment::Placeholder {
            name: name.into(),
            filter,
            at,
        });
    }
    let shown: String = inside.trim().chars().take(40).collect();
    Err(format!(
        "{shown:?} is not a name (placeholders have no logic; a file that uses these brackets itself needs other delimiters)"
    ))
}

fn unclosed(delimiters: &Delimiters) -> String {
    let Delimiters { open, close } = delimiters;
    format!(
        "{open:?} is not closed by {close:?} on its line (a file that uses {open:?} itself needs other delimiters)"
    )
}

fn error_at(text: &str, at: usize, problem: String) -> TemplateError {
    let before = &text[..at];
    let line_start = before.rfind('\n').map_or(0, |end| end + 1);
    let line = before.matches('\n').count() + 1;
    TemplateError {
        line,
        column: before[line_start..].chars().count() + 1,
        problem,
    }
}

#[cfg(test)]
mod tests;
