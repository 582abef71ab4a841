//! The text of a query: one metric query, or a JSON object of several and a formula.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

use em_core::fault::{Fault, FaultKind};
use em_core::plan::{DatadogApi, MetricKind};
use regex::Regex;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};

/// Ways to make one number of a window.
const AGGREGATORS: [&str; 10] = [
    "avg",
    "min",
    "max",
    "sum",
    "last",
    "percentile",
    "mean",
    "l2norm",
    "area",
    "stddev",
];

/// What is asked.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Query {
    /// Metric queries by the names that the formula has for them.
    pub(super) parts: BTreeMap<String, Part>,
    /// What is made of them.
    pub(super) formula: String,
    /// Whether there is more to it than one metric query.
    is_object: bool,
}

/// One metric query.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Part {
    /// Its text.
    pub(super) query: String,
    /// How it becomes one number of a window, where the file says so.
    #[serde(default)]
    aggregator: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Object {
    queries: Parts,
    #[serde(default)]
    formula: Option<String>,
}

impl Query {
    pub(super) fn parse(text: &str) -> Result<Self, Fault> {
        let text = text.trim();
        let query = if text.starts_with('{') {
            Self::of_object(text)?
        } else {
            let part = Part {
                query: text.to_owned(),
                aggregator: None,
            };
            Self {
                parts: BTreeMap::from([("a".to_owned(), part)]),
                formula: "a".to_owned(),
                is_object: false,
            }
        };
        for (name, part) in &query.parts {
            part.check(name)?;
        }
        Ok(query)
    }

    fn of_object(text: &str) -> Result<Self, Fault> {
        let object: Object = serde_json::from_str(text).map_err(|source| {
            let message = "failed to read the query as {\"queries\": {\"a\": \"METRIC QUERY\"}, \"formula\": \"a\"}";
            invalid(message).caused_by(source)
        })?;
        let Parts(parts) = object.queries;
        let only = parts.keys().next().filter(|_| parts.len() == 1).cloned();
        let formula = object.formula.filter(|formula| !formula.trim().is_empty());
        let formula = formula.or(only).ok_or_else(|| {
            invalid("the query names no formula: say what is made of its metric queries")
        })?;
        Ok(Self {
            parts,
            formula,
            is_object: true,
        })
    }

    /// Refuses what such a metric cannot be read from.
    pub(super) fn check(&self, kind: MetricKind, api: DatadogApi) -> Result<(), Fault> {
        if self.is_object && api == DatadogApi::V1 {
            return Err(invalid(
                "API v1 knows no formulas: write one metric query, or take API v2 (api: v2 at the datasource)",
            ));
        }
        match (kind, api) {
            (MetricKind::Histogram, _) => Err(invalid(
                "Datadog answers no distributions, only percentiles of them: write p95:NAME{...} as a gauge",
            )),
            (MetricKind::Value, DatadogApi::V1) => Err(invalid(
                "API v1 has no one number of a window: take API v2 (api: v2 at the datasource), or read a gauge",
            )),
            (MetricKind::Counter, _) => self.check_counts(),
            (MetricKind::Gauge, _) | (MetricKind::Value, DatadogApi::V2) => Ok(()),
        }
    }

    /// Only counts can be summed up over time: averages and ratios cannot.
    fn check_counts(&self) -> Result<(), Fault> {
        static COUNT: LazyLock<Regex> = LazyLock::new(|| {
            let kept = r"(\.rollup\(\s*sum\s*(,\s*[0-9]+\s*)?\)|\.fill\(\s*(zero|null|0)\s*\))*";
            let metric = r"[a-z]+:[^{}:]+\{[^{}]*\}(\s*by\s*\{[^{}]*\})?";
            let count = format!(r"{metric}{kept}\.as_count\(\){kept}");
            let count = format!(r"^\s*({count}|default_zero\(\s*{count}\s*\))\s*$");
            Regex::new(&count).expect("it is a valid expression")
        });
        for part in self.parts.values() {
            if !COUNT.is_match(&part.query) {
                let message = format!(
                    "a counter is the sum of its buckets, and {:?} is no count per bucket: write \
                     sum:NAME{{...}}.as_count(), with .rollup(sum, SECONDS) and .fill(zero) at most",
                    part.query
                );
                return Err(invalid(message));
            }
        }
        if self.only_adds() {
            return Ok(());
        }
        let message = format!(
            "a counter is the sum of its buckets, and {:?} is no count: its formula may only add \
             its queries, such as a + b (a ratio is a gauge or a value)",
            self.formula
        );
        Err(invalid(message))
    }

