//! How the output of a program becomes metrics: patterns, JSON paths, per-request logs.

use std::collections::BTreeMap;

use super::process::optional;
use super::reader::{Keys, Reader};
use super::simulated::metric_name;
use crate::id::MetricName;
use crate::plan::{MetricKind, OutputPattern, OutputRules, RequestLog};
use crate::read::pattern::Pattern;
use crate::value::ScaledUnit;

/// Keys of the rules.
pub(super) const KEYS: [&str; 3] = ["patterns", "json", "samples"];

/// What a metric's values can mean, by the words of the file.
pub(super) const KINDS: [(&str, MetricKind); 4] = [
    ("gauge", MetricKind::Gauge),
    ("counter", MetricKind::Counter),
    ("histogram", MetricKind::Histogram),
    ("value", MetricKind::Value),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Language {
    Regex,
    JsonPath,
}

/// Reads the rules of `output`.
pub(super) fn read(reader: &Reader<'_>) -> Option<OutputRules> {
    let keys = reader.keys(&KEYS, &[])?;
    let patterns = rules(&keys, "patterns", Language::Regex);
    let json = rules(&keys, "json", Language::JsonPath);
    let samples = samples(&keys);
    let rules = OutputRules {
        patterns: patterns?,
        json: json?,
        samples: samples?,
    };
    let mut names: Vec<&MetricName> = rules.patterns.keys().collect();
    names.extend(rules.json.keys());
    names.extend(rules.samples.keys());
    if names.is_empty() {
        reader.refuse_with(
            "no rule says what the output means",
            "give patterns, json or samples a metric",
        );
        return None;
    }
    names.sort();
    for pair in names.windows(2).filter(|pair| pair[0] == pair[1]) {
        reader.refuse(format!("two rules give the metric {}", pair[0]));
    }
    Some(rules)
}

fn rules(
    keys: &Keys<'_>,
    key: &str,
    language: Language,
) -> Option<BTreeMap<MetricName, OutputPattern>> {
    let mut rules = BTreeMap::new();
    let mut is_whole = true;
    let Some(reader) = keys.get(key) else {
        return Some(rules);
    };
    for (name, reader) in reader.any_map()? {
        let pattern = rule(name, &reader, language);
        if let (Some(name), Some(pattern)) = (metric_name(name, &reader), pattern) {
            rules.insert(name, pattern);
        } else {
            is_whole = false;
        }
    }
    is_whole.then_some(rules)
}

fn rule(name: &str, reader: &Reader<'_>, language: Language) -> Option<OutputPattern> {
    if reader.text_if_any().is_some() {
        let find = find(name, reader, language)?;
        return Some(pattern(find, &plain(), MetricKind::Gauge));
    }
    let keys = reader.keys(&["find", "unit", "as"], &[])?;
    let text = keys
        .required("find")
        .and_then(|reader| find(name, &reader, language));
    let unit = optional(&keys, "unit", Reader::unit);
    let kind = optional(&keys, "as", |reader| {
        reader.one_of(&[("gauge", MetricKind::Gauge), ("value", MetricKind::Value)])
    });
    let unit = unit?.unwrap_or_else(plain);
    Some(pattern(text?, &unit, kind?.unwrap_or(MetricKind::Gauge)))
}

fn plain() -> ScaledUnit {
    ScaledUnit::parse("none").expect("it is in the table of units")
}

fn pattern(find: String, unit: &ScaledUnit, kind: MetricKind) -> OutputPattern {
    OutputPattern {
        find,
        unit: unit.unit.clone(),
        scale: unit.to_base(1.0),
        kind,
    }
}

fn find(name: &str, reader: &Reader<'_>, language: Language) -> Option<String> {
    let text = reader.text()?;
    let refused = match language {
        Language::Regex => Pattern::new(name, text).map(|_| ()).map_err(|e| e.problem),
        Language::JsonPath => text
            .parse::<crate::read::json_path::JsonPath>()
            .map(|_| ())
            .map_err(|error| error.to_string()),
    };
    refused.map_err(|problem| reader.refuse(problem)).ok()?;
    Some(text.to_owned())
}

fn samples(keys: &Keys<'_>) -> Option<BTreeMap<MetricName, RequestLog>> {
    let mut logs = BTreeMap::new();
    let mut is_whole = true;
    let Some(reader) = keys.get("samples") else {
        return Some(logs);
    };
    for (name, reader) in reader.any_map()? {
        let log = request_log(&reader);
        if let (Some(name), Some(log)) = (metric_name(name, &reader), log) {
            logs.insert(name, log);
        } else {
            is_whole = false;
        }
    }
    is_whole.then_some(logs)
}

fn request_log(reader: &Reader<'_>) -> Option<RequestLog> {
    let keys = reader.keys(&["files", "column", "unit"], &[])?;
    let files = keys.required("files").and_then(|reader| reader.text());
    let column = keys
        .required("column")
        .and_then(|reader| reader.count(1..=1000));
    let unit = optional(&keys, "unit", Reader::unit);
    let unit = unit?.unwrap_or_else(plain);
    Some(RequestLog {
        files: files?.to_owned(),
        column: column?,
        scale: unit.to_base(1.0),
        unit: unit.unit,
    })
}
