//! Output rules at work: from what a tool printed to numbers, by metric.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::json_path::{JsonPath, JsonPathError, JsonShape};
use super::pattern::{Pattern, PatternError};
use super::{ReadError, ReadSample};
use crate::id::MetricName;
use crate::observe::{TimedValue, Window};
use crate::plan::{OutputPattern, OutputRules};

/// A rule for one metric that is ready to read.
#[derive(Debug, Clone)]
pub struct PrintedRule {
    /// The metric, without the prefix `load.`.
    pub metric: MetricName,
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
pub enum PrintedError {
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
}

/// What one run printed of one metric.
#[derive(Debug, Clone, PartialEq)]
pub enum Points {
    /// One number about the whole run.
    Once(f64),
    /// A series.
    Series(Vec<TimedValue>),
}

/// The rules of a plan for what is printed; those for files are the caller's.
pub fn printed_rules(output: &OutputRules) -> Result<Vec<PrintedRule>, PrintedError> {
    let patterns = output.patterns.iter().map(|(metric, rule)| {
        let failed = |source| PrintedError::Pattern {
            metric: metric.clone(),
            source,
        };
        let pattern = Pattern::new(metric.as_str(), &rule.find).map_err(failed)?;
        Ok(PrintedRule::new(metric, rule, Way::Pattern(pattern)))
    });
    let json = output.json.iter().map(|(metric, rule)| {
        let failed = |source| PrintedError::Json {
            metric: metric.clone(),
            source,
        };
        let value: JsonPath = rule.find.parse().map_err(failed)?;
        let shape = JsonShape {
            name: metric.to_string(),
            value,
            at: None,
            labels: BTreeMap::new(),
        };
        Ok(PrintedRule::new(metric, rule, Way::Json(shape)))
    });
    patterns.chain(json).collect()
}

/// A metric of a load driver's report, without the prefix that expressions use.
pub fn short(metric: &MetricName) -> MetricName {
    let text = metric.as_str().strip_prefix("load.");
    text.and_then(|text| text.parse().ok())
        .unwrap_or_else(|| metric.clone())
}

impl PrintedRule {
    fn new(metric: &MetricName, rule: &OutputPattern, way: Way) -> Self {
        Self {
            metric: short(metric),
            scale: rule.scale,
            way,
        }
    }

    /// The samples in a text, in base units.
    pub fn read(&self, text: &str) -> Result<Vec<ReadSample>, PrintedError> {
        let read = match &self.way {
            Way::Pattern(pattern) => pattern.read(text),
            Way::Json(shape) => shape.read(text),
        };
        let mut samples = read.map_err(|source| PrintedError::Read {
            metric: self.metric.clone(),
            source,
        })?;
        for sample in &mut samples {
            sample.value *= self.scale;
        }
        Ok(samples)
    }

    /// What a run over `window` printed; none where there is nothing of this metric. `pieces` is the same text with
    /// the time at which each piece came: a series has its own times, else those of its pieces, else it lies
    /// evenly over the run.
    pub fn points(
        &self,
        text: &str,
        pieces: &[(Timestamp, String)],
        window: &Window,
    ) -> Result<Option<Points>, PrintedError> {
        let samples = self.read(text)?;
        match samples.as_slice() {
            [] => Ok(None),
            [only] if only.at.is_none() => Ok(Some(Points::Once(only.value))),
            many => {
                let series = match self.in_pieces(pieces)? {
                    Some(series) if series.len() == many.len() => series,
                    _ => spread(many, window),
                };
                Ok(Some(Points::Series(series)))
            }
        }
    }

