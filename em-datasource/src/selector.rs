//! Which samples of a page a query means: a name and matchers of labels, `name{a="x",b=~"y.*"}`.

use em_core::port::Labels;
use em_core::read::ReadSample;
use regex::Regex;

/// A query that cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SelectorError {
    #[error(
        "{query:?} is no selector: {problem} (write name or name{{label=\"value\"}}; = != =~ !~)"
    )]
    Form {
        query: String,
        problem: &'static str,
    },
    #[error("{query:?} has a broken regular expression {expression:?}")]
    Expression {
        query: String,
        expression: String,
        #[source]
        source: regex::Error,
    },
}

/// A name and what the labels must be.
#[derive(Debug)]
pub(crate) struct Selector {
    pub(crate) name: String,
    matchers: Vec<Matcher>,
}

#[derive(Debug)]
struct Matcher {
    label: String,
    wanted: Wanted,
    /// Whether it must hold, or must not.
    holds: bool,
}

#[derive(Debug)]
enum Wanted {
    Text(String),
    Expression(Regex),
}

impl Selector {
    pub(crate) fn parse(query: &str) -> Result<Self, SelectorError> {
        let form = |problem| SelectorError::Form {
            query: query.to_owned(),
            problem,
        };
        let (name, rest) = match query.trim().split_once('{') {
            None => (query.trim(), None),
            Some((name, rest)) => (name.trim(), Some(rest)),
        };
        if !is_name(name, ':') {
            return Err(form("a name is letters, digits, _ and :"));
        }
        let mut matchers = Vec::new();
        if let Some(rest) = rest {
            let rest = rest
                .strip_suffix('}')
                .ok_or_else(|| form("the } is missing"))?;
            let mut rest = rest.trim();
            while !rest.is_empty() {
                let (matcher, after) = matcher(query, rest)?;
                matchers.push(matcher);
                let after = after.trim_start();
                rest = match after.strip_prefix(',') {
                    Some(next) => next.trim_start(),
                    None if after.is_empty() => after,
                    None => return Err(form("a comma is missing between two matchers")),
                };
            }
        }
        let name = name.to_owned();
        Ok(Self { name, matchers })
    }

    /// Whether a label is among the matchers.
    pub(crate) fn names(&self, label: &str) -> bool {
        self.matchers.iter().any(|matcher| matcher.label == label)
    }

    /// Whether it means a series with these labels, its name among them; of a histogram its parts,
    /// too.
    pub(crate) fn means(&self, labels: &Labels) -> bool {
        let name = labels.get("__name__").map_or("", String::as_str);
        let rest = |stem: &str| name.strip_prefix(stem).map(str::to_owned);
        let stem = self.name.strip_suffix("_bucket").unwrap_or(&self.name);
        // One bucket by its bound is a counter like any other.
        let is_whole = !self.names("le");
        let is_part =
            is_whole && rest(stem).is_some_and(|part| ["_bucket", "_sum"].contains(&part.as_str()));
        let is_meant = name == self.name || is_part;
        is_meant && self.matchers.iter().all(|matcher| matcher.accepts(labels))
    }

    /// Whether a sample's labels are as they must be; its name is another matter.
    pub(crate) fn accepts(&self, sample: &ReadSample) -> bool {
        self.accepts_labels(&sample.labels)
    }

    /// Whether labels are as they must be.
    pub(crate) fn accepts_labels(&self, labels: &Labels) -> bool {
        self.matchers.iter().all(|matcher| matcher.accepts(labels))
    }
}

impl Matcher {
    /// A label that is not there is an empty one.
    fn accepts(&self, labels: &Labels) -> bool {
        let value = labels.get(&self.label).map_or("", String::as_str);
        let matches = match &self.wanted {
            Wanted::Text(text) => value == text,
            Wanted::Expression(expression) => expression.is_match(value),
        };
        matches == self.holds
    }
}

fn is_name(text: &str, also: char) -> bool {
    let is_letter = |c: char| c.is_ascii_alphabetic() || c == '_' || c == also;
    let mut characters = text.chars();
    characters.next().is_some_and(is_letter)
        && characters.all(|c| is_letter(c) || c.is_ascii_digit())
}