    fn only_adds(&self) -> bool {
        let of_word = |c: char| c.is_alphanumeric() || c == '_';
        let is_known = |word: &str| word == "default_zero" || self.parts.contains_key(word);
        let mut words = self.formula.split(|c| !of_word(c));
        let between = |c: char| of_word(c) || c.is_whitespace() || "+()".contains(c);
        words.all(|word| word.is_empty() || is_known(word)) && self.formula.chars().all(between)
    }

    /// What the file says of aggregators, and nobody asks for here.
    pub(super) fn unused(&self) -> Option<String> {
        let has_one = |part: &Part| part.aggregator.is_some();
        let message =
            "an aggregator makes one number of a window, and is not used here (as: value does)";
        self.parts.values().any(has_one).then(|| message.to_owned())
    }
}

impl Part {
    fn check(&self, name: &str) -> Result<(), Fault> {
        if self.query.trim().is_empty() {
            return Err(invalid(format!("query {name:?} is empty")));
        }
        match self.aggregator.as_deref() {
            Some(given) if !AGGREGATORS.contains(&given) => {
                let known = AGGREGATORS.join(", ");
                let message = format!("aggregator {given:?} is none of {known}");
                Err(invalid(message))
            }
            _ => Ok(()),
        }
    }

    /// How it becomes one number of a window.
    pub(super) fn aggregator(&self) -> Result<&str, Fault> {
        static PERCENTILE: LazyLock<Regex> =
            LazyLock::new(|| Regex::new(r"^p[0-9.]+:").expect("it is a valid expression"));
        if let Some(given) = &self.aggregator {
            return Ok(given);
        }
        let text = self.query.trim();
        if text.contains(".as_count()") {
            return Ok("sum");
        }
        if PERCENTILE.is_match(text) {
            let message = format!(
                "{text:?} is a percentile per bucket, and nothing says how they become one number: write \
                 {{\"queries\": {{\"a\": {{\"query\": {text:?}, \"aggregator\": \"max\"}}}}}}"
            );
            return Err(invalid(message));
        }
        let of_space = text.split(':').next().unwrap_or_default();
        Ok(match of_space {
            "min" | "max" => of_space,
            _ => "avg",
        })
    }
}

fn invalid(message: impl Into<String>) -> Fault {
    Fault::new(FaultKind::Invalid, message)
}

/// Metric queries by name. A name that is there twice would hide one of them.
struct Parts(BTreeMap<String, Part>);

impl<'de> Deserialize<'de> for Parts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(PartsVisitor)
    }
}

struct PartsVisitor;

impl<'de> Visitor<'de> for PartsVisitor {
    type Value = Parts;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("metric queries by name")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Parts, A::Error> {
        let mut parts = BTreeMap::new();
        while let Some((name, Written(part))) = map.next_entry::<String, Written>()? {
            if parts.contains_key(&name) {
                return Err(A::Error::custom(format!("query {name:?} is there twice")));
            }
            parts.insert(name, part);
        }
        if parts.is_empty() {
            return Err(A::Error::custom("there is no query"));
        }
        Ok(Parts(parts))
    }
}

/// A metric query as it is written: its text, or an object.
struct Written(Part);

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WrittenVisitor)
    }
}

struct WrittenVisitor;

impl<'de> Visitor<'de> for WrittenVisitor {
    type Value = Written;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a metric query, or an object of \"query\" and \"aggregator\"")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Written, E> {
        let (query, aggregator) = (text.to_owned(), None);
        Ok(Written(Part { query, aggregator }))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Written, A::Error> {
        Part::deserialize(MapAccessDeserializer::new(map)).map(Written)
    }
}

#[cfg(test)]
mod tests;