    /// A series whose points came line by line, each at its time: its own, or that of its line. Only patterns read
    /// parts of an output.
    fn in_pieces(
        &self,
        pieces: &[(Timestamp, String)],
    ) -> Result<Option<Vec<TimedValue>>, PrintedError> {
        let Way::Pattern(_) = self.way else {
            return Ok(None);
        };
        let mut series = Vec::new();
        for (come, text) in pieces {
            for sample in self.read(text)? {
                let at = own_time(&sample).unwrap_or(*come);
                series.push(TimedValue {
                    at,
                    value: sample.value,
                });
            }
        }
        Ok(Some(series))
    }
}

impl Points {
    /// Those of a stretch of the run; one number about the whole run is one about each stretch.
    pub fn within(&self, window: &Window) -> Vec<TimedValue> {
        match self {
            Self::Once(value) => vec![TimedValue {
                at: window.start,
                value: *value,
            }],
            Self::Series(series) => {
                let within = series.iter().filter(|point| window.contains(point.at));
                within.copied().collect()
            }
        }
    }
}

/// A series of which no times are known: evenly over the run.
fn spread(samples: &[ReadSample], window: &Window) -> Vec<TimedValue> {
    let count = u32::try_from(samples.len()).unwrap_or(u32::MAX).max(1);
    let step = window.end.duration_since(window.start) / i32::try_from(count).unwrap_or(i32::MAX);
    let timed = samples.iter().zip(0..).map(|(sample, index)| {
        let evenly = window
            .start
            .saturating_add(step.saturating_mul(index))
            .unwrap_or(window.start);
        TimedValue {
            at: own_time(sample).unwrap_or(evenly),
            value: sample.value,
        }
    });
    timed.collect()
}

fn own_time(sample: &ReadSample) -> Option<Timestamp> {
    let time = SignedDuration::try_from_secs_f64(sample.at?).ok()?;
    Timestamp::from_duration(time).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::MetricKind;
    use crate::value::Unit;

    fn pattern(find: &str, scale: f64) -> OutputPattern {
        OutputPattern {
            find: find.to_owned(),
            unit: Unit::Seconds,
            scale,
            kind: MetricKind::Gauge,
        }
    }

    fn rules() -> Vec<PrintedRule> {
        let mut rules = OutputRules::default();
        rules
            .patterns
            .insert("latency".parse().unwrap(), pattern(r"lat (\d+)", 1e-3));
        rules
            .json
            .insert("load.errors".parse().unwrap(), pattern("$.a.b", 1.0));
        printed_rules(&rules).unwrap()
    }

    #[test]
    fn printed_numbers_are_scaled_to_the_base_unit() {
        let [latency, json] = &rules()[..] else {
            panic!()
        };
        let read = latency.read("lat 5\nlat 7\n").unwrap();
        let values: Vec<f64> = read.iter().map(|sample| sample.value).collect();
        assert_eq!(values, [5.0 * 1e-3, 7.0 * 1e-3]);
        let read = json.read(r#"{"a": {"b": 3}}"#).unwrap();
        assert_eq!(read[0].value.to_bits(), 3.0_f64.to_bits());
        let error = json.read("nothing").unwrap_err();
        assert!(error.to_string().contains("errors"), "{error}");
        assert_eq!(json.metric.as_str(), "errors", "the prefix is taken off");
    }

    #[test]
    fn a_series_lies_where_its_lines_came_and_a_single_number_in_every_stretch() {
        let at = |second: i64| Timestamp::from_second(second).unwrap();
        let window = Window {
            start: at(0),
            end: at(10),
        };
        let latency = &rules()[0];
        let lines = [(at(1), "lat 5\n".to_owned()), (at(8), "lat 7\n".to_owned())];
        let points = latency.points("lat 5\nlat 7\n", &lines, &window).unwrap();
        let second_half = Window {
            start: at(5),
            end: at(10),
        };
        let within = points.unwrap().within(&second_half);
        assert_eq!(within.len(), 1);
        assert_eq!(within[0].at, at(8));
        let once = latency.points("lat 5\n", &[], &window).unwrap().unwrap();
        assert_eq!(once.within(&second_half)[0].at, at(5));
        assert_eq!(latency.points("none", &[], &window).unwrap(), None);
    }
}