/// One matcher, and what follows it.
fn matcher<'q>(query: &str, text: &'q str) -> Result<(Matcher, &'q str), SelectorError> {
    let form = |problem| SelectorError::Form {
        query: query.to_owned(),
        problem,
    };
    let end = text.find(['=', '!']).ok_or_else(|| form("= is missing"))?;
    let (label, rest) = text.split_at(end);
    let label = label.trim();
    if !is_name(label, '_') {
        return Err(form("a label is letters, digits and _"));
    }
    let operators = [
        ("=~", true, true),
        ("!~", true, false),
        ("!=", false, false),
        ("=", false, true),
    ];
    let found = operators.iter().find_map(|(sign, expression, holds)| {
        Some((rest.strip_prefix(sign)?, *expression, *holds))
    });
    let (rest, is_expression, holds) = found.ok_or_else(|| form("= is missing"))?;
    let rest = rest.trim_start();
    let (value, rest) = quoted(rest).ok_or_else(|| form("a value stands in double quotes"))?;
    let wanted = if is_expression {
        // Anchored at both ends, as everywhere such selectors are read.
        let expression = Regex::new(&format!("^(?s:{value})$"));
        Wanted::Expression(expression.map_err(|source| SelectorError::Expression {
            query: query.to_owned(),
            expression: value,
            source,
        })?)
    } else {
        Wanted::Text(value)
    };
    let label = label.to_owned();
    Ok((
        Matcher {
            label,
            wanted,
            holds,
        },
        rest,
    ))
}

/// A text in double quotes without its escapes, and what follows it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let inside = text.strip_prefix('"')?;
    let mut value = String::new();
    let mut characters = inside.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '"' => return Some((value, inside.get(at + 1..)?)),
            '\\' => value.push(match characters.next()?.1 {
                'n' => '\n',
                other => other,
            }),
            c => value.push(c),
        }
    }
    None
}

/// Whether a query is a name with matchers of labels, nothing else.
pub(crate) fn is_selector(query: &str) -> bool {
    match Selector::parse(query) {
        Ok(_) | Err(SelectorError::Expression { .. }) => true,
        Err(SelectorError::Form { .. }) => false,
    }
}

/// The selector of the sums that belong to the buckets of whole histograms.
pub(crate) fn sums_of(query: &str) -> Option<String> {
    let selector = Selector::parse(query).ok()?;
    // One bucket by its bound is a counter like any other.
    let is_whole = !selector.names("le");
    let stem = selector.name.strip_suffix("_bucket")?;
    let matchers = query.trim().strip_prefix(selector.name.as_str())?;
    is_whole.then(|| format!("{stem}_sum{matchers}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts(query: &str, labels: &[(&str, &str)]) -> bool {
        let labels = labels.iter();
        let sample = ReadSample {
            name: "x".to_owned(),
            labels: labels
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            at: None,
            value: 1.0,
        };
        Selector::parse(query).unwrap().accepts(&sample)
    }

    #[test]
    fn labels_are_matched_as_everywhere() {
        let labels = [("code", "200"), ("path", "/a\"b")];
        for (query, is_accepted) in [
            ("x", true),
            ("x{}", true),
            (r#"x{code="200"}"#, true),
            (r#"x{ code = "200" , path = "/a\"b", }"#, true),
            (r#"x{code="20"}"#, false),
            (r#"x{code=~"2.."}"#, true),
            (r#"x{code=~"2"}"#, false),
            (r#"x{code!~"5..|4.."}"#, true),
            (r#"x{code!="200"}"#, false),
            (r#"x{absent=""}"#, true),
            (r#"x{absent!=""}"#, false),
        ] {
            assert_eq!(accepts(query, &labels), is_accepted, "{query}");
        }
    }

    #[test]
    fn what_is_no_selector_is_said_with_its_reason() {
        for (query, reason) in [
            ("", "a name is letters"),
            ("rate(x[1m])", "a name is letters"),
            ("x{code=\"200\"", "the } is missing"),
            ("x{code=200}", "a value stands in double quotes"),
            ("x{code}", "= is missing"),
            ("x{a=\"1\" b=\"2\"}", "a comma is missing"),
            ("x{a=~\"(\"}", "broken regular expression"),
        ] {
            let said = Selector::parse(query).unwrap_err().to_string();
            assert!(said.contains(reason), "{query}: {said}");
        }
    }

    #[test]
    fn sums_have_the_matchers_of_their_buckets() {
        for (query, sums) in [
            ("x_bucket", Some("x_sum")),
            (
                r#" x_bucket{a="x_bucket",b=~"c|d"} "#,
                Some(r#"x_sum{a="x_bucket",b=~"c|d"}"#),
            ),
            (r#"x_bucket{le="1"}"#, None),
            ("x", None),
            ("sum(x_bucket)", None),
        ] {
            assert_eq!(sums_of(query).as_deref(), sums, "{query}");
        }
    }
}
