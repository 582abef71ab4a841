//! Templates: text with `{{name}}` and `{{name|filter}}`, and nothing else - no logic, no nesting.
//!
//! A template is parsed once; what it names is checked when the experiment is submitted; each value is escaped for the language
//! and the place it enters, so that a value can never change the meaning of a command, a query or a document.

mod escape;
mod filter;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use escape::Escape;
pub use filter::Filter;

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
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lookup(name: &str) -> Option<Value> {
        Some(match name {
            "port" => Value::Integer(8080),
            "memory" => Value::Quantity("1536Mi".parse().unwrap()),
            "ports.admin-1" => Value::Integer(9090),
            "name" => Value::from("it's \"$x\" `y` \\z\n"),
            "word" => Value::from("plain.word-1"),
            "timeout" => Value::from("1m30s"),
            "share" => Value::real(0.25).unwrap(),
            "on" => Value::Bool(true),
            _ => return None,
        })
    }

    fn render(text: &str, escape: Escape) -> String {
        Template::parse(text)
            .unwrap()
            .render(&lookup, escape)
            .unwrap()
    }

    fn refusal(text: &str, escape: Escape) -> String {
        Template::parse(text)
            .unwrap()
            .render(&lookup, escape)
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn a_value_changes_no_influxql_statement() {
        let escape = Escape::InfluxQl;
        let quoted = render("SELECT v FROM m WHERE host = '{{name}}'", escape);
        assert!(quoted.ends_with(r#"'it\'s "$x" `y` \\z\n'"#), "{quoted}");
        assert_eq!(render("FROM \"{{word}}\"", escape), "FROM \"plain.word-1\"");
        // A quote in a regular expression or in a comment is none, and hides where a value stands.
        for text in [
            "=~ /it's/ AND a = '{{name}}'",
            "-- it's\n'{{name}}'",
            "{{name}}",
        ] {
            let said = refusal(text, escape);
            assert!(said.contains("words and numbers"), "{said}");
        }
        assert_eq!(
            render("=~ /'/ AND a = '{{word}}'", escape),
            "=~ /'/ AND a = 'plain.word-1'"
        );
        let dashes = Template::parse("WHERE a > {{x}}").unwrap();
        let dashes = dashes.render(&|_| Some(Value::from("1--2")), escape);
        assert!(dashes.is_err());
    }

    #[test]
    fn where_nothing_can_be_escaped_only_words_are_let_in() {
        assert_eq!(
            render("avg:x{p:{{word}}}", Escape::Word),
            "avg:x{p:plain.word-1}"
        );
        assert!(refusal("avg:x{p:{{name}}}", Escape::Word).contains("would change the query"));
    }

    #[test]
    fn a_value_is_one_part_of_a_url() {
        let seen = render("http://h:{{port}}/x?n={{name}}", Escape::Url);
        let name = "it%27s%20%22%24x%22%20%60y%60%20%5Cz%0A";
        assert_eq!(seen, format!("http://h:8080/x?n={name}"));
    }

    #[test]
    fn placeholders_are_replaced_and_the_rest_stays_as_it_is() {
        for (text, rendered) in [
            ("", ""),
            ("plain } text }}", "plain } text }}"),
            ("--port={{port}}", "--port=8080"),
            ("{{ port }}{{ports.admin-1}}", "80809090"),
            ("-Xmx{{ memory | Mi }}m", "-Xmx1536m"),
            ("{{memory}}", "1536Mi"),
            ("{{timeout|s}} {{timeout|ms}}", "90 90000"),
            ("{{share}} {{share|ms}} {{on|int}}", "0.25 250 1"),
        ] {
            assert_eq!(render(text, Escape::None), rendered);
        }
    }

    #[test]
    fn a_broken_template_says_where_and_why() {
        for (text, message) in [
            (
                "a\n  {{port",
                r#"line 2, column 3: "{{" is not closed by "}}" on its line (a file that uses "{{" itself needs other delimiters)"#,
            ),
            (
                "{{port\n}}",
                r#"line 1, column 1: "{{" is not closed by "}}" on its line (a file that uses "{{" itself needs other delimiters)"#,
            ),
            (
                "é {{#if x}}",
                r##"line 1, column 3: "#if x" is not a name (placeholders have no logic; a file that uses these brackets itself needs other delimiters)"##,
            ),
            (
                "{{}}",
                r#"line 1, column 1: "" is not a name (placeholders have no logic; a file that uses these brackets itself needs other delimiters)"#,
            ),
            (
                "{{memory|mi}}",
                r#"line 1, column 1: there is no filter "mi" (did you mean "Mi"?)"#,
            ),
            (
                "{{memory|Mi|int}}",
                r#"line 1, column 1: there is no filter "Mi|int" (one of Ki Mi Gi bytes ms s int)"#,
            ),
        ] {
            assert_eq!(Template::parse(text).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn unknown_and_unused_names_are_found_before_anything_runs() {
        let template = Template::parse("{{port}}\n{{memry}} {{zzz}}").unwrap();
        let messages: Vec<String> = template
            .unknown(["port", "memory"])
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            messages,
            [
                r#"line 2, column 1: nothing is called "memry" (did you mean "memory"?)"#,
                r#"line 2, column 11: nothing is called "zzz""#
            ]
        );
        assert_eq!(unused(["port", "memory"], [&template]), ["memory"]);
        assert_eq!(
            refusal("x {{zzz}}", Escape::None),
            r#"line 1, column 3: cannot fill in "zzz": "zzz" has no value"#
        );
    }

    #[test]
    fn other_delimiters_leave_the_usual_ones_alone() {
        let delimiters = Delimiters::new("<%", "%>").unwrap();
        let template = Template::parse_with("{{ .Values.x }} <%port%>", &delimiters).unwrap();
        assert_eq!(
            template.render(&lookup, Escape::None).unwrap(),
            "{{ .Values.x }} 8080"
        );
        assert!(Delimiters::new("a", "b").is_err());
        assert!(Delimiters::new("", "}}").is_err());
        let json = serde_json::to_string(&template).unwrap();
        assert_eq!(serde_json::from_str::<Template>(&json).unwrap(), template);
        let usual = Template::parse("{{port}}").unwrap();
        assert_eq!(
            serde_json::to_string(&usual).unwrap(),
            r#"{"text":"{{port}}"}"#
        );
    }

    #[test]
    fn a_value_cannot_change_a_shell_command() {
        assert_eq!(render("echo {{word}}", Escape::Shell), "echo plain.word-1");
        assert_eq!(
            render("echo {{name}}", Escape::Shell),
            "echo 'it'\\''s \"$x\" `y` \\z\n'"
        );
        assert_eq!(
            render("echo '{{name}}'", Escape::Shell),
            "echo 'it'\\''s \"$x\" `y` \\z\n'"
        );
        assert_eq!(
            render("echo \"{{name}}\"", Escape::Shell),
            "echo \"it's \\\"\\$x\\\" \\`y\\` \\\\z\n\""
        );
        assert_eq!(
            render("echo \"$(cat {{name}}) {{word}}\"", Escape::Shell),
            "echo \"$(cat 'it'\\''s \"$x\" `y` \\z\n') plain.word-1\""
        );
        assert_eq!(
            render("# don't\necho {{word}}", Escape::Shell),
            "# don't\necho plain.word-1"
        );
        assert_eq!(
            refusal("echo `cat {{word}}`", Escape::Shell),
            r#"line 1, column 11: cannot fill in "word": nothing can be escaped inside backticks (use $(...))"#
        );
        assert!(refusal("cat <<EOF\n{{word}}\nEOF", Escape::Shell).contains("here-document"));
    }

    #[test]
    fn json_gets_text_inside_strings_and_scalars_outside() {
        assert_eq!(
            render(
                r#"{"a":"<{{name}}>","b":{{port}},"c":{{word}},"d":{{on}},"e":"{{port}}"}"#,
                Escape::Json
            ),
            r#"{"a":"<it's \"$x\" `y` \\z\n>","b":8080,"c":"plain.word-1","d":true,"e":"8080"}"#
        );
    }

    #[test]
    fn a_label_value_cannot_change_a_query() {
        assert_eq!(
            render(
                r#"up{a="{{name}}", b='{{name}}'}[{{timeout}}]"#,
                Escape::PromQl
            ),
            r#"up{a="it's \"$x\" `y` \\z\n", b='it\'s "$x" `y` \\z\n'}[1m30s]"#
        );
        assert!(refusal("up{{name}}", Escape::PromQl).contains("outside quotes"));
        assert!(refusal("up{a=`{{name}}`}", Escape::PromQl).contains("backtick"));
        assert_eq!(render("^{{word}}$", Escape::Regex), r"^plain\.word\-1$");
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,60}", near in "[{}|a-z \n\"'`$(]{0,60}") {
            for text in [text, near] {
                if let Ok(template) = Template::parse(&text) {
                    for escape in [Escape::None, Escape::Shell, Escape::Json, Escape::PromQl, Escape::Regex] {
                        let _ = template.render(&|_| Some(Value::from("x'y")), escape);
                    }
                }
            }
        }

        #[test]
        fn any_text_survives_json(value in "\\PC{0,40}[\"\\\\\n\t\u{1}]{0,5}") {
            let template = Template::parse(r#"["{{x}}",{{x}}]"#).unwrap();
            let rendered = template.render(&|_| Some(Value::from(value.as_str())), Escape::Json).unwrap();
            let read: Vec<String> = serde_json::from_str(&rendered).unwrap();
            prop_assert_eq!(read, vec![value.clone(), value]);
        }
    }
}
