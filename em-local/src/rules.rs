//! Output rules at work: from what a tool printed and logged to numbers, by metric.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use em_core::id::MetricName;
use em_core::plan::{OutputPattern, OutputRules, RequestLog};
use em_core::read::json_path::{JsonPath, JsonPathError, JsonShape};
use em_core::read::pattern::{Pattern, PatternError};
use em_core::read::{ReadError, ReadSample};
use em_core::value::Unit;

use crate::artifacts;

/// Rules that are ready to read.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    rules: Vec<Rule>,
    logs: BTreeMap<MetricName, RequestLog>,
}

#[derive(Debug, Clone)]
pub(crate) struct Rule {
    pub(crate) metric: MetricName,
    scale: f64,
    way: Way,
}

#[derive(Debug, Clone)]
enum Way {
    Pattern(Pattern),
    Json(JsonShape),
}

/// A rule cannot be used, or what was to be read cannot be read by it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum RuleError {
    /// A pattern.
    #[error("output rule {metric} cannot be used")]
    Pattern {
        /// The metric.
        metric: MetricName,
        /// Why.
        #[source]
        source: PatternError,
    },
    /// A JSON path.
    #[error("output rule {metric} cannot be used")]
    Json {
        /// The metric.
        metric: MetricName,
        /// Why.
        #[source]
        source: JsonPathError,
    },
    /// The output.
    #[error("failed to read {metric} from the output")]
    Read {
        /// The metric.
        metric: MetricName,
        /// Why.
        #[source]
        source: ReadError,
    },
    /// A log.
    #[error("failed to read {metric} from {}", path.display())]
    Log {
        /// The metric.
        metric: MetricName,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl Rules {
    /// Compiles the rules of a plan.
    pub(crate) fn compile(output: &OutputRules) -> Result<Self, RuleError> {
        let patterns = output.patterns.iter().map(|(metric, rule)| {
            let failed = |source| RuleError::Pattern {
                metric: metric.clone(),
                source,
            };
            let pattern = Pattern::new(metric.as_str(), &rule.find).map_err(failed)?;
            Ok(Rule::new(metric, rule, Way::Pattern(pattern)))
        });
        let json = output.json.iter().map(|(metric, rule)| {
            let failed = |source| RuleError::Json {
                metric: metric.clone(),
                source,
            };
            let value: JsonPath = rule.find.parse().map_err(failed)?;
            let name = metric.to_string();
            let shape = JsonShape {
                name,
                value,
                at: None,
                labels: BTreeMap::new(),
            };
            Ok(Rule::new(metric, rule, Way::Json(shape)))
        });
        let rules = patterns.chain(json).collect::<Result<_, _>>()?;
        Ok(Self {
            rules,
            logs: output.samples.clone(),
        })
    }

    /// The rules for what is printed.
    pub(crate) fn printed(&self) -> &[Rule] {
        &self.rules
    }

    /// Values of the per-request logs below `folder`, in the order of their lines, with their units.
    pub(crate) fn logged(
        &self,
        folder: &Path,
    ) -> Result<BTreeMap<MetricName, (Vec<f64>, Unit)>, RuleError> {
        let mut found = BTreeMap::new();
        for (metric, log) in &self.logs {
            let mut values = Vec::new();
            for path in artifacts::find(folder, &log.files) {
                let failed = |source| RuleError::Log {
                    metric: metric.clone(),
                    path: path.clone(),
                    source,
                };
                let text = fs::read_to_string(&path).map_err(failed)?;
                values.extend(column(&text, log));
            }
            found.insert(short(metric), (values, log.unit.clone()));
        }
        Ok(found)
    }
}

/// A metric of a load driver's report, without the prefix that expressions use.
pub(crate) fn short(metric: &MetricName) -> MetricName {
    let text = metric.as_str().strip_prefix("load.");
    text.and_then(|text| text.parse().ok())
        .unwrap_or_else(|| metric.clone())
}

/// The numbers of one column. Lines in which it is no number (a head, a last line cut off) are not
/// requests.
fn column<'t>(text: &'t str, log: &'t RequestLog) -> impl Iterator<Item = f64> + 't {
    let index = usize::try_from(log.column)
        .unwrap_or(usize::MAX)
        .saturating_sub(1);
    let cells = text.lines().filter_map(move |line| {
        let mut cells = line.split(|char: char| char.is_ascii_whitespace() || char == ',');
        cells.by_ref().filter(|cell| !cell.is_empty()).nth(index)
    });
    let numbers = cells.filter_map(|cell| cell.parse::<f64>().ok());
    numbers
        .map(|value| value * log.scale)
        .filter(|value| value.is_finite())
}

impl Rule {
    fn new(metric: &MetricName, rule: &OutputPattern, way: Way) -> Self {
        Self {
            metric: short(metric),
            scale: rule.scale,
            way,
        }
    }

    /// Whether it can be read from a part of the output alone.
    pub(crate) fn reads_parts(&self) -> bool {
        matches!(self.way, Way::Pattern(_))
    }

    /// The samples in a text, in base units.
    pub(crate) fn read(&self, text: &str) -> Result<Vec<ReadSample>, RuleError> {
        let read = match &self.way {
            Way::Pattern(pattern) => pattern.read(text),
            Way::Json(shape) => shape.read(text),
        };
        let mut samples = read.map_err(|source| RuleError::Read {
            metric: self.metric.clone(),
            source,
        })?;
        for sample in &mut samples {
            sample.value *= self.scale;
        }
        Ok(samples)
    }
}

#[cfg(test)]
mod tests {
    use em_core::plan::MetricKind;

    use super::*;

    fn a_log(column: u32, scale: f64) -> RequestLog {
        RequestLog {
            files: "*.log".to_owned(),
            column,
            unit: Unit::Seconds,
            scale,
        }
    }

    #[test]
    fn a_column_is_read_between_blanks_or_commas_and_other_lines_are_left_out() {
        let text = "client time\n0 1 2500\n1 2   3500 x\n2,3,4500\n0 1 25oo\n";
        let read: Vec<f64> = column(text, &a_log(3, 1e-6)).collect();
        assert_eq!(read, [2500.0 * 1e-6, 3500.0 * 1e-6, 4500.0 * 1e-6]);
    }

    #[test]
    fn printed_numbers_are_scaled_to_the_base_unit() {
        let pattern = |find: &str, scale| OutputPattern {
            find: find.to_owned(),
            unit: Unit::Seconds,
            scale,
            kind: MetricKind::Gauge,
        };
        let mut rules = OutputRules::default();
        rules
            .patterns
            .insert("latency".parse().unwrap(), pattern(r"lat (\d+)", 1e-3));
        rules
            .json
            .insert("errors".parse().unwrap(), pattern("$.a.b", 1.0));
        let rules = Rules::compile(&rules).unwrap();
        let [json, latency] = &rules.printed().iter().rev().collect::<Vec<_>>()[..] else {
            panic!()
        };
        let values: Vec<f64> = latency
            .read("lat 5\nlat 7\n")
            .unwrap()
            .iter()
            .map(|sample| sample.value)
            .collect();
        assert_eq!(values, [5.0 * 1e-3, 7.0 * 1e-3]);
        assert_eq!(
            json.read(r#"{"a": {"b": 3}}"#).unwrap()[0].value.to_bits(),
            3.0_f64.to_bits()
        );
        assert!(
            json.read("nothing")
                .unwrap_err()
                .to_string()
                .contains("errors")
        );
    }
}
